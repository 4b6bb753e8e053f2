"""CORS: which other origins' pages may read answers; nobody's, unless the operator names them."""

from collections.abc import Sequence
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp

from gql_app.web.responses import refusal


class CrossOrigin(CORSMiddleware):
    """Lets the pages of these very origins call the API, without cookies: it has none."""

    def __init__(self, app: ASGIApp, *, origins: Sequence[str]) -> None:
        super().__init__(
            app,
            allow_origins=frozenset(origins),
            allow_methods=("POST",),
            allow_headers=("Authorization",),
            expose_headers=("WWW-Authenticate", "Retry-After", "X-Request-Id"),
        )

    def preflight_response(self, request_headers: Headers) -> Response:
        """Answer what a browser asks first, and refuse it in the contract's form."""
        answer = super().preflight_response(request_headers)
        if answer.status_code == HTTPStatus.OK:
            return answer
        vary = {"Vary": answer.headers["vary"]}
        return refusal(answer.status_code, f"{bytes(answer.body).decode()}.", headers=vary)
