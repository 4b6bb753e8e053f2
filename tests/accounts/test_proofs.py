"""Proofs: what a session's methods amount to, for whom they are enough, and for how long."""

from datetime import UTC, datetime, timedelta

import pytest

from gql_app.accounts import sessions
from gql_app.accounts.proofs import ProofPolicy
from gql_app.accounts.records import CustomerRecord, SessionRecord
from gql_app.lib.clock import new_id
from gql_app.lib.setting_types import SecondFactorPolicy
from tests.conftest import SetClock

NOON = datetime(2030, 1, 31, 12, tzinfo=UTC)
ADA = CustomerRecord(
    id=new_id(),
    name="Ada",
    email="ada@example.com",
    phone=None,
    password_hash="a hash",
    is_admin=False,
    is_active=True,
    created_at=NOON,
    updated_at=NOON,
)
WITH_FACTOR = ADA._replace(factors_version=new_id())


def session(methods: str | None) -> SessionRecord:
    """Return a session that was opened an hour before noon, and proven at noon."""
    return SessionRecord(
        id=new_id(),
        customer_id=ADA.id,
        created_at=NOON - timedelta(hours=1),
        last_used_at=NOON,
        expires_at=NOON + timedelta(days=1),
        ip_address=None,
        user_agent=None,
        audience=None,
        wrote_at=None,
        authenticated_at=NOON,
        methods=methods,
    )


@pytest.mark.parametrize(
    ("methods", "acr"),
    [
        ("pwd", "1"),
        ("pwd otp mfa", "2"),
        ("email pop mfa", "2"),
        ("provider pop user mfa", "2"),
        ("pop user", "2"),
        ("pop", "1"),
        ("pwd email", "1"),
    ],
)
def test_claims_name_the_methods_and_what_they_amount_to(methods: str, acr: str) -> None:
    claims = sessions.proof_claims(session(methods))
    assert claims == {"auth_time": int(NOON.timestamp()), "amr": methods.split(), "acr": acr}


@pytest.mark.parametrize(
    ("customer", "methods", "is_recent"),
    [
        (ADA, "pwd", True),
        (ADA, "provider", True),
        (ADA, "", False),
        (WITH_FACTOR, "pwd", False),
        (WITH_FACTOR, "pwd otp mfa", True),
        (WITH_FACTOR, "pop", True),
        (WITH_FACTOR, None, False),
    ],
)
def test_recent_proof_is_by_a_factor_of_who_has_one(
    set_clock: SetClock, customer: CustomerRecord, methods: str | None, *, is_recent: bool
) -> None:
    set_clock(NOON + timedelta(seconds=600))
    assert ProofPolicy().is_recent(customer, session(methods)) == is_recent
    set_clock(NOON + timedelta(seconds=600, microseconds=1))
    assert not ProofPolicy().is_recent(customer, session(methods))


@pytest.mark.parametrize(
    ("second_factor", "roles", "enrols"),
    [
        ("off", "admin", False),
        ("admins", "admin support", True),
        ("admins", "support", False),
        ("everyone", "", True),
    ],
)
def test_who_must_have_a_factor_is_held_without_one_and_needs_no_newer_proof(
    set_clock: SetClock, second_factor: SecondFactorPolicy, roles: str, *, enrols: bool
) -> None:
    set_clock(NOON + timedelta(days=1))
    policy = ProofPolicy(second_factor)
    assert policy.must_enrol(ADA._replace(roles=roles)) == enrols
    assert policy.is_recent(ADA._replace(roles=roles), session("pwd")) == enrols
    assert not policy.is_recent(ADA._replace(roles=roles), session(""))
    assert not policy.must_enrol(WITH_FACTOR._replace(roles=roles))


def test_who_has_nothing_that_is_judged_signs_in_anew() -> None:
    offered = ProofPolicy(passkeys=False).offered
    assert offered(["CODE", "PASSKEY"]) == ["CODE"]
    assert offered(["PASSKEY"]) == ["SIGN_IN"]
    assert ProofPolicy().offered(["PASSKEY"]) == ["PASSKEY"]
