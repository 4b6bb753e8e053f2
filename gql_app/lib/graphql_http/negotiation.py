"""Content negotiation: the media type of a response (RFC 9110 section 12.5.1)."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

JSON: Final = "application/json"
GRAPHQL: Final = "application/graphql-response+json"
HTML: Final = "text/html"
EVENTS: Final = "text/event-stream"
PARTS: Final = "multipart/mixed"
STREAMS: Final = frozenset({EVENTS, PARTS})
"""Media types of refusals alone, for clients that read nothing else."""


@lru_cache(64)
def negotiate(*accept: bytes) -> str | None:
    """Return the media type of the response, None if the client accepts none of these.

    JSON is for clients that accept anything; a stream for those that accept no kind of JSON.
    """
    ranges = _ranges(accept)
    if not ranges:
        return JSON
    chosen, weight = None, 0.0
    for media_type in (JSON, GRAPHQL):
        named = media_type in ranges
        quality = ranges.get(media_type, ranges.get("application/*", ranges.get("*/*", 0.0)))
        if quality > weight or (named and quality == weight > 0):
            chosen, weight = media_type, quality
    return chosen or next((each for each in (EVENTS, PARTS) if ranges.get(each)), None)


@lru_cache(64)
def accepts_html(*accept: bytes) -> bool:
    """Return whether a client prefers HTML to JSON, as a browser does that opens a page.

    Of several with the same weight, the first is preferred.
    """
    ranges = _ranges(accept)
    named = [each for each in ranges if each in {HTML, JSON, GRAPHQL} and ranges[each]]
    return bool(named) and max(named, key=ranges.__getitem__) == HTML


def _ranges(accept: tuple[bytes, ...]) -> Mapping[str, float]:
    """Return the media ranges that are accepted, with their weights."""
    parts = [part for value in accept for part in value.decode("latin-1").split(",")]
    return dict(_quality(part) for part in parts if part.strip())


def _quality(media_range: str) -> tuple[str, float]:
    """Return a media range and its weight (RFC 9110 section 12.4.2); an invalid one is 0."""
    name, *parameters = (part.strip() for part in media_range.lower().split(";"))
    pairs = (parameter.partition("=") for parameter in parameters)
    weight = next((value for key, _, value in pairs if key.strip() == "q"), "1")
    try:
        return name, min(max(float(weight), 0.0), 1.0)
    except ValueError:
        return name, 0.0
