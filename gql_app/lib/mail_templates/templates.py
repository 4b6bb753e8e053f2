"""Templates of letters: tried before they are needed, and rendered when a letter leaves."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from traceback import walk_tb
from typing import TYPE_CHECKING, Final, TypeAlias

from gql_app.lib.faults import CannotStart
from gql_app.lib.mail_templates.files import Chosen, Folder, read_folders

if TYPE_CHECKING:
    from gql_app.lib.mail_templates.sandbox import Sandbox

Values: TypeAlias = Mapping[str, object]
_LANGUAGE: Final = "language"
"""The value with the language tag of the templates."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """What a letter says."""

    language: str
    subject: str
    text: str
    html: str | None


class MailTemplates:
    """The templates of letters of several kinds.

    They are read once, so that a file that is changed is noticed at the next start.
    """

    def __init__(
        self, kinds: Mapping[str, Sequence[Values]], folders: Sequence[Folder], common: Values
    ) -> None:
        """Read the folders, of which the later take precedence.

        Each kind has examples of the values that its letters may have; every letter has those in
        common, and its `language`.
        """
        self.kinds: Final = kinds
        self._common: Final = common
        self._files: Final = read_folders(folders, kinds)

    def render(self, kind: str, language: str | None, values: Values) -> Rendered:
        """Return a letter in a language, or in one that it falls back to.

        The subject is a single line. Raises whatever is wrong with a template.
        """
        return self._render(self._files.choose(kind, language), values)

    def languages(self, kind: str) -> list[str]:
        """Return the languages for which a kind has templates."""
        return sorted(self._files.letters[kind])

    def check(self) -> None:
        """Raise CannotStart with everything that is wrong with the templates.

        Each that isn't ours is tried with the examples, as is ours where it may include one.
        """
        faults = self._files.faults or [*self._parsed()] or [*dict.fromkeys(self._tried())]
        if faults:
            raise CannotStart(faults)

    def _parsed(self) -> Iterator[str]:
        for kind, languages in self._files.letters.items():
            known = {
                _LANGUAGE,
                *self._common,
                *(name for each in self.kinds[kind] for name in each),
            }
            for name in (name for parts in languages.values() for name in parts.values()):
                source = self._files.sources[name]
                if not source.is_ours:
                    yield from self._sandbox.faults(source, known)

    def _tried(self) -> Iterator[str]:
        for kind in self._suspects():
            for language in self.languages(kind):
                for values in self.kinds[kind]:
                    try:
                        rendered = self._render(self._files.choose(kind, language), values)
                    except Exception as why:  # noqa: BLE001 — a template may raise whatever it calls
                        yield f"{self._place(why)}: {why or type(why).__name__}."
                        continue
                    if not rendered.subject or not rendered.text.strip():
                        yield f"{kind}.{language}: its subject or its text is empty."

    def _suspects(self) -> list[str]:
        """Return the kinds whose letters may use a template that isn't ours."""
        sources, letters = self._files.sources, self._files.letters
        of_letters = {
            name: kind
            for kind, languages in letters.items()
            for parts in languages.values()
            for name in parts.values()
        }
        others = [name for name, source in sources.items() if not source.is_ours]
        if any(name not in of_letters for name in others):
            return [*self.kinds]
        return [kind for kind in self.kinds if kind in {of_letters[name] for name in others}]

    def _place(self, why: Exception) -> str:
        """Return the file and line of a template in which an error happened."""
        paths = {str(source.path) for source in self._files.sources.values()}
        lineno, path = getattr(why, "lineno", None), getattr(why, "filename", None)
        if lineno and path:
            return f"{path}, line {lineno}"
        places = [
            f"{frame.f_code.co_filename}, line {line}"
            for frame, line in walk_tb(why.__traceback__)
            if frame.f_code.co_filename in paths
        ]
        return places[-1] if places else "The templates"

    def _render(self, chosen: Chosen, values: Values) -> Rendered:
        given = {**values, **self._common, _LANGUAGE: chosen.language}
        subject = " ".join(self._sandbox.render(chosen.subject, given).split())
        text = self._sandbox.render(chosen.text, given).strip()
        html = self._sandbox.render(chosen.html, given) if chosen.html else None
        return Rendered(chosen.language, subject, f"{text}\n", html)

    @cached_property
    def _sandbox(self) -> "Sandbox":
        from gql_app.lib.mail_templates.sandbox import Sandbox  # noqa: PLC0415 — as aiosmtplib

        return Sandbox(self._files.sources.get)
