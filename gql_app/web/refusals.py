"""Refusals of requests that never reach the application: in its form, and in its log."""

from collections.abc import Mapping

from starlette.types import ASGIApp

from gql_app.web.middleware import Reception
from gql_app.web.responses import refusal


def refuse(status: int, message: str, headers: Mapping[str, str]) -> ASGIApp:
    """Return the application that refuses one request, and logs it."""
    return Reception(refusal(status, message, headers=headers))
