"""Traces, as a real collector gets them of a real server."""

import json
import logging
import re
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.exporter.otlp.proto.http import trace_exporter
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from gql_app.lib.telemetry import Tracing
from gql_app.web.middleware import CLIENT_CLOSED_REQUEST
from tests.collector import Arrived, Collector, collecting
from tests.conftest import SECRET
from tests.databases import Postgres
from tests.peers import connected, head
from tests.processes import ROOT, run, serving, signed_in

EMAIL, PASSWORD = "eve@example.com", "correct horse of the tests"
NAME, AGENT = "Evelyn Secret", "secret-agent/7"
REGISTER = """
mutation SignUp($input: RegisterInput!) { register(input: $input) { token refreshToken } }
"""
RESET = 'mutation { requestPasswordReset(email: "eve@example.com") { status } }'
TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{CALLER}-01"
NEVER = "600000"
"""Milliseconds after which spans are sent, so that it is the end of the server that sends them."""


pytestmark = pytest.mark.xdist_group("tracing")


@dataclass(frozen=True, slots=True)
class Story:
    """What a server was asked and answered, what it logged, and what its collector got."""

    collector: Collector
    answers: Mapping[str, httpx.Response]
    log: str
    system: str

    def trace(self, name: str) -> str:
        """Return which trace an answer belongs to, by what it says itself."""
        version, trace, _, flags = self.answers[name].headers["traceresponse"].split("-")
        assert (version, int(flags, 16) & 1) == ("00", 1)  # it is sampled
        return str(trace)

    def server_span(self, name: str) -> Arrived:
        """Find the span of a request."""
        (found,) = (
            span
            for span in self.collector.of(self.trace(name))
            if span.span.kind == Span.SPAN_KIND_SERVER
            and span.id in self.answers[name].headers["traceresponse"]
        )
        return found

    def below(self, name: str) -> list[Arrived]:
        """List the spans below that of a request."""
        request = self.server_span(name)
        return [span for span in self.collector.of(request.trace) if span.parent == request.id]


def asked(client: httpx.Client) -> dict[str, httpx.Response]:
    """Ask all kinds of things."""
    traced = {"traceparent": TRACEPARENT, "tracestate": "a=1,b=2"}
    person = {"name": NAME, "email": EMAIL, "password": PASSWORD}
    answers = {
        "register": client.post(
            "/graphql", json={"query": REGISTER, "variables": {"input": person}}, headers=traced
        )
    }
    token = answers["register"].json()["data"]["register"]["token"]
    bearer = {"Authorization": f"Bearer {token}"}
    answers |= {
        "me": client.post("/graphql", json={"query": "{ me { id } }"}, headers=bearer),
        "wrong": client.post("/graphql", json={"query": f'{{ me(x: "{PASSWORD}") '}),
        "reset": client.post("/graphql", json={"query": RESET}),
        "by get": client.get(
            "/graphql", params={"query": f'{{ a: __type(name: "{PASSWORD}") {{ name }} }}'}
        ),
        "nowhere": client.get("/nowhere", params={"password": PASSWORD}),
        "odd": client.request("PROPFIND", "/graphql"),
    }
    answers["again"] = client.post(
        "/graphql", json={"query": REGISTER, "variables": {"input": person}}
    )
    signed_in(client, EMAIL, PASSWORD)
    several = [("traceparent", TRACEPARENT), ("traceparent", TRACEPARENT)]
    answers["several"] = client.get("/livez", headers=several)
    for name, parent in BAD_PARENTS.items():
        answers[name] = client.get("/livez", headers={"traceparent": parent})
    unsampled = {"traceparent": f"{TRACEPARENT[:-1]}0"}
    answers["unsampled"] = client.get("/livez", headers=unsampled)
    return answers


