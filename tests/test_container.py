"""Containerfile and compose.yaml: what can be seen, and run, of them without an engine."""

import re
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gql_app.lib.server.serving import GRACEFUL_TIMEOUT
from gql_app.settings import PREFIX, Settings
from tests.commands import run_here
from tests.containers import composition, context, pairs, replay, stages
from tests.databases import Postgres
from tests.processes import ROOT, Server, environment, free_port, running_server

pytestmark = pytest.mark.xdist_group("container")  # the image is replayed once

BUILD, FINAL = stages()
IMAGE = re.compile(r"[a-z]+:[\w.-]+")
"""A name without a registry's host, and a tag."""
ENV_FILE = {
    "POSTGRES_PASSWORD": "0a1b",
    "GQL_APP_SECRET_KEY": "x8sL5xQm0c1ZkqVv2fTtJ3wYb7RrN9uHd4G",
}
Service = dict[str, Any]


def only(word: str) -> list[str]:
    """Read the one instruction of a kind that the final stage has."""
    (step,) = [step for step in FINAL if step.word == word]
    return step.arguments


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Take the build's steps, and tell the folder that stands for the image's root."""
    root = tmp_path_factory.mktemp("image")
    replay(BUILD, root)
    return root


@pytest.fixture
def started(image: Path) -> Iterator[Server]:
    """Run the image's command in its environment, on another port."""
    port = free_port()
    command = [*only("ENTRYPOINT"), *only("CMD"), "--port", str(port)]
    command[0] = str(image / f"opt/gql-app/bin/{command[0]}")
    with running_server(command, port, image / "data", **settings(image)) as server:
        yield server


def settings(image: Path) -> dict[str, str]:
    """Read the image's settings."""
    said = pairs(FINAL, "ENV").items()
    return {
        name.removeprefix(PREFIX).lower(): re.sub("///+data", f"///{image}/data", value)
        for name, value in said
        if name.startswith(PREFIX)
    }


def health(image: Path, port: int) -> int:
    """Ask as the engine does, and tell the status."""
    program, *rest = only("HEALTHCHECK")
    asked = [each.replace("8000", str(port)) for each in rest]
    done = subprocess.run(  # noqa: S603 — the Containerfile's own words
        [str(image / f"opt/gql-app/bin/{program}"), *asked],
        env=environment() | {"http_proxy": "http://127.0.0.1:9"},
        capture_output=True,
        check=False,
    )
    return done.returncode


def test_images_have_a_tag_and_no_registry() -> None:
    names = [stage[0].rest.split()[0] for stage in (BUILD, FINAL)]
    names += [each["image"] for each in services().values() if each["image"] != "gql_app"]
    assert len(names) == 3
    assert [name for name in names if not IMAGE.fullmatch(name)] == []


def test_all_that_is_fetched_is_held_by_a_hash() -> None:
    installs = [step.rest for step in BUILD if "install" in step.rest and "pip" in step.rest]
    fetching = [each for each in installs if "--no-index" not in each]
    assert len(fetching) == 2
    assert all("--no-deps --require-hashes" in each for each in fetching)
    assert all(each.endswith(" check") for each in fetching)
    for lock in re.findall(r"-r (\S+)", " ".join(fetching)):
        pinned = re.findall(
            r"^[\w.-]+(?:\[\w+\])?==[^\\]+\\$", (ROOT / lock).read_text(), re.MULTILINE
        )
        assert pinned
        assert (ROOT / lock).read_text().count("\\\n    --hash=sha256:") >= len(pinned)
    assert not [step for step in BUILD if re.search(r"apt|curl|wget|ADD", f"{step}")]


def test_last_stage_runs_nothing_and_has_only_what_was_built() -> None:
    words = [step.word for step in FINAL]
    assert set(words) == {
        *("FROM", "LABEL", "COPY", "ENV", "USER", "WORKDIR", "VOLUME"),
        *("EXPOSE", "HEALTHCHECK", "ENTRYPOINT", "CMD"),
    }
    copied = [step for step in FINAL if step.word == "COPY"]
    assert [step.options["from"] for step in copied] == ["build", "build"]
    assert [step.arguments for step in copied] == [["/opt/gql-app"] * 2, ["/data"] * 2]


def test_account_is_a_number_that_is_not_root() -> None:
    (account,) = only("USER")
    owner, _, group = account.partition(":")
    assert int(owner) >= 10_000
    assert int(group) >= 10_000
    (chowned,) = [step.options["chown"] for step in FINAL if "chown" in step.options]
    (made,) = [step.rest for step in BUILD if step.rest.endswith(" /data")]
    assert chowned == account
    assert f"-o {owner} -g {group} /data" in made


def test_image_tells_what_it_is_and_holds_no_secret() -> None:
    assert {each.rpartition(".")[2] for each in pairs(FINAL, "LABEL")} == {
        *("title", "description", "licenses"),
    }
    assert only("EXPOSE") == ["8000"]
    variables = pairs(FINAL, "ENV") | pairs(BUILD, "ENV")
    assert not [name for name in variables if re.search("SECRET|PASSWORD|KEY|TOKEN", name)]
    assert {PREFIX + name.upper() for name in Settings.model_fields} >= {
        name for name in variables if name.startswith(PREFIX)
    }


