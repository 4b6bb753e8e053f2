"""What is answered beside GraphQL: OPTIONS, browsers, and the way to the API."""

import json
from typing import Final

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from gql_app.lib.graphql_http import leading_to, other_than_graphql
from gql_app.lib.graphql_http.messages import METHODS

PAGE: Final = PlainTextResponse("A page.")
HTML: Final = b"text/html"


@pytest.mark.parametrize(
    ("method", "accept", "is_page"),
    [
        ("GET", HTML, True),
        ("HEAD", HTML, True),
        ("GET", b"*/*", False),
        ("POST", HTML, False),
        ("PUT", HTML, False),
    ],
)
def test_a_browser_that_gets_is_shown_the_page(
    method: str, accept: bytes, *, is_page: bool
) -> None:
    assert (other_than_graphql(method, {b"accept": [accept]}, PAGE) is PAGE) == is_page
    assert other_than_graphql(method, {b"accept": [accept]}, None) is None


def test_options_tells_the_methods() -> None:
    response = other_than_graphql("OPTIONS", {b"accept": [HTML]}, PAGE)
    assert isinstance(response, Response)
    assert (response.status_code, response.headers["allow"]) == (204, METHODS["Allow"])


@pytest.mark.parametrize(
    ("accept", "has_page", "status"), [(HTML, True, 303), (HTML, False, 200), (b"*/*", True, 200)]
)
async def test_a_browser_is_led_and_others_are_told(
    accept: bytes, *, has_page: bool, status: int
) -> None:
    request = Request({"type": "http", "method": "GET", "headers": [(b"accept", accept)]})
    response = await leading_to("/api", has_page=has_page)(request)
    assert response.status_code == status
    if status == 303:
        assert response.headers["location"] == "./api"
    else:
        assert json.loads(bytes(response.body))["graphql"] == "/api"


@pytest.mark.parametrize("method", ["POST", "PUT", "OPTIONS"])
async def test_who_posts_where_the_api_is_not_is_told_where_it_is(method: str) -> None:
    request = Request({"type": "http", "method": method, "headers": [(b"accept", HTML)]})
    with pytest.raises(HTTPException, match="The GraphQL API is at /api") as caught:
        await leading_to("/api", has_page=True)(request)
    assert (caught.value.status_code, caught.value.headers) == (405, {"Allow": "GET, HEAD"})
