"""Second factors by codes: setting one up, signing in by it, and what a password still does."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from sqlalchemy import select

from gql_app.db.factor_tables import RecoveryCodeRow, SecondFactorRow
from gql_app.lib import clock
from gql_app.settings import Settings
from tests.api import Api, running
from tests.apps import App, begin, challenge, set_up, set_up_first, verify
from tests.conftest import SetClock
from tests.databases import contents
from tests.letterbox import Letterbox
from tests.people import PASSWORD, Person, add_customer, sign_in
from tests.rows import add, column
from tests.schema.mutations import SUCCESS, CodeAndField, do, faults, send, token_reason

NOON: Final = datetime(2030, 1, 31, 12, 0, 5, tzinfo=UTC)
INVALID: Final[list[CodeAndField]] = [("INVALID_CODE", "code")]
THROTTLED: Final[list[CodeAndField]] = [("TOO_MANY_ATTEMPTS", None)]
SPENT: Final[list[CodeAndField]] = [("TOKEN_INVALID", "challenge")]
MINE: Final = """{ me {
  secondFactors { id method name createdAt lastUsedAt } recoveryCodesLeft
  sessions { isCurrent authenticatedAt methods }
} }"""


@pytest.fixture(autouse=True)
def noon(set_clock: SetClock) -> None:
    """Begin each test at the same moment, five seconds after a code has begun to be shown."""
    set_clock(NOON)


async def mine(api: Api, token: str) -> dict[str, Any]:
    """Return what somebody is shown of themself."""
    me: dict[str, Any] = (await api.run(MINE, token=token)).data["me"]
    return me


async def rename(api: Api, token: str, factor_id: str, name: str) -> dict[str, Any]:
    """Give a factor a name."""
    given = {"id": factor_id, "name": name}
    payload: dict[str, Any] = (await send(api, "renameSecondFactor", given, token=token)).data[
        "renameSecondFactor"
    ]
    return payload


async def code_methods(api: Api, token: str) -> list[str]:
    """Return how a session was proven."""
    [current] = [each for each in (await mine(api, token))["sessions"] if each["isCurrent"]]
    methods: list[str] = current["methods"]
    return methods


async def test_app_is_in_force_after_its_first_right_code(api: Api, plain: Person) -> None:
    begun = await do(api, "beginCodes", token=plain.token)
    assert begun["uri"].startswith("otpauth://totp/gql_app:ada%40example.com?")
    assert f"secret={begun['secret']}&issuer=gql_app" in begun["uri"]
    assert begun["qrCode"].startswith("<svg")
    app = App(begun["secret"])
    assert (await mine(api, plain.token))["secondFactors"] == []
    wrong = await do(api, "confirmCodes", token=plain.token, code=app.wrong())
    assert (faults(wrong), wrong["codes"]) == (INVALID, None)
    assert faults(await do(api, "login", email=plain.email, password=PASSWORD)) == SUCCESS
    done = await do(api, "confirmCodes", token=plain.token, code=app.code())
    assert faults(done) == SUCCESS
    assert len(set(done["codes"])) == 10
    me = await mine(api, plain.token)
    [factor] = me["secondFactors"]
    now = clock.rfc3339(NOON)
    assert factor == {
        "id": factor["id"],
        "method": "CODE",
        "name": None,
        "createdAt": now,
        "lastUsedAt": now,
    }
    assert me["recoveryCodesLeft"] == 10
    assert await code_methods(api, plain.token) == ["pwd", "otp", "mfa"]


async def test_secret_and_recovery_codes_are_nowhere_in_the_database(
    api: Api, plain: Person
) -> None:
    app, codes = await set_up_first(api, plain)
    kept = await contents(api.database)
    assert app.secret not in kept
    assert not [code for code in codes if code in kept or code.replace("-", "") in kept]


async def test_sign_in_waits_for_a_code_and_goes_on_by_it(
    api: Api, plain: Person, set_clock: SetClock
) -> None:
    app, _ = await set_up_first(api, plain)
    answered = await do(api, "login", email=plain.email, password=PASSWORD)
    assert faults(answered) == [("SECOND_FACTOR_REQUIRED", None)]
    assert [answered[name] for name in ("token", "refreshToken", "customer")] == [None] * 3
    waits = answered["secondFactor"]
    assert waits["methods"] == ["CODE", "RECOVERY_CODE"]
    assert waits["expiresAt"] == clock.rfc3339(NOON + timedelta(minutes=5))
    set_clock(NOON + timedelta(minutes=1))
    done = await verify(api, waits["challenge"], app.code())
    assert (faults(done), done["secondFactor"]) == (SUCCESS, None)
    assert done["customer"]["email"] == plain.email
    assert await code_methods(api, done["token"]) == ["pwd", "otp", "mfa"]
    assert faults(await verify(api, waits["challenge"], app.code(1))) == SPENT


@pytest.mark.parametrize(
    ("steps", "right"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)]
)
async def test_clock_of_an_app_may_be_one_step_behind_or_ahead(
    api: Api, plain: Person, set_clock: SetClock, steps: int, *, right: bool
) -> None:
    app, _ = await set_up_first(api, plain)
    set_clock(NOON + timedelta(minutes=3))
    token = await challenge(api, plain.email, PASSWORD)
    done = await verify(api, token, app.code(steps))
    assert faults(done) == (SUCCESS if right else INVALID)


async def test_code_is_good_once_and_none_before_it_is(
    api: Api, plain: Person, set_clock: SetClock
) -> None:
    app, _ = await set_up_first(api, plain)
    token = await challenge(api, plain.email, PASSWORD)
    assert faults(await verify(api, token, app.code())) == INVALID  # it confirmed the app
    set_clock(NOON + timedelta(minutes=1))
    assert faults(await verify(api, token, app.code(1))) == SUCCESS
    token = await challenge(api, plain.email, PASSWORD)
    for steps in (1, 0):
        assert faults(await verify(api, token, app.code(steps))) == INVALID
    set_clock(NOON + timedelta(minutes=2))
    assert faults(await verify(api, token, app.code())) == SUCCESS


async def test_recovery_code_is_good_once_however_it_is_typed(api: Api, plain: Person) -> None:
    _, codes = await set_up_first(api, plain)
    spelt = [codes[0], codes[1].upper().replace("-", " "), f" {codes[2].replace('-', '')} "]
    for left, typed in zip((9, 8, 7), spelt, strict=True):
        token = await challenge(api, plain.email, PASSWORD)
        done = await verify(api, token, typed)
        assert faults(done) == SUCCESS
        assert (await mine(api, done["token"]))["recoveryCodesLeft"] == left
    token = await challenge(api, plain.email, PASSWORD)
    assert faults(await verify(api, token, codes[0])) == INVALID
    assert faults(await verify(api, token, codes[3])) == SUCCESS


async def test_new_recovery_codes_void_those_before_and_a_letter_says_so(
    letterbox: Letterbox, api: Api, plain: Person
) -> None:
    refused = await do(api, "renewRecoveryCodes", token=plain.token)
    assert (faults(refused), refused["codes"]) == ([("INVALID", None)], None)
    _, codes = await set_up_first(api, plain)
    renewed = await do(api, "renewRecoveryCodes", token=plain.token)
    assert (faults(renewed), len({*codes, *renewed["codes"]})) == (SUCCESS, 20)
    assert renewed["message"].endswith(" Those of before are void.")
    assert await letterbox.to(plain.email, "New recovery codes were made")
    token = await challenge(api, plain.email, PASSWORD)
    assert faults(await verify(api, token, codes[0])) == INVALID
    assert faults(await verify(api, token, renewed["codes"][0])) == SUCCESS


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, ("REQUIRED", "code")),
        ({"code": "123456", "passkey": {"id": "x"}}, ("INVALID", "passkey")),
        ({"passkey": {"id": "x"}}, ("INVALID_PASSKEY", None)),
        ({"code": ""}, ("REQUIRED", "code")),
        ({"code": "-"}, ("INVALID_CODE", "code")),
        ({"code": "1" * 100_000}, ("INVALID_CODE", "code")),
        ({"code": "\0"}, ("INVALID_CODE", "code")),
    ],
    ids=["nothing", "both", "a passkey", "empty", "a dash", "long", "a NUL"],
)
async def test_one_proof_is_taken_for_a_challenge(
    api: Api, plain: Person, given: dict[str, Any], told: CodeAndField
) -> None:
    await set_up_first(api, plain)
    token = await challenge(api, plain.email, PASSWORD)
    assert faults(await do(api, "verifySecondFactor", challenge=token, **given)) == [told]


@pytest.mark.parametrize("token", ["", "junk", f"gac_{'A' * 43}", f"gas_{'A' * 43}", "x" * 100_000])
async def test_what_is_no_challenge_is_refused(api: Api, plain: Person, token: str) -> None:
    app, _ = await set_up_first(api, plain)
    assert faults(await verify(api, token, app.code(1))) == SPENT


async def test_challenge_is_good_for_five_minutes(
    api: Api, plain: Person, set_clock: SetClock
) -> None:
    app, _ = await set_up_first(api, plain)
    token = await challenge(api, plain.email, PASSWORD)
    set_clock(NOON + timedelta(minutes=5))
    assert faults(await verify(api, token, app.code())) == [("TOKEN_EXPIRED", "challenge")]
    set_clock(NOON + timedelta(seconds=299))
    assert faults(await verify(api, token, app.code())) == SUCCESS


async def change_password(api: Api, me: Person, _: Person) -> None:
    """Set another password."""
    given = {"currentPassword": PASSWORD, "newPassword": "another good one"}
    assert (
        faults((await send(api, "changePassword", given, token=me.token)).data["changePassword"])
        == SUCCESS
    )


async def add_factor(api: Api, me: Person, _: Person) -> None:
    """Set up another app."""
    await set_up(api, me.token)


async def deactivate(api: Api, me: Person, admin: Person) -> None:
    """Close the account."""
    given = {"id": str(me.id), "input": {"isActive": False}}
    answer = await send(api, "updateCustomer", given, token=admin.token)
    assert faults(answer.data["updateCustomer"]) == SUCCESS


@pytest.mark.parametrize("change", [change_password, add_factor, deactivate])
async def test_challenge_ends_by_what_it_was_issued_on(
    api: Api,
    plain: Person,
    admin: Person,
    set_clock: SetClock,
    change: Any,  # noqa: ANN401 — one of the above
) -> None:
    app, codes = await set_up_first(api, plain)
    token = await challenge(api, plain.email, PASSWORD)
    await change(api, plain, admin)
    set_clock(NOON + timedelta(minutes=1))
    assert faults(await verify(api, token, app.code())) == SPENT
    assert faults(await verify(api, token, codes[0])) == SPENT


async def test_challenge_outlives_a_change_of_the_address(
    api: Api, plain: Person, admin: Person
) -> None:
    _, codes = await set_up_first(api, plain)
    token = await challenge(api, plain.email, PASSWORD)
    given = {"id": str(plain.id), "input": {"email": "ada@example.org"}}
    answer = await send(api, "updateCustomer", given, token=admin.token)
    assert faults(answer.data["updateCustomer"]) == SUCCESS
    done = await verify(api, token, codes[0])
    assert (faults(done), done["customer"]["email"]) == (SUCCESS, "ada@example.org")


async def test_five_wrong_codes_refuse_right_ones_everywhere_for_a_while(
    api: Api, plain: Person, set_clock: SetClock
) -> None:
    app, codes = await set_up_first(api, plain)
    token = await challenge(api, plain.email, PASSWORD)
    wrong = [app.wrong(), "no code", "abcd-efgh-jkmn-pqrs"]
    for given in wrong:
        assert faults(await verify(api, token, given)) == INVALID
    for given in wrong[:2]:
        told = await do(api, "reauthenticate", token=plain.token, code=given)
        assert faults(told) == INVALID
    set_clock(NOON + timedelta(minutes=1))
    for given in (app.code(), codes[0], wrong[0]):
        refused = await verify(api, token, given)
        assert (faults(refused), refused["retryAfter"]) == (THROTTLED, 14 * 60)
        assert faults(await do(api, "reauthenticate", token=plain.token, code=given)) == THROTTLED
    assert faults(await do(api, "confirmCodes", token=plain.token, code="123456")) == THROTTLED
    async with api.elsewhere("192.0.2.77") as elsewhere:
        assert faults(await verify(elsewhere, token, app.code())) == THROTTLED
    set_clock(NOON + timedelta(minutes=15))
    token = await challenge(api, plain.email, PASSWORD)
    assert faults(await verify(api, token, app.code())) == SUCCESS


async def test_wrong_codes_of_one_account_refuse_no_other(
    api: Api, plain: Person, other: Person
) -> None:
    app, _ = await set_up_first(api, plain)
    _, codes = await set_up_first(api, other)
    token = await challenge(api, plain.email, PASSWORD)
    for _ in range(5):
        assert faults(await verify(api, token, app.wrong())) == INVALID
    token = await challenge(api, other.email, PASSWORD)
    assert faults(await verify(api, token, codes[0])) == SUCCESS


async def test_right_code_forgets_the_wrong_ones_before(api: Api, plain: Person) -> None:
    app, codes = await set_up_first(api, plain)
    for code in codes[:2]:
        token = await challenge(api, plain.email, PASSWORD)
        for _ in range(4):
            assert faults(await verify(api, token, app.wrong())) == INVALID
        assert faults(await verify(api, token, code)) == SUCCESS


async def test_at_most_two_apps_are_in_force(api: Api, plain: Person, set_clock: SetClock) -> None:
    first, codes = await set_up_first(api, plain)
    set_clock(NOON + timedelta(seconds=1))
    second, no_more = await set_up(api, plain.token)
    assert (len(codes), no_more) == (10, None)
    refused = await do(api, "beginCodes", token=plain.token)
    assert (faults(refused), refused["secret"], refused["qrCode"]) == (
        [("INVALID", None)],
        None,
        None,
    )
    set_clock(NOON + timedelta(minutes=1))
    for app in (first, second):
        token = await challenge(api, plain.email, PASSWORD)
        assert faults(await verify(api, token, app.code())) == SUCCESS
    factors = (await mine(api, plain.token))["secondFactors"]
    gone = await do(api, "removeSecondFactor", token=plain.token, id=factors[0]["id"])
    assert faults(gone) == SUCCESS
    set_clock(NOON + timedelta(minutes=2))
    token = await challenge(api, plain.email, PASSWORD)
    assert faults(await verify(api, token, first.code())) == INVALID
    assert faults(await verify(api, token, second.code())) == SUCCESS


async def test_app_is_confirmed_in_the_session_that_began_and_in_time(
    api: Api, plain: Person, set_clock: SetClock
) -> None:
    nothing: list[CodeAndField] = [("INVALID", None)]
    assert faults(await do(api, "confirmCodes", token=plain.token, code="123456")) == nothing
    login = await do(api, "login", email=plain.email, password=PASSWORD)
    former, app = await begin(api, plain.token), await begin(api, plain.token)
    assert faults(await do(api, "confirmCodes", token=login["token"], code=app.code())) == nothing
    assert faults(await do(api, "confirmCodes", token=plain.token, code=former.code())) == INVALID
    set_clock(NOON + timedelta(minutes=10))
    late = await do(api, "confirmCodes", token=plain.token, code=app.code())
    assert faults(late) == nothing
    set_clock(NOON + timedelta(seconds=599))
    done = await do(api, "confirmCodes", token=plain.token, code=app.code())
    assert faults(done) == SUCCESS
    again = await do(api, "confirmCodes", token=plain.token, code=app.code(1))
    assert faults(again) == nothing


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("My  phone", SUCCESS),
        ("", ("REQUIRED", "name")),
        ("x" * 101, ("TOO_LONG", "name")),
        ("\0", ("INVALID", "name")),
    ],
    ids=["good", "empty", "long", "a NUL"],
)
async def test_factor_is_given_a_name(
    api: Api,
    plain: Person,
    other: Person,
    name: str,
    told: Any,  # noqa: ANN401 — a list or one fault
) -> None:
    await set_up_first(api, plain)
    [factor] = (await mine(api, plain.token))["secondFactors"]
    expected = told if isinstance(told, list) else [told]
    answered = await rename(api, plain.token, factor["id"], name)
    assert faults(answered) == expected
    if expected == SUCCESS:
        assert answered["secondFactor"] == {**factor, "name": name}
        assert (await mine(api, plain.token))["secondFactors"] == [{**factor, "name": name}]
    for token, factor_id in ((other.token, factor["id"]), (plain.token, "x")):
        refused = await rename(api, token, factor_id, "Mine")
        assert (faults(refused), refused["secondFactor"]) == ([("NOT_FOUND", "id")], None)


async def test_factor_is_a_node_for_who_may_see_it(
    api: Api, plain: Person, other: Person, admin: Person
) -> None:
    await set_up_first(api, plain)
    [factor] = (await mine(api, plain.token))["secondFactors"]
    asked = f'{{ node(id: "{factor["id"]}") {{ id __typename ... on SecondFactor {{ method }} }} }}'
    shown = {"id": factor["id"], "__typename": "SecondFactor", "method": "CODE"}
    found = [(await api.run(asked, token=who.token)).data["node"] for who in (plain, admin, other)]
    assert found == [shown, shown, None]


async def test_removal_of_the_last_factor_makes_the_password_enough_again(
    api: Api, plain: Person, other: Person
) -> None:
    await set_up_first(api, plain)
    [factor] = (await mine(api, plain.token))["secondFactors"]
    for token, factor_id in ((other.token, factor["id"]), (plain.token, "x")):
        refused = await do(api, "removeSecondFactor", token=token, id=factor_id)
        assert faults(refused) == [("NOT_FOUND", "id")]
    token = await challenge(api, plain.email, PASSWORD)
    assert (
        faults(await do(api, "removeSecondFactor", token=plain.token, id=factor["id"])) == SUCCESS
    )
    assert await token_reason(api, plain.token) is None
    me = await mine(api, plain.token)
    assert (me["secondFactors"], me["recoveryCodesLeft"]) == ([], 0)
    for table in (SecondFactorRow.id, RecoveryCodeRow.digest):
        assert await column(api.database, select(table)) == []
    assert faults(await verify(api, token, "123456")) == SPENT
    assert faults(await do(api, "login", email=plain.email, password=PASSWORD)) == SUCCESS


async def test_admin_removes_the_factor_of_another_whose_sessions_end(
    api: Api, plain: Person, admin: Person
) -> None:
    await set_up_first(api, plain)
    [factor] = (await mine(api, plain.token))["secondFactors"]
    gone = await do(api, "removeSecondFactor", token=admin.token, id=factor["id"])
    assert faults(gone) == SUCCESS
    assert await token_reason(api, plain.token) == "TOKEN_REVOKED"
    assert await token_reason(api, admin.token) is None
    assert faults(await do(api, "login", email=plain.email, password=PASSWORD)) == SUCCESS


async def test_page_of_customers_reads_factors_by_one_statement_each(
    api: Api, plain: Person, other: Person, admin: Person, selects: list[str]
) -> None:
    await set_up_first(api, plain)
    await set_up_first(api, other)
    document = "{ customers { nodes { name secondFactors { method } recoveryCodesLeft } } }"
    await api.run(document, token=admin.token)
    selects.clear()
    nodes = (await api.run(document, token=admin.token)).data["customers"]["nodes"]
    both = {"secondFactors": [{"method": "CODE"}], "recoveryCodesLeft": 10}
    whole = {node["name"] for node in nodes if node == {"name": node["name"], **both}}
    assert whole == {plain.name, other.name}
    for table in ("second_factors", "recovery_codes"):
        assert sum(f"FROM {table}" in each for each in selects) == 1


async def test_who_has_ten_factors_sets_up_no_more(api: Api, plain: Person) -> None:
    await set_up_first(api, plain)
    async with api.database.transaction() as db:
        for number in range(9):
            passkey = {"method": "PASSKEY", "credential_id": str(number), "created_at": NOON}
            await add(db, SecondFactorRow, id=clock.new_id(), customer_id=plain.id, **passkey)
    assert faults(await do(api, "beginCodes", token=plain.token)) == [("INVALID", None)]


async def test_long_name_of_a_product_leaves_the_qr_code_out(settings: Settings) -> None:
    named = settings.model_copy(update={"product_name": "🦊" * 200})
    async with running(named) as api:
        ada = await sign_in(api.resources, await add_customer(api.database, "Ada"))
        begun = await do(api, "beginCodes", token=ada.token)
    assert (faults(begun), begun["qrCode"]) == (SUCCESS, None)
    assert begun["secret"] in begun["uri"]
