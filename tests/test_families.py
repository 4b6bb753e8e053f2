"""Which families of addresses a server listens on, and how it tells their clients apart."""

import socket
from pathlib import Path

import httpx
import pytest

from gql_app.lib.faults import CannotStart
from gql_app.lib.server.serving import bind
from tests.databases import copied_sqlite
from tests.processes import IN_CLEAR, PATIENCE, free_port, serving

LOGIN = 'mutation { login(email: "ada@example.com", password: "wrong") { errors { code } } }'


def has_ipv6() -> bool:
    """Return whether this machine has addresses of IPv6."""
    try:
        with socket.socket(socket.AF_INET6) as tried:
            tried.bind(("::1", 0))
    except OSError:
        return False
    return True


EVERYWHERE, LOOPBACKS = (
    ("::", ["127.0.0.1", "[::1]"]) if has_ipv6() else ("0.0.0.0", ["127.0.0.1"])  # noqa: S104
)


def ask(address: str, port: int, forwarded: str | None = None) -> str:
    """Try to sign in, and tell the code."""
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    with httpx.Client(trust_env=False, verify=IN_CLEAR, timeout=PATIENCE) as client:
        url = f"http://{address}:{port}/graphql"
        answer = client.post(url, json={"query": LOGIN}, headers=headers).json()
    code: str = answer["data"]["login"]["errors"][0]["code"]
    return code


@pytest.mark.parametrize(("workers", "is_watched"), [("1", False), ("2", True)])
def test_every_address_is_listened_on_and_its_clients_are_told_apart(
    sqlite_template: Path, tmp_path: Path, workers: str, *, is_watched: bool
) -> None:
    settings = {
        "database_url": copied_sqlite(sqlite_template, tmp_path),
        "trusted_proxies": "127.0.0.1,::1",
        "login_attempts": "100",
        "login_client_attempts": "1",
    }
    watched = free_port()
    if is_watched:
        settings |= {"management_port": str(watched), "management_host": EVERYWHERE}
    arguments = ("--host", EVERYWHERE, "--workers", workers)
    with serving(*arguments, folder=tmp_path, **settings) as server:
        for number, address in enumerate(LOOPBACKS):
            for client in range(3):
                forwarded = f"203.0.113.{10 * number + client}"
                assert ask(address, server.port, forwarded) == "INVALID_CREDENTIALS"
                for spelling in (forwarded, f"::ffff:{forwarded}"):
                    assert ask(address, server.port, spelling) == "TOO_MANY_ATTEMPTS"
            if is_watched:
                url = f"http://{address}:{watched}/metrics"
                assert httpx.get(url, trust_env=False, verify=IN_CLEAR).status_code == 200


def families(host: str) -> list[tuple[socket.AddressFamily, bool]]:
    """Return the families that are listened on, and whether those of IPv6 take IPv4 as well."""
    bound = bind(host, 0)
    found = [
        (
            each.family,
            each.family == socket.AF_INET6
            and not each.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY),
        )
        for each in bound
    ]
    assert len({each.getsockname()[1] for each in bound}) == 1
    for each in bound:
        each.close()
    return found


def test_one_address_is_of_one_family() -> None:
    assert families("127.0.0.1") == [(socket.AF_INET, False)]
    assert families("0.0.0.0") == [(socket.AF_INET, False)]  # noqa: S104
    assert (socket.AF_INET, False) in families("localhost")
    if has_ipv6():
        assert families("::1") == [(socket.AF_INET6, False)]
        assert families("::") == [(socket.AF_INET6, True)]


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid", "2001:db8::1"])
def test_address_that_is_not_here_is_told(host: str) -> None:
    with pytest.raises(CannotStart) as stopped:
        bind(host, 0)
    assert str(stopped.value).startswith(f"{host}, port 0: can't be listened on: ")


def test_port_that_is_taken_is_told() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(CannotStart) as stopped:
            bind("127.0.0.1", port)
    assert "Address already in use" in str(stopped.value)
