"""URLs as providers write them: each parameter is applied, or refused by its name."""

import ssl

import pytest
import trustme
from sqlalchemy import column, select, table

from gql_app.lib.database import Database, Query, Unavailable, options_of
from gql_app.lib.database.urls import ConnectionOptions
from gql_app.settings import Settings
from tests.databases import Postgres
from tests.lib.database.test_causes import ANYTHING, cause, silent
from tests.lib.database.test_tls import impostor

SUPABASE = "postgres.abc:pw@aws-0-eu-central-1.pooler.supabase.com:6543/postgres"
RDS = "app:pw@db.abc.eu-west-1.rds.amazonaws.com/app?sslmode=verify-full&sslrootcert=/bundle.pem"
NOTHING = "gssencmode=disable&channel_binding=prefer&schema=public&pgbouncer=false"
NEON = "ep-cool-darkness-a1b2c3d4-pooler.us-east-2.aws.neon.tech/neondb"
PREPARED = Query(select(column("name")).select_from(table("pg_prepared_statements")), tuple)
PLAIN = ConnectionOptions("", None, prepared=True, verifies=False)


@pytest.mark.parametrize(
    ("url", "driver", "options"),
    [
        (
            f"postgresql://alex:AbC123dEf@{NEON}?sslmode=require&channel_binding=require",
            f"postgresql://alex:AbC123dEf@{NEON}?sslmode=require",
            PLAIN._replace(verifies=True),
        ),
        (
            f"postgresql://{SUPABASE}?pgbouncer=true",
            f"postgresql://{SUPABASE}",
            PLAIN._replace(prepared=False),
        ),
        (
            "postgres://user:pw@ec2-1-2-3-4.compute-1.amazonaws.com:5432/d1a2b3",
            "postgresql://user:pw@ec2-1-2-3-4.compute-1.amazonaws.com:5432/d1a2b3",
            PLAIN,
        ),
        (f"postgresql://{RDS}", f"postgresql://{RDS}", PLAIN),
        (
            "postgres://app%40srv:pw@srv.postgres.database.azure.com/postgres?sslmode=require",
            "postgresql://app%40srv:pw@srv.postgres.database.azure.com/postgres?sslmode=require",
            PLAIN,
        ),
        (
            "postgresql://u:pw@dpg-abc-a.frankfurt-postgres.render.com/app",
            "postgresql://u:pw@dpg-abc-a.frankfurt-postgres.render.com/app",
            PLAIN,
        ),
        (
            f"postgresql://db/x?connect_timeout=3&{NOTHING}&application_name=app",
            "postgresql://db/x?application_name=app",
            PLAIN._replace(timeout=3),
        ),
        ("postgresql://db/x?connect_timeout=0", "postgresql://db/x", PLAIN),
        (
            "postgresql://db/x?channel_binding=require&sslrootcert=/ca.pem",
            "postgresql://db/x?sslrootcert=%2Fca.pem&sslmode=verify-full",
            PLAIN,
        ),
        (
            "postgresql://db/x?sslrootcert=system&sslmode=verify-full",
            "postgresql://db/x?sslmode=verify-full",
            PLAIN._replace(verifies=True),
        ),
    ],
)
def test_urls_of_providers_are_taken(url: str, driver: str, options: ConnectionOptions) -> None:
    assert options_of(url) == options._replace(url=driver)
    assert Settings(database_url=url).database_url.partition("://")[0] == "postgresql"


@pytest.mark.parametrize(
    "parameter",
    [
        *("hostaddr=127.0.0.1", "keepalives_idle=30", "connection_limit=1", "ssl=true"),
        *("connect_timeout=soon", "channel_binding=maybe", "gssencmode=require", "schema=shop"),
        *("sslrootcert=system&sslmode=require", "load_balance_hosts=random", "pgbouncer=maybe"),
    ],
)
def test_parameter_that_means_nothing_here_is_refused_by_its_name(parameter: str) -> None:
    name, _, value = parameter.partition("=")
    with pytest.raises(ValueError, match=name) as refused:
        Settings(database_url=f"postgresql://ada:hush@db/x?{parameter}")
    assert "hush@" not in str(refused.value.errors()[0]["msg"])  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match=name):
        options_of(f"postgresql://ada:hush@db/x?{name}={value}")


async def test_server_has_the_time_that_the_url_gives_it() -> None:
    async with silent() as port:
        url = f"postgresql://ada@127.0.0.1:{port}/x?sslmode=disable&connect_timeout=1"
        async with Database(url) as database:
            with pytest.raises(Unavailable) as stopped:
                await database.fetch_all(ANYTHING)
    assert isinstance(stopped.value.__cause__, TimeoutError)


async def test_system_trusts_no_stranger() -> None:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(tls)
    async with impostor(tls) as (port, told):
        for parameter in ("sslmode=verify-full&sslrootcert=system", "channel_binding=require"):
            found = await cause(f"postgresql://ada:hush@127.0.0.1:{port}/x?{parameter}")
            assert "not to be trusted" in found.problem
    assert not any(b"hush" in each for each in told)


async def test_nothing_is_prepared_for_a_pooler_that_the_url_tells_of(postgres: Postgres) -> None:
    with postgres.copied() as url:
        both = "&" if "?" in url else "?"
        for parameter, names in (("pgbouncer=true", 0), ("pgbouncer=false", 1)):
            async with Database(f"{url}{both}{parameter}") as database:
                await database.fetch_all(ANYTHING)
                assert len(await database.fetch_all(PREPARED)) >= names
                assert bool(await database.fetch_all(PREPARED)) is bool(names)
