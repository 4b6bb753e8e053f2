"""The settings of deploy/opentelemetry: what a server sends by them to a receiver of OTLP."""

from pathlib import Path

import pytest

from tests.collector import collecting
from tests.databases import copied_sqlite
from tests.operating.programs import DEPLOY
from tests.processes import serving

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
ENDPOINT = "http://127.0.0.1:4318"


def test_settings_have_a_server_send_the_traces_that_clients_begin(
    tmp_path: Path, sqlite_template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (DEPLOY / "opentelemetry/gql_app.env").read_text(encoding="utf-8")
    said = dict(each.split("=", 1) for each in text.splitlines() if not each.startswith("#"))
    assert said.pop("GQL_APP_TRACES") == "true"
    assert said["OTEL_EXPORTER_OTLP_ENDPOINT"] == ENDPOINT
    with collecting() as collector:
        for name, value in {**said, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}.items():
            monkeypatch.setenv(name, value)
        url = copied_sqlite(sqlite_template, tmp_path)
        with (
            serving(folder=tmp_path, database_url=url, traces="true") as server,
            server.client() as client,
        ):
            for flags in ("01", "00"):
                header = {"traceparent": f"00-{flags}{TRACE[2:]}-{CALLER}-{flags}"}
                client.post("/graphql", json={"query": "{ token { valid } }"}, headers=header)
    followed = collector.of(f"01{TRACE[2:]}")
    assert {(each.service, each.parent) for each in followed} == {("gql_app", CALLER)}
    assert collector.of(f"00{TRACE[2:]}") == []
