"""Refusals: why a request is not executed, in the form that its client shows."""

from collections.abc import Mapping
from typing import Final

import orjson
from starlette.exceptions import HTTPException
from starlette.responses import Response

from gql_app.lib.graphql_http.negotiation import EVENTS, JSON, PARTS, STREAMS
from gql_app.lib.telemetry import STATUS_NAMES

BAD_REQUEST: Final = "BAD_REQUEST"
BAD_USER_INPUT: Final = "BAD_USER_INPUT"
NOT_ACCEPTABLE: Final = 406
MAX_BATCH: Final = 20
"""The most operations of a batch that get an error each; a larger batch has one error."""
RETRY: Final = 24 * 60 * 60 * 1000
"""Milliseconds before a browser's EventSource reconnects, by default three seconds."""
_EVENTS: Final = b"retry: %d\nevent: next\ndata: %b\n\nevent: complete\ndata:\n\n"


class RequestError(HTTPException):
    """A request that is not executed: its status, a sentence, and its error's code.

    That of a batch has the form that its clients expect: their links read an array of as many
    results, and hide the message of a 400.
    """

    def __init__(
        self,
        status: int,
        message: str,
        code: str = BAD_REQUEST,
        headers: Mapping[str, str] | None = None,
        *,
        batch: int = 0,
    ) -> None:
        """Take the parts of the response, and the number of operations if it is to a batch."""
        super().__init__(status, message.removesuffix("."), headers)
        self.message: Final = message
        self.code: Final = code
        self._batch: Final = batch

    @property
    def outcome(self) -> str:
        """The outcome in the log: the code, or HTTP's name of the status if that says more."""
        plain = self.code in {BAD_REQUEST, BAD_USER_INPUT}
        return STATUS_NAMES[self.status_code] if plain else self.code

    def response(self, media_type: str | None) -> Response:
        """Return the response in a media type.

        A 406 to a client of streams is a 200, for it reads no other body; a 405 stays JSON.
        """
        if media_type is None or (media_type in STREAMS and self.status_code != NOT_ACCEPTABLE):
            media_type = JSON
        one = {"errors": [{"message": self.message, "extensions": {"code": self.code}}]}
        content = [one] * self._batch if 0 < self._batch <= MAX_BATCH else one
        status, body = self.status_code, orjson.dumps(content)
        content_type = f"{media_type}; charset=utf-8"
        if media_type == EVENTS:
            status, body = 200, _EVENTS % (RETRY, body)
        elif media_type == PARTS:
            part = b"Content-Type: application/json; charset=utf-8\r\n\r\n" + body
            status, body = 200, b"\r\n---\r\n%b\r\n-----\r\n" % part
            content_type = f'{PARTS}; boundary="-"'
        elif media_type == JSON and self._batch:
            status = 200
        return Response(body, status, {"Content-Type": content_type, **(self.headers or {})})
