"""Files of templates: those of some folders, and the faults of their names."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

from gql_app.lib.language_tags import language_fallbacks, language_tag

DEFAULT_LANGUAGE: Final = "en"
"""The language of letters for which there are no templates in another."""
_LETTER: Final = re.compile(
    r"(?P<kind>[a-z][a-z0-9_]*)\.(?P<tag>[A-Za-z0-9-]+)\.(?P<part>subject\.txt|txt|html)"
)
_SHARED: Final = re.compile(r"[A-Za-z0-9_-]+\.(?:txt|html)")
"""Names of templates that others extend or include: without a language."""
_NAMES: Final = "KIND.LANGUAGE.subject.txt, KIND.LANGUAGE.txt or KIND.LANGUAGE.html"


class Part(StrEnum):
    """The parts of a letter, by the endings of their files."""

    SUBJECT = "subject.txt"
    TEXT = "txt"
    HTML = "html"


_REQUIRED: Final = (Part.SUBJECT, Part.TEXT)


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder of templates, and the kinds of its letters."""

    path: Path
    kinds: Mapping[str, Sequence[Mapping[str, object]]]
    """For each kind some examples of the values that its letters may have."""
    is_tested: bool = False
    """Whether its templates are tested elsewhere, as a program's own are by its tests."""


@dataclass(frozen=True, slots=True)
class Source:
    """The text of a file, and its path."""

    path: Path
    text: str
    is_tested: bool


@dataclass(frozen=True, slots=True)
class Chosen:
    """The templates of a letter in one language, by their names."""

    language: str
    subject: str
    text: str
    html: str | None
    """None for a letter of text alone."""


@dataclass(slots=True)
class Files:
    """The files of some folders; each replaces those of the same name in earlier folders."""

    sources: dict[str, Source] = field(default_factory=dict)
    """By the files' names."""
    letters: dict[str, dict[str, dict[Part, str]]] = field(default_factory=dict)
    """The names of the templates of letters, by kind, language and part."""
    faults: list[str] = field(default_factory=list)

    def choose(self, kind: str, language: str | None) -> Chosen:
        """Return the templates of a kind in a language, or else in the default language.

        A language may use its own files and those of its fallbacks, as de-CH uses those of de;
        the default language is never mixed in. Raises LookupError.
        """
        for tag in filter(None, (language, DEFAULT_LANGUAGE)):
            if chosen := self._with_fallbacks(kind, tag):
                return chosen
        message = f"There are no templates of {kind}"
        raise LookupError(message)

    def _with_fallbacks(self, kind: str, language: str) -> Chosen | None:
        languages, found = self.letters.get(kind, {}), dict[Part, str]()
        of: str | None = None
        for tag in language_fallbacks(language):
            if tag in languages:
                of, found = of or tag, {**languages[tag], **found}
        if of is None or any(part not in found for part in _REQUIRED):
            return None
        return Chosen(of, found[Part.SUBJECT], found[Part.TEXT], found.get(Part.HTML))


def read_folders(folders: Sequence[Folder], kinds: Collection[str]) -> Files:
    """Return the templates of some folders, with a fault for each file that can't be one."""
    files = Files()
    for folder in folders:
        try:
            paths = sorted(folder.path.iterdir())
        except OSError as why:
            files.faults.append(f"{folder.path}: can't be read: {why.strerror}.")
            continue
        for path in paths:
            if path.name.startswith(".") or path.suffix not in {".txt", ".html"}:
                continue
            fault = _add(files, folder, path)
            if fault:
                files.faults.append(f"{path}: {fault}.")
    files.faults += _missing(files.letters, kinds)
    return files


def _add(files: Files, folder: Folder, path: Path) -> str | None:
    """Add a file, or return why it can't be a template."""
    letter = _LETTER.fullmatch(path.name)
    if letter is None and not _SHARED.fullmatch(path.name):
        return f"a template of a letter is named {_NAMES}"
    if letter and (fault := _misnamed(letter, folder)):
        return fault
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as why:
        return f"can't be read: {why.strerror if isinstance(why, OSError) else 'it is not UTF-8'}"
    files.sources[path.name] = Source(path, text, folder.is_tested)
    if letter:
        languages = files.letters.setdefault(letter["kind"], {})
        languages.setdefault(letter["tag"], {})[Part(letter["part"])] = path.name
    return None


def _misnamed(letter: re.Match[str], folder: Folder) -> str | None:
    kind, tag = letter["kind"], letter["tag"]
    if kind not in folder.kinds:
        return f"there is no letter {kind}; there are {', '.join(sorted(folder.kinds))}"
    if tag == "subject":
        return f"its name lacks the language, such as {kind}.{DEFAULT_LANGUAGE}.subject.txt"
    usual = language_tag(tag)
    if usual is None:
        return f"{tag} is no language tag (BCP 47)"
    return None if usual == tag else f"{tag} is written {usual}"


def _missing(
    letters: Mapping[str, Mapping[str, Mapping[Part, str]]], kinds: Collection[str]
) -> Iterator[str]:
    """Yield a fault for each part that a letter lacks in a language that has other parts of it."""
    for kind in kinds:
        languages = letters.get(kind, {})
        for tag in sorted({DEFAULT_LANGUAGE, *languages}):
            chain = [languages.get(each, {}) for each in language_fallbacks(tag)]
            for part in _REQUIRED:
                if not any(part in parts for parts in chain):
                    yield f"{kind}.{tag}.{part} is missing."
