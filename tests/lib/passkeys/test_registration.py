"""A passkey is registered as an authenticator made it, for these pages and this challenge."""

import copy
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

import pytest
from webauthn.helpers import encode_cbor, parse_cbor

from gql_app.lib.passkeys import CredentialDescriptor, InvalidPasskey, Registered
from tests.authenticators import (
    EDDSA,
    ES256,
    KEYS,
    RS256,
    AlreadyRegistered,
    Overrides,
    SoftwareAuthenticator,
)
from tests.lib.passkeys.parties import (
    CHALLENGE,
    ORIGIN,
    PARTY,
    creation,
    known,
    shared_within_itself,
)

UUID = "00112233-4455-6677-8899-aabbccddeeff"


def registered(credential: dict[str, Any], challenge: bytes = CHALLENGE) -> Registered:
    return PARTY.registered(credential, challenge=challenge)


def attestation_of(credential: dict[str, Any]) -> dict[str, Any]:
    text = credential["response"]["attestationObject"]
    found: dict[str, Any] = parse_cbor(urlsafe_b64decode(text + "==="))
    return found


def attested(credential: dict[str, Any], raw: bytes) -> dict[str, Any]:
    """Return a credential with another attestation object."""
    changed = copy.deepcopy(credential)
    changed["response"]["attestationObject"] = urlsafe_b64encode(raw).decode().rstrip("=")
    return changed


def refused(credential: dict[str, Any], cause: str | None = None) -> None:
    with pytest.raises(
        InvalidPasskey, match=r"^This passkey can't be verified. Try again.$"
    ) as why:
        registered(credential)
    if cause is not None:
        assert cause in str(why.value.__cause__)


def test_the_options_are_those_that_browsers_read() -> None:
    exclude = [CredentialDescriptor("AAAA", ["usb"]), CredentialDescriptor("BBBB")]
    options = PARTY.creation_options(
        challenge=b"\xff\xfe\xfd",
        user_id=b"\xfb\xff",
        user_name="ada@example.com",
        display_name="Ada",
        exclude=exclude,
    )
    assert options == {
        "rp": {"id": "example.com", "name": "Our Shop"},
        "user": {"id": "-_8", "name": "ada@example.com", "displayName": "Ada"},
        "challenge": "__79",
        "pubKeyCredParams": [
            {"type": "public-key", "alg": -7},
            {"type": "public-key", "alg": -8},
            {"type": "public-key", "alg": -257},
        ],
        "timeout": 300_000,
        "excludeCredentials": [
            {"type": "public-key", "id": "AAAA", "transports": ["usb"]},
            {"type": "public-key", "id": "BBBB", "transports": []},
        ],
        "authenticatorSelection": {
            "residentKey": "required",
            "requireResidentKey": True,
            "userVerification": "preferred",
        },
        "attestation": "none",
    }


@pytest.mark.parametrize("algorithm", [ES256, EDDSA, RS256])
def test_a_passkey_of_every_algorithm_is_registered(algorithm: int) -> None:
    authenticator = SoftwareAuthenticator(ORIGIN, algorithm=algorithm)
    credential = authenticator.create(creation())
    found = registered(credential)
    assert found == Registered(
        credential_id=credential["id"],
        public_key=encode_cbor(dict(authenticator.passkeys[0].keys.public)),
        sign_count=0,
        user_verified=True,
        transports=("internal", "hybrid"),
        aaguid=UUID,
    )


def test_what_an_authenticator_says_of_itself_is_kept() -> None:
    credential = SoftwareAuthenticator(ORIGIN).create(
        creation(), user_verified=False, backed_up=True, counter=7
    )
    found = registered(credential)
    assert (found.user_verified, found.sign_count) == (False, 7)


def test_each_origin_may_be_where_it_is_made() -> None:
    for origin in PARTY.origins:
        assert registered(SoftwareAuthenticator(origin).create(creation()))


def test_extensions_of_an_authenticator_harm_nothing() -> None:
    credential = SoftwareAuthenticator(ORIGIN).create(
        creation(), extensions=encode_cbor({"credProtect": 2})
    )
    assert registered(credential).aaguid == UUID


@pytest.mark.parametrize(
    ("wrong", "cause"),
    [
        (Overrides(origin="https://example.com"), "origin"),
        (Overrides(origin="https://www.example.com.evil.test"), "origin"),
        (Overrides(origin="http://www.example.com"), "origin"),
        (Overrides(rp_id="www.example.com"), "RP ID"),
        (Overrides(type="webauthn.get"), "type"),
        (Overrides(challenge=b"d" * 56), "challenge"),
        (Overrides(challenge=b""), "challenge"),
        (Overrides(user_present=False), "presence"),
        (Overrides(cross_origin=True), None),
        (Overrides(cross_origin="false"), None),
        (Overrides(cross_origin=None), None),
        (Overrides(top_origin=ORIGIN), None),
        (Overrides(top_origin=None), None),
    ],
    ids=str,
)
def test_nothing_is_registered_that_was_made_elsewhere_or_for_something_else(
    wrong: Overrides, cause: str | None
) -> None:
    refused(SoftwareAuthenticator(ORIGIN).create(creation(), **wrong), cause)


def test_an_answer_to_a_request_registers_nothing() -> None:
    refused(known().answer())


