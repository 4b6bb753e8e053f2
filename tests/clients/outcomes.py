"""The outcomes of clients' scenarios, for clients in any language."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Given:
    """The input of a scenario."""

    url: str
    token: str
    email: str
    password: str


@dataclass(frozen=True, slots=True)
class Failure:
    """The error of a client; the extensions are those of the first GraphQL error."""

    message: str
    extensions: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """A request of a JavaScript client, and the status of its answer."""

    method: str
    status: int
    headers: Sequence[str]
    """Names of the headers, in lower case."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a client's scenario, or else its error."""

    client: str
    scenario: str
    data: object = None
    failure: Failure | None = None
    requests: Sequence[Request] = ()
