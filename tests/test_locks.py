"""The locks: complete, so that pip has nothing to resolve; of hashes, and of no address."""

import re
from collections.abc import Iterator
from importlib.metadata import requires, version

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.processes import ROOT

LOCKS = sorted(file.name for file in ROOT.glob("requirements*.txt"))
HERE = ("requirements-build.txt", "requirements-dev.txt", "requirements-node.txt")
"""What is installed where the tests run, besides what the program itself needs."""
INSTALLERS = ("Makefile", "Containerfile", "playground/npm.py", "tests/fresh_check.py")
ENTRY = re.compile(
    r"([\w.-]+)==([^\s;]+)(?: ; [^\\]+)? \\(?:\n    --hash=sha256:[0-9a-f]{64}(?: \\)?)+\n"
)


def pins(lock: str) -> dict[str, str]:
    """Return the version of each package that a lock has for this machine."""
    lines = (ROOT / lock).read_text(encoding="utf-8").splitlines()
    found = [
        Requirement(line.rstrip(" \\")) for line in lines if "==" in line and line[0].isalnum()
    ]
    return {
        canonicalize_name(each.name): str(each.specifier).removeprefix("==")
        for each in found
        if each.marker is None or each.marker.evaluate()
    }


def needs(name: str, extras: frozenset[str]) -> Iterator[Requirement]:
    """Read what a package asks for, with these extras of it."""
    for each in map(Requirement, requires(name) or []):
        wanted = each.marker is None or any(
            each.marker.evaluate({"extra": extra}) for extra in extras | {""}
        )
        if wanted:
            yield each


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_has_versions_and_hashes_and_nothing_else(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")
    assert ENTRY.search(text)
    assert ENTRY.sub("", text) == ""


@pytest.mark.parametrize("lock", ["requirements.txt", *HERE])
def test_lock_has_all_that_its_packages_ask_for(lock: str) -> None:
    there = pins(lock)
    asked = {(name, frozenset[str]()) for name in there}
    seen: set[tuple[str, frozenset[str]]] = set()
    while asked:
        name, extras = asked.pop()
        seen.add((name, extras))
        assert version(name) == there[name]
        for each in needs(name, extras):
            needed = canonicalize_name(each.name)
            assert needed in there, f"{name} asks for {each}"
            assert each.specifier.contains(there[needed], prereleases=True), (name, each)
            asked |= {(needed, frozenset(each.extras))} - seen


def test_every_installation_of_a_lock_resolves_nothing() -> None:
    for file in INSTALLERS:
        for line in (ROOT / file).read_text(encoding="utf-8").splitlines():
            assert "--require-hashes" not in line or "--no-deps" in line, (file, line)


def test_oldest_pip_is_older_than_the_one_that_is_developed_with() -> None:
    (oldest,) = pins("requirements-oldest-pip.txt").items()
    assert oldest == ("pip", "22.3")  # Python 3.11.0 brings it
    assert int(pins("requirements-dev.txt")["pip"].partition(".")[0]) >= 26