BAD_PARENTS = {
    "empty": "",
    "word": "nonsense",
    "long": TRACEPARENT * 100,
    "zero": f"00-{'0' * 32}-{CALLER}-01",
    "future": f"ff-{TRACE}-{CALLER}-01",
}


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def story(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Story]:
    """Run a server, ask it, and stop it: only then is there a reason to send anything."""
    folder = tmp_path_factory.mktemp("tracing")
    with ExitStack() as stack:
        collector = stack.enter_context(collecting())
        environment = stack.enter_context(pytest.MonkeyPatch.context())
        environment.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        environment.setenv("OTEL_BSP_SCHEDULE_DELAY", NEVER)
        if request.param == "sqlite":
            arguments, settings = ["--demo"], {}
        else:
            postgres: Postgres = request.getfixturevalue("postgres")
            url = stack.enter_context(postgres.copied())
            arguments, settings = [], {"database_url": url, "secret_key": SECRET}
        with serving(*arguments, folder=folder, traces="true", **settings) as server:
            with server.client() as client:
                client.headers["user-agent"] = AGENT
                answers = asked(client)
            with connected(server) as half:
                half.send(head(b"Content-Length: 24", b"Expect: 100-continue"))
                assert half.connection.recv(100).startswith(b"HTTP/1.1 100")
            server.await_log("CLIENT_CLOSED_REQUEST")
            if arguments:
                server.await_log("reset")
            assert collector.bodies == []
            server.stop()
        yield Story(collector, answers, server.logged(), request.param)


def test_request_is_a_span_in_the_trace_of_who_asks(story: Story) -> None:
    assert story.trace("register") == TRACE
    span = story.server_span("register")
    assert (span.parent, span.span.trace_state) == (CALLER, "a=1,b=2")
    assert (span.service, span.span.name) == ("gql_app", "mutation")
    told = span.told
    assert told.pop("gql_app.request_id") == story.answers["register"].headers["x-request-id"]
    assert told == {
        "http.request.method": "POST",
        "url.path": "/graphql",
        "url.scheme": "http",
        "network.protocol.version": "1.1",
        "http.response.status_code": 200,
        "graphql.operation.type": "mutation",
        "graphql.operation.name": "SignUp",
        "gql_app.outcome": "OK",
    }
    assert span.span.status.code == Status.STATUS_CODE_UNSET


def test_statements_are_spans_below_the_request(story: Story) -> None:
    for name, operations in (("me", {"SELECT"}), ("register", {"SELECT", "INSERT"})):
        statements = story.below(name)
        assert operations <= {span.span.name for span in statements}
        for statement in statements:
            assert statement.span.kind == Span.SPAN_KIND_CLIENT
            told = statement.told
            assert told["db.system.name"] == story.system
            assert told["db.operation.name"] == statement.span.name
            assert str(told["db.query.text"]).startswith(statement.span.name)
    assert story.below("nowhere") == []


def test_fault_of_a_statement_is_told_by_its_kind_alone(story: Story) -> None:
    """The address is taken, which the database says with the address itself."""
    assert story.answers["again"].json()["data"]["register"]["token"] is None
    (failed,) = (span for span in story.below("again") if "error.type" in span.told)
    assert failed.span.status == Status(code=Status.STATUS_CODE_ERROR)
    assert (failed.span.name, len(failed.span.events)) == ("INSERT", 0)
    assert str(failed.told["error.type"]).endswith("Error")


@pytest.mark.parametrize(
    ("name", "span", "method"),
    [
        ("me", "query", "POST"),
        ("wrong", "POST", "POST"),
        ("nowhere", "GET", "GET"),
        ("odd", "HTTP", "_OTHER"),
    ],
)
def test_spans_have_few_names(story: Story, name: str, span: str, method: str) -> None:
    found = story.server_span(name)
    assert (found.span.name, found.told["http.request.method"]) == (span, method)
    assert found.parent == ""
    assert found.told["http.response.status_code"] == story.answers[name].status_code


@pytest.mark.parametrize("name", ["several", *BAD_PARENTS])
def test_parent_that_is_none_begins_a_new_trace(story: Story, name: str) -> None:
    span = story.server_span(name)
    assert (span.trace != TRACE, span.parent) == (True, "")


def test_who_samples_nothing_is_sent_nothing(story: Story) -> None:
    response = story.answers["unsampled"].headers["traceresponse"]
    assert re.fullmatch(rf"00-{TRACE}-[0-9a-f]{{16}}-00", response)
    assert not [span for span in story.collector.spans if span.id in response]


