"""Types of settings: URLs, hosts, secrets and numbers, checked as they are read.

A fault says what the value must be and never repeats it, because it may be a secret.
"""

import os
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from importlib.util import find_spec
from ipaddress import IPv6Address, ip_network
from os.path import isdir
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar
from urllib.parse import SplitResult, parse_qs, urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretBytes,
    SecretStr,
    StringConstraints,
)

from gql_app.lib.passkeys import is_domain, origin_of

T = TypeVar("T")
SQLITE: Final = "sqlite:///"
POSTGRESQL: Final = ("postgresql://", "postgres://")
"""Prefixes of a PostgreSQL URL; some providers write the latter."""
MAX_PORT: Final = 65_535
USUAL_PORT: Final = 9_000
"""The management port if its variable has a service's address instead of a port."""
SERVICE_LINK: Final = "tcp://"
"""The prefix of a service's address in variables that Kubernetes sets."""
MAX_NUMBER: Final = 10**13
"""The largest number; as many seconds are some 300,000 years, and still a timedelta."""
MAX_SECONDS: Final = 10**9
"""The longest time that a client may have to wait for: twice as long still is an Int of GraphQL."""
MAX_WORDS: Final = 200
"""Characters of a name."""
MIN_SECRET_BYTES: Final = 32
BLANKS: Final = (
    "begins or ends with a blank or a line break, which would be part of it; set it without"
)

_ESCAPED: Final = "with every special character of the password written as %XX"
_POSTGRESQL_URL: Final = f"must read postgresql://user:password@host:port/database, {_ESCAPED}"
_SERVERS: Final = ("any", "prefer-standby", "primary", "read-only", "read-write", "standby")
"""Values of target_session_attrs: which of several servers is acceptable."""
_MAIL_SCHEMES: Final = frozenset({"smtp", "smtps", "smtp+starttls", "smtp+cleartext"})
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_HOST: Final = re.compile(r"([^:\[\]]*|\[[^\[\]]+\])(:(?P<port>[0-9]{1,5}))?")
_ANY_LABEL: Final = re.compile(r"^(https?://)\*\.(?=localhost\b|[^.]+\.[^.])")
_ANY_PORT: Final = re.compile(r"^(https?://(?:(?:\*\.)?localhost|127\.0\.0\.1|\[::1\])):\*$")
_NO_ORIGINS: Final = frozenset({"about", "blob", "data", "file", "ftp", "javascript", "ws", "wss"})
"""Schemes that no page has, or whose pages' origin browsers send as null."""
_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'+.^_`|~-]+")
_HOST_NAME: Final = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?")
_DOMAIN: Final = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*")
_ADDRESS: Final = r"""(?:[^\s@<>"]+|"[^\s@<>"]+")@[^\s@<>"']+"""
_SENDER: Final = re.compile(rf"{_ADDRESS}|[^\x00-\x1f\x7f-\x9f\u2028\u2029@<>]+ <{_ADDRESS}>")


def _must(sentence: str, fits: Callable[[Any], object]) -> AfterValidator:
    """Return a validator that refuses a value which doesn't fit, or can't even be parsed."""

    def check(value: T) -> T:
        fitting: object = False
        with suppress(ValueError, ModuleNotFoundError):  # whose text may repeat the value
            fitting = fits(value)
        _require(fitting, sentence)
        return value

    return AfterValidator(check)


def _require(fitting: object, sentence: str) -> None:
    if not fitting:
        raise ValueError(sentence)


