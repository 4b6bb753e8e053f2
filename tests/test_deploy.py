"""What deploy/ ships, held against the program: tests/operating tries it by other programs."""

import configparser
import json
import re
import shlex
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from gql_app import __version__
from gql_app.cli.check import findings
from gql_app.lib.server.serving import GRACEFUL_TIMEOUT
from gql_app.lib.setting_types import USUAL_PORT
from gql_app.settings import PREFIX, Settings
from tests.api import Api
from tests.commands import run_here
from tests.containers import documents, stages
from tests.databases import Postgres, copied_sqlite
from tests.operating import programs
from tests.processes import ROOT, forked_server, free_port
from tests.scraping import Numbers, numbers

DEPLOY: Final = ROOT / "deploy"
FILES: Final = sorted(file for file in DEPLOY.rglob("*") if file.is_file())
MANIFESTS: Final = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
ALERTS: Final = DEPLOY / "prometheus/alerts.yml"
DASHBOARD: Final = json.loads((DEPLOY / "grafana/gql_app.json").read_text(encoding="utf-8"))
SELECTOR: Final = re.compile(r"\b((?:gql_app|process)_\w+)(?:\{([^}]*)\})?")
ALL: Final = {"instance", "job", "le"}
"""Labels that Prometheus gives, and the one of buckets."""
SECRET: Final = "x8sL5xQm0c1ZkqVv2fTtJ3wYb7RrN9uHd4G"


def objects() -> dict[str, dict[str, Any]]:
    """Read all manifests, by their kinds, of which each has one."""
    found = [each for file in MANIFESTS for each in documents(file)]
    by_kind = {each["kind"]: each for each in found}
    assert len(by_kind) == len(found)
    return by_kind


def pods() -> list[dict[str, Any]]:
    """Read the templates of pods: the server's and the migration's."""
    kinds = objects()
    return [kinds[kind]["spec"]["template"]["spec"] for kind in ("Deployment", "Job")]


def container(pod: Mapping[str, Any]) -> dict[str, Any]:
    """Read the one container of a pod."""
    (found,) = pod["containers"]
    assert isinstance(found, dict)
    return found


def number(text: str, name: str) -> int:
    """Read a size or a time of nginx's or Caddy's, in bytes or seconds."""
    (found,) = re.findall(rf"^\s*{name} (?:\d+ )?(\d+)(k|KB|s)[; ]*(?:#.*)?$", text, re.MULTILINE)
    return int(found[0]) * {"k": 1024, "KB": 1000, "s": 1}[found[1]]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_settings_that_are_named_are_settings(file: Path) -> None:
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    named = set(re.findall(rf"\b{PREFIX}[A-Z][A-Z_]+", file.read_text(encoding="utf-8")))
    assert named - {f"{PREFIX}PORT", f"{PREFIX}SERVICE_HOST"} <= known


def test_every_file_is_named_in_the_docs() -> None:
    said = "".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs").glob("*.md"))
    folders = ("opentelemetry", "prometheus")
    named = [f"deploy/{each.relative_to(DEPLOY)}" for each in FILES]
    assert [each for each in named if each not in said and each.split("/")[1] not in folders] == []
    assert all(f"deploy/{folder}" in said for folder in folders)


def test_unit_starts_a_server_that_is_shut_in(tmp_path: Path) -> None:
    unit = configparser.RawConfigParser(strict=False)  # a name may come twice
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    text = (DEPLOY / "gql_app@.service").read_text(encoding="utf-8")
    unit.read_string(text)
    service = unit["Service"]
    assert (unit["Unit"]["StartLimitIntervalSec"], service["Restart"]) == ("0", "always")
    assert int(service["RestartSec"]) > 0
    assert int(service["TimeoutStopSec"]) > GRACEFUL_TIMEOUT
    assert int(service["LimitNOFILE"]) > Settings().max_connections
    assert service["NoNewPrivileges"] == service["ProtectHome"] == "yes"
    assert (service["ProtectSystem"], service["CapabilityBoundingSet"]) == ("strict", "")
    (made,) = re.findall(r"^# +(useradd .* gql_app)$", text, re.MULTILINE)
    assert f"$ {made}\n" in (ROOT / "docs/systemd.md").read_text(encoding="utf-8")
    assert (service["User"], service["StateDirectory"]) == ("gql_app", "gql_app")
    assert f"/var/lib/{service['User']}" in made

    port = free_port()
    program, *arguments = shlex.split(service["ExecStart"].replace("%i", str(port)))
    assert Path(program).name == "gql-app"
    with forked_server(arguments, port, tmp_path) as server, server.client() as client:
        server.await_log("Started server process", times=2)
        reload = service["ExecReload"].replace("/bin/kill", "kill")
        subprocess.run(["sh", "-euc", reload], env={"MAINPID": str(server.process.pid)}, check=True)  # noqa: S603,S607
        server.await_log("Received SIGHUP, restarting processes")
        assert client.get("/livez").status_code == 200


