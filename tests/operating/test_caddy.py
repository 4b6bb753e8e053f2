"""deploy/Caddyfile by Caddy itself, with certificates of its own making."""

import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.operating.programs import DEPLOY, started, told
from tests.operating.proxied import (
    Pair,
    client_of,
    does_as_a_proxy_should,
    exchanging_fails_nothing,
    pair,
)
from tests.processes import free_port

BEFORE = """{{
	admin off
	http_port {0}
	https_port {1}
	local_certs
	skip_install_trust
	storage file_system {2}
}}
"""
"""What has it listen on other ports, and ask nobody for a certificate."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """Caddy, and where it listens."""

    port: int
    trust: ssl.SSLContext
    servers: Pair


@pytest.fixture
def proxy(tmp_path: Path, sqlite_template: Path) -> Iterator[Proxy]:
    """Run two servers behind Caddy by our configuration."""
    ports, storage = (free_port(), free_port()), tmp_path / "storage"
    with pair(tmp_path, sqlite_template) as servers:
        ours = (DEPLOY / "Caddyfile").read_text(encoding="utf-8")
        for each, port in zip(("8000", "8001"), servers.ports, strict=True):
            assert f"127.0.0.1:{each}" in ours
            ours = ours.replace(f"127.0.0.1:{each}", f"127.0.0.1:{port}")
        file = tmp_path / "Caddyfile"
        file.write_text(BEFORE.format(*ports, storage) + ours)
        root = storage / "pki/authorities/local/root.crt"

        def answers() -> bool:
            try:
                with client_of(ports[1], ssl.create_default_context(cafile=root)) as client:
                    return client.get("/livez").is_success
            except (OSError, httpx.TransportError):
                return False

        command = f"caddy run --config {file} --adapter caddyfile".split()
        with started(command, tmp_path / "caddy.err", answers, HOME=str(tmp_path)):
            yield Proxy(ports[1], ssl.create_default_context(cafile=root), servers)


def test_caddy_ends_tls_and_says_who_asks(proxy: Proxy) -> None:
    with client_of(proxy.port, proxy.trust) as client:
        does_as_a_proxy_should(client, proxy.servers)


def test_servers_behind_caddy_are_exchanged_one_by_one(proxy: Proxy) -> None:
    exchanging_fails_nothing(proxy.port, proxy.trust, proxy.servers)


def test_file_is_written_as_caddy_writes_it() -> None:
    file = DEPLOY / "Caddyfile"
    assert told("caddy", "fmt", file) == file.read_text(encoding="utf-8")