def _split(value: object) -> object:
    """Return the parts of a comma-separated text, none of None, and any other value unchanged."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(","))
    return () if value is None else value


def _each(fits: Callable[[str], object]) -> Callable[[Iterable[str]], bool]:
    """Return a function that checks that every part of a list fits."""
    return lambda parts: all(map(fits, parts))


def _parts(url: str) -> SplitResult:
    """Return the parts of a URL, whose port is a number. Raises ValueError."""
    parts = urlsplit(url)
    _ = parts.port
    return parts


def _check_database(url: str) -> str:
    if url.startswith(SQLITE):
        file, parameters, _ = url.removeprefix(SQLITE).partition("?")
        named = file not in {"", ":memory:"} and "%00" not in file
        _require(named, "must name a file: sqlite:///file.db, or sqlite:////absolute/file.db")
        _require(not parameters, "must end with the file's name: SQLite takes no parameters here")
    else:
        _require(url.startswith(POSTGRESQL), "must start with sqlite:/// or postgresql://")
        _check_postgresql(url)
        url = POSTGRESQL[0] + url.partition("://")[2]
    return url


def _check_postgresql(url: str) -> None:
    """Raise ValueError for an invalid URL, without its password, which urllib would repeat."""
    from gql_app.lib.database import SSL_MODES, options_of  # noqa: PLC0415 — an SQLite file needs no drivers

    try:
        parts = urlsplit(url)
    except ValueError:
        raise ValueError(_POSTGRESQL_URL) from None
    user, _, hosts = parts.netloc.rpartition("@")
    is_escaped = "@" not in user + parts.path + parts.fragment
    _require(is_escaped and all(map(_names_host, hosts.split(","))), _POSTGRESQL_URL)
    _require(
        parts.path.strip("/"), "must name a database: postgresql://user:password@host/database"
    )
    query = parse_qs(parts.query)
    for name, known in (("target_session_attrs", _SERVERS), ("sslmode", SSL_MODES)):
        valid = set(query.get(name, ())) <= set(known)
        _require(valid, f"{name} must be one of {', '.join(known)}")
    _require(
        "service" not in query or "sslmode" in query,
        "must say the sslmode as well, where it names a service",
    )
    options_of(url)


def _names_host(text: str) -> bool:
    found = _HOST.fullmatch(text)
    return found is not None and int(found["port"] or 0) <= MAX_PORT


def _port_of(value: object) -> object:
    """Return a port; USUAL_PORT for an address that Kubernetes sets for a service.

    A pod has GQL_APP_MANAGEMENT_PORT=tcp://10.0.0.1:80 if a service is called gql-app-management.
    """
    return USUAL_PORT if isinstance(value, str) and value.startswith(SERVICE_LINK) else value


def _check_secret(text: str) -> bytes:
    """Return the bytes of a secret as they are in the environment, which may not be UTF-8."""
    _require(text == text.strip(), BLANKS)
    secret, least = os.fsencode(text), MIN_SECRET_BYTES
    _require(len(secret) >= least, f"must be at least {least} bytes long, not {len(secret)}")
    return secret


def _check_documents(file: Path) -> Path:
    """Return a file that lists documents. Raises ValueError."""
    from gql_app.lib.graphql_http import read_manifest  # noqa: PLC0415 — few servers have such a file

    read_manifest(file)
    return file


def _is_mail_server(url: SecretStr) -> bool:
    parts = _parts(url.get_secret_value())
    is_escaped = "@" not in parts.path + parts.query + parts.fragment
    return parts.scheme in _MAIL_SCHEMES and bool(parts.hostname) and is_escaped


def _is_page(url: str) -> bool:
    parts = _parts(url)
    return parts.scheme in _DEFAULT_PORTS and bool(parts.hostname) and not parts.fragment


def _is_service(url: str) -> bool:
    """Return whether a path can be added to a URL that goes unchanged into requests and logs."""
    _, _, address = url.partition("://")
    in_ascii = url.isascii() and url.isprintable()
    return _is_page(url) and in_ascii and not {*" ?@#"} & {*address}


def _is_origin(text: str) -> bool:
    """Return whether an origin is spelt as browsers send it (RFC 6454 section 6.1)."""
    parts = _parts(text)
    return (
        parts.scheme not in _NO_ORIGINS
        and parts.port != _DEFAULT_PORTS.get(parts.scheme, 0)
        and _is_host(parts.netloc.removesuffix(f":{parts.port}"))
        and text == f"{parts.scheme}://{parts.netloc}"
    )


def _without_stars(origin: str) -> str:
    """Return one of the origins that an origin with a star stands for.

    A star is a label below a domain, or any port of this machine; others are left unchanged.
    """
    return _ANY_LABEL.sub(r"\1a.", _ANY_PORT.sub(r"\1", origin))


def _is_host(text: str) -> bool:
    """Return whether a host is spelt as clients do: in ASCII and lower case."""
    if text.startswith("["):
        return text == f"[{IPv6Address(text[1:-1])}]"
    return _HOST_NAME.fullmatch(text) is not None


Words = Annotated[str, StringConstraints(min_length=1, max_length=MAX_WORDS)]
Line = Annotated[Words, _must("must be one line of text that can be seen", str.isprintable)]
List = Annotated[tuple[str, ...], BeforeValidator(_split)]
Names = Annotated[
    List,
    _must(
        f"must be names of at most {MAX_WORDS} characters, comma-separated",
        _each(lambda name: 0 < len(name) <= MAX_WORDS),
    ),
]
Level = Annotated[
    Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"],
    BeforeValidator(lambda value: str(value).upper()),
]
Verification = Literal["off", "ask", "require"]
SecondFactorPolicy = Literal["off", "admins", "everyone"]
Positive = Annotated[int, Field(ge=1, le=MAX_NUMBER)]
Port = Annotated[int, BeforeValidator(_port_of), Field(ge=1, le=MAX_PORT)]
Natural = Annotated[int, Field(ge=0, le=MAX_NUMBER)]
Seconds = Annotated[int, Field(ge=1, le=MAX_SECONDS)]
Days = Annotated[int, Field(ge=0, le=36_500)]
DatabaseUrl = Annotated[str, AfterValidator(_check_database)]
SecretKey = Annotated[SecretBytes, BeforeValidator(_check_secret)]
MailUrl = Annotated[
    SecretStr,
    _must(
        f"must be smtp://, smtps://, smtp+starttls:// or smtp+cleartext:// and a host, {_ESCAPED}",
        _is_mail_server,
    ),
]
Sender = Annotated[
    str,
    _must(
        "must be an e-mail address, or a name and one: Name <name@example.com>",
        _SENDER.fullmatch,
    ),
]
Page = Annotated[str, _must("must be an http:// or https:// address without a fragment", _is_page)]
ServiceUrl = Annotated[
    str,
    _must(
        "must be an http:// or https:// address without a name, a password, a query or a fragment",
        _is_service,
    ),
]
Proxies = Annotated[
    str,
    _must(
        "must be addresses or networks, comma-separated, or *",
        lambda text: text == "*" or all(ip_network(part.strip()) for part in text.split(",")),
    ),
]
Folder = Annotated[Path, _must("must be a folder that this account can find", isdir)]
Documents = Annotated[Path, AfterValidator(_check_documents)]
Exceptions = Annotated[
    List,
    _must(
        "must be playground, introspection or both, comma-separated",
        _each(lambda name: name in {"playground", "introspection"}),
    ),
]
Origins = Annotated[
    List,
    _must(
        "must name every origin in full: * stands for one label (https://*.example.com) or for "
        "the port of this machine (http://localhost:*), and for nothing else",
        _each(lambda origin: "*" not in _without_stars(origin)),
    ),
    _must(
        "must be origins as browsers send them, comma-separated: https://app.example.com or "
        "capacitor://localhost, in small letters, without a path or a slash at the end, with a "
        "port only if it is not the scheme's own",
        _each(lambda origin: _is_origin(_without_stars(origin))),
    ),
]
PasskeyDomain = Annotated[
    str,
    _must(
        "must be a domain in small letters, such as example.com or localhost, without a port: "
        "passkeys are of no IP address",
        is_domain,
    ),
]
PasskeyOrigins = Annotated[
    List,
    _must(
        "must be origins as browsers send them, comma-separated: https:// and a domain, or "
        "http://localhost, with a port only if it is another: passkeys are of no IP address",
        _each(lambda origin: origin_of(origin) == origin),
    ),
]
HeaderNames = Annotated[
    List,
    _must(
        "must be names of headers, comma-separated: * stands for nothing here",
        _each(_HEADER_NAME.fullmatch),
    ),
]
Hosts = Annotated[
    List,
    _must(
        "must be host names without ports, comma-separated; *. stands for any below",
        _each(lambda host: _is_host(host.removeprefix("*."))),
    ),
]
Domains = Annotated[
    tuple[Annotated[str, StringConstraints(to_lower=True)], ...],
    BeforeValidator(_split),
    _must(
        "must be domains like local, test or home.arpa, comma-separated", _each(_DOMAIN.fullmatch)
    ),
]
Traces = Annotated[
    bool,
    _must(
        "needs what gql-app[otel] installs besides",
        lambda traces: not traces or find_spec("opentelemetry.exporter.otlp.proto.http"),
    ),
]
