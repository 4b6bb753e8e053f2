"""The playground: a page to try the API in."""

from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse
from strawberry.http.ides import get_graphql_ide_html

_POLICY: Final = (
    "connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
"""Scripts and styles may come from where they like, and talk to this server alone."""


def wants_page(request: Request) -> bool:
    """Tell a browser from a client: only the former asks for HTML."""
    accepted = request.headers.get("accept", "")
    return any(part.partition(";")[0].strip() == "text/html" for part in accepted.split(","))


def page() -> HTMLResponse:
    """Answer Strawberry's page of GraphiQL."""
    return HTMLResponse(
        get_graphql_ide_html("graphiql"), headers={"Content-Security-Policy": _POLICY}
    )
