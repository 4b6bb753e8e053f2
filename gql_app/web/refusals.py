"""Refusals of requests that never reach the application: in its form, and in its log."""

from collections.abc import Mapping

from starlette.types import ASGIApp


def refuse(status: int, message: str, headers: Mapping[str, str]) -> ASGIApp:
    """Return the application that refuses one request, and logs it."""
    # Each worker loads this module before its parent can see that it is alive: it is to be light.
    from gql_app.web.middleware import RequestLogMiddleware  # noqa: PLC0415 — as above
    from gql_app.web.responses import refusal  # noqa: PLC0415 — as above

    return RequestLogMiddleware(refusal(status, message, headers=headers))
