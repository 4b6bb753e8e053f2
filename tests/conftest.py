"""Fixtures of all tests: real databases, the API on each of them, people, the clock."""

import gc
from collections import Counter
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path

import hypothesis
import pytest

from gql_app.lib import clock
from gql_app.lib.database import Database
from gql_app.lib.mail_templates import Folder, MailTemplates
from gql_app.mail import composing
from gql_app.resources import Resources
from gql_app.settings import Settings
from tests.api import Api, running
from tests.databases import Postgres, copied_sqlite, migrated_sqlite, postgres_server
from tests.distributed.cluster import OPTION as CLUSTER
from tests.distributed.cluster import Cluster, NoCluster, cluster
from tests.kept import KeptConnections
from tests.letterbox import Letterbox
from tests.logs import unconfigured_logging
from tests.people import Kind, Person, add_customer, expired_token, sign_in, sign_out
from tests.processes import Server, serving
from tests.statements import literals, recorded

SetClock = Callable[[datetime], None]
LONGEST_NAME = 1_000
COLLECTOR_THRESHOLDS = (4_000, 10, 100)
"""Thresholds of the garbage collector; Python's defaults are 700, 10 and 10."""
hypothesis.settings.register_profile("no timing", deadline=None)
hypothesis.settings.load_profile("no timing")
SECRET = "a secret of the tests, long enough to sign with"


ON_BOTH = ("races", "voided_letters")
"""Tests whose coverage is measured on PostgreSQL too: they reach code that SQLite does not."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options for the tests whose coverage is measured, and for the URL of a cluster."""
    parser.addoption("--covering", metavar="PATHS", default="")
    parser.addoption(CLUSTER, metavar="URL", help="Run on a Citus cluster's database.")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Ignore the tests of a cluster if no URL is given."""
    named = config.getoption(CLUSTER)
    return True if collection_path.name == "distributed" and not named else None


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Freeze the collected tests, ten thousand objects that live as long as the process.

    A collection of them takes half a second, and was a fifth of the tests' time.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.set_threshold(*COLLECTOR_THRESHOLDS)
        gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Group the tests of a file, and mark those measured: on SQLite, as coverage doubles the time.

    What a file's tests share is made by one worker only, and there is less to distribute. Groups
    of several files come first, which wait for browsers and servers, and then the smallest files,
    which wait for programs: while they wait, others run.
    """
    covering = {config.rootpath / each for each in config.getoption("covering").split()}
    if config.getoption(CLUSTER):
        items[:] = [item for item in items if "[sqlite" not in item.nodeid]
    paths = {item.path for item in items}
    covered = {each for each in paths if not covering.isdisjoint((each, *each.parents))}
    groups = {item: group_of(item) for item in items}
    for item, group in groups.items():
        on_postgresql = "postgresql" in item.nodeid and not any(map(item.nodeid.count, ON_BOTH))
        if not on_postgresql and item.path in covered:
            item.add_marker("measured")
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(group))
    sizes = Counter(groups.values())
    items.sort(key=lambda item: (".py" in groups[item], sizes[groups[item]], groups[item]))


def group_of(item: pytest.Item) -> str:
    """Return the name of the group of tests that run on one worker: by default that of the file."""
    marker = item.get_closest_marker("xdist_group")
    return str(marker.args[0]) if marker else item.nodeid.partition("::")[0]


