"""Containerfile and compose.yaml, parsed as an engine does, with the steps run where possible."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Any

from tests.processes import PATIENCE, ROOT

PLACES = ("/src", "/opt/gql-app", "/wheel", "/data")
"""The folders of the image that the steps name."""
FETCHES = ("--require-hashes", "npm.py")
"""Words by which a step that needs the network is recognised."""
READER = """
const text = require("fs").readFileSync(0, "utf8");
const found = require("yaml").parseAllDocuments(text, { merge: true });
process.stdout.write(JSON.stringify(found.map((each) => each.toJS())));
"""


@dataclass(frozen=True, slots=True)
class Step:
    """One instruction of a Containerfile."""

    word: str
    rest: str

    @property
    def options(self) -> dict[str, str]:
        """Return the leading options, written --name=value."""
        return dict(re.findall(r"--([\w-]+)=(\S+)", self.rest.partition("CMD")[0]))

    @property
    def arguments(self) -> list[str]:
        """Return the words without options, or the strings of JSON."""
        said = re.sub(r"^(--\S+\s+)+", "", self.rest).removeprefix("CMD ")
        if not said.startswith("["):
            return shlex.split(said)
        words: list[str] = json.loads(said)
        return words


def stages(file: Path = ROOT / "Containerfile") -> list[list[Step]]:
    """Return the stages of a Containerfile: a list of steps for each FROM."""
    lines = [line for line in file.read_text().splitlines() if not line.startswith("#")]
    found: list[list[Step]] = []
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        if not line.strip():
            continue
        word, _, rest = line.partition(" ")
        if word == "FROM":
            found.append([])
        found[-1].append(Step(word, rest.strip()))
    return found


def pairs(steps: list[Step], word: str) -> dict[str, str]:
    """Return the names and values of ENV or LABEL."""
    said = [each for step in steps if step.word == word for each in step.arguments]
    return dict(each.split("=", 1) for each in said)


@cache
def context(ignore: Path = ROOT / ".dockerignore") -> set[str]:
    """Return the files of the build context: the last pattern that matches a path decides."""
    lines = [line for line in ignore.read_text().splitlines() if line and not line.startswith("#")]
    return {str(file) for file in _sent(ROOT, lines)}


def _sent(folder: Path, patterns: list[str]) -> Iterator[Path]:
    """Yield the files in a folder; ignored folders are not searched."""
    for each in folder.iterdir():
        path = each.relative_to(ROOT)
        if _is_ignored(path, patterns):
            continue
        if each.is_dir():
            yield from _sent(each, patterns)
        elif each.is_file():
            yield path


def _is_ignored(path: Path, patterns: list[str]) -> bool:
    above = [str(each) for each in (path, *path.parents)]
    ignored = False
    for pattern in patterns:
        wanted = pattern.removeprefix("!")
        plain = wanted.removeprefix("**/")
        names = [Path(each).name for each in above] if plain != wanted else above
        if any(fnmatch(each, plain) for each in names):
            ignored = not pattern.startswith("!")
    return ignored


def here(root: Path, said: str) -> str:
    """Return a command with the image's folders replaced by those below `root`."""
    return re.sub(rf"(?<![\w.])({'|'.join(PLACES)})\b", rf"{root}\1", said)


def replay(steps: list[Step], root: Path) -> None:
    """Run the build's steps in a folder; this machine's packages replace what would be fetched."""
    for place in PLACES:
        (root / place[1:]).mkdir(parents=True)
    folder, files = root, context()
    for step in steps:
        if step.word == "WORKDIR":
            folder = root / step.rest[1:]
        elif step.word == "COPY":
            *sources, target = step.arguments
            for file in files:
                if any(file == each or file.startswith(f"{each}/") for each in sources):
                    copy = folder / target / file if target == "./" else folder / file
                    copy.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(ROOT / file, copy)
        elif step.word == "RUN" and not any(each in step.rest for each in FETCHES):
            _run(here(root, re.sub(r" -[og] \d+", "", step.rest)), folder)
        elif step.word == "RUN" and "npm.py" in step.rest:
            page = "gql_app/web/static"
            shutil.copytree(ROOT / page, folder / page, copy_function=shutil.copy)
    (needed,) = (root / "opt/gql-app").glob("lib/python*/site-packages")
    (needed / "needed.pth").write_text(sysconfig.get_path("purelib"))


def _run(command: str, folder: Path) -> None:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    subprocess.run(  # noqa: S602 — the Containerfile's own words, which a shell reads there, too
        command,
        shell=True,
        cwd=folder,
        env={**os.environ, "PATH": path},
        check=True,
        capture_output=True,
        timeout=PATIENCE,
    )


def composition(variables: Mapping[str, str]) -> dict[str, object]:
    """Return compose.yaml with variables of .env substituted. Raises KeyError for a missing one."""

    def put(found: re.Match[str]) -> str:
        name, default = found[1], found[2]
        return variables.get(name, default) if default is not None else variables[name]

    text = (ROOT / "compose.yaml").read_text(encoding="utf-8")
    said = re.sub(r"\$\{(\w+)(?::-([^}]*)|:\?[^}]*)\}", put, text)
    (read,) = _parsed(said)
    return read


def documents(file: Path) -> list[dict[str, Any]]:
    """Return the documents of a file of YAML."""
    return _parsed(file.read_text(encoding="utf-8"))


def _parsed(yaml: str) -> list[dict[str, Any]]:
    read: list[dict[str, Any]] = json.loads(_json_of(yaml))
    return read


@cache
def _json_of(yaml: str) -> str:
    return subprocess.check_output(  # noqa: S603 — npm's YAML, for Python has none
        [str(Path(sys.executable).parent / "node"), "-e", READER],
        input=yaml,
        cwd=ROOT / "tests/clients",
        encoding="utf-8",
    )