def test_all_that_is_copied_is_sent_and_nothing_else() -> None:
    sources = {each for step in BUILD if step.word == "COPY" for each in step.arguments[:-1]}
    sent = context()
    assert {file.partition("/")[0] for file in sent} == sources
    assert {"gql_app/py.typed", "playground/src/main.tsx", "playground/package-lock.json"} <= sent
    strays = r"static/|node_modules|__pycache__|\.db|\.env|\.key"
    assert not [file for file in sent if re.search(strays, file)]


def test_started_container_is_healthy_while_it_can_serve(image: Path, started: Server) -> None:
    assert health(image, started.port) == 0
    with closing(sqlite3.connect(image / "data/gql_app.db")) as database, database:
        database.execute("UPDATE alembic_version SET version_num = '0001'")
    started.await_readiness(503)  # an answer is shared for a second
    assert health(image, started.port) == 1
    assert started.stop() in {0, -signal.SIGTERM}
    assert "Application shutdown complete" in started.logged()
    assert health(image, started.port) == 1


def test_program_writes_to_its_volume_only(image: Path) -> None:
    program = image / f"opt/gql-app/bin/{only('ENTRYPOINT')[0]}"
    before = sorted(image.joinpath("opt").rglob("*"))
    done = subprocess.run(  # noqa: S603 — the image's own program
        [str(program), "create-admin", "--email", "ada@example.com", "--name", "Ada"],
        cwd=image / "data",
        env=environment(database_url="sqlite:///another.db", admin_password="correct horse battery")
        | {"HOME": "/nonexistent", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        check=True,
    )
    assert b"is now an admin" in done.stdout
    assert sorted(image.joinpath("opt").rglob("*")) == before
    assert not list(Path("/nonexistent").glob("*"))


def test_demo_is_not_served_from_a_container(tmp_path: Path) -> None:
    done = run_here(*only("CMD"), "--demo", folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "loopback" in done.stderr


def services() -> dict[str, Service]:
    """Read what compose.yaml runs."""
    found = composition(ENV_FILE)["services"]
    assert isinstance(found, dict)
    return found


def test_every_service_is_hardened_and_writes_to_volumes_and_memory_only() -> None:
    for each in services().values():
        assert each["read_only"] is True
        assert each["cap_drop"] == ["ALL"]
        assert each["security_opt"] == ["no-new-privileges:true"]
        assert each["init"] is True
        assert "/tmp" in each["tmpfs"]  # noqa: S108 — in the container, and in memory
        assert not {"privileged", "cap_add", "devices", "network_mode", "pid"} & each.keys()


def test_services_wait_for_what_they_need() -> None:
    found = services()
    assert found["database"]["healthcheck"]["test"][:3] == ["CMD", "pg_isready", "--host=127.0.0.1"]
    assert found["migrate"]["depends_on"] == {"database": {"condition": "service_healthy"}}
    assert found["migrate"]["command"] == ["migrate"]
    assert found["serve"]["depends_on"] == {
        "database": {"condition": "service_healthy"},
        "migrate": {"condition": "service_completed_successfully"},
    }
    assert int(found["serve"]["stop_grace_period"].removesuffix("s")) > GRACEFUL_TIMEOUT


def test_nobody_but_this_machine_reaches_the_server_and_only_the_server_its_database() -> None:
    found = services()
    assert found["serve"]["ports"] == ["127.0.0.1:8000:8000"]
    assert not [name for name, each in found.items() if name != "serve" and "ports" in each]
    assert found["database"]["networks"] == ["inside"]
    networks = composition(ENV_FILE)["networks"]
    assert isinstance(networks, dict)
    assert networks["inside"] == {"internal": True}


@pytest.mark.parametrize("missing", ENV_FILE)
def test_composition_without_a_secret_does_not_start(missing: str) -> None:
    with pytest.raises(KeyError, match=missing):
        composition({name: value for name, value in ENV_FILE.items() if name != missing})


def test_no_secret_is_written_down() -> None:
    text = (ROOT / "compose.yaml").read_text(encoding="utf-8")
    secrets = re.findall(r"(?:PASSWORD|SECRET_KEY)\b(?!: \$)(.{2})", text.partition("\nname:")[2])
    assert set(secrets) == {":?"}
    assert ".env" in (ROOT / ".gitignore").read_text().splitlines()


def test_composition_s_settings_are_ones_that_a_server_starts_with(
    postgres: Postgres, tmp_path: Path
) -> None:
    said: dict[str, str] = services()["serve"]["environment"]
    assert services()["migrate"]["environment"] == said
    given = {name.removeprefix(PREFIX).lower(): str(value) for name, value in said.items()}
    url = "postgresql://gql_app:0a1b@database/gql_app?sslmode=disable"
    assert said["GQL_APP_DATABASE_URL"] == url
    with postgres.copied("template1") as url:
        given["database_url"] = url
        done = run_here(*services()["migrate"]["command"], folder=tmp_path, **given)
        assert (done.returncode, done.stdout) == (0, "The database is up to date.\n")
        told = run_here("check", "--host", "0.0.0.0", folder=tmp_path, **given).stdout  # noqa: S104
    assert re.findall(r"^([a-z-]+):", told, re.MULTILINE) == ["any-host", "no-tls", "no-mail"]
