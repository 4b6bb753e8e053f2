"""Which Chromium the tests take, and what they say where there is none."""

import platform
from pathlib import Path

import pytest

from tests.playground.chromium import LOCKED, NAMES, NEITHER, UNPACKED, bring, chromium, systems


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Be on a machine that has no Chromium."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CHROMIUM", raising=False)
    return tmp_path


@pytest.mark.parametrize("name", NAMES)
def test_systems_own_is_taken_and_the_one_that_is_named_before_it(
    alone: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    assert systems() is None
    program = alone / name
    program.touch(mode=0o755)
    assert systems() == str(program)
    bring()
    monkeypatch.setenv("CHROMIUM", "/opt/another")
    assert systems() == "/opt/another"


@pytest.mark.parametrize(("system", "machine"), [("Darwin", "arm64"), ("Linux", "aarch64")])
def test_machine_that_neither_serves_is_told_what_to_do(
    monkeypatch: pytest.MonkeyPatch, system: str, machine: str
) -> None:
    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    with pytest.raises(SystemExit, match="install Chromium, or set CHROMIUM to the path of one"):
        bring()


def test_one_that_does_not_start_here_is_told_in_the_same_words(
    alone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.playground.chromium.ALL_THERE_IS", _here())
    monkeypatch.setattr("tests.playground.chromium.is_new", lambda: True)
    monkeypatch.setattr("tests.playground.chromium.UNPACKED", alone / "chromium")
    with pytest.raises(SystemExit) as told:
        bring()
    assert str(told.value) == NEITHER


async def test_test_without_any_fails_in_these_words(
    alone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.playground.chromium.UNPACKED", alone / "chromium")
    with pytest.raises(FileNotFoundError, match="install Chromium"):
        async with chromium():
            pass


def test_lock_holds_hashes_and_no_address() -> None:
    lock = (LOCKED / "package-lock.json").read_text(encoding="utf-8")
    assert lock.count('"integrity": "sha512-') == lock.count('"node_modules/')
    assert "://" not in lock
    assert UNPACKED.is_relative_to(LOCKED / "node_modules")


def _here() -> tuple[str, str]:
    return platform.system(), platform.machine()
