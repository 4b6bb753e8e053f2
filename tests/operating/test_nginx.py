"""deploy/nginx.conf by nginx itself."""

import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import trustme

from tests.operating.programs import DEPLOY, started
from tests.operating.proxied import (
    HOST,
    Pair,
    client_of,
    does_as_a_proxy_should,
    exchanging_fails_nothing,
    pair,
)
from tests.processes import free_port

AROUND = """
daemon off;
worker_processes 1;
pid {0}/nginx.pid;
error_log {0}/error.log warn;
events {{ }}
http {{
    client_body_temp_path {0}/body;
    proxy_temp_path {0}/proxy;
    fastcgi_temp_path {0}/fastcgi;
    uwsgi_temp_path {0}/uwsgi;
    scgi_temp_path {0}/scgi;
    include {0}/gql_app.conf;
}}
"""
"""What a system's own nginx.conf has around ours."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """nginx, and where it listens."""

    folder: Path
    plain: int
    secure: int
    trust: ssl.SSLContext
    servers: Pair

    def wrote(self, name: str) -> str:
        """Return a log of it."""
        return (self.folder / name).read_text(encoding="utf-8")


def here(text: str, places: dict[str, str]) -> str:
    """Return the configuration with other ports and files, each of which has to be in it."""
    for place, instead in places.items():
        assert place in text, place
        text = text.replace(place, instead)
    return text


@contextmanager
def nginx(folder: Path, servers: Pair) -> Iterator[Proxy]:
    """Run nginx by our configuration, on other ports."""
    authority, trust = trustme.CA(), ssl.create_default_context()
    authority.configure_trust(trust)
    mine = authority.issue_cert(HOST)
    mine.cert_chain_pems[0].write_to_path(folder / "fullchain.pem")
    mine.private_key_pem.write_to_path(folder / "key.pem")
    plain, secure = free_port(), free_port()
    places = {
        "127.0.0.1:8000": f"127.0.0.1:{servers.ports[0]}",
        "127.0.0.1:8001": f"127.0.0.1:{servers.ports[1]}",
        "listen 80;": f"listen 127.0.0.1:{plain};",
        "listen [::]:80;": f"listen [::1]:{plain};",
        "listen 443 ": f"listen 127.0.0.1:{secure} ",
        "listen [::]:443 ": f"listen [::1]:{secure} ",
        "/etc/ssl/gql_app": str(folder),
        "/var/log/nginx": str(folder),
    }
    ours = here((DEPLOY / "nginx.conf").read_text(encoding="utf-8"), places)
    (folder / "gql_app.conf").write_text(ours)
    (folder / "nginx.conf").write_text(AROUND.format(folder))
    command = f"nginx -e {folder}/error.log -p {folder} -c {folder}/nginx.conf".split()
    proxy = Proxy(folder, plain, secure, trust, servers)
    with started(command, folder / "nginx.out", lambda: answers(plain)):
        yield proxy


def answers(port: int) -> bool:
    """Return whether somebody answers on a port."""
    try:
        return httpx.get(f"http://127.0.0.1:{port}/", trust_env=False).is_redirect
    except httpx.TransportError:
        return False


@pytest.fixture
def proxy(tmp_path: Path, sqlite_template: Path) -> Iterator[Proxy]:
    """Run two servers behind nginx."""
    with pair(tmp_path, sqlite_template) as servers, nginx(tmp_path, servers) as proxy:
        yield proxy


def test_nginx_ends_tls_and_says_who_asks(proxy: Proxy) -> None:
    moved = httpx.get(
        f"http://127.0.0.1:{proxy.plain}/graphql?a=b", headers={"Host": HOST}, trust_env=False
    )
    assert (moved.status_code, moved.headers["location"]) == (308, f"https://{HOST}/graphql?a=b")
    with client_of(proxy.secure, proxy.trust) as client:
        does_as_a_proxy_should(client, proxy.servers)
        client.get("/graphql", params={"query": "{ token { valid } }", "variables": "{}"})
    log = proxy.wrote("gql_app.log")
    assert re.search(
        r'^127\.0\.0\.9 \[.*\] "GET /graphql" 200 \d+ [\d.]+ [\w-]{36}$', log, re.MULTILINE
    )
    assert "query=" not in log
    # Nothing of a request or an answer was written to a file, which nginx would say.
    assert proxy.wrote("error.log").count("buffered") == 0


def test_servers_behind_nginx_are_exchanged_one_by_one(proxy: Proxy) -> None:
    exchanging_fails_nothing(proxy.secure, proxy.trust, proxy.servers)
