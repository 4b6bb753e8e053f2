"""Which addresses are one mailbox, and whose they are."""

import re
from itertools import combinations

import idna
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import delete

from gql_app.accounts import authentication
from gql_app.accounts.records import CustomerRecord
from gql_app.accounts.throttling import Throttle
from gql_app.accounts.validation import Rules, check_changes, email_keys
from gql_app.db.tables import CustomerRow
from gql_app.errors import Rejected
from gql_app.lib.database import Database
from gql_app.lib.text import canonical_email, email_key, email_key_of, mailbox_key
from gql_app.mail import mailboxes
from tests.accounts.rows import customer, statements, store
from tests.accounts.test_filter_plans import plan_of, plan_on_sqlite, used
from tests.people import add_customer

OTHERS = [
    ("ceo@business.com", "ceo@busineß.com"),
    ("office@passau.de", "office@paßau.de"),
    ("office@passau.de", "office@xn--paau-4pa.de"),
    ("info@οδυσσεασ.gr", "info@οδυσσεας.gr"),
    ("strasse@example.com", "straße@example.com"),
    ("οδυσσεασ@example.gr", "οδυσσεας@example.gr"),
    ("fiona@example.com", "ﬁona@example.com"),
    ("flo@example.com", "ﬂo@example.com"),
    ("msi@example.com", "mſi@example.com"),
    ("i@example.com", "ı@example.com"),
    ("i@example.com", "İ@example.com"),
    ("ŉ@example.com", "ʼn@example.com"),
]
"""Pairs that casefold makes one of, or nearly, and that are two mailboxes."""
ALPHABET = "aAbBßẞsSσςΣıIiİﬁFfſkKÅåéÉµμ019"
THROTTLE = Throttle(key=b"key of the tests", attempts=5, client_attempts=50, window=900)
LOCALS = st.text(ALPHABET, min_size=1, max_size=4)
DOMAINS = st.text("aAßsSσςΣéÉüÜ", min_size=1, max_size=3).map(lambda label: f"{label}.example.com")
ADDRESSES = st.builds("{}@{}".format, LOCALS, DOMAINS)


def stored(address: str) -> str | None:
    """Return how an address would be stored, if it is any."""
    try:
        return str(check_changes(None, {"email": address}, Rules()).values["email"])
    except Rejected:
        return None


@pytest.mark.parametrize(("one", "other"), OTHERS)
def test_addresses_of_two_mailboxes_have_two_keys(one: str, other: str) -> None:
    assert mailbox_key(one) != mailbox_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ada@Example.com", "aDA@EXAMPLE.COM"),
        ("ada@bücher.example.com", "ada@XN--BCHER-KVA.example.com"),
        ("ada@BÜCHER.example.com", "ada@bücher.example.com"),
        ("ÉLODIE@example.com", "e\u0301lodie@example.com"),
        ("STRAẞE@example.com", "straße@example.com"),
    ],
)
def test_spellings_of_one_mailbox_have_one_key(one: str, other: str) -> None:
    assert mailbox_key(one) == mailbox_key(other) is not None


@given(st.lists(ADDRESSES, min_size=2, max_size=12))
@example([address for pair in OTHERS for address in pair])
def test_equal_keys_have_equal_a_labels_and_equally_long_local_parts(addresses: list[str]) -> None:
    kept = [address for address in map(stored, addresses) if address]
    for one, other in combinations(kept, 2):
        if canonical_email(one) != canonical_email(other):
            continue
        (local, _, domain), (its_local, _, its_domain) = (
            each.rpartition("@") for each in (one, other)
        )
        assert idna.encode(domain) == idna.encode(its_domain)
        assert len(local) == len(its_local)
        assert local.lower() == its_local.lower() or local.upper() == its_local.upper()


@given(ADDRESSES)
@example("STRAẞE@paßau.de")
@example("İ@example.com")
@example("ada@xn--paau-4pa.de")
def test_the_former_key_of_a_mailbox_is_that_of_each_of_its_spellings(address: str) -> None:
    kept = stored(address)
    if kept:
        assert email_key_of(canonical_email(kept)) == email_key(kept)


