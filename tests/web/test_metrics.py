"""The numbers: what is counted, and that no client makes up what they are counted by."""

import platform
from collections.abc import AsyncIterator

import pytest
import strawberry
from prometheus_client.openmetrics import parser
from sqlalchemy import select, true

from gql_app import Feature, Refused, __version__
from gql_app.metrics import OUTCOMES, REASONS
from gql_app.settings import Settings
from tests.api import Api, running
from tests.hashing import busy
from tests.people import PASSWORD, Kind, Person, add_customer
from tests.scraping import numbers

LOGIN = "mutation($e: String!, $p: String!) { login(email: $e, password: $p) { status } }"
EMAIL = "ada@example.com"
REFUSED = (
    "TOKEN_MISSING",
    "TOKEN_EXPIRED",
    "TOKEN_REVOKED",
    "ADMIN_REQUIRED",
    "GRAPHQL_VALIDATION_FAILED",
)
THREADS = 2
JSON = {"Content-Type": "application/json"}

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
async def strict(settings: Settings) -> AsyncIterator[Api]:
    """Run an API that soon has enough, with one customer."""
    limits = {"login_attempts": 2, "login_client_attempts": 4, "password_threads": THREADS}
    limits["password_queue"] = 0
    async with running(settings.model_copy(update=limits)) as api:
        await add_customer(api.database, "Ada Plain", EMAIL)
        yield api


async def sign_in(api: Api, password: str = PASSWORD, email: str = EMAIL) -> None:
    """Try to sign in."""
    answer = await api.run(LOGIN, e=email, p=password)
    assert "errors" not in answer.body


async def test_requests_are_counted_by_operation_and_outcome(api: Api, plain: Person) -> None:
    await api.run("{ me { id } }", token=plain.token)
    await api.run("{ __typename }")
    await api.run("{ me { id } }")
    await api.run("{")
    await api.run("mutation { logout { status } }", token=plain.token)
    await api.client.get("/nowhere")
    await api.client.post("/graphql", content=b"{}")
    now = await numbers(api)
    for operation, outcome, times in (
        ("query", "OK", 2),
        ("query", "TOKEN_MISSING", 1),
        ("none", "GRAPHQL_PARSE_FAILED", 1),
        ("mutation", "OK", 1),
        ("none", "NOT_FOUND", 1),
        ("none", "UNSUPPORTED_MEDIA_TYPE", 1),
    ):
        assert now.of("gql_app_requests_total", operation=operation, outcome=outcome) == times, (
            outcome
        )
    for operation, times in (("query", 3), ("mutation", 1), ("none", 3)):
        seconds = "gql_app_request_duration_seconds"
        assert now.of(f"{seconds}_count", operation=operation) == times
        assert now.of(f"{seconds}_bucket", operation=operation, le="+Inf") == times
        assert now.of(f"{seconds}_sum", operation=operation) > 0


async def test_gravest_of_several_outcomes_counts(api: Api, plain: Person) -> None:
    asked = "query A { auditEvents { nodes { id } } customers { totalCount } }"
    await api.run(asked)
    await api.run("{ auditEvents { nodes { id } } customers(first: -1) { totalCount } }",
                  token=plain.token)  # fmt: skip
    now = await numbers(api)
    assert now.of("gql_app_requests_total", operation="query", outcome="TOKEN_MISSING") == 1
    assert now.of("gql_app_requests_total", operation="query", outcome="ADMIN_REQUIRED") == 1
    assert now.of("gql_app_refusals_total", reason="BAD_USER_INPUT") == 1
    assert now.of("gql_app_refusals_total", reason="ADMIN_REQUIRED") == 1


async def test_refusals_are_counted_by_reason(api: Api, tokens: dict[Kind, str | None]) -> None:
    for kind in (Kind.ANONYMOUS, Kind.EXPIRED, Kind.REVOKED, Kind.PLAIN):
        await api.run("{ auditEvents { nodes { id } } }", token=tokens[kind])
    await api.run("{ nobody }")
    await api.client.get("/nowhere")  # which is no refusal
    await api.run("{ __typename }", token="not one")
    now = await numbers(api)
    told = {r: now.of("gql_app_refusals_total", reason=r) for r in REASONS}
    expected = dict.fromkeys(REFUSED, 1)
    assert {reason: times for reason, times in told.items() if times} == expected


@strawberry.type
class Shop:
    """A feature's mutation, which a rule of its own refuses."""

    @strawberry.mutation
    async def enter(self) -> str:
        """Refuse everybody."""
        code = "SHOP_CLOSED"
        raise Refused(code, "Come back tomorrow.")


async def test_refusals_of_a_feature_are_counted_by_its_codes(settings: Settings) -> None:
    shop = Feature("shop", mutations=[Shop], error_codes=["SHOP_CLOSED"])
    async with running(settings, features=[shop]) as api:
        assert (await api.run("mutation { enter }")).code("enter") == "SHOP_CLOSED"
        now = await numbers(api)
    for name, labels in (
        ("gql_app_requests_total", {"operation": "mutation", "outcome": "SHOP_CLOSED"}),
        ("gql_app_refusals_total", {"reason": "SHOP_CLOSED"}),
    ):
        assert now.of(name, **labels) == 1


