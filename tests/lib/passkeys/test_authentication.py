"""A passkey proves what its authenticator signed, once, and nothing that was changed since."""

from base64 import urlsafe_b64decode, urlsafe_b64encode

import pytest

from gql_app.lib.passkeys import (
    Asserted,
    CredentialDescriptor,
    InvalidPasskey,
    RelyingParty,
)
from tests.authenticators import EDDSA, ES256, RS256, NoPasskey, Overrides
from tests.lib.passkeys.parties import (
    CHALLENGE,
    ORIGIN,
    PARTY,
    creation,
    known,
    request,
    shared_within_itself,
)

MESSAGE = r"^This passkey can't be verified. Try again.$"


def test_the_options_are_those_that_browsers_read() -> None:
    options = PARTY.request_options(
        challenge=b"\xff\xfe\xfd",
        allow=[CredentialDescriptor("AAAA", ["usb"])],
        user_verification="required",
    )
    assert options == {
        "challenge": "__79",
        "timeout": 300_000,
        "rpId": "example.com",
        "allowCredentials": [{"type": "public-key", "id": "AAAA", "transports": ["usb"]}],
        "userVerification": "required",
    }
    assert request()["allowCredentials"] == []


@pytest.mark.parametrize("algorithm", [ES256, EDDSA, RS256])
def test_a_passkey_of_every_algorithm_proves_itself(algorithm: int) -> None:
    passkey = known(algorithm)
    answer = passkey.answer()
    assert passkey.proven(answer, require_user_verification=True) == Asserted(1, True)  # noqa: FBT003 — a record


def test_a_passkey_is_found_among_those_that_are_allowed() -> None:
    passkey = known()
    passkey.authenticator.create(creation())
    options = request() | {"allowCredentials": [passkey.descriptor.to_json()]}
    assert passkey.proven(passkey.authenticator.get(options)).user_verified
    with pytest.raises(NoPasskey):
        known().authenticator.get(options)


def test_the_passkey_of_another_does_not_prove_this_one() -> None:
    passkey, other = known(), known()
    with pytest.raises(InvalidPasskey, match=MESSAGE):
        passkey.proven(other.answer())


def test_whether_the_person_was_verified_is_returned_or_required() -> None:
    passkey = known()
    assert passkey.proven(passkey.answer(user_verified=False)).user_verified is False
    with pytest.raises(InvalidPasskey, match=MESSAGE):
        passkey.proven(passkey.answer(user_verified=False), require_user_verification=True)


@pytest.mark.parametrize(
    ("wrong", "cause"),
    [
        (Overrides(origin="https://example.com"), "origin"),
        (Overrides(origin="https://evil.test"), "origin"),
        (Overrides(rp_id="evil.test"), "RP ID"),
        (Overrides(type="webauthn.create"), "type"),
        (Overrides(type="payment.get"), "type"),
        (Overrides(challenge=b"d" * 56), "challenge"),
        (Overrides(challenge=CHALLENGE + b"c"), "challenge"),
        (Overrides(user_present=False), "present"),
        (Overrides(extensions=shared_within_itself(60)), "tag"),
        (Overrides(extensions=b"\xa0\xa0"), "malformed"),
        (Overrides(cross_origin=True), "None"),
        (Overrides(top_origin="https://evil.test"), "None"),
    ],
    ids=lambda each: str(each)[:60],
)
def test_nothing_is_proven_by_what_was_signed_elsewhere_or_for_something_else(
    wrong: Overrides, cause: str
) -> None:
    passkey = known()
    with pytest.raises(InvalidPasskey, match=MESSAGE) as why:
        passkey.proven(passkey.answer(**wrong))
    assert cause in str(why.value.__cause__)


def test_an_answer_proves_nothing_to_another_party() -> None:
    passkey = known()
    other = RelyingParty("other.example.com", "Other", [ORIGIN])
    with pytest.raises(InvalidPasskey, match=MESSAGE):
        other.asserted(
            passkey.answer(),
            challenge=CHALLENGE,
            public_key=passkey.registered.public_key,
            require_user_verification=False,
        )


@pytest.mark.parametrize("part", ["clientDataJSON", "authenticatorData", "signature"])
def test_no_byte_of_what_was_signed_can_be_another(part: str) -> None:
    passkey = known()
    answer = passkey.answer()
    whole = urlsafe_b64decode(answer["response"][part] + "===")
    for place in range(len(whole)):
        damaged = whole[:place] + bytes([whole[place] ^ 0x20]) + whole[place + 1 :]
        answer["response"][part] = urlsafe_b64encode(damaged).decode().rstrip("=")
        with pytest.raises(InvalidPasskey, match=MESSAGE):
            passkey.proven(answer)


@pytest.mark.parametrize("counter", [0, 1, 6, 2**32 - 1])
def test_a_counter_is_told(counter: int) -> None:
    passkey = known()
    assert passkey.proven(passkey.answer(counter=counter)).sign_count == counter


def test_a_passkey_on_several_devices_never_counts() -> None:
    passkey = known()
    passkey.authenticator.counts = False
    assert passkey.proven(passkey.answer()).sign_count == 0
    assert passkey.proven(passkey.answer()).sign_count == 0


def test_a_stored_key_that_is_damaged_proves_nothing() -> None:
    passkey = known()
    for public_key in (b"", b"\x04", b"\xa0", passkey.registered.public_key[:-1]):
        damaged = passkey._replace(registered=passkey.registered._replace(public_key=public_key))
        with pytest.raises(InvalidPasskey, match=MESSAGE):
            damaged.proven(passkey.answer())