def test_proxies_let_pass_what_the_server_refuses_and_no_more() -> None:
    nginx, caddy = ((DEPLOY / name).read_text() for name in ("nginx.conf", "Caddyfile"))
    settings = Settings()
    bodies = [number(nginx, name) for name in ("client_max_body_size", "client_body_buffer_size")]
    assert all(each > settings.max_body_bytes for each in (*bodies, number(caddy, "max_size")))
    assert number(nginx, "large_client_header_buffers") > settings.max_header_bytes
    assert number(nginx, "proxy_read_timeout") > settings.operation_timeout
    idle = 5  # seconds, uvicorn's
    assert max(number(nginx, "keepalive_timeout"), number(caddy, "keepalive")) < idle
    assert "trusted_proxies" not in caddy


async def test_settings_of_the_cluster_leave_nothing_to_mend(
    sqlite_template: Path, tmp_path: Path
) -> None:
    data = objects()["ConfigMap"]["data"]
    settings = {name.removeprefix(PREFIX).lower(): value for name, value in data.items()}
    settings |= {"secret_key": SECRET, "smtp_url": "smtp://mail.example.com"}
    settings |= {"sign_in_links": "true", "second_factor": "admins"}
    settings["database_url"] = copied_sqlite(sqlite_template, tmp_path)
    (tmp_path / "test.db").chmod(0o600)
    assert await findings(Settings.model_validate(settings), "127.0.0.1", 1) == []


