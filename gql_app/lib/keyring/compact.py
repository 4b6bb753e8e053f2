"""The compact form of a signed token (RFC 7515 section 3.1), parsed strictly."""

import json
import math
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

_PARTS: Final = re.compile(r"([\w-]+)\.([\w-]+)\.([\w-]*)", re.ASCII)
MAX_CLAIMS_BYTES: Final = 2 * 1024
"""The most bytes of JSON for the claims of all features together."""
MAX_DEPTH: Final = 64
"""The most levels of nested arrays and objects, in a token's header or in its claims."""
_NO_BRACKETS: Final = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[^][{}"]+', re.DOTALL)
"""A string, even an unterminated one, or any other text without brackets."""
_CURLY_TO_SQUARE: Final = str.maketrans("{}", "[]")
_LONGEST_INTEGER: Final = 20
"""The most digits of an integer that is read exactly; a longer one is read as infinity."""


class MalformedToken(Exception):
    """The text is no token in compact form, of canonical base64url and JSON objects."""


class DuplicateMember(Exception):
    """A JSON object has a member twice: libraries differ in which of the two they read."""


class CompactToken(NamedTuple):
    """The parts of a token, none of which is verified."""

    header: Mapping[str, object]
    payload: Mapping[str, object]
    signature: bytes
    signed: bytes
    """The signing input: header and payload, encoded."""


def parse_compact(text: str, *, max_bytes: int) -> CompactToken:
    """Return the parts of a token. Raise MalformedToken or DuplicateMember."""
    parts = _PARTS.fullmatch(text) if len(text) <= max_bytes else None
    if parts is None:
        raise MalformedToken
    try:
        header, payload, signature = map(_decode, parts.groups())
        signed = text.rpartition(".")[0].encode()
        return CompactToken(_json_object(header), _json_object(payload), signature, signed)
    except ValueError:
        raise MalformedToken from None


def check_claims(claims: object, reserved: Collection[str]) -> dict[str, object]:
    """Return the claims of features if a token may have them. Raise ValueError, with the reason."""
    if not isinstance(claims, Mapping):
        message = "claims are a mapping of names to JSON values"
        raise ValueError(message)  # noqa: TRY004 — as for any other fault of the claims
    if taken := sorted(each for each in reserved if each in claims):
        message = f"{', '.join(taken)}: no feature's claim may have this name"
        raise ValueError(message)
    try:
        text = json.dumps(dict(claims), allow_nan=False)
        is_json = json.loads(text) == claims
    except (TypeError, ValueError, RecursionError):
        is_json = False
    if not is_json:
        message = "claims hold JSON values only: no tuples, dates or ids, and text as names"
        raise ValueError(message)
    if len(text) > MAX_CLAIMS_BYTES:
        message = f"claims take {len(text)} bytes of JSON, and {MAX_CLAIMS_BYTES} are allowed"
        raise ValueError(message)
    if _is_deep(text):
        message = f"claims are nested by more than {MAX_DEPTH} levels"
        raise ValueError(message)
    return dict(claims)


def _decode(part: str) -> bytes:
    """Return the bytes of base64url. Raise ValueError unless canonical (RFC 4648 section 3.5)."""
    decoded = urlsafe_b64decode(part + "=" * (-len(part) % 4))
    if urlsafe_b64encode(decoded).rstrip(b"=") != part.encode():
        raise ValueError
    return decoded


def _json_object(raw: bytes) -> Mapping[str, object]:
    text = raw.decode()
    if _is_deep(text):
        raise ValueError
    value = _STRICT.decode(text)
    if not isinstance(value, dict):
        raise ValueError  # noqa: TRY004 — as for any other text that is no object
    return value


def _is_deep(text: str) -> bool:
    """Return whether JSON is nested deeper than MAX_DEPTH, which Python 3.13 and later would read.

    Each round removes the innermost level.
    """
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return False
    brackets = _NO_BRACKETS.sub("", text).translate(_CURLY_TO_SQUARE)
    for _ in range(MAX_DEPTH):
        brackets = brackets.replace("[]", "")
    return bool(brackets)


def unique_members(members: list[tuple[str, object]]) -> dict[str, object]:
    """Return the members of a JSON object. Raise DuplicateMember if one is there twice."""
    unique = dict(members)
    if len(unique) != len(members):
        raise DuplicateMember
    return unique


_STRICT: Final = json.JSONDecoder(
    object_pairs_hook=unique_members,
    parse_int=lambda digits: int(digits) if len(digits) <= _LONGEST_INTEGER else math.inf,
)
