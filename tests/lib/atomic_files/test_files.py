"""A file that somebody else writes to is for its owner only, and appears when it is whole."""

import errno
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from gql_app.lib import atomic_files


def test_file_appears_when_it_is_whole_and_is_its_owners(tmp_path: Path) -> None:
    file = tmp_path / "file"
    with atomic_files.creating(file) as draft:
        draft.write_text("whole")
        assert draft.stat().st_mode & 0o777 == 0o600
        assert not file.exists()
    assert (file.read_text(), file.stat().st_mode & 0o777) == ("whole", 0o600)
    assert list(tmp_path.iterdir()) == [file]


def test_file_that_was_there_first_stays(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("first")
    with pytest.raises(FileExistsError), atomic_files.creating(file) as draft:
        draft.write_text("second")
    assert file.read_text() == "first"
    assert list(tmp_path.iterdir()) == [file]


def bound(path: Path) -> None:
    """Bind a socket to a path."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))


@pytest.mark.parametrize(
    "put",
    [os.mkfifo, bound, lambda path: path.symlink_to("file"), lambda path: path.symlink_to("gone")],
    ids=["pipe", "socket", "link", "dangling link"],
)
def test_what_is_no_regular_file_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, put: Callable[[Path], None]
) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's path is short
    name = Path("name")
    Path("file").write_text("the one before")
    put(name)
    before = name.lstat()
    with pytest.raises(OSError, match="Not a regular file") as failed:
        atomic_files.replace(name, b"hush")
    assert failed.value.filename == "name"
    assert name.lstat() == before
    assert Path("file").read_text() == "the one before"
    assert sorted(tmp_path.iterdir()) == [tmp_path / "file", tmp_path / "name"]


def test_file_that_does_not_get_whole_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(TypeError), atomic_files.creating(tmp_path / "file") as draft:
        draft.write_text(None)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("place", ["nowhere/file", "taken", "file/file", "x" * 250])
def test_error_names_the_file_and_not_its_draft(tmp_path: Path, place: str) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "file").touch()
    for write in (atomic_files.create, atomic_files.replace):
        with pytest.raises(OSError, match=r".") as failed:
            write(tmp_path / place, b"hush")
        assert failed.value.filename == str(tmp_path / place)
        assert failed.value.filename2 is None
    assert sorted(each.name for each in tmp_path.iterdir()) == ["file", "taken"]


def test_error_of_a_full_disk_names_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fsync(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fsync)
    for write in (atomic_files.create, atomic_files.replace):
        with pytest.raises(OSError, match="No space left") as failed:
            write(tmp_path / "file", b"hush")
        assert failed.value.filename == str(tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


def test_error_of_another_file_keeps_its_name(tmp_path: Path) -> None:
    other = tmp_path / "nowhere" / "other"
    with (
        pytest.raises(FileNotFoundError) as failed,
        atomic_files.creating(tmp_path / "file") as draft,
    ):
        draft.write_bytes(other.read_bytes())
    assert failed.value.filename == str(other)


@pytest.mark.parametrize("path", ["", ".", "/"])
def test_path_that_names_no_file_is_a_folder(path: str) -> None:
    with pytest.raises(IsADirectoryError, match="Is a directory"):
        atomic_files.create(Path(path), b"hush")
