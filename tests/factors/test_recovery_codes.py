"""Recovery codes by themselves: how they are made, and how they may be typed."""

import pytest
from sqlalchemy import select

from gql_app.accounts.sessions import SignedIn
from gql_app.db.factor_tables import RecoveryCodeRow
from gql_app.db.tables import CustomerRow, LetterRow
from gql_app.errors import Rejected
from gql_app.factors import recovery_codes
from gql_app.factors.recovery_codes import ALPHABET, digest_of
from gql_app.lib.database import Database
from tests.factors.people import set_up, signed_in
from tests.people import NOWHERE
from tests.rows import change, column

CODE = "0123-abcd-1fgh-jkmn"


def test_letters_that_look_alike_are_none_of_a_codes() -> None:
    assert len(set(ALPHABET)) == 32
    assert set(ALPHABET).isdisjoint("ilouILOU")


@pytest.mark.parametrize(
    "typed",
    [
        CODE,
        CODE.upper(),
        CODE.replace("-", ""),
        CODE.replace("-", " "),
        f"  {CODE} ",
        "O123-abcd-lfgh-jkmn",
        "o123-abcd-ifgh-jkmn",
    ],
)
def test_code_is_read_as_it_is_meant(typed: str) -> None:
    assert digest_of(typed) == digest_of(CODE) is not None


@pytest.mark.parametrize(
    "typed",
    ["", "123456", CODE[:-1], f"{CODE}0", f"{CODE[:-1]}u", f"{CODE[:-1]}é", CODE + " " * 50],
)
def test_what_has_not_the_form_is_no_recovery_code(typed: str) -> None:
    assert digest_of(typed) is None


async def test_ten_codes_are_made_of_which_digests_are_kept(noon: Database, ada: SignedIn) -> None:
    _, codes = await set_up(noon, ada)
    assert codes is not None
    assert len({*codes}) == recovery_codes.NUMBER
    kept = await column(noon, select(RecoveryCodeRow.digest))
    assert sorted(kept) == sorted(str(digest_of(code)) for code in codes)
    bob = await signed_in(noon, "Bob")
    numbers = await recovery_codes.remaining(noon, [bob.customer.id, ada.customer.id])
    assert numbers == [0, recovery_codes.NUMBER]


async def test_without_a_factor_there_are_none(noon: Database, ada: SignedIn) -> None:
    with pytest.raises(Rejected) as refused:
        async with noon.transaction() as db:
            await recovery_codes.renew(db, ada.customer.id, origin=NOWHERE)
    assert refused.value.faults == (recovery_codes.NO_FACTOR,)
    assert await column(noon, select(LetterRow.kind)) == []


async def test_new_codes_are_told_by_one_letter_to_the_address_of_the_time(
    noon: Database, ada: SignedIn
) -> None:
    async with noon.transaction() as db:
        await change(db, CustomerRow, ada.customer.id, email="now@example.com")
    await set_up(noon, ada)  # its codes are told of by the letter about the factor
    before = await column(noon, select(LetterRow.id))
    async with noon.transaction() as db:
        await recovery_codes.renew(db, ada.customer.id, origin=NOWHERE)
    added = select(LetterRow).where(LetterRow.id.not_in(before))
    (letter,) = await noon.fetch_all(added)
    assert (letter.kind, letter.recipient) == ("recovery_codes_renewed", "now@example.com")
    assert (letter.customer_id, letter.data) == (ada.customer.id, None)