@pytest.mark.parametrize("format_", ["packed", "fido-u2f", "tpm", "apple", "none ", "", 7, [1]])
def test_attestations_are_refused_whatever_they_attest(format_: object) -> None:
    credential = SoftwareAuthenticator(ORIGIN).create(creation())
    members = attestation_of(credential) | {"fmt": format_, "attStmt": {"alg": -7, "sig": b"x"}}
    refused(attested(credential, encode_cbor(members)), "not asked for")


def test_a_statement_of_no_attestation_is_empty() -> None:
    credential = SoftwareAuthenticator(ORIGIN).create(creation())
    members = attestation_of(credential) | {"attStmt": {"sig": b"x"}}
    refused(attested(credential, encode_cbor(members)), "statement")


@pytest.mark.parametrize(
    "raw",
    [
        b"\xff",
        encode_cbor([]),
        encode_cbor({}),
        encode_cbor({"fmt": "none", "attStmt": {}}),
        encode_cbor({"fmt": "none", "attStmt": {}, "authData": b""}),
        encode_cbor({"fmt": "none", "attStmt": {}, "authData": b"x" * 37}),
        encode_cbor({"fmt": "none", "attStmt": {}, "authData": "text"}),
    ],
)
def test_an_attestation_that_is_none_is_refused(raw: bytes) -> None:
    refused(attested(SoftwareAuthenticator(ORIGIN).create(creation()), raw))


def test_an_attestation_with_something_behind_it_is_refused() -> None:
    credential = SoftwareAuthenticator(ORIGIN).create(creation())
    raw = encode_cbor(attestation_of(credential))
    assert registered(attested(credential, raw))
    refused(attested(credential, raw + b"\x00"), "more than one item")


def test_the_id_is_the_one_that_the_authenticator_made() -> None:
    credential = SoftwareAuthenticator(ORIGIN).create(creation())
    refused({**credential, "id": "AAAA", "rawId": "AAAA"}, "another id")


def test_cbor_that_would_take_all_memory_is_refused_at_once() -> None:
    authenticator = SoftwareAuthenticator(ORIGIN)
    refused(authenticator.create(creation(), extensions=shared_within_itself(60)), "tag")
    refused(authenticator.create(creation(), extensions=b"\x81" * 5000 + b"\x00"), "deep")
    refused(authenticator.create(creation(), extensions=b"\x9f\xff"), "definite")
    refused(authenticator.create(creation(), extensions=b"\x9b" + b"\xff" * 8), "cut off")
    refused(authenticator.create(creation(), extensions=b"\x5b" + b"\xff" * 8), "cut off")


@pytest.mark.parametrize(
    "key",
    [b"\x82\x5b" + bytes(8) + b"\x48\x82\x59\x00\x07" + bytes(4), b"\xf9" + bytes(2)],
    ids=["a length of eight bytes for none", "a number of two bytes"],
)
def test_cbor_is_not_hidden_behind_a_key_that_would_be_written_otherwise(key: bytes) -> None:
    credential = SoftwareAuthenticator(ORIGIN).create(creation())
    members = attestation_of(credential)
    bomb = shared_within_itself(14)
    data = bytearray(members["authData"])
    data[32] |= 0x80  # it has extensions
    forged = data[: 55 + int.from_bytes(data[53:55])] + key + encode_cbor(bomb)
    refused(attested(credential, encode_cbor(members | {"authData": bytes(forged)})), "unusual")


@pytest.mark.parametrize(
    ("algorithm", "change"),
    [
        (ES256, {3: -257}),
        (ES256, {3: -8}),
        (ES256, {3: -37}),
        (ES256, {-1: 2}),
        (ES256, {-2: b"x" * 32}),
        (ES256, {-2: b""}),
        (ES256, {-2: 5}),
        (ES256, {1: 9}),
        (ES256, {1: [2]}),
        (EDDSA, {-1: 7}),
        (EDDSA, {-2: b"x" * 31}),
        (RS256, {3: -65535}),
        (RS256, {-2: b"\x02"}),
        (RS256, {-1: b"\xff" * 513}),
        (RS256, {-2: b"\xff" * 5}),
    ],
)
def test_keys_that_do_not_fit_their_algorithm_are_refused(
    algorithm: int, change: dict[int, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = KEYS[algorithm]()
    changed = made._replace(public={**made.public, **change})
    monkeypatch.setattr("tests.authenticators.KEYS", {algorithm: lambda: changed})
    refused(SoftwareAuthenticator(ORIGIN, algorithm=algorithm).create(creation()))


def test_an_authenticator_that_has_a_passkey_makes_no_second_one() -> None:
    had = known()
    options = creation() | {"excludeCredentials": [had.descriptor.to_json()]}
    with pytest.raises(AlreadyRegistered):
        had.authenticator.create(options)


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        (["usb", "usb", "nfc"], ("usb", "nfc")),
        (["a-new-way"], ("a-new-way",)),
        (["<b>", 5, None, ["usb"], "", "x" * 40, "ble"], ("ble",)),
        (["usb"] * 8 + ["nfc"], ("usb",)),
        ("usb", ()),
        (None, ()),
    ],
)
def test_transports_are_kept_as_far_as_they_can_be_some(
    said: object, kept: tuple[str, ...]
) -> None:
    credential = SoftwareAuthenticator(ORIGIN).create(creation())
    credential["response"]["transports"] = said
    assert registered(credential).transports == kept