def test_request_whose_client_left_is_a_span_and_no_fault(story: Story) -> None:
    (left,) = (
        span
        for span in story.collector.spans
        if span.told.get("http.response.status_code") == CLIENT_CLOSED_REQUEST
    )
    assert (left.span.name, left.span.status.code) == ("POST", Status.STATUS_CODE_UNSET)
    assert "Traceback" not in story.log


def test_no_value_is_sent(story: Story) -> None:
    tokens = story.answers["register"].json()["data"]["register"].values()
    assert story.collector.bodies
    for secret in (EMAIL, PASSWORD, NAME, AGENT, "Evelyn", "argon2", *tokens):
        assert not [body for body in story.collector.bodies if secret.encode() in body], secret


def test_every_line_of_a_request_names_its_trace(story: Story) -> None:
    lines: list[dict[str, Any]] = [json.loads(line) for line in story.log.splitlines()]
    for name, answer in story.answers.items():
        _, trace, span, _ = answer.headers["traceresponse"].split("-")
        its = [line for line in lines if line.get("request_id") == answer.headers["x-request-id"]]
        assert its, name
        assert {(line["trace_id"], line["span_id"]) for line in its} == {(trace, span)}


def test_letter_is_a_span_of_its_own(story: Story) -> None:
    letters = [span for span in story.collector.spans if span.span.name == "send letter"]
    assert len(letters) == (2 if story.system == "sqlite" else 0)  # of a registration, and a reset
    for letter in letters:
        assert set(letter.told) == {"gql_app.letter.id"}


def test_nothing_but_requests_and_letters_begins_a_trace(story: Story) -> None:
    roots = [span for span in story.collector.spans if span.span.kind != Span.SPAN_KIND_SERVER]
    assert {span.span.name for span in roots if not span.parent} <= {"send letter"}


@pytest.mark.parametrize("hangs", [True, False], ids=["hangs", "is away"])
def test_collector_that_takes_nothing_disturbs_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, hangs: bool
) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        if hangs:
            silent.listen()
        monkeypatch.setenv(
            "OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}"
        )
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "600")
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "10")
        with serving(folder=tmp_path, traces="true") as server:
            with server.client() as client:
                for _ in range(50):
                    answer = client.post("/graphql", json={"query": "{ __typename }"})
                    assert answer.json() == {"data": {"__typename": "Query"}}
            if not hangs:
                server.await_log("Transient error")
            server.stop()
        log = server.logged()
    assert "Traceback" not in log
    assert "spans are lost" in log
    assert log.count("opentelemetry") <= 4
    assert "Finished server process" in log


async def test_collectors_fault_is_told_once_in_a_while(caplog: pytest.LogCaptureFixture) -> None:
    log = logging.getLogger(trace_exporter.__name__)
    async with Tracing("1").sending():
        for number in range(3):
            log.warning("Transient error %d", number)
            log.warning("Another error %d", number)
    assert [record.getMessage() for record in caplog.records if record.name == log.name] == [
        "Transient error 0",
        "Another error 0",
    ]


def test_traces_without_what_they_need_are_told_in_words(tmp_path: Path) -> None:
    missing = "import sys; sys.modules['opentelemetry.exporter'] = None"
    start = f"sys.path.insert(0, {str(ROOT)!r}); sys.argv[1:] = ['serve']"
    code = f"{missing}; {start}; from gql_app.cli import main; main()"
    command = [sys.executable, "-c", code]
    done = run(command, tmp_path, traces="true")
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert "GQL_APP_TRACES" in done.stderr
    assert "gql-app[otel]" in done.stderr


def test_guide_names_every_attribute(story: Story) -> None:
    sent = {name for span in story.collector.spans for name in span.told}
    guide = (ROOT / "docs/watching.md").read_text(encoding="utf-8").partition("## Traces")[2]
    rows = re.findall(r"^\| (`.*`) \|", guide, re.MULTILINE)
    named = {name for row in rows for name in re.findall("`([^`]+)`", row)}
    assert sent <= named
    assert named - sent <= {"error.type", "gql_app.letter.id"}
