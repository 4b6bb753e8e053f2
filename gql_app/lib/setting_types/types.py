"""Types of settings, checked as they are read; a fault never repeats the value."""

import os
import re
from importlib.util import find_spec
from ipaddress import IPv6Address, ip_network
from pathlib import Path
from typing import Annotated, Final, Literal
from urllib.parse import SplitResult, parse_qs, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, StringConstraints

from gql_app.lib.database import SSL_MODES

SQLITE: Final = "sqlite:///"
POSTGRESQL: Final = "postgresql://"
POSTGRESQL_URL: Final = (
    "must read postgresql://user:password@host:port/database, "
    "with every special character of the password written as %XX"
)
MAX_PORT: Final = 65_535
MIN_SECRET_BYTES: Final = 32
BLANKS: Final = (
    "begins or ends with a blank or a line break, which would be part of it; set it without"
)

_SERVERS: Final = {"any", "prefer-standby", "primary", "read-only", "read-write", "standby"}
"""Which of several servers will do."""
_HOST_NAME: Final = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?")
_DOMAIN: Final = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*")
_SENDER: Final = re.compile(
    r"[^\s@<>]+@[^\s@<>]+|[^\x00-\x1f\x7f-\x9f\u2028\u2029@<>]+ <[^\s@<>]+@[^\s@<>]+>"
)
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_HOST: Final = re.compile(r"([^:\[\]]*|\[[^\[\]]+\])(:(?P<port>[0-9]{1,5}))?")


def _known_database(url: str) -> str:
    if url.startswith(SQLITE):
        if url.removeprefix(SQLITE).partition("?")[0] in {"", ":memory:"}:
            message = "must name a file: sqlite:///file.db, or sqlite:////absolute/file.db"
            raise ValueError(message)
        if "?" in url:
            message = "must end with the file's name: SQLite takes no parameters here"
            raise ValueError(message)
    elif not url.startswith(POSTGRESQL):
        message = "must start with sqlite:/// or postgresql://"
        raise ValueError(message)
    else:
        _check_postgresql(url)
    return url


def _check_postgresql(url: str) -> None:
    """Raise ValueError for a URL of another form, without its password, which urllib repeats."""
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ValueError(POSTGRESQL_URL) from None
    hosts = parts.netloc.rpartition("@")[2].split(",")
    if not all(_names_host(host) for host in hosts):
        raise ValueError(POSTGRESQL_URL)
    if not parts.path.strip("/"):
        message = "must name a database: postgresql://user:password@host/database"
        raise ValueError(message)
    query = parse_qs(parts.query)
    for name, known in (("target_session_attrs", sorted(_SERVERS)), ("sslmode", SSL_MODES)):
        if not set(query.get(name, ())) <= set(known):
            message = f"{name} must be one of {', '.join(known)}"
            raise ValueError(message)
    if "service" in query and "sslmode" not in query:
        message = "must say the sslmode as well, where it names a service"
        raise ValueError(message)


def _names_host(text: str) -> bool:
    found = _HOST.fullmatch(text)
    return found is not None and int(found["port"] or 0) <= MAX_PORT


