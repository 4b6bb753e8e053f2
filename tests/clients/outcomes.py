"""What came of a client's scenarios, whatever it is written in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Given:
    """What a scenario is run with."""

    url: str
    token: str
    email: str
    password: str


@dataclass(frozen=True, slots=True)
class Failure:
    """What a client's user is told; the extensions are those of the first error."""

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
    """What a scenario of a client returned, or else what its user was told."""

    client: str
    scenario: str
    data: object = None
    failure: Failure | None = None
    requests: Sequence[Request] = ()
