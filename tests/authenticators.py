"""A software authenticator: passkeys as browsers make and use them, with every possible fault."""

import hashlib
import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, TypedDict, Unpack

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from webauthn.helpers import encode_cbor

ES256, EDDSA, RS256 = -7, -8, -257
PRESENT, VERIFIED, ELIGIBLE, BACKED_UP, CREDENTIAL, EXTENSIONS = 0x01, 0x04, 0x08, 0x10, 0x40, 0x80
AAGUID: Final = bytes.fromhex("00112233445566778899aabbccddeeff")

Json = Mapping[str, Any]


class AlreadyRegistered(Exception):
    """An excluded passkey is in this authenticator: a browser's InvalidStateError."""


class NoPasskey(Exception):
    """No passkey that is allowed is in this authenticator: a browser's NotAllowedError."""


class Overrides(TypedDict, total=False):
    """Values that replace the correct ones."""

    origin: str
    cross_origin: object
    top_origin: object
    type: str
    challenge: bytes
    rp_id: str
    counter: int
    user_present: bool
    user_verified: bool
    backed_up: bool
    extensions: bytes
    """In CBOR."""
    user_handle: bytes | None
    credential_id: bytes
    """Of a new passkey."""


class KeyPair(NamedTuple):
    """A function that signs by a private key, and the public key in COSE."""

    sign: Callable[[bytes], bytes]
    public: Mapping[int, object]


@dataclass
class Passkey:
    """A passkey of this authenticator."""

    id: bytes
    keys: KeyPair
    rp_id: str
    user_handle: bytes
    counter: int = 0


@dataclass
class SoftwareAuthenticator:
    """A browser on a page of one origin, with an authenticator that needs no user."""

    origin: str = "http://localhost:8000"
    user_verified: bool = True
    counts: bool = True
    """Whether its signature counter increases; that of a synced passkey stays at zero."""
    algorithm: int = ES256
    passkeys: list[Passkey] = field(default_factory=list)

    def create(self, options: Json, **wrong: Unpack[Overrides]) -> dict[str, Any]:
        """Return the JSON of navigator.credentials.create(), for creation options in JSON."""
        if any(_bytes(each["id"]) in self._ids() for each in options["excludeCredentials"]):
            raise AlreadyRegistered
        passkey = Passkey(
            wrong.get("credential_id", secrets.token_bytes(32)),
            KEYS[self.algorithm](),
            options["rp"]["id"],
            _bytes(options["user"]["id"]),
        )
        self.passkeys.append(passkey)
        data = self._authenticator_data(passkey, CREDENTIAL, wrong)
        return _credential(
            passkey,
            {
                "clientDataJSON": self._client_data("webauthn.create", options, wrong),
                "attestationObject": _text(
                    encode_cbor({"fmt": "none", "attStmt": {}, "authData": data})
                ),
                "authenticatorData": _text(data),
                "publicKeyAlgorithm": self.algorithm,
                "transports": ["internal", "hybrid"],
            },
        )

    def get(self, options: Json, **wrong: Unpack[Overrides]) -> dict[str, Any]:
        """Return the JSON of navigator.credentials.get(), for request options in JSON."""
        passkey = self._found(options)
        passkey.counter += self.counts
        client_data = self._client_data("webauthn.get", options, wrong)
        data = self._authenticator_data(passkey, 0, wrong)
        signed = data + hashlib.sha256(_bytes(client_data)).digest()
        handle = wrong.get("user_handle", passkey.user_handle)
        response = {
            "clientDataJSON": client_data,
            "authenticatorData": _text(data),
            "signature": _text(passkey.keys.sign(signed)),
        }
        return _credential(
            passkey, response if handle is None else {**response, "userHandle": _text(handle)}
        )

    def _ids(self) -> set[bytes]:
        return {each.id for each in self.passkeys}

    def _found(self, options: Json) -> Passkey:
        """Return the last passkey that fits the options."""
        allowed = {_bytes(each["id"]) for each in options["allowCredentials"]} or self._ids()
        fitting = [
            each for each in self.passkeys if each.rp_id == options["rpId"] and each.id in allowed
        ]
        if not fitting:
            raise NoPasskey
        return fitting[-1]

    def _client_data(self, kind: str, options: Json, wrong: Overrides) -> str:
        """Return the client data of a browser, encoded as it is sent (WebAuthn section 5.8.1)."""
        challenge = wrong.get("challenge", _bytes(options["challenge"]))
        said = {
            "type": wrong.get("type", kind),
            "challenge": _text(challenge),
            "origin": wrong.get("origin", self.origin),
            "crossOrigin": wrong.get("cross_origin", False),
        }
        if "top_origin" in wrong:
            said["topOrigin"] = wrong["top_origin"]
        return _text(json.dumps(said, separators=(",", ":")).encode())

    def _authenticator_data(self, passkey: Passkey, flags: int, wrong: Overrides) -> bytes:
        """Return the authenticator data (WebAuthn section 6.1)."""
        extensions = wrong.get("extensions", b"")
        flags |= PRESENT * wrong.get("user_present", True)
        flags |= VERIFIED * wrong.get("user_verified", self.user_verified)
        flags |= (ELIGIBLE | BACKED_UP) * wrong.get("backed_up", False)
        flags |= EXTENSIONS * bool(extensions)
        attested = (
            AAGUID
            + len(passkey.id).to_bytes(2)
            + passkey.id
            + encode_cbor(dict(passkey.keys.public))
        )
        return (
            hashlib.sha256(wrong.get("rp_id", passkey.rp_id).encode()).digest()
            + bytes([flags])
            + wrong.get("counter", passkey.counter).to_bytes(4)
            + (attested if flags & CREDENTIAL else b"")
            + extensions
        )


def _es256() -> KeyPair:
    key = ec.generate_private_key(ec.SECP256R1())
    point = key.public_key().public_numbers()
    public = {1: 2, 3: ES256, -1: 1, -2: point.x.to_bytes(32), -3: point.y.to_bytes(32)}
    return KeyPair(lambda data: key.sign(data, ec.ECDSA(SHA256())), public)


def _eddsa() -> KeyPair:
    key = ed25519.Ed25519PrivateKey.generate()
    return KeyPair(key.sign, {1: 1, 3: EDDSA, -1: 6, -2: key.public_key().public_bytes_raw()})


def _rs256() -> KeyPair:
    key = rsa.generate_private_key(65537, 2048)
    numbers = key.public_key().public_numbers()
    public = {1: 3, 3: RS256, -1: numbers.n.to_bytes(256), -2: numbers.e.to_bytes(3)}
    return KeyPair(lambda data: key.sign(data, padding.PKCS1v15(), SHA256()), public)


KEYS: Final[Mapping[int, Callable[[], KeyPair]]] = {ES256: _es256, EDDSA: _eddsa, RS256: _rs256}


def _credential(passkey: Passkey, response: Json) -> dict[str, Any]:
    """Return a credential as its toJSON() does."""
    return {
        "id": _text(passkey.id),
        "rawId": _text(passkey.id),
        "type": "public-key",
        "authenticatorAttachment": "platform",
        "clientExtensionResults": {},
        "response": dict(response),
    }


def _text(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