def test_pods_are_shut_in_as_the_image_is() -> None:
    (account,) = [step.rest for step in stages()[-1] if step.word == "USER"]
    for pod in pods():
        assert pod["enableServiceLinks"] is pod["automountServiceAccountToken"] is False
        context = pod["securityContext"]
        assert context["runAsNonRoot"] is True
        assert f"{context['runAsUser']}:{context['runAsGroup']}" == account
        own = container(pod)
        assert own["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        (volume,) = pod["volumes"]
        assert volume["emptyDir"]["medium"] == "Memory"
        assert own["volumeMounts"] == [{"name": volume["name"], "mountPath": "/tmp"}]  # noqa: S108 — in memory
        assert own["image"] == f"gql_app:{__version__}"


def test_servers_of_a_cluster_are_probed_and_reached_where_they_listen() -> None:
    kinds, server = objects(), container(pods()[0])
    ports = {each["name"]: each["containerPort"] for each in server["ports"]}
    (exposed,) = [step.rest for step in stages()[-1] if step.word == "EXPOSE"]
    settings = kinds["ConfigMap"]["data"]
    assert ports == {"http": int(exposed), "management": USUAL_PORT}
    assert settings[f"{PREFIX}MANAGEMENT_PORT"] == str(USUAL_PORT)
    probes = [server[f"{which}Probe"]["httpGet"] for which in ("liveness", "readiness")]
    assert probes == [
        {"path": "/livez", "port": "management"},
        {"path": "/readyz", "port": "management"},
    ]
    (reached,) = kinds["Service"]["spec"]["ports"]
    assert reached["targetPort"] == "http"
    allowed = [each["ports"] for each in kinds["NetworkPolicy"]["spec"]["ingress"]]
    assert allowed == [[{"port": "http"}], [{"port": "management"}]]
    annotations = kinds["Deployment"]["spec"]["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/port"] == str(USUAL_PORT)


def test_pods_are_chosen_by_labels_that_they_have_and_have_time_to_stop() -> None:
    kinds = objects()
    servers = kinds["Deployment"]["spec"]["template"]["metadata"]["labels"]
    migration = kinds["Job"]["spec"]["template"]["metadata"]["labels"]
    chosen = [
        kinds["Deployment"]["spec"]["selector"]["matchLabels"],
        kinds["Service"]["spec"]["selector"],
        kinds["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
    ]
    assert chosen == [servers] * 3
    assert servers != migration
    everybody = kinds["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"]
    assert everybody.items() <= servers.items() & migration.items()
    (pause,) = re.findall(r"\d+", str(container(pods()[0])["lifecycle"]["preStop"]["exec"]))
    assert pods()[0]["terminationGracePeriodSeconds"] > GRACEFUL_TIMEOUT + int(pause)


def test_pods_have_the_settings_of_the_map_and_of_the_secret(
    postgres: Postgres, tmp_path: Path
) -> None:
    kinds, said = objects(), [container(each)["envFrom"] for each in pods()]
    assert said == [[{"configMapRef": {"name": "gql-app"}}, {"secretRef": {"name": "gql-app"}}]] * 2
    assert kinds["ConfigMap"]["metadata"]["name"] == "gql-app"
    data: dict[str, str] = kinds["ConfigMap"]["data"]
    given = {name.removeprefix(PREFIX).lower(): value for name, value in data.items()}
    with postgres.copied("template1") as url:
        given |= {"secret_key": SECRET, "database_url": url}
        done = run_here(*container(pods()[1])["args"], folder=tmp_path, **given)
        assert (done.returncode, done.stdout) == (0, "The database is up to date.\n")
        told = run_here("check", "--host", "0.0.0.0", folder=tmp_path, **given).stdout  # noqa: S104
    assert re.findall(r"^([a-z-]+):", told, re.MULTILINE) == ["no-mail"]


def selected(expression: str, there: Numbers) -> Iterator[str]:
    """Yield what a query asks for that no server has: a metric, a label or its value."""
    for name, labels in SELECTOR.findall(expression):
        plain = {key for key in there.series if key[0] == name}
        if not plain:
            yield name
        for label, value in re.findall(r'(\w+)(?:=~|=)"([^"]*)"', labels):
            values = {dict(key[1]).get(label) for key in plain}
            if label not in ALL and not set(value.split("|")) <= values:
                yield f"{name}{{{label}={value}}}"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_alerts_and_dashboard_ask_for_what_a_server_has_from_its_start(api: Api) -> None:
    there = await numbers(api)
    rules = [rule for group in documents(ALERTS)[0]["groups"] for rule in group["rules"]]
    queries = [rule["expr"] for rule in rules]
    queries += [each["expr"] for panel in DASHBOARD["panels"] for each in panel["targets"]]
    assert [each for query in queries for each in selected(query, there)] == []
    assert {name for query in queries for name, _ in SELECTOR.findall(query)} > {
        "gql_app_requests_total",
        "process_open_fds",
    }


def test_every_alert_is_explained_and_no_other() -> None:
    rules = [rule for group in documents(ALERTS)[0]["groups"] for rule in group["rules"]]
    page = (ROOT / "docs/watching.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`GqlApp.*?) \|", page, re.MULTILINE)
    explained = re.findall(r"GqlApp\w+", " ".join(rows))
    assert sorted(explained) == sorted(rule["alert"] for rule in rules)
    assert all(rule["annotations"]["summary"] for rule in rules)


def test_collector_names_what_it_has_and_listens_where_the_server_sends() -> None:
    (said,) = documents(DEPLOY / "opentelemetry/collector.yaml")
    for pipeline in said["service"]["pipelines"].values():
        for part in ("receivers", "processors", "exporters"):
            assert set(pipeline[part]) <= said[part].keys()
    listens = said["receivers"]["otlp"]["protocols"]["http"]["endpoint"]
    settings = (DEPLOY / "opentelemetry/gql_app.env").read_text(encoding="utf-8")
    assert f"\nOTEL_EXPORTER_OTLP_ENDPOINT=http://{listens}\n" in settings
    (scraped,) = said["receivers"]["prometheus"]["config"]["scrape_configs"]
    assert scraped["static_configs"] == [{"targets": [f"127.0.0.1:{USUAL_PORT}"]}]


def test_suite_leaves_out_what_needs_programs_of_the_system(
    pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "tests/operating" in pytestconfig.getini("norecursedirs")
    monkeypatch.setattr(programs, "located", {"nginx": "/usr/sbin/nginx"}.get)
    assert programs.what_is_missing() == (
        "make test-operating needs pgbouncer, promtool, systemd-analyze, which Debian has: "
        "apt-get install pgbouncer prometheus systemd"
    )