def test_a_domain_that_is_none_keeps_its_spelling_in_lower_case() -> None:
    assert canonical_email("A@\u2028É.com") == "a@\u2028é.com"
    assert email_key_of("a@xn--\u2028.com") == "a@xn--\u2028.com"
    assert email_key_of(None) is None


async def found(database: Database, address: str) -> CustomerRecord | object:
    """Find by an address."""
    row = await mailboxes.by_email(database, address)
    return row and row.email


@pytest.mark.parametrize(("one", "other"), OTHERS)
@pytest.mark.parametrize("by_the_version_before", [False, True])
async def test_nobody_is_found_by_the_address_of_another_mailbox(
    database: Database, one: str, other: str, *, by_the_version_before: bool
) -> None:
    first, second = stored(one) or one, stored(other) or other
    for mine, its in ((first, second), (second, first)):
        row = customer("Ada", mine)
        if by_the_version_before:
            row.email_canonical = None
        await store(database, [row])
        assert await found(database, mine) == mine
        assert await found(database, its) is None
        async with database.transaction() as db:
            await db.execute(delete(CustomerRow).where(CustomerRow.id == row.id))


@pytest.mark.parametrize(("one", "other"), OTHERS)
async def test_nobody_is_signed_in_by_the_address_of_another_mailbox(
    database: Database, one: str, other: str
) -> None:
    mine, its = stored(one) or one, stored(other) or other
    await store(database, [customer("Ada", mine)])
    for address, whose in ((mine, mine), (its, None)):
        key = canonical_email(address)
        limits = THROTTLE.of_password("sign-in", key, "192.0.2.1")
        async with database.transaction() as db:
            await THROTTLE.count(db, *limits.all)
        past = await authentication.history(database, key, limits, "192.0.2.1")
        assert set(past.times) == {limit.subject for limit in limits.all}
        assert (past.customer and past.customer.email) == whose


async def test_who_was_given_another_address_by_the_version_before_is_found_by_that(
    database: Database,
) -> None:
    """It writes `email` and `email_key`, and leaves the other key as it was."""
    row = customer("Ada", "new@example.com")
    row.email_canonical = "old@example.com"
    await store(database, [row])
    assert await found(database, "new@example.com") == "new@example.com"
    assert await found(database, "old@example.com") is None


async def test_what_is_stored_under_an_a_label_is_found_by_either_spelling(
    database: Database,
) -> None:
    await store(database, [customer("Ada", "ada@xn--bcher-kva.example.com")])
    for typed in ("ada@xn--bcher-kva.example.com", "ada@bücher.example.com"):
        assert await found(database, typed) == "ada@xn--bcher-kva.example.com"


@pytest.mark.parametrize("what", ["sign-in", "address"])
async def test_whose_an_address_is_takes_one_statement_and_both_keys_indexes(
    database: Database, database_url: str, what: str
) -> None:
    await store(database, [customer(f"Ada {n}") for n in range(100)])
    with statements() as seen:
        if what == "address":
            await mailboxes.by_email(database, "ada@example.com")
        else:
            key, address = "ada@example.com", "192.0.2.1"
            limits = THROTTLE.of_password("sign-in", key, address)
            await authentication.history(database, key, limits, address)
    [(statement, values)] = seen
    if database.dialect == "sqlite":
        steps = [step for _, step in await plan_on_sqlite(database_url, statement, values)]
        assert not [step for step in steps if re.match("SCAN (sessions|known_clients)", step)]
        looked_up = [step.replace("owners", "customers") for step in steps]
        found = {step.removesuffix(" LEFT-JOIN") for step in looked_up if "customers" in step}
        assert found == {
            "SEARCH customers USING INDEX ix_customers_email_canonical (email_canonical=?)",
            "SEARCH customers USING INDEX sqlite_autoindex_customers_2 (email_key=?)",
        }
    else:
        plan = await plan_of(database_url, statement, values)
        assert used(plan) >= {
            "ix_customers_email_canonical",
            "customers_email_key_id_name_key_created_at_is_admin_key",
        }


async def test_a_change_in_case_alone_writes_the_address_and_the_same_keys(
    database: Database,
) -> None:
    row = await add_customer(database, "Ada", "ada@example.com")
    values = check_changes(row, {"email": "ADA@example.com"}, Rules()).values
    assert values == {"email": "ADA@example.com", **email_keys("ada@example.com")}