async def test_sign_ins_are_counted_by_result(strict: Api) -> None:
    await sign_in(strict)
    await sign_in(strict, "wrong")
    await sign_in(strict, "wrong", "nobody@example.com")
    await sign_in(strict, "wrong")
    await sign_in(strict)
    now = await numbers(strict)
    found = {
        result: now.of("gql_app_sign_ins_total", result=result)
        for result in ("success", "wrong", "throttled", "failed")
    }
    assert found == {"success": 1, "wrong": 3, "throttled": 1, "failed": 0}
    assert now.of("gql_app_throttled_total", limit="sign_in_address") == 1
    assert now.of("gql_app_refusals_total", reason="INVALID_CREDENTIALS") == 3
    assert now.of("gql_app_refusals_total", reason="TOO_MANY_ATTEMPTS") == 1


async def test_sign_in_that_a_fault_befalls_has_failed(strict: Api) -> None:
    strict.resources.passwords.close()
    answer = await strict.run(LOGIN, e=EMAIL, p=PASSWORD)
    assert answer.code("login") == "INTERNAL_SERVER_ERROR"
    now = await numbers(strict)
    assert now.of("gql_app_sign_ins_total", result="failed") == 1
    assert (
        now.of("gql_app_requests_total", operation="mutation", outcome="INTERNAL_SERVER_ERROR") == 1
    )


async def test_full_queue_of_passwords_is_seen(strict: Api) -> None:
    passwords = strict.resources.passwords
    assert passwords.use == {"running": 0, "waiting": 0}
    async with busy(passwords, threads=THREADS):
        now = await numbers(strict)
        ready = await strict.client.get("/readyz")
        await sign_in(strict)
    assert now.of("gql_app_passwords", state="running") == THREADS
    assert now.of("gql_app_passwords", state="waiting") == 0
    assert (ready.status_code, ready.json()["passwords"]) == (200, "queue full")
    after = await numbers(strict)
    assert after.of("gql_app_passwords", state="running") == 0
    assert after.of("gql_app_throttled_total", limit="password_queue") == 1


async def test_connections_are_told_by_what_they_do(api: Api) -> None:
    pool = "gql_app_database_connections"
    async with api.database.transaction() as db:
        await db.fetch_all(select(true()))
        now = await numbers(api)
    assert now.of(pool, pool="write", state="in_use") >= 1
    assert {"in_use", "idle", "waiting"} <= now.labels("state")


async def test_process_and_build_are_told(api: Api) -> None:
    now = await numbers(api)
    assert now.of("gql_app_processes") == 1
    assert now.of("gql_app_build_info", version=__version__, python=platform.python_version()) == 1
    assert now.of("process_resident_memory_bytes") > 2**20
    assert now.of("process_open_fds") > 3
    assert (
        (await numbers(api)).of("process_cpu_seconds_total")
        >= now.of("process_cpu_seconds_total")
        > 0
    )


async def test_no_client_makes_a_series(settings: Settings) -> None:
    attempts, rounds = 10, 10
    bodies: list[dict[str, object]] = [
        {"query": "query Q%d { __typename }"},
        {"query": "query Q%d { me { id } }"},
        {"query": "query Q%d { nobody%d }"},
        {"query": "{ a%d: __typename", "operationName": "x"},
        {"query": "subscription S%d { __typename }"},
        {"query": "{ __typename }", "operationName": "N%d"},
    ]

    async def odd(number: int) -> None:
        for body in bodies:
            query = str(body["query"]).replace("%d", str(number))
            await api.client.post("/graphql", json={**body, "query": query})
        await api.client.request(f"ODD{number}", f"/path/{number}?q={number}")
        await api.client.request(f"ODD{number}", "/graphql")
        await api.client.post("/graphql", content="{" * number, headers=JSON)
        await api.client.get(f"/livez/{number}", headers={"Accept": f"x/{number}"})
        await api.run(LOGIN, e=f"x{number}@example.com", p=str(number))

    async with running(settings.model_copy(update={"login_client_attempts": attempts})) as api:
        for number in range(attempts + 1):  # until the client has to wait
            await odd(number)
        await numbers(api)
        before = await numbers(api)
        for number in range(rounds):
            await odd(number)
        after = await numbers(api)
    assert set(after.series) == set(before.series)
    of = "gql_app_requests_total"
    assert sum(v for (name, _), v in after.series.items() if name == of) > 10 * rounds
    assert after.labels("outcome") <= {*OUTCOMES, "other"}
    assert after.labels("operation") == {"query", "mutation", "none"}


async def test_open_metrics_are_told_to_whoever_accepts_them(api: Api) -> None:
    accept = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3"
    response = await api.client.get("/metrics", headers={"Accept": accept})
    assert response.headers["content-type"].startswith("application/openmetrics-text; version=1")
    families = parser.text_string_to_metric_families(response.text)
    assert len(list(families)) > 8
    plain = await api.client.get("/metrics")
    assert plain.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"


@pytest.mark.parametrize(
    "accept",
    ["", "*/*", "x" * 5000, "application/openmetrics-text;version=x", "text/plain;version=9;;=",
     "application/openmetrics-text;version=1.0.0;escaping=nonsense"],
)  # fmt: skip
async def test_odd_accept_is_answered(api: Api, accept: str) -> None:
    response = await api.client.get("/metrics", headers={"Accept": accept})
    assert response.status_code == 200


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("POST", 405), ("DELETE", 405)])
async def test_numbers_are_read_and_nothing_else(api: Api, method: str, status: int) -> None:
    response = await api.client.request(method, "/metrics")
    assert response.status_code == status
