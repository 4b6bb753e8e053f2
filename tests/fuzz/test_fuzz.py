"""Whatever is sent: an answer of GraphQL's, no fault of ours, no change that is not allowed.

The seeds are fixed, so that a run is a run; `make fuzz` tries others, and as many as one likes.
"""

import json
import os
import re
from collections.abc import Iterator
from typing import Final

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis_graphql import Mode

from tests.databases import Postgres, copied_sqlite
from tests.fuzz.strategies import bodies, damaged, documents, requests, urls
from tests.fuzz.targets import Target, target

pytestmark = pytest.mark.parametrize(
    "served",
    [
        pytest.param("sqlite", marks=pytest.mark.xdist_group("fuzz on SQLite")),
        pytest.param("postgresql", marks=pytest.mark.xdist_group("fuzz on PostgreSQL")),
    ],
    indirect=True,
)
TIMES: Final = int(os.environ.get("FUZZ_TIMES", "1"))
OUTSIDERS: Final = st.sampled_from(["anonymous", "plain", "expired", "broken"])
STATUS_LINE: Final = re.compile(rb"HTTP/1\.1 (\d{3}) ")


def tries(count: int) -> settings:
    """Try this many examples, the same in each run unless more than one run is asked for."""
    return settings(
        max_examples=count * TIMES,
        derandomize=TIMES == 1,
        database=None,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


@pytest.fixture(scope="module")
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Target]:
    """Serve a database on either engine, for all of this file's tests."""
    folder = tmp_path_factory.mktemp("fuzz")
    if request.param == "sqlite":
        url = copied_sqlite(request.getfixturevalue("sqlite_template"), folder)
        with target(url, folder) as served:
            yield served
    else:
        server: Postgres = request.getfixturevalue("postgres")
        with server.copied() as url, target(url, folder) as served:
            yield served


@pytest.fixture
def fuzzed(served: Target) -> Iterator[Target]:
    """Keep an eye on the server's log and on what outsiders may not change."""
    kept = served.protected()
    yield served
    served.check_log()
    assert served.protected() == kept


def operation(document: str) -> bytes:
    """Write a document as a request's body."""
    return json.dumps({"query": document}).encode()


@tries(25)
@given(document=documents(Mode.POSITIVE), caller=OUTSIDERS)
def test_document_that_fits_the_schema(fuzzed: Target, document: str, caller: str) -> None:
    fuzzed.send(operation(document), caller)


@tries(15)
@given(document=documents(Mode.NEGATIVE), caller=OUTSIDERS)
def test_document_that_misses_the_schema(fuzzed: Target, document: str, caller: str) -> None:
    errors = fuzzed.send(operation(document), caller).json()["errors"]
    assert {error["extensions"]["code"] for error in errors} <= {
        "BAD_USER_INPUT",
        "GRAPHQL_VALIDATION_FAILED",
    }


@tries(25)
@given(document=damaged(), caller=OUTSIDERS)
def test_damaged_document(fuzzed: Target, document: str, caller: str) -> None:
    fuzzed.send(operation(document), caller)


@tries(35)
@given(
    body=bodies(),
    caller=OUTSIDERS,
    accept=st.sampled_from(["*/*", "application/graphql-response+json", "text/html", ";q=x"]),
)
def test_body(fuzzed: Target, body: bytes, caller: str, accept: str) -> None:
    fuzzed.send(body, caller, accept=accept)


@tries(25)
@given(url=urls(), caller=OUTSIDERS)
def test_url(fuzzed: Target, url: str, caller: str) -> None:
    fuzzed.ask(url, caller)


@tries(25)
@given(document=st.one_of(documents(Mode.POSITIVE), damaged()))
def test_document_of_an_admin(served: Target, document: str) -> None:
    served.send(operation(document), "admin")
    served.check_log()


@tries(40)
@given(sent=requests())
def test_bytes(fuzzed: Target, sent: bytes) -> None:
    received = fuzzed.exchange(sent)
    if received:
        assert STATUS_LINE.match(received)
    for status in STATUS_LINE.findall(received):
        assert int(status) < 500
