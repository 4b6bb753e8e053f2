"""CBOR from authenticators, checked before a decoder reads it.

A decoder supports tags for shared values: a value that holds another twice, thirty levels deep, is
a hundred bytes that take all memory when they are written again.
"""

from typing import Final

from webauthn.helpers import encode_cbor, parse_cbor

MAX_DEPTH: Final = 8
"""Levels of arrays and maps; authenticators write four at most (CTAP section 8)."""
BYTES, TEXT, ARRAY, MAP, TAG = 2, 3, 4, 5, 6
"""Major types (RFC 8949 section 3.1)."""
_LENGTHS: Final = {24: 1, 25: 2, 26: 4, 27: 8}
"""Bytes of an argument, by the low bits of the first byte."""
_LONGEST: Final = max(_LENGTHS)
_HEADER: Final = 37
"""Bytes of authenticator data before its CBOR (WebAuthn section 6.1)."""
_FLAGS: Final = 32
_HAS_CREDENTIAL: Final = 0x40
_HAS_EXTENSIONS: Final = 0x80
_ID_LENGTH: Final = slice(53, 55)


def require_plain(data: bytes) -> None:
    """Raise ValueError unless data is one plain item of CBOR."""
    if end_of_item(data) != len(data):
        message = "more than one item of CBOR"
        raise ValueError(message)


def require_plain_authenticator_data(data: bytes) -> None:
    """Raise ValueError unless authenticator data ends in plain CBOR: a key and extensions.

    Each must be as the library would write it: from the length of that, it goes on to the next.
    """
    at, flags = _HEADER, data[_FLAGS] if len(data) > _FLAGS else 0
    if flags & _HAS_CREDENTIAL:
        at = _ID_LENGTH.stop + int.from_bytes(data[_ID_LENGTH])
    for _ in range(bool(flags & _HAS_CREDENTIAL) + bool(flags & _HAS_EXTENSIONS)):
        end = end_of_item(data, at)
        if encode_cbor(parse_cbor(data[at:end])) != data[at:end]:
            message = "CBOR that is written in an unusual form"
            raise ValueError(message)
        at = end
    if at < len(data):
        message = "malformed authenticator data, with something behind its CBOR"
        raise ValueError(message)


def end_of_item(data: bytes, at: int = 0, depth: int = 0) -> int:
    """Return the end of the item of CBOR that begins at an offset (RFC 8949 section 3).

    Raise ValueError if it is truncated, too deep, or has what no authenticator writes: a tag, or
    an indefinite length.
    """
    if at >= len(data) or depth > MAX_DEPTH:
        message = "CBOR that is cut off, or deep"
        raise ValueError(message)
    major, low = data[at] >> 5, data[at] & 0x1F
    if major == TAG or low > _LONGEST:
        message = "CBOR with a tag, or of no definite length"
        raise ValueError(message)
    content = at + 1 + _LENGTHS.get(low, 0)
    argument = int.from_bytes(data[at + 1 : content]) if low in _LENGTHS else low
    if major in {BYTES, TEXT}:
        content += argument
    for _ in range({ARRAY: argument, MAP: 2 * argument}.get(major, 0)):
        content = end_of_item(data, content, depth + 1)
    if content > len(data):
        message = "CBOR that is cut off"
        raise ValueError(message)
    return content
