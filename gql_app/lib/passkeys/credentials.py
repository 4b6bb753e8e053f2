"""Credentials in JSON as browsers send them: untrusted input."""

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from typing import Final

from gql_app.lib.passkeys.results import InvalidPasskey

MAX_PART: Final = 16 * 1024
"""The most bytes of any part of a credential; a genuine one has a tenth of that."""
MAX_ID: Final = 1023
"""Bytes of a credential's id (WebAuthn section 7.1)."""
MAX_USER_HANDLE: Final = 64
"""Bytes of a user's id (WebAuthn section 5.4.3)."""
MAX_TRANSPORTS: Final = 8
PUBLIC_KEY: Final = "public-key"
"""The one type of credentials."""
ALGORITHMS: Final = (-7, -8, -257)
"""ES256, EdDSA and RS256, of which every authenticator knows one (IANA's COSE registry)."""
_TRANSPORT: Final = re.compile(r"[a-z][a-z-]{0,31}")


def base64url(data: bytes) -> str:
    """Return the base64url text of bytes, without padding."""
    return urlsafe_b64encode(data).decode().rstrip("=")


def credential_id_of(credential: object) -> str | None:
    """Return the id of a credential in canonical base64url, None if it has none."""
    text = _member(credential, "id")
    if _decoded(text, MAX_ID) and text == _member(credential, "rawId"):
        return str(text)
    return None


def challenge_of(credential: object) -> bytes | None:
    """Return the challenge that a credential answers, None if it has none."""
    client_data = _client_data(credential)
    return None if client_data is None else _decoded(client_data.get("challenge"), MAX_PART)


def user_handle_of(credential: object) -> bytes | None:
    """Return the id of the user that an authenticator names, None if it names none."""
    return _response_part(credential, "userHandle", MAX_USER_HANDLE) or None


def transports_of(credential: object) -> tuple[str, ...]:
    """Return an authenticator's transports, including ones that are not defined yet."""
    listed = _member(_member(credential, "response"), "transports")
    named = [
        each
        for each in (listed[:MAX_TRANSPORTS] if isinstance(listed, list) else [])
        if isinstance(each, str) and _TRANSPORT.fullmatch(each)
    ]
    return tuple(dict.fromkeys(named))


def parts_of(credential: object, *names: str) -> list[bytes]:
    """Return the client data of a credential, and other parts of its response.

    Raise InvalidPasskey if one is missing, or if it was made within a page of another origin
    (WebAuthn section 5.8.1).
    """
    client_data = _client_data(credential)
    found = [_response_part(credential, name, MAX_PART) for name in ("clientDataJSON", *names)]
    parts = [part for part in found if part is not None]
    if (
        client_data is None
        or client_data.get("crossOrigin", False) is not False
        or "topOrigin" in client_data
        or len(parts) < len(found)
        or _member(credential, "type") != PUBLIC_KEY
    ):
        raise InvalidPasskey
    return parts


def _member(value: object, name: str) -> object:
    """Return a member of a JSON object, None if it is no object or has no such member."""
    return value.get(name) if isinstance(value, Mapping) else None


def _response_part(credential: object, name: str, most: int) -> bytes | None:
    return _decoded(_member(_member(credential, "response"), name), most)


def _client_data(credential: object) -> Mapping[str, object] | None:
    """Return the browser's client data: type, challenge and origin (WebAuthn section 5.8.1)."""
    raw = _response_part(credential, "clientDataJSON", MAX_PART)
    try:
        value = json.loads(raw.decode()) if raw is not None else None
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _decoded(text: object, most: int) -> bytes | None:
    """Return the bytes of base64url, None unless it is canonical and not too long."""
    if not isinstance(text, str) or len(text) > (most * 4 + 2) // 3:
        return None
    try:
        decoded = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        return None
    return decoded if base64url(decoded) == text else None
