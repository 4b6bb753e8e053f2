"""What is sent as a credential is read without trust: nothing malformed does any harm."""

import copy
import json
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gql_app.lib.passkeys import (
    InvalidPasskey,
    challenge_of,
    credential_id_of,
    user_handle_of,
)
from tests.authenticators import SoftwareAuthenticator
from tests.lib.passkeys.parties import (
    CHALLENGE,
    ORIGIN,
    PARTY,
    USER,
    creation,
    known,
)

PASSKEY = known()
ANSWER = PASSKEY.answer()
CREATED = SoftwareAuthenticator(ORIGIN).create(creation())
WRONG = [
    None,
    True,
    0,
    1.5,
    "",
    "x",
    "ä",
    "AAA=",
    "A A",
    "AB",
    "\ud800",
    [],
    ["AAAA"],
    {},
    {"a": 1},
]


def refused(credential: Any) -> None:  # noqa: ANN401 — whatever JSON may be
    with pytest.raises(InvalidPasskey, match=r"^This passkey can't be verified. Try again.$"):
        PARTY.registered(credential, challenge=CHALLENGE)
    with pytest.raises(InvalidPasskey, match=r"^This passkey can't be verified. Try again.$"):
        PASSKEY.proven(credential)


def places(value: Any, *path: str) -> Iterator[tuple[str, ...]]:  # noqa: ANN401 — as above
    """Name every member of a JSON object, and of those within it."""
    for name, member in value.items() if isinstance(value, dict) else ():
        yield (*path, name)
        yield from places(member, *path, name)


def changed(credential: dict[str, Any], path: tuple[str, ...], value: object) -> dict[str, Any]:
    """Return a credential with another value somewhere."""
    copied = copy.deepcopy(credential)
    *outer, last = path
    inside = copied
    for name in outer:
        inside = inside[name]
    inside[last] = value
    return copied


def with_client_data(raw: bytes) -> dict[str, Any]:
    text = urlsafe_b64encode(raw).decode().rstrip("=")
    return changed(ANSWER, ("response", "clientDataJSON"), text)


def test_what_is_needed_to_find_a_passkey_is_read() -> None:
    assert challenge_of(ANSWER) == challenge_of(CREATED) == CHALLENGE
    assert credential_id_of(ANSWER) == PASSKEY.registered.credential_id
    assert user_handle_of(ANSWER) == USER


def test_a_user_handle_may_be_missing() -> None:
    assert user_handle_of(CREATED) is None
    assert user_handle_of(PASSKEY.answer(user_handle=None)) is None
    assert user_handle_of(PASSKEY.answer(user_handle=b"")) is None


@pytest.mark.parametrize("value", [*WRONG, "A" * 88, "A" * 1_000_000])
def test_a_user_handle_is_base64url_of_64_bytes_at_most(value: object) -> None:
    assert user_handle_of(changed(ANSWER, ("response", "userHandle"), value)) is None


def test_a_user_handle_has_up_to_64_bytes() -> None:
    assert user_handle_of(PASSKEY.answer(user_handle=b"u" * 64)) == b"u" * 64


@pytest.mark.parametrize("value", [*WRONG, "A" * 1368])
def test_an_id_is_canonical_base64url_of_1023_bytes_at_most(value: object) -> None:
    credential = {**ANSWER, "id": value, "rawId": value}
    assert credential_id_of(credential) is None
    refused(credential)


def test_an_id_has_up_to_1023_bytes_and_one_spelling() -> None:
    assert credential_id_of({"id": "A" * 1364, "rawId": "A" * 1364}) == "A" * 1364
    assert credential_id_of({"id": "AAAA", "rawId": "AAAB"}) is None
    assert credential_id_of({"id": "AAAA"}) is None
    assert credential_id_of({"rawId": "AAAA"}) is None


