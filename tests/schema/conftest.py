"""Fixtures of the schema's tests: quick hashes, settings, and a record of statements."""

from collections.abc import Iterator, Sequence

import pytest
from argon2 import PasswordHasher

from gql_app.lib.hashes import hasher
from gql_app.settings import Settings
from tests.databases import Postgres, copied_sqlite
from tests.schema.agreement import Both, both_running
from tests.statements import listened

QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@pytest.fixture(autouse=True)
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make password hashing fast: its cost is tested elsewhere."""
    monkeypatch.setattr(hasher, "_HASHER", QUICK)


@pytest.fixture(scope="module")
def both(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Both]:
    """Run the application with and without the compiled executor, for all tests of a file."""
    if request.param == "sqlite":
        template = request.getfixturevalue("sqlite_template")
        with both_running(copied_sqlite(template, tmp_path_factory.mktemp("both"))) as both:
            yield both
    else:
        server: Postgres = request.getfixturevalue("postgres")
        with server.copied() as url, both_running(url) as both:
            yield both


@pytest.fixture
def verification() -> str | None:
    """Return no mode of address verification; tests override this fixture."""
    return None


@pytest.fixture
def settings(
    settings: Settings, request: pytest.FixtureRequest, verification: str | None
) -> Settings:
    """Return the settings, with the compiled executor off for tests that ask for it."""
    compiled = getattr(request, "param", True)
    changes = {"compiled": compiled, "email_verification": verification}
    return settings.model_copy(update=changes)


@pytest.fixture
def selects() -> Iterator[list[str]]:
    """Record every SELECT that is sent during a test."""
    sent: list[str] = []

    def take(sql: str, _: Sequence[object]) -> None:
        if sql.startswith("SELECT"):
            sent.append(sql)

    with listened(take):
        yield sent
