"""Secrets at rest: a key changes with an overlap, and what is under the old one is moved."""

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select, update
from structlog.testing import capture_logs

from gql_app.accounts.sessions import SignedIn
from gql_app.db.factor_tables import CodeEnrolmentRow, SecondFactorRow
from gql_app.errors import Rejected
from gql_app.factors import codes, proving, stored_secrets
from gql_app.lib import one_time_codes
from gql_app.lib.database import Database
from gql_app.lib.encryption import CannotDecrypt, Encryption
from tests.apps import App
from tests.conftest import SetClock
from tests.factors.conftest import NOON
from tests.factors.people import (
    ENCRYPTION,
    KEY,
    THROTTLE,
    challenge,
    key_ids,
    set_up,
    signed_in,
    verify,
)
from tests.people import NOWHERE
from tests.rows import column

NEW_KEY = b"another key of the tests, longer"
OVERLAP, AFTER = Encryption([NEW_KEY, KEY]), Encryption([NEW_KEY])


async def test_secrets_are_moved_to_the_key_in_force_before_the_old_one_goes(
    noon: Database, set_clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored_secrets, "BATCH", 2)
    apps = {}
    for name in ("Ada", "Bob", "Carl", "Dora", "Eve"):
        me = await signed_in(noon, name)
        apps[name] = (me.customer, (await set_up(noon, me))[0])
    assert await stored_secrets.numbers(noon) == {ENCRYPTION.key_id: 5}
    assert await stored_secrets.renew(noon, ENCRYPTION) == 0
    assert await stored_secrets.renew(noon, OVERLAP) == 5
    assert await stored_secrets.renew(noon, OVERLAP) == 0
    assert await stored_secrets.numbers(noon) == {AFTER.key_id: 5}
    set_clock(NOON + timedelta(minutes=1))
    for customer, app in apps.values():
        token = await challenge(noon, customer)
        assert await verify(noon, token, app.code(), AFTER) == "opened"


async def test_both_keys_open_what_is_stored_while_the_key_changes(
    noon: Database, ada: SignedIn, set_clock: SetClock
) -> None:
    before, _ = await set_up(noon, ada)
    await set_up(noon, ada, OVERLAP)
    assert set(await key_ids(noon)) == set(OVERLAP.key_ids)
    set_clock(NOON + timedelta(minutes=1))
    token = await challenge(noon, ada.customer)
    assert await verify(noon, token, before.code(), OVERLAP) == "opened"


async def test_without_its_key_a_secret_opens_nothing(
    noon: Database, ada: SignedIn, set_clock: SetClock
) -> None:
    app, _ = await set_up(noon, ada)
    set_clock(NOON + timedelta(minutes=1))
    token = await challenge(noon, ada.customer)
    with pytest.raises(CannotDecrypt):
        await verify(noon, token, app.code(), AFTER)
    assert await verify(noon, token, app.code()) == "opened"


async def test_secret_that_was_moved_to_another_row_opens_nothing(
    noon: Database, ada: SignedIn
) -> None:
    await set_up(noon, ada)
    bob = await signed_in(noon, "Bob")
    app, _ = await set_up(noon, bob)
    [secret] = await column(
        noon,
        select(SecondFactorRow.secret).where(SecondFactorRow.customer_id == bob.customer.id),
    )
    async with noon.transaction() as db:
        hers = SecondFactorRow.customer_id == ada.customer.id
        await db.execute(update(SecondFactorRow).where(hers).values(secret=secret))
    with pytest.raises(CannotDecrypt):
        await verify(noon, await challenge(noon, ada.customer), app.code(1))


async def test_damaged_secret_keeps_no_other_from_being_moved(
    noon: Database, ada: SignedIn
) -> None:
    await set_up(noon, ada)
    async with noon.transaction() as db:
        await db.execute(update(SecondFactorRow).values(secret="damaged"))
    await set_up(noon, await signed_in(noon, "Bob"))
    with capture_logs() as log:
        assert await stored_secrets.renew(noon, OVERLAP) == 2
    assert [line["event"] for line in log] == ["A secret of a second factor is damaged"]
    assert sorted(map(str, await key_ids(noon))) == sorted(OVERLAP.key_ids)
    assert isinstance((await column(noon, select(SecondFactorRow.id)))[0], UUID)


async def test_app_that_is_begun_before_the_key_changes_is_begun_again(
    noon: Database, ada: SignedIn
) -> None:
    secret = one_time_codes.new_secret()
    code = App(one_time_codes.secret_text(secret)).code()
    async with noon.transaction() as db:
        await codes.begin(db, ada, secret, ENCRYPTION)
    with pytest.raises(Rejected) as refused:
        async with noon.transaction() as db:
            await proving.confirm(db, ada, code, THROTTLE, AFTER, origin=NOWHERE)
    assert refused.value.faults == (codes.NOT_BEGUN,)


async def test_enrolments_that_took_too_long_are_purged(
    noon: Database, ada: SignedIn, set_clock: SetClock
) -> None:
    async with noon.transaction() as db:
        await codes.begin(db, ada, one_time_codes.new_secret(), ENCRYPTION)
    counts = []
    for seconds in (600, 601, 602):
        set_clock(NOON + timedelta(seconds=seconds))
        async with noon.transaction() as db:
            counts.append(await codes.purge(db, batch=10))
    assert counts == [0, 1, 0]
    assert await column(noon, select(CodeEnrolmentRow.customer_id)) == []
