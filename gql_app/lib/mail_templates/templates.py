"""Templates of letters: tested before they are needed, and rendered when a letter is sent."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from traceback import walk_tb
from typing import TYPE_CHECKING, Final, TypeAlias

from gql_app.lib.faults import CannotStart, sentence
from gql_app.lib.mail_templates.files import Chosen, Folder, read_folders

if TYPE_CHECKING:
    from gql_app.lib.mail_templates.sandbox import Sandbox

Values: TypeAlias = Mapping[str, object]
_LANGUAGE: Final = "language"
"""The value with the language tag of the templates."""


@dataclass(frozen=True, slots=True, repr=False)
class Rendered:
    """A rendered letter, whose link no log holds."""

    language: str
    subject: str
    text: str
    html: str | None


class MailTemplates:
    """The templates of letters of several kinds.

    They are read once: a changed file takes effect at the next start.
    """

    def __init__(
        self, folders: Sequence[Folder], common: Values, *, replaced_by: Path | None = None
    ) -> None:
        """Read the folders, and another whose templates may replace any of theirs.

        Every letter has the `common` values, and its `language`, beside its own.
        """
        self.kinds: Final = {kind: each.kinds[kind] for each in folders for kind in each.kinds}
        """The kinds of letters, with examples of their values."""
        own = [Folder(replaced_by, self.kinds)] if replaced_by else []
        self._common: Final = common
        self._files: Final = read_folders([*folders, *own], self.kinds)

    def render(self, kind: str, language: str | None, values: Values) -> Rendered:
        """Return a letter in a language, or in one that it falls back to.

        The subject is a single line. Raises any error in a template.
        """
        return self._render(self._files.choose(kind, language), values)

    def languages(self, kind: str) -> list[str]:
        """Return the languages for which a kind has templates."""
        return sorted(self._files.letters[kind])

    def check(self) -> None:
        """Raise CannotStart with all faults of the templates.

        They are rendered with the examples, unless all are of folders that are tested elsewhere.
        """
        faults = [*self._files.faults]
        are_tested = all(source.is_tested for source in self._files.sources.values())
        for kind in self._files.letters:
            faults += [*self._lint(kind)] or (() if are_tested else self._render_faults(kind))
        if faults:
            raise CannotStart([*dict.fromkeys(faults)])

    def _lint(self, kind: str) -> Iterator[str]:
        known = {_LANGUAGE, *self._common, *(name for each in self.kinds[kind] for name in each)}
        for parts in self._files.letters[kind].values():
            for source in (self._files.sources[name] for name in parts.values()):
                if not source.is_tested:
                    yield from self._sandbox.faults(source, known)

    def _render_faults(self, kind: str) -> Iterator[str]:
        for language in self.languages(kind):
            try:
                chosen = self._files.choose(kind, language)
            except LookupError:  # of a missing file, which is a fault already
                continue
            for values in self.kinds[kind]:
                try:
                    rendered = self._render(chosen, values)
                except Exception as why:  # noqa: BLE001 — what a template calls may raise anything
                    yield sentence(f"{self._place(why)}: {type(why).__name__}: {why}")
                    continue
                if not rendered.subject or not rendered.text.strip():
                    yield f"{kind}.{language}: its subject or its text is empty."

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
