"""Hosts that a server on loopback answers for, where none are set: no other page's name."""

import json
from pathlib import Path

import pytest

from tests.peers import HELLO, LAST, ask, post
from tests.processes import Server, run_main, serving

REBOUND = ["rebind.evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "192.0.2.1"]
OURS = ["localhost", "LOCALHOST", "127.0.0.1", "[::1]"]


def asked(server: Server, host: str, *headers: bytes) -> tuple[int, str | None]:
    """Ask by a name, with and without the port; tell the status, and the code of a refusal."""
    told = set()
    for port in ("", f":{server.port}"):
        request = post(HELLO, LAST, *headers).replace(b"127.0.0.1", f"{host}{port}".encode())
        [answer] = ask(server, request)
        told.add((answer.status, answer.code if answer.status >= 400 else None))
    [once] = told
    return once


@pytest.mark.xdist_group("demo")
@pytest.mark.parametrize("host", REBOUND)
def test_the_demo_answers_no_other_host(demo: Server, host: str) -> None:
    origin = f"Origin: http://{host}:{demo.port}".encode()
    assert asked(demo, host, origin) == (400, "BAD_REQUEST")


@pytest.mark.xdist_group("demo")
@pytest.mark.parametrize("host", OURS)
def test_the_demo_answers_the_names_of_this_machine(demo: Server, host: str) -> None:
    assert asked(demo, host) == (200, None)


@pytest.mark.parametrize(
    ("settings", "answered", "refused"),
    [
        ({}, OURS, REBOUND),
        ({"allowed_hosts": "api.example.com"}, ["api.example.com"], [*REBOUND, *OURS]),
        ({"trusted_proxies": "127.0.0.1"}, ["api.example.com", *OURS], []),
    ],
    ids=json.dumps,
)
def test_server_on_loopback_answers_what_is_set_or_what_a_proxy_says_or_this_machine(
    tmp_path: Path, settings: dict[str, str], answered: list[str], refused: list[str]
) -> None:
    with serving(folder=tmp_path, **settings) as server:
        assert {asked(server, host) for host in answered} == {(200, None)}
        assert {asked(server, host) for host in refused} <= {(400, "BAD_REQUEST")}


def test_the_demo_is_answered_by_no_other_name_behind_a_proxy_either(tmp_path: Path) -> None:
    with serving("--demo", folder=tmp_path, trusted_proxies="127.0.0.1") as server:
        assert asked(server, REBOUND[0]) == (400, "BAD_REQUEST")
        assert asked(server, "localhost") == (200, None)


def test_address_of_loopback_that_is_served_on_is_answered(tmp_path: Path) -> None:
    with serving("--host", "127.0.0.1", "--workers", "2", folder=tmp_path) as server:
        assert asked(server, "127.0.0.1") == (200, None)
        assert asked(server, REBOUND[0]) == (400, "BAD_REQUEST")


def test_the_demo_goes_by_no_address_but_loopback(tmp_path: Path) -> None:
    assert run_main("serve", "--demo", "--host", "::", folder=tmp_path).returncode == 2
