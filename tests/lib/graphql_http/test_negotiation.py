"""The media type that a client chooses."""

import pytest

from gql_app.lib.graphql_http.negotiation import accepts_html, negotiate

JSON = "application/json"
GRAPHQL = "application/graphql-response+json"
EVENTS = "text/event-stream"
PARTS = "multipart/mixed"
URQL = f"{GRAPHQL}, application/graphql+json, {JSON}, {EVENTS}, {PARTS}"


def chosen(*accept: str) -> str | None:
    """Return what is negotiated with a client that accepts these."""
    return negotiate(*(value.encode() for value in accept))


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ([], JSON),
        ([""], JSON),
        (["*/*"], JSON),
        (["application/*"], JSON),
        ([JSON], JSON),
        (["APPLICATION/JSON"], JSON),
        (["text/html, */*;q=0.8"], JSON),
        ([f"{GRAPHQL};q=0.5, {JSON}"], JSON),
        ([f"{GRAPHQL};q=0, */*"], JSON),
        ([f"{JSON};q=0.9, {GRAPHQL};q=0.8, */*;q=1"], JSON),
        ([GRAPHQL], GRAPHQL),
        ([f"{GRAPHQL}; charset=utf-8"], GRAPHQL),
        ([f"{GRAPHQL}, {JSON};q=0.9"], GRAPHQL),
        ([f"{JSON};q=0.9, {GRAPHQL}"], GRAPHQL),
        ([f"{JSON} ; q=0.1", f"{GRAPHQL} ; q=0.2"], GRAPHQL),
        ([f"{JSON};q=0, application/*;q=0.1"], GRAPHQL),
        ([f"{JSON};q=0.5, */*;q=0.7"], GRAPHQL),
        ([URQL], GRAPHQL),
        ([f"{PARTS};deferSpec=20220824, {JSON}"], JSON),
        ([f"{PARTS};boundary=graphql;subscriptionSpec=1.0, {GRAPHQL}, {JSON};q=0.9"], GRAPHQL),
        ([f"{EVENTS}, {JSON};q=0.1"], JSON),
        ([EVENTS], EVENTS),
        ([f"{PARTS}, {EVENTS}"], EVENTS),
        ([f"{PARTS};deferSpec=20220824"], PARTS),
    ],
)
def test_the_client_chooses_the_media_type(accept: list[str], media_type: str) -> None:
    assert chosen(*accept) == media_type


@pytest.mark.parametrize(
    "accept",
    [
        "text/html",
        "image/*",
        "application/xml",
        "application/jsonx",
        "*/*;q=0",
        f"{JSON};q=0",
        f"{JSON};q=0.0, {GRAPHQL};q=0",
        "application/*;q=0, */*",
        f"{JSON};q=much",
        f"{EVENTS};q=0",
    ],
)
def test_no_other_media_type_can_be_had(accept: str) -> None:
    assert chosen(accept) is None


@pytest.mark.parametrize(
    "accept",
    [
        *("text/html", "text/html,application/xhtml+xml,*/*;q=0.8"),
        *(f"text/html, {JSON};q=0.5", f"text/html, {JSON}"),
    ],
)
def test_a_browser_accepts_html(accept: str) -> None:
    assert accepts_html(accept.encode())


@pytest.mark.parametrize(
    "accept",
    [
        "text/html5",
        "application/text/html",
        "x-text/html",
        "*/*",
        "text/html;q=0, */*",
        f"{JSON}, text/html",
        f"text/html;q=0.9, {GRAPHQL}",
    ],
)
def test_what_only_looks_like_html_or_likes_json_as_well_is_no_browser(accept: str) -> None:
    assert not accepts_html(accept.encode())
