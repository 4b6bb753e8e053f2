"""deploy/prometheus and the queries of deploy/grafana, by Prometheus and promtool."""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.databases import copied_sqlite
from tests.operating.programs import DEPLOY, started, told
from tests.processes import PATIENCE, ROOT, free_port, serving

ALERTS, CONFIGURATION = DEPLOY / "prometheus/alerts.yml", DEPLOY / "prometheus/prometheus.yml"
SITUATIONS = ROOT / "tests/operating/alerts.yml"
TARGETS = "[app-1.internal:9000, app-2.internal:9000]"
DASHBOARD = json.loads((DEPLOY / "grafana/gql_app.json").read_text(encoding="utf-8"))
QUERIES = [each["expr"] for panel in DASHBOARD["panels"] for each in panel["targets"]]
SELDOM = ("> 0", "!=")
"""What tells a query that has no answer while nothing goes wrong."""


class Prometheus:
    """A Prometheus that scrapes one server."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}"

    def is_ready(self) -> bool:
        """Return whether it answers."""
        try:
            return httpx.get(f"{self._url}/-/ready", trust_env=False).is_success
        except httpx.TransportError:
            return False

    def asked(self, query: str) -> list[dict[str, Any]]:
        """Return the answer to a query, which has to be a valid one."""
        answer = httpx.get(f"{self._url}/api/v1/query", params={"query": query}, trust_env=False)
        assert answer.json()["status"] == "success", (query, answer.text)
        found: list[dict[str, Any]] = answer.json()["data"]["result"]
        return found

    def once(self, query: str) -> list[dict[str, Any]]:
        """Return the answer to a query, once it has one."""
        deadline = time.monotonic() + PATIENCE
        while not (found := self.asked(query)):
            assert time.monotonic() < deadline, query
            time.sleep(0.1)
        return found


@pytest.fixture
def prometheus(tmp_path: Path, sqlite_template: Path) -> Iterator[Prometheus]:
    """Run Prometheus by our configuration and rules, which scrapes a server of two processes."""
    watched, port = free_port(), free_port()
    said = CONFIGURATION.read_text(encoding="utf-8")
    assert TARGETS in said
    said = said.replace(TARGETS, f"[127.0.0.1:{watched}]")
    said = said.replace("scrape_interval: 15s", "scrape_interval: 1s")
    (tmp_path / "prometheus.yml").write_text(said)
    (tmp_path / "alerts.yml").write_text(ALERTS.read_text(encoding="utf-8"))
    command = [
        "prometheus",
        f"--config.file={tmp_path}/prometheus.yml",
        f"--storage.tsdb.path={tmp_path}/series",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    found = Prometheus(port)
    settings = {
        "database_url": copied_sqlite(sqlite_template, tmp_path),
        "management_port": str(watched),
    }
    with (
        serving("--workers", "2", folder=tmp_path, **settings),
        started(command, tmp_path / "prometheus.err", found.is_ready),
    ):
        yield found


def test_rules_and_configuration_are_valid() -> None:
    told("promtool", "check", "rules", "--lint=all", "--lint-fatal", ALERTS)
    assert "1 rule files found" in told("promtool", "check", "config", CONFIGURATION)


def test_alerts_fire_for_what_they_are_for_and_for_nothing_else() -> None:
    assert "SUCCESS" in told("promtool", "test", "rules", SITUATIONS)
    alerts = re.findall(r"alert: (\w+)", ALERTS.read_text(encoding="utf-8"))
    tried = re.findall(r'alertname="(\w+)"', SITUATIONS.read_text(encoding="utf-8"))
    assert sorted(alerts) == sorted(tried)


def test_dashboard_asks_for_what_a_scraped_server_has(prometheus: Prometheus) -> None:
    assert prometheus.once('up{job="gql_app"} == 1')
    (processes,) = prometheus.once("sum(gql_app_processes) == 2")
    assert processes["value"][1] == "2"
    for query in QUERIES:
        plain = query.replace("$instance", ".*").replace("$__rate_interval", "1m")
        if any(each in plain for each in SELDOM):
            prometheus.asked(plain)
        else:
            assert prometheus.once(plain), query
    assert prometheus.asked("ALERTS") == []