@pytest.mark.parametrize("value", [*WRONG, 10**400, float("nan")], ids=repr)
def test_what_is_no_credential_is_refused_and_has_nothing(value: object) -> None:
    assert [challenge_of(value), credential_id_of(value), user_handle_of(value)] == [None] * 3
    refused(value)


NEEDED = [
    *[(CREATED, path) for path in [("response",), ("response", "attestationObject")]],
    *[
        (ANSWER, ("response", name))
        for name in ("clientDataJSON", "authenticatorData", "signature")
    ],
    *[(ANSWER, (name,)) for name in ("id", "rawId", "type")],
]


@pytest.mark.parametrize(("credential", "path"), NEEDED, ids=lambda each: str(each)[-40:])
def test_whatever_is_needed_is_neither_missing_nor_of_another_type(
    credential: dict[str, Any], path: tuple[str, ...]
) -> None:
    for value in [*WRONG, "A" * 30_000]:
        refused(changed(credential, path, value))
    without = changed(credential, path, None)
    inside = without if len(path) == 1 else without[path[0]]
    del inside[path[-1]]
    refused(without)


IGNORED = {
    ("authenticatorAttachment",),
    ("clientExtensionResults",),
    ("response", "authenticatorData"),
    ("response", "publicKeyAlgorithm"),
    ("response", "transports"),
}


@pytest.mark.parametrize("path", sorted(IGNORED))
def test_whatever_is_not_needed_may_be_anything(path: tuple[str, ...]) -> None:
    assert set(places(CREATED)) >= IGNORED
    for value in WRONG:
        assert PARTY.registered(changed(CREATED, path, value), challenge=CHALLENGE)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b"{}",
        b'{"challenge": 5}',
        b'{"challenge": "A"}',
        b'{"challenge": "AAA="}',
        b"[" * 12_000,
        b"9" * 12_000,
        b"\xff\xfe{}",
        "\ufeff{}".encode(),
        '{"challenge": "AAAA"}'.encode("utf-16"),
    ],
    ids=lambda raw: repr(raw[:24]),
)
def test_client_data_that_is_none_has_no_challenge(raw: bytes) -> None:
    assert challenge_of(with_client_data(raw)) is None
    refused(with_client_data(raw))


@pytest.mark.parametrize(
    "data",
    [
        {"type": "webauthn.get", "challenge": "Y2Nj"},
        {"type": "webauthn.get", "origin": ORIGIN, "challenge": 5},
        {"type": ["webauthn.get"], "origin": ORIGIN, "challenge": "Y2Nj"},
        {"type": "webauthn.get", "origin": [ORIGIN], "challenge": "Y2Nj"},
        {"type": "webauthn.get", "origin": ORIGIN, "challenge": "Y2Nj", "tokenBinding": {}},
    ],
)
def test_client_data_of_other_types_is_refused(data: dict[str, Any]) -> None:
    refused(with_client_data(json.dumps(data).encode()))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("AAAA"),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(st.sampled_from(sorted(places(ANSWER))), JSON)
def test_no_value_anywhere_makes_anything_but_a_refusal(path: tuple[str, ...], value: Any) -> None:  # noqa: ANN401 — JSON
    credential = changed(ANSWER, path, value)
    challenge_of(credential), credential_id_of(credential), user_handle_of(credential)
    try:
        PASSKEY.proven(credential)
    except InvalidPasskey:
        assert path not in {("authenticatorAttachment",), ("clientExtensionResults",)}


@given(st.binary(max_size=300), st.integers(0, 200))
def test_no_bytes_of_an_authenticator_make_anything_but_a_refusal(raw: bytes, keep: int) -> None:
    attestation = CREATED["response"]["attestationObject"]
    text = attestation[: keep * 4] + urlsafe_b64encode(raw).decode().rstrip("=")
    credential = changed(CREATED, ("response", "attestationObject"), text)
    with suppress(InvalidPasskey):
        PARTY.registered(credential, challenge=CHALLENGE)