def pytest_make_parametrize_id(val: object) -> str | None:
    """Return the length of a long value as its id.

    pytest puts a test's name into the environment, where a megabyte keeps programs from starting.
    """
    if isinstance(val, str | bytes) and len(val) > LONGEST_NAME:
        return f"{len(val)}_long"
    return None


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Run async tests on asyncio, as uvicorn does."""
    return "asyncio"


@pytest.fixture(scope="session")
def postgres(pytestconfig: pytest.Config) -> Iterator[Postgres | Cluster]:
    """Start one PostgreSQL server for a whole run, or use the cluster that it names."""
    url = pytestconfig.getoption(CLUSTER)
    if url is None:
        with postgres_server() as server:
            yield server
        return
    try:
        with cluster(url) as found:
            yield found
    except NoCluster as why:
        pytest.exit(str(why), returncode=2)


@pytest.fixture(scope="session")
async def kept_connections(anyio_backend: str) -> AsyncIterator[KeptConnections]:
    """Keep connections to PostgreSQL for a whole run, and with them the event loop.

    The backend is named so that a test that is not async may be the first to need them.
    """
    assert anyio_backend == "asyncio"
    with closing(KeptConnections()) as kept:
        yield kept


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Create the migrated SQLite file that each test gets a copy of."""
    return migrated_sqlite(tmp_path_factory.mktemp("sqlite"))


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Yield the URL of an empty, migrated database for one test, on each engine."""
    if request.param == "sqlite":
        yield copied_sqlite(request.getfixturevalue("sqlite_template"), tmp_path)
    else:
        server: Postgres = request.getfixturevalue("postgres")
        kept: KeptConnections = request.getfixturevalue("kept_connections")
        with server.copied(kept=kept) as url, kept.reused():
            yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def unmigrated_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Yield the URL of an unmigrated database, on each engine."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
    else:
        server: Postgres = request.getfixturevalue("postgres")
        with server.copied("template1") as url:
            yield url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """Open an empty database, without the application."""
    database = Database(database_url)
    yield database
    await database.close()


@pytest.fixture(scope="session")
def usual_settings() -> Settings:
    """Return the settings of most tests, read only once, as it takes milliseconds."""
    return Settings(secret_key=SECRET, passkey_rp_id="localhost")


@pytest.fixture
def settings(usual_settings: Settings, database_url: str) -> Settings:
    """Return the settings of most tests, with the test's database."""
    return usual_settings.model_copy(update={"database_url": database_url})


@pytest.fixture
async def resources(settings: Settings) -> AsyncIterator[Resources]:
    """Open the resources of the API, without background tasks."""
    async with Resources.open(settings) as opened:
        yield opened


@pytest.fixture
async def api(settings: Settings) -> AsyncIterator[Api]:
    """Run the API on an empty database."""
    async with running(settings) as api:
        yield api


@pytest.fixture
async def plain(api: Api) -> Person:
    """Sign in a plain customer."""
    return await sign_in(
        api.resources, await add_customer(api.database, "Ada Plain", phone="+1 555 0100")
    )


@pytest.fixture
async def other(api: Api) -> Person:
    """Sign in another plain customer."""
    return await sign_in(api.resources, await add_customer(api.database, "Bob Other"))


@pytest.fixture
async def admin(api: Api) -> Person:
    """Sign in an admin."""
    return await sign_in(
        api.resources, await add_customer(api.database, "Grace Admin", is_admin=True)
    )


@pytest.fixture
async def tokens(api: Api, plain: Person, other: Person, admin: Person) -> dict[Kind, str | None]:
    """Return the token of each kind of caller."""
    gone = await sign_in(api.resources, await add_customer(api.database, "Rex Revoked"))
    await sign_out(api.resources, gone)
    return {
        Kind.ANONYMOUS: None,
        Kind.PLAIN: plain.token,
        Kind.OTHER: other.token,
        Kind.ADMIN: admin.token,
        Kind.EXPIRED: expired_token(api.resources, plain),
        Kind.REVOKED: gone.token,
    }


@pytest.fixture(scope="session", autouse=True)
def our_templates() -> Iterator[None]:
    """Cache the program's templates of letters, as reading them takes milliseconds."""
    read = composing.mail_templates
    known: dict[str, MailTemplates] = {}

    def of(settings: Settings, folders: Sequence[Folder] = ()) -> MailTemplates:
        if settings.letters_dir or folders:
            return read(settings, folders)
        name = settings.product_name
        return known.get(name) or known.setdefault(name, read(settings))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(composing, "mail_templates", of)
        yield


@pytest.fixture(autouse=True)
def logging_of_its_own() -> Iterator[None]:
    """Let no test log as one before it has configured."""
    with unconfigured_logging():
        yield


@pytest.fixture(autouse=True)
def statements() -> Iterator[set[str]]:
    """Record the SQL of every test, which must contain no literal values."""
    with recorded() as statements:
        yield statements
    assert not [each for each in statements if literals(each)]


@pytest.fixture
def set_clock(monkeypatch: pytest.MonkeyPatch) -> SetClock:
    """Return a function that sets the time."""

    def set_to(moment: datetime) -> None:
        monkeypatch.setattr(clock, "now", lambda: moment)

    return set_to


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Serve the demo for a whole run, in a separate process."""
    with serving("--demo", folder=tmp_path_factory.mktemp("demo")) as server:
        yield server


@pytest.fixture
def letterbox(monkeypatch: pytest.MonkeyPatch) -> Letterbox:
    """Replace the mail server by a letterbox; request it before the API."""
    letterbox = Letterbox()
    monkeypatch.setattr("gql_app.mail.composing.mailer", lambda _: letterbox)
    return letterbox
