"""What the tests of the schema share: what the database was asked."""

from collections.abc import Iterator, Sequence

import pytest

from tests.statements import listened


@pytest.fixture
def selects() -> Iterator[list[str]]:
    """Write down every SELECT that is sent during a test."""
    sent: list[str] = []

    def take(sql: str, _: Sequence[object]) -> None:
        if sql.startswith("SELECT"):
            sent.append(sql)

    with listened(take):
        yield sent
