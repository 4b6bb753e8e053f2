"""Origins: which pages may use the passkeys of which domain (WebAuthn section 5.1.2)."""

import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import SplitResult, urlsplit

_DOMAIN: Final = re.compile(r"([a-z0-9_-]+\.)*(?=[0-9-]*[a-z])[a-z0-9-]+")
"""In lower-case ASCII; one that ends with a number is an IP address, which has no passkeys."""
_MAX_DOMAIN: Final = 253
_SECURE_PORT: Final = 443
_PORT: Final = 80


def is_domain(text: str) -> bool:
    """Return whether a text is a domain that can have passkeys, in its canonical spelling."""
    return len(text) <= _MAX_DOMAIN and _DOMAIN.fullmatch(text) is not None


def origin_of(url: str) -> str | None:
    """Return the origin of a page as browsers write it, None if passkeys can't be used there.

    They can be used on a domain by https, and on localhost also by http. Raises ValueError for an
    invalid URL.
    """
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port
    if not is_domain(host) or not _is_secure(parts):
        return None
    usual = _SECURE_PORT if parts.scheme == "https" else _PORT
    return f"{parts.scheme}://{host}" + (f":{port}" if port not in {None, usual} else "")


def may_use(origin: str, rp_id: str) -> bool:
    """Return whether a page of an origin may use the passkeys of a domain: on it, or below it."""
    host = urlsplit(origin).hostname or ""
    return host == rp_id or host.endswith(f".{rp_id}")


def shared_domain(origins: Sequence[str]) -> str | None:
    """Return the domain of an origin whose passkeys all of them may use, None if there is none.

    A common parent that is none of them is not returned: it may be a public suffix like co.uk.
    """
    hosts = [urlsplit(origin).hostname or "" for origin in origins]
    shortest = min(hosts, key=len, default="")
    return shortest if all(may_use(origin, shortest) for origin in origins) and shortest else None


def _is_secure(parts: SplitResult) -> bool:
    return parts.scheme == "https" or (parts.scheme, parts.hostname) == ("http", "localhost")
