"""A running shop: two workers on SQLite, and on PostgreSQL if SHOP_POSTGRESQL is an empty one."""

import os
import subprocess
from collections.abc import Iterator

import httpx
import pytest
from aiosmtpd.controller import Controller
from running import APP, PASSWORD, PROGRAM, TIMEOUT, Letters, Shop, await_ready, free_port

POSTGRESQL = os.environ.get("SHOP_POSTGRESQL")
DATABASES = ["sqlite", "postgresql"] if POSTGRESQL else ["sqlite"]


@pytest.fixture(scope="session")
def letters() -> Iterator[tuple[Letters, int]]:
    """Run a mail server."""
    kept, port = Letters(), free_port()
    server = Controller(kept, hostname="127.0.0.1", port=port)
    server.start()
    yield kept, port
    server.stop()


@pytest.fixture(scope="session", params=DATABASES)
def unmigrated(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    letters: tuple[Letters, int],
) -> Iterator[Shop]:
    """Give a shop with gql-app's tables, and none of its own."""
    folder, (kept, smtp) = tmp_path_factory.mktemp("shop"), letters
    sqlite = f"sqlite:///{folder / 'shop.db'}"
    settings = {
        "GQL_APP_DATABASE_URL": POSTGRESQL or sqlite if request.param == "postgresql" else sqlite,
        "GQL_APP_SECRET_KEY": "a secret of the shop's tests, and a long one",
        "GQL_APP_ADMIN_PASSWORD": PASSWORD,
        "GQL_APP_SMTP_URL": f"smtp://127.0.0.1:{smtp}",
        "GQL_APP_SHOP_MAX_ORDER_CENTS": "50000",
    }
    url, close = f"http://127.0.0.1:{free_port()}", {"Connection": "close"}
    with httpx.Client(base_url=url, headers=close, timeout=TIMEOUT, trust_env=False) as client:
        shop = Shop(folder, settings, kept, client)
        shop.command("migrate")
        yield shop


@pytest.fixture(scope="session")
def migrated(unmigrated: Shop) -> Shop:
    """Return the shop with its tables, and an admin: pytest runs what needs none before."""
    unmigrated.command(*APP, "migrate")
    unmigrated.command("create-admin", "--email", "admin@example.com", "--name", "Admin")
    return unmigrated


@pytest.fixture(scope="session")
def shop(migrated: Shop) -> Iterator[Shop]:
    """Serve the shop by two workers, and let people in."""
    port = str(migrated.client.base_url.port)
    with (migrated.folder / "log").open("wb") as log:
        server = subprocess.Popen(  # noqa: S603
            [PROGRAM, *APP, "serve", "--workers", "2", "--port", port],
            cwd=migrated.folder,
            env=os.environ | migrated.settings,
            stdout=log,
            stderr=log,
        )
    try:
        await_ready(migrated.client, server)
        migrated.sign_in("admin")
        for name in ("ada", "bob", "dora"):
            migrated.register(name)
        migrated.grant("dora", "order_desk")
        yield migrated
    finally:
        server.terminate()
        server.wait(TIMEOUT)
