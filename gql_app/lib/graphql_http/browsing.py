"""Requests other than GraphQL's: OPTIONS, and browsers that open a page."""

from collections.abc import Awaitable, Callable

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp

from gql_app.lib.graphql_http.messages import METHODS, Headers, headers_of
from gql_app.lib.graphql_http.negotiation import accepts_html


def other_than_graphql(method: str, headers: Headers, page: ASGIApp | None) -> ASGIApp | None:
    """Return the application for OPTIONS, or for a browser the page, if there is one.

    None is for requests that may be GraphQL's.
    """
    if method == "POST":
        return None
    if method == "OPTIONS":
        return Response(None, 204, METHODS)
    is_browser = method in {"GET", "HEAD"} and accepts_html(*headers[b"accept"])
    return page if is_browser else None


def leading_to(path: str, *, has_page: bool) -> Callable[[Request], Awaitable[Response]]:
    """Return an endpoint that redirects browsers to a path with a page, and names it to others.

    It takes every method: a client that posts there is refused by a message with the path.
    """

    async def endpoint(request: Request) -> Response:
        if request.method not in {"GET", "HEAD"}:
            raise HTTPException(405, f"The GraphQL API is at {path}", {"Allow": "GET, HEAD"})
        if has_page and accepts_html(*headers_of(request.scope)[b"accept"]):
            return Response(None, 303, {"Location": path})
        content = {"message": f"The GraphQL API is at {path}.", "graphql": path}
        return JSONResponse(content, media_type="application/json; charset=utf-8")

    return endpoint
