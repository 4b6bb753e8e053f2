"""Customers for the tests of second factors, and their actions without the API."""

from collections.abc import Sequence

from sqlalchemy import select

from gql_app.accounts import sessions
from gql_app.accounts.factors import challenges
from gql_app.accounts.proofs import Proof
from gql_app.accounts.records import CustomerRecord
from gql_app.accounts.sessions import SignedIn
from gql_app.accounts.throttling import Throttle
from gql_app.db.factor_tables import SecondFactorRow
from gql_app.errors import Fault, Rejected, TooManyAttempts
from gql_app.factors import codes, proving
from gql_app.lib import one_time_codes
from gql_app.lib.database import Database
from gql_app.lib.encryption import Encryption
from tests.apps import App
from tests.people import LIFETIMES, NOWHERE, add_customer, current
from tests.rows import column

KEY = b"a key of the tests, of 32 bytes."
ENCRYPTION = Encryption([KEY])
THROTTLE = Throttle(key=b"key of the tests", attempts=100, client_attempts=1000, window=60)


async def signed_in(database: Database, name: str = "Ada") -> SignedIn:
    """Add a customer and sign them in."""
    customer = await add_customer(database, name)
    async with database.transaction() as db:
        opened = await sessions.open_session(db, customer, NOWHERE, LIFETIMES, methods="pwd")
    return SignedIn(customer, opened.session)


async def set_up(
    database: Database,
    me: SignedIn,
    encryption: Encryption = ENCRYPTION,
    *,
    ends_others: bool = False,
) -> tuple[App, Sequence[str] | None]:
    """Enrol an app, which uses its present code."""
    secret = one_time_codes.new_secret()
    app = App(one_time_codes.secret_text(secret))
    async with database.transaction() as db:
        await codes.begin(db, me, secret, encryption)
    async with database.transaction() as db:
        made = await proving.confirm(
            db, me, app.code(), THROTTLE, encryption, origin=NOWHERE, ends_others=ends_others
        )
    assert not isinstance(made, Fault)
    return app, made


async def challenge(database: Database, customer: CustomerRecord) -> str:
    """Open a challenge of a customer, as after the right password."""
    async with database.transaction() as db:
        whole = await current(db, customer.id)
        return (await challenges.open_challenge(db, whole, Proof("pwd"))).token


async def verify(
    database: Database, token: str, code: str, encryption: Encryption = ENCRYPTION
) -> str:
    """Answer a challenge by a code, in one transaction; return the kind of the outcome."""
    try:
        async with database.transaction() as db:
            opened = await proving.sign_in(
                db, token, code, THROTTLE, LIFETIMES, encryption, origin=NOWHERE
            )
    except TooManyAttempts:
        return "throttled"
    except Rejected as why:
        return str(why.faults[0].code)
    return str(opened.code) if isinstance(opened, Fault) else "opened"


async def key_ids(database: Database) -> list[str | None]:
    """Return the ids of the keys that encrypt the secrets."""
    return await column(database, select(SecondFactorRow.key_id).order_by(SecondFactorRow.id))