def _known_secret(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value()
    if text != text.strip():
        raise ValueError(BLANKS)
    size = len(very_bytes(secret))
    if size < MIN_SECRET_BYTES:
        message = f"must be at least {MIN_SECRET_BYTES} bytes long, not {size}"
        raise ValueError(message)
    return secret


def very_bytes(secret: SecretStr) -> bytes:
    """Return the bytes of a secret as they are in the environment.

    Python decodes the environment; a secret may be any bytes, not only UTF-8.
    """
    return os.fsencode(secret.get_secret_value())


def _taken_apart(url: str) -> SplitResult | None:
    """Return the parts of a URL, None if it is none: urllib's error would repeat the password."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts


def _known_mail(url: SecretStr) -> SecretStr:
    parts = _taken_apart(url.get_secret_value())
    schemes = {"smtp", "smtps", "smtp+starttls", "smtp+cleartext"}
    if parts is None or parts.scheme not in schemes or not parts.hostname:
        message = "must be smtp://, smtps://, smtp+starttls:// or smtp+cleartext:// and a host"
        raise ValueError(message)
    return url


def _known_sender(address: str) -> str:
    if not _SENDER.fullmatch(address):
        message = "must be an e-mail address, or a name and one: Name <name@example.com>"
        raise ValueError(message)
    return address


def _known_page(url: str) -> str:
    parts = _taken_apart(url)
    schemes = {"http", "https"}
    if parts is None or parts.scheme not in schemes or not parts.hostname or parts.fragment:
        message = "must be an http:// or https:// address without a fragment"
        raise ValueError(message)
    return url


def _known_proxies(proxies: str) -> str:
    """Return addresses and networks, or *. Raise ValueError for anything else."""
    try:
        if proxies != "*":
            _ = [ip_network(proxy.strip()) for proxy in proxies.split(",")]
    except ValueError:
        message = "must be addresses or networks, comma-separated, or *"
        raise ValueError(message) from None
    return proxies


def _known_folder(folder: Path) -> Path:
    if not folder.is_dir():
        message = "must be a folder that is there"
        raise ValueError(message)
    return folder


def _known_origins(origins: str) -> str:
    """Return origins as browsers send them (RFC 6454 section 6.1). Raise ValueError for others."""
    if "*" in origins:
        message = "must name every origin in full: * stands for nothing here"
        raise ValueError(message)
    for origin in map(str.strip, origins.split(",")):
        parts = _taken_apart(origin)
        if (
            parts is None
            or parts.scheme not in _DEFAULT_PORTS
            or not _is_host(parts.netloc.removesuffix(f":{parts.port}"))
            or parts.port == _DEFAULT_PORTS[parts.scheme]
            or origin != f"{parts.scheme}://{parts.netloc}"
        ):
            message = (
                "must be origins as browsers send them, comma-separated: "
                "https://app.example.com, in small letters, with a port only if it is another"
            )
            raise ValueError(message)
    return origins


def _known_hosts(hosts: str) -> str:
    for host in map(str.strip, hosts.split(",")):
        if not _is_host(host.removeprefix("*.")):
            message = "must be host names without ports, comma-separated; *. stands for any below"
            raise ValueError(message)
    return hosts


def _known_domains(domains: str) -> str:
    lowered = domains.lower()
    if not all(_DOMAIN.fullmatch(domain.strip()) for domain in lowered.split(",")):
        message = "must be domains like local, test or home.arpa, comma-separated"
        raise ValueError(message)
    return lowered


def _is_host(text: str) -> bool:
    """Return whether a host is spelt as clients do: in ASCII and small letters."""
    if not text.startswith("["):
        return _HOST_NAME.fullmatch(text) is not None
    try:
        return text == f"[{IPv6Address(text[1:-1])}]"
    except ValueError:
        return False


def _possible(traces: bool) -> bool:  # noqa: FBT001 — the setting's value
    if traces and not _installed("opentelemetry.exporter.otlp.proto.http"):
        message = "needs what gql-app[otel] installs besides"
        raise ValueError(message)
    return traces


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


Words = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Level = Annotated[
    Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"],
    BeforeValidator(lambda value: str(value).upper()),
]
Positive = Annotated[int, Field(ge=1)]
Port = Annotated[int, Field(ge=1, le=MAX_PORT)]
Natural = Annotated[int, Field(ge=0)]
Days = Annotated[int, Field(ge=0, le=36_500)]
DatabaseUrl = Annotated[str, AfterValidator(_known_database)]
SecretKey = Annotated[SecretStr, AfterValidator(_known_secret)]
Proxies = Annotated[str, AfterValidator(_known_proxies)]
MailUrl = Annotated[SecretStr, AfterValidator(_known_mail)]
Sender = Annotated[str, AfterValidator(_known_sender)]
Page = Annotated[str, AfterValidator(_known_page)]
Folder = Annotated[Path, AfterValidator(_known_folder)]
Origins = Annotated[str, AfterValidator(_known_origins)]
Traces = Annotated[bool, AfterValidator(_possible)]
Hosts = Annotated[str, AfterValidator(_known_hosts)]
Domains = Annotated[str, AfterValidator(_known_domains)]
