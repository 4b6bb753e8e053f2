"""Time-based one-time passwords (TOTP, RFC 6238) as authenticator apps show them."""

import re
import secrets
from base64 import b32encode
from datetime import datetime
from io import BytesIO
from typing import Final
from urllib.parse import quote, urlencode

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor import InvalidToken
from cryptography.hazmat.primitives.twofactor.totp import TOTP

__all__ = ["matching_step", "new_secret", "qr_code", "secret_text", "uri"]

SECRET_BYTES: Final = 20
"""160 bits, as RFC 4226 section 4 recommends."""
DIGITS: Final = 6
PERIOD: Final = 30
"""Seconds of a step."""
DRIFT: Final = 1
"""Steps that a clock may be behind or ahead."""
MAX_TYPED: Final = 32
"""The most characters of a typed code, including blanks."""
QUIET_ZONE: Final = 4
"""Modules of light around a QR code (ISO/IEC 18004 section 9.1)."""
_CODE: Final = re.compile(rf"[0-9]{{{DIGITS}}}")


def new_secret() -> bytes:
    """Return a new secret for one authenticator app."""
    return secrets.token_bytes(SECRET_BYTES)


def secret_text(secret: bytes) -> str:
    """Return a secret as people type it: base32 (RFC 4648 section 6) without padding."""
    return b32encode(secret).decode().rstrip("=")


def uri(secret: bytes, *, account: str, issuer: str) -> str:
    """Return the otpauth URI of a secret, which authenticator apps read.

    A colon separates issuer and account, so colons within them are removed. A blank is %20: some
    apps show a plus sign as it is.
    """
    issuer, account = (text.replace(":", "") for text in (issuer, account))
    parameters = {
        "secret": secret_text(secret),
        "issuer": issuer,
        "algorithm": "SHA1",
        "digits": DIGITS,
        "period": PERIOD,
    }
    label = f"{quote(issuer, safe='')}:{quote(account, safe='')}"
    return f"otpauth://totp/{label}?{urlencode(parameters, quote_via=quote, safe='')}"


def qr_code(text: str) -> str:
    """Return the QR code of a text as an SVG that is as large as its place.

    Its background is light, so that it is readable on a dark page, too. Raise ValueError if the
    text is too long for any QR code.
    """
    import segno  # noqa: PLC0415 — only to set up an app

    drawn = BytesIO()
    segno.make_qr(text, error="m").save(
        drawn,
        kind="svg",
        border=QUIET_ZONE,
        dark="#000",
        light="#fff",
        omitsize=True,
        xmldecl=False,
        nl=False,
        svgclass=None,
        lineclass=None,
    )
    return drawn.getvalue().decode()


def matching_step(secret: bytes, code: str, *, now: datetime, last_step: int | None) -> int | None:
    """Return the time step of a code, None if the code is wrong, expired or used.

    One step of drift is accepted each way (RFC 6238 section 5.2), but no step up to the last that
    was used (section 5.2 as well: a code is accepted once). The caller stores the step.
    """
    typed = "".join(code.split()) if len(code) <= MAX_TYPED else ""
    if not _CODE.fullmatch(typed):
        return None
    current = int(now.timestamp()) // PERIOD
    earliest = current - DRIFT if last_step is None else max(current - DRIFT, last_step + 1)
    steps = range(earliest, current + DRIFT + 1)
    return next((step for step in steps if _is_code_of(secret, typed, step)), None)


def _is_code_of(secret: bytes, code: str, step: int) -> bool:
    """Return whether a code is of a time step, compared in constant time."""
    try:
        TOTP(secret, DIGITS, SHA1(), PERIOD).verify(code.encode(), step * PERIOD)  # noqa: S303 — RFC 6238
    except InvalidToken:
        return False
    return True
