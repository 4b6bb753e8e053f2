"""`serve`: the HTTP server, with or without the demo's customers."""

import os
from contextlib import ExitStack
from importlib.util import find_spec
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Final

import typer

from gql_app import settings
from gql_app.cli import application, samples
from gql_app.cli.console import err, out, unless_empty
from gql_app.cli.database import prepare, prepare_to_serve, transact
from gql_app.lib import server
from gql_app.lib.environment import variables
from gql_app.lib.faults import CannotStart
from gql_app.lib.network import Networks, is_loopback
from gql_app.lib.setting_types import SERVICE_LINK
from gql_app.lib.telemetry import configure_logging
from gql_app.mail.composing import mail_templates
from gql_app.security.key_store import key_store
from gql_app.settings import PREFIX, Settings

if TYPE_CHECKING:  # with several workers, these load the application, not their parent
    from starlette.applications import Starlette

DEMO_DATABASE: Final = "sqlite:///demo.db"
_LOCALHOST: Final = "localhost"
_IS_LOCALHOST: Final = ("127.0.0.1", "::1")
"""The addresses of localhost, the name that passkeys need: they work with no IP address."""


def serve(
    host: Annotated[
        str, typer.Option(help="The address to listen on.", callback=unless_empty)
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535)] = 8000,
    workers: Annotated[int, typer.Option(min=1, help="The number of server processes.")] = 1,
    *,
    reload: Annotated[bool, typer.Option("--reload", help="Restart on changes.")] = False,
    demo: Annotated[
        bool, typer.Option("--demo", help="Serve made-up customers and sign-ins; loopback only.")
    ] = False,
) -> None:
    """Serve the API."""
    os.environ[f"{PREFIX}DEMO"] = str(demo)
    if demo and not is_loopback(host):
        raise CannotStart(
            [f"--demo has passwords that everybody knows: it serves on loopback, not on {host}"]
        )
    if demo and f"{PREFIX}DATABASE_URL" not in variables(PREFIX):
        os.environ[f"{PREFIX}DATABASE_URL"] = DEMO_DATABASE
    chosen = application.load(serving=True)
    bracketed = f"[{host}]" if ":" in host else host
    behind_proxy = chosen.trusted_proxies is not None and not demo
    if not chosen.allowed_hosts and not behind_proxy and is_loopback(host):
        # A hostile page may point its own name at this machine (DNS rebinding): the browser then
        # sends that name as the Host.
        names = dict.fromkeys(["localhost", "127.0.0.1", "[::1]", bracketed.lower()])
        os.environ[f"{PREFIX}ALLOWED_HOSTS"] = ",".join(names)
    address = f"http://{_LOCALHOST if host in _IS_LOCALHOST else bracketed}:{port}"
    if is_loopback(host) and port and not behind_proxy:
        _lead_links_to(address)
    configure_logging(chosen.log_level)
    if variables(PREFIX).get(f"{PREFIX}MANAGEMENT_PORT", "").startswith(SERVICE_LINK):
        err(f"{PREFIX}MANAGEMENT_PORT is of a Kubernetes service: it is {chosen.management_port}.")
    if Networks(chosen.trusted_proxies).has_all:
        err(f"{PREFIX}TRUSTED_PROXIES: {application.NO_CLIENT_LIMIT}.")
    key_store(chosen).read()
    mail_templates(chosen, application.extensions().templates)
    if demo:
        _fill_demo(chosen, address)
    else:
        prepare_to_serve(chosen)
    _listen(chosen, host, port, workers, reload=reload)


def _fill_demo(chosen: Settings, address: str) -> None:
    """Fill the demo's database. Raises CannotStart if it is that of given settings."""
    if not chosen.demo:
        raise CannotStart(["--demo: the application was created with settings of its own"])
    prepare(chosen)
    transact(chosen, samples.fill_demo)
    out(f"Playground: {address}/graphql")
    for role, _, email, password in samples.SIGN_INS:
        out(f"Sign in as {role}: {email} with {password}")


def create_demo_app() -> "Starlette":
    """Return the application, with the demo's sign-ins in the playground."""
    from gql_app import app  # noqa: PLC0415 — as above

    return app.served(sign_ins=[person._asdict() for person in samples.SIGN_INS])


def _shared_numbers() -> TemporaryDirectory[str]:
    """Return a folder for the metrics that several processes share. Raises CannotStart."""
    if find_spec("fcntl") is None:
        msg = "--workers: this system has no locks by which several processes count. Serve by one"
        raise CannotStart([msg])
    try:
        return TemporaryDirectory(prefix="gql_app-numbers-", ignore_cleanup_errors=True)
    except OSError as why:
        msg = f"Several workers count in a temporary folder: {why.strerror}. Name one by TMPDIR"
        raise CannotStart([msg]) from None


def _lead_links_to(address: str) -> None:
    """Set the server's own pages as those of the letters' links, where no others are set."""
    for name, page in settings.PAGES.items():
        if PREFIX + name not in variables(PREFIX):
            os.environ[PREFIX + name] = address + page


def _listen(chosen: Settings, host: str, port: int, workers: int, *, reload: bool) -> None:
    """Serve until stopped, also on the management port if it is set. Raises CannotStart."""
    watched = chosen.management_port
    if watched == port:
        raise CannotStart([f"{PREFIX}MANAGEMENT_PORT: is the port that is served already"])
    limits = server.ConnectionLimits(
        connections=chosen.max_connections,
        connections_per_address=chosen.max_connections_per_address,
        timeout=chosen.receive_timeout,
        header_bytes=chosen.max_header_bytes,
        body_bytes=chosen.max_body_bytes,
        pending_body_bytes=max(chosen.max_pending_body_bytes, chosen.max_body_bytes),
        proxies=Networks(chosen.trusted_proxies),
        uncounted_port=watched,
    )
    with ExitStack() as stack:
        if workers > 1 and not reload:  # workers share their metrics in a private folder
            os.environ[settings.METRICS_DIR] = stack.enter_context(_shared_numbers())
        server.serve(
            "gql_app.cli.serve:create_demo_app" if chosen.demo else "gql_app.app:served",
            host=host,
            port=port,
            management=None if watched is None else (chosen.management_host, watched),
            limits=limits,
            refuse="gql_app.web.middleware:refuse",
            workers=workers,
            reload=reload,
        )
