"""What letters say to whom: in their reader's language, of what happened to them."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import delete, select, update
from structlog.testing import capture_logs

from gql_app.accounts import addresses
from gql_app.accounts.mail import letters
from gql_app.accounts.mail.letters import Kind
from gql_app.accounts.mail.links import TERMS, LinkKind
from gql_app.accounts.records import CustomerRecord
from gql_app.accounts.validation import email_keys
from gql_app.db.factor_tables import SecondFactorRow
from gql_app.db.tables import (
    CustomerRow,
    FormerEmailRow,
    LetterRow,
    RegistrationRow,
)
from gql_app.factors.changes import FACTOR, METHOD
from gql_app.lib.clock import new_id
from gql_app.lib.database import Database
from gql_app.lib.mail_templates import Folder, MailTemplates
from gql_app.lib.text import canonical_email
from gql_app.mail.letter_examples import EXAMPLES
from gql_app.mail.outbox import WriteLetter
from gql_app.security import tokens
from tests.accounts.conftest import NOON
from tests.accounts.outbox import OUTBOX, claim
from tests.conftest import SetClock
from tests.people import add_customer
from tests.rows import add_all, column, value

EVE = "eve@example.com"


async def change(database: Database, customer: CustomerRecord, **values: object) -> None:
    """Write columns of a customer."""
    async with database.transaction() as db:
        theirs = update(CustomerRow).where(CustomerRow.id == customer.id)
        await db.execute(theirs.values(**values))


async def post_link(database: Database, kind: LinkKind, customer: CustomerRecord) -> None:
    """Write down that a customer is to be sent a link."""
    async with database.transaction() as db:
        await letters.post_link(db, kind, customer_id=customer.id)


async def register(database: Database, email: str, locale: str | None = None) -> UUID:
    """Let somebody ask to be registered, and write down that they are to be sent a link."""
    row = {
        "id": new_id(),
        "name": "Zyxomma",
        "email": email,
        "email_canonical": canonical_email(email),
        "password_hash": "",
        "locale": locale,
        "created_at": NOON - timedelta(days=2),
        "expires_at": NOON + timedelta(days=5),
    }
    async with database.transaction() as db:
        await add_all(db, RegistrationRow, [row])
        await letters.post_registration(db, UUID(str(row["id"])), email)
    return UUID(str(row["id"]))


async def add_factor(database: Database, customer: CustomerRecord, method: str) -> UUID:
    """Add a second factor to an account, and return its id."""
    row = {"id": new_id(), "customer_id": customer.id, "method": method, "created_at": NOON}
    async with database.transaction() as db:
        await add_all(db, SecondFactorRow, [row])
    return UUID(str(row["id"]))


async def post_factor(
    database: Database, customer: CustomerRecord, factor: UUID, method: str
) -> None:
    """Write down that a customer is to be told of a new second factor."""
    kind, data = Kind.SECOND_FACTOR_ADDED, {FACTOR: str(factor), METHOD: method}
    async with database.transaction() as db:
        await letters.post(db, kind, customer_id=customer.id, recipient=customer.email, data=data)


@pytest.mark.parametrize("kind", LinkKind)
async def test_link_is_sent_in_the_language_of_the_customer_with_how_long_it_is_good(
    noon: Database, ada: CustomerRecord, kind: LinkKind
) -> None:
    await change(noon, ada, locale="de-AT", password_hash="")
    await post_link(noon, kind, ada)
    (letter,) = await claim(noon)
    assert (letter.recipient, letter.language) == (ada.email, "de")
    lifetime = TERMS[kind].lifetime
    words = {
        LinkKind.PASSWORD_RESET: f"{lifetime // timedelta(minutes=1)} Minuten",
        LinkKind.VERIFY_EMAIL: f"{lifetime // timedelta(hours=1)} Stunden",
        LinkKind.INVITATION: f"{lifetime // timedelta(days=1)} Tagen",
        LinkKind.SIGN_IN: f"{lifetime // timedelta(minutes=1)} Minuten",
        LinkKind.ENROLMENT: f"{lifetime // timedelta(minutes=1)} Minuten",
    }
    token = tokens.link_token(TERMS[kind].prefix, OUTBOX.pepper, UUID(letter.id))
    assert letter.html
    for said in (letter.body, letter.html):
        assert words[kind] in " ".join(said.split())
        assert f"{OUTBOX.pages[kind]}#token={token}" in said


async def test_proof_of_an_account_names_its_day_and_of_a_change_does_not(
    noon: Database, ada: CustomerRecord
) -> None:
    await change(noon, ada, created_at=NOON - timedelta(days=30))
    await post_link(noon, LinkKind.VERIFY_EMAIL, ada)
    (first,) = await claim(noon)
    await change(noon, ada, pending_email="new@example.com")
    await post_link(noon, LinkKind.VERIFY_EMAIL, ada)
    (second,) = await claim(noon)
    day = (NOON - timedelta(days=30)).strftime("%-d %B %Y")
    assert (first.recipient, second.recipient) == (ada.email, "new@example.com")
    assert f"On {day} an account was made" in first.body
    assert "wants to use this e-mail address" in second.body
    assert day not in second.body


async def test_registration_is_answered_in_its_language_until_it_is_gone(noon: Database) -> None:
    await register(noon, EVE, "fr-CA")
    (letter,) = await claim(noon)
    assert (letter.recipient, letter.language) == (EVE, "fr")
    day = NOON - timedelta(days=2)
    assert f"{day.day} " in letter.body
    assert f"{day.year}" in letter.body
    token = letter.body.partition("#token=")[2].split()[0]
    digest = tokens.digest(tokens.VERIFY, token)
    assert await column(noon, select(RegistrationRow.digest)) == [digest]
    gone = await register(noon, "gone@example.com")
    async with noon.transaction() as db:
        await db.execute(delete(RegistrationRow).where(RegistrationRow.id == gone))
    assert await claim(noon) == []


async def test_owner_of_an_address_is_told_in_their_own_language(
    noon: Database, ada: CustomerRecord
) -> None:
    await change(noon, ada, locale="es")
    bob = await add_customer(noon, "Bob", "bob@example.com")
    await change(noon, bob, pending_email="ADA@example.com", locale="fr")
    await register(noon, ada.email, "de")
    await post_link(noon, LinkKind.VERIFY_EMAIL, bob)
    told = await claim(noon)
    assert {(each.recipient.lower(), each.subject) for each in told} == {
        (ada.email, "Ya tiene una cuenta")
    }
    assert len(told) == 2
    assert all("#token=" not in each.body for each in told)


async def test_nobody_is_asked_for_what_is_proven_or_closed(
    noon: Database, ada: CustomerRecord
) -> None:
    await change(noon, ada, email_verified_at=NOON)
    await post_link(noon, LinkKind.VERIFY_EMAIL, ada)
    assert await claim(noon) == []
    await change(noon, ada, email_verified_at=None, is_active=False)
    await post_link(noon, LinkKind.VERIFY_EMAIL, ada)
    assert await claim(noon) == []


@pytest.mark.parametrize("is_held", [True, False])
async def test_old_address_gets_a_link_to_undo_a_change_only_if_it_is_held(
    noon: Database, ada: CustomerRecord, *, is_held: bool
) -> None:
    former = "old@example.com"
    row = {
        "email_canonical": former if is_held else "other@example.com",
        "customer_id": ada.id,
        "email": former,
        "changed_since": NOON,
        "held_until": NOON + addresses.HOLD_PERIOD,
    }
    async with noon.transaction() as db:
        await add_all(db, FormerEmailRow, [row])
        await letters.post(db, Kind.EMAIL_CHANGED, customer_id=ada.id, recipient=former)
    (letter,) = await claim(noon)
    assert (letter.recipient, letter.subject) == (former, "Your e-mail address was changed")
    assert ("for 7 days" in letter.body, "tell us at once" in letter.body) == (is_held, not is_held)
    found = letter.body.partition("#token=")[2].split()[:1]
    digests = await column(noon, select(FormerEmailRow.digest))
    assert digests == [tokens.digest(tokens.UNDO, found[0]) if found else None]


@pytest.mark.parametrize(
    ("method", "said"), [("CODE", "An app for codes has"), ("PASSKEY", "A passkey has")]
)
async def test_letter_of_a_new_factor_names_its_method_and_undoes_it_by_its_link(
    noon: Database, ada: CustomerRecord, method: str, said: str
) -> None:
    factor, other = [await add_factor(noon, ada, each) for each in (method, "CODE")]
    await post_factor(noon, ada, factor, method)
    (letter,) = await claim(noon)
    assert (letter.recipient, letter.subject) == (ada.email, "A second factor was added")
    assert said in letter.body
    assert "you can remove it for 7 days" in letter.body
    page = f"{OUTBOX.pages[Kind.SECOND_FACTOR_ADDED]}#token="
    (link,) = [line for line in letter.body.splitlines() if line.startswith(page)]
    token = link.removeprefix(page)
    assert token == tokens.link_token(tokens.UNDO_FACTOR, OUTBOX.pepper, UUID(letter.id))
    rows = await noon.fetch_all(select(SecondFactorRow.id, SecondFactorRow.undo_digest))
    digest = tokens.digest(tokens.UNDO_FACTOR, token)
    assert digest is not None
    assert {row.id: row.undo_digest for row in rows} == {factor: digest, other: None}


@pytest.mark.parametrize("is_held", [True, False])
async def test_letter_of_a_new_factor_to_a_former_address_has_a_link_while_that_is_held(
    noon: Database, ada: CustomerRecord, *, is_held: bool
) -> None:
    await post_factor(noon, ada, await add_factor(noon, ada, "CODE"), "CODE")
    former = {
        "email_canonical": canonical_email(ada.email),
        "customer_id": ada.id,
        "email": ada.email,
        "changed_since": NOON,
        "held_until": NOON + addresses.HOLD_PERIOD,
    }
    async with noon.transaction() as db:
        await add_all(db, FormerEmailRow, [former] if is_held else [])
    email = "ada@example.org"
    await change(noon, ada, email=email, **email_keys(email))
    (letter,) = await claim(noon)
    assert (letter.recipient, "#token=" in letter.body) == (ada.email, is_held)


async def test_letter_of_a_factor_that_is_gone_or_anothers_has_no_link(
    noon: Database, ada: CustomerRecord
) -> None:
    bob = await add_customer(noon, "Bob", "bob@example.com")
    for factor in (new_id(), await add_factor(noon, bob, "CODE")):
        await post_factor(noon, ada, factor, "CODE")
    told = await claim(noon)
    assert ["tell us at once" in each.body for each in told] == [True, True]
    assert ["#token=" in each.body for each in told] == [False, False]
    assert await column(noon, select(SecondFactorRow.undo_digest)) == [None]


@pytest.mark.parametrize(
    ("method", "said"),
    [
        ("CODE", "An app for codes has"),
        ("PASSKEY", "A passkey has"),
        ("ALL", "Every second factor"),
    ],
)
async def test_letter_of_a_removed_factor_names_its_method(
    noon: Database, ada: CustomerRecord, method: str, said: str
) -> None:
    kind, data = Kind.SECOND_FACTOR_REMOVED, {METHOD: method}
    async with noon.transaction() as db:
        await letters.post(db, kind, customer_id=ada.id, recipient=ada.email, data=data)
    (letter,) = await claim(noon)
    assert letter.subject == "A second factor was removed"
    assert said in letter.body
    assert "If it wasn't you, reset your password now" in letter.body


@pytest.mark.parametrize(
    ("locale", "subject", "said"),
    [
        (None, "New recovery codes were made", "reset your password now, then make new recovery"),
        ("de", "Neue Wiederherstellungscodes wurden erstellt", "setzen Sie Ihr Passwort jetzt"),
        ("es", "Se han creado nuevos códigos de recuperación", "restablezca ahora su contraseña"),
        ("fr", "Nouveaux codes de récupération", "réinitialisez votre mot de"),
    ],
)
async def test_letter_of_new_recovery_codes_says_what_to_do(
    noon: Database, ada: CustomerRecord, locale: str | None, subject: str, said: str
) -> None:
    await change(noon, ada, locale=locale)
    async with noon.transaction() as db:
        kind = Kind.RECOVERY_CODES_RENEWED
        await letters.post(db, kind, customer_id=ada.id, recipient=ada.email)
    (letter,) = await claim(noon)
    assert (letter.recipient, letter.subject) == (ada.email, subject)
    assert letter.html
    for text in (letter.body, letter.html):
        assert said in " ".join(text.split())


@pytest.mark.parametrize("address", ["2001:db8::1", None])
async def test_letter_of_a_new_client_says_when_and_from_where(
    noon: Database, ada: CustomerRecord, set_clock: SetClock, address: str | None
) -> None:
    kind, data = Kind.NEW_CLIENT, {letters.ADDRESS: address}
    async with noon.transaction() as db:
        await letters.post(db, kind, customer_id=ada.id, recipient=ada.email, data=data)
    set_clock(NOON + timedelta(hours=5))
    (letter,) = await claim(noon)
    assert letter.subject == "New sign-in to your account"
    assert f"On {NOON:%-d %B %Y} at 12:00 UTC" in letter.body
    assert f"The address was {address}." in letter.body or address is None
    assert ("The address" in letter.body) == (address is not None)


async def test_template_that_fails_keeps_its_letter_and_no_other_back(
    noon: Database, ada: CustomerRecord, set_clock: SetClock, tmp_path: Path
) -> None:
    kinds: Mapping[str, list[Mapping[str, object]]] = {
        Kind.PASSWORD_RESET: [{"link": "x"}],
        Kind.PASSWORD_CHANGED: [{}],
    }
    for name, said in (("password_reset", "{{ link.nothing }}"), ("password_changed", "Changed")):
        (tmp_path / f"{name}.en.subject.txt").write_text("Hello")
        (tmp_path / f"{name}.en.txt").write_text(said)
    broken = replace(OUTBOX, templates=MailTemplates([Folder(tmp_path, kinds)], {}))
    await post_link(noon, LinkKind.PASSWORD_RESET, ada)
    async with noon.transaction() as db:
        await letters.post(db, Kind.PASSWORD_CHANGED, customer_id=ada.id, recipient=ada.email)
        with capture_logs() as log:
            claimed = await broken.claim(db)
    assert [each.body for each in claimed.letters] == ["Changed\n"]
    (line,) = log
    assert (line["event"], line["kind"]) == ("A letter can't be written", "password_reset")
    assert ada.email not in str(line)
    due = await value(noon, select(LetterRow.due_at).where(LetterRow.kind == "password_reset"))
    set_clock(due)
    (letter,) = [each for each in await claim(noon) if "#token" in each.body]
    assert letter.subject == "Reset your password"


@pytest.mark.parametrize(
    "written", [("One\nBcc: all@example.com", "Text"), ("One", None), ("One", "\ud800"), None]
)
async def test_letter_of_a_feature_that_can_not_be_sent_is_told_with_its_kind(
    noon: Database, ada: CustomerRecord, written: tuple[Any, Any]
) -> None:
    kinds: dict[str, WriteLetter] = {"bad": lambda *_: written, "good": lambda *_: ("A", "B")}
    async with noon.transaction() as db:
        for kind in kinds:
            await letters.post(db, kind, customer_id=ada.id)
        with capture_logs() as log:
            claimed = await replace(OUTBOX, features=kinds).claim(db)
    assert [each.subject for each in claimed.letters] == ["A"]
    (line,) = log
    assert (line["event"], line["kind"]) == ("A letter can't be written", "bad")


async def test_refusal_of_a_letter_that_is_gone_is_nothing(
    noon: Database, ada: CustomerRecord
) -> None:
    await post_link(noon, LinkKind.PASSWORD_RESET, ada)
    (letter,) = await claim(noon)
    for _ in range(2):
        async with noon.transaction() as db:
            await OUTBOX.refused(db, letter)
    assert await column(noon, select(LetterRow.id)) == []


def test_every_kind_has_examples() -> None:
    assert {*EXAMPLES} == {*Kind}
