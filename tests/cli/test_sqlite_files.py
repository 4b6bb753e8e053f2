"""One file for one URL: every command means the same, whatever characters its name has."""

import stat
from pathlib import Path

import pytest

from gql_app.security.key_store import key_store
from gql_app.settings import Settings
from tests.commands import output_here
from tests.people import PASSWORD
from tests.transfer import rows

ADA = ("create-admin", "--email", "ada@example.com", "--name", "Ada")


def modes(folder: Path) -> dict[str, int]:
    """Return the mode of each file in a folder."""
    return {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}


@pytest.mark.parametrize(
    ("spelt", "name"),
    [
        ("my%20shop.db", "my shop.db"),
        ("a%3Fb%23c.db", "a?b#c.db"),
        ("100%.db", "100%.db"),
        ("%3Amemory%3A", ":memory:"),
    ],
)
async def test_every_command_means_the_same_file(tmp_path: Path, spelt: str, name: str) -> None:
    (tmp_path / "there").mkdir()
    url = f"sqlite:///{tmp_path}/there/{spelt}"
    given = {"database_url": url, "admin_password": PASSWORD}
    output_here("migrate", folder=tmp_path, **given)
    output_here(*ADA, folder=tmp_path, **given)
    key_store(Settings(database_url=url))
    output_here("check", "--accept", "no-mail", folder=tmp_path, **given)
    assert modes(tmp_path / "there") == {name: 0o600, f"{name}.key": 0o600}
    told = output_here("backup", "copy.db", folder=tmp_path, **given)
    assert told == f"{tmp_path}/there/{name} is copied to copy.db.\n"
    assert [row["name"] for row in await rows(f"sqlite:///{tmp_path}/copy.db")] == ["Ada"]
