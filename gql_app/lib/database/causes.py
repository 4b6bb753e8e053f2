"""Causes: why a database can't be used and how to mend it, in words for its operator."""

import os
import re
import socket
import sqlite3
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit

import asyncpg

from gql_app.lib.database.errors import primary_code
from gql_app.lib.database.sqlite import sqlite_file, unwritable
from gql_app.lib.database.urls import tls_advice
from gql_app.lib.faults import StatementError, root_of, sentence

_BY_SQLSTATE: Final[Mapping[str, str]] = {
    "28P01": "Look at the URL's name and password.",
    "28000": "Look at the URL's name, and at the server's pg_hba.conf.",
    "3D000": "Create it, or look at the URL's last part.",
    "42501": "Grant it, for example: GRANT CREATE ON SCHEMA public TO the URL's name.",
    "42704": "Look at the URL's parameters: the driver sends on what it does not know.",
    "53300": "Raise max_connections there, or lower GQL_APP_DATABASE_CONNECTIONS here.",
    "57P03": "It starts or stops: try again shortly.",
}
"""How to mend an error of PostgreSQL's, by its SQLSTATE (PostgreSQL, appendix A)."""
_OF_STATEMENT: Final = "Correct the statement, or restore a backup."
PRIVILEGES: Final = ("SELECT", "INSERT", "UPDATE", "DELETE")
"""What the program does with its tables."""
GRANT_TABLES: Final = (
    f"GRANT {', '.join(PRIVILEGES)} ON ALL TABLES IN SCHEMA public TO the URL's name."
)
_STATEMENT_CLASSES: Final = frozenset({"0A", "22", "23", "42"})
"""The classes of SQLSTATEs that a statement is at fault for, unless _BY_SQLSTATE has them."""
_STATEMENT_CODES: Final = frozenset(
    {sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH}
)
"""SQLite's result codes that a statement is at fault for."""
_PARAMETER_CODES: Final = frozenset({"22023", "42704"})
"""The SQLSTATEs of a parameter, or a parameter's value, that the server does not know."""
_TLS_FILE: Final = re.compile(r"[?&]ssl(rootcert|cert|key|crl)=(?!system)")
_UNREADABLE: Final = frozenset(
    {"NO_CERTIFICATE_OR_CRL_FOUND", "PEM", "PEM_LIB", "KEY_VALUES_MISMATCH"}
)
"""OpenSSL's reasons for refusing a file: it holds no certificate, or no key that fits it."""
_VALIDITY_CODES: Final = frozenset({9, 10})
"""OpenSSL's codes of a certificate that is not valid yet, or has expired (X509_V_ERR)."""

_BY_KIND: Final = (
    (
        (ConnectionRefusedError, FileNotFoundError),
        "Nobody listens at {}.",
        "See that it runs, and look at the port.",
    ),
    (socket.gaierror, "No host is called {}.", "Look at the URL's host, and at the DNS."),
    (TimeoutError, "{} does not answer.", "Look at the network, and at firewalls."),
)
"""Why no connection is made, and how to mend it, by the system's exception."""


class Cause(NamedTuple):
    """Why a database can't be used, and how to mend it; neither text holds a password."""

    problem: str
    remedy: str
    is_lasting: bool = False
    """Whether the URL or a file on this machine is at fault, so that waiting does not help."""

    def __str__(self) -> str:
        """Return both texts in a line."""
        return f"{self.problem} {self.remedy}"


IN_RECOVERY: Final = Cause(
    "PostgreSQL is a standby here, which takes no changes.",
    "Name the primary, or all servers with target_session_attrs=primary.",
)
READ_ONLY: Final = Cause(
    "PostgreSQL is read-only: default_transaction_read_only is on.",
    "Turn it off for the server, the database and the role.",
)


def cause_of(error: BaseException, url: str) -> Cause:
    """Return why the database of a URL can't be used, given the error."""
    error = root_of(error)
    if url.startswith("sqlite:"):
        file = sqlite_file(url)
        return _of_place(file) or _of_file(error, file)
    if isinstance(error, asyncpg.PostgresError):
        return _of_server(error)
    if isinstance(error, StatementError):
        forbidden = asyncpg.InsufficientPrivilegeError.__name__ in str(error)
        mend = GRANT_TABLES if forbidden else "Look at the server's log."
        return Cause(sentence(f"PostgreSQL refuses a statement: {error}"), mend)
    return _of_network(error, url)


def _of_place(file: Path) -> Cause | None:
    """Return why there can be no SQLite file at a place, None if there can."""
    if not _is_folder(file.absolute().parent):
        mend = "Make it, or look at the URL."
        return Cause(f"There is no folder {file.parent}.", mend, is_lasting=True)
    if _is_folder(file):
        return Cause(f"{file} is a folder.", "Name a file in it.", is_lasting=True)
    return None


def _is_folder(place: Path) -> bool:
    """Return whether this account finds a folder."""
    return os.path.isdir(place)  # noqa: PTH112 — Path.is_dir() raises PermissionError


def _of_file(error: BaseException, file: Path) -> Cause:
    """Return why an SQLite file can't be used."""
    code = primary_code(error) if isinstance(error, sqlite3.Error) else 0
    if isinstance(error, StatementError) and "not a database" not in str(error):
        return Cause(f"SQLite refuses a statement: {error}.", "Restore a backup.", is_lasting=True)
    if code == sqlite3.SQLITE_NOTADB or isinstance(error, StatementError):
        mend = "Name another file, or restore a backup."
        return Cause(f"{file} is no SQLite database.", mend, is_lasting=True)
    if code in {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY}:
        return unwritable_cause(unwritable(file) or file)
    if code in _STATEMENT_CODES:
        return Cause(sentence(f"SQLite refuses a statement: {_words(error)}"), _OF_STATEMENT)
    problem = sentence(f"{file} can't be used: {_words(error)}")
    return Cause(problem, "Look at the disk.", is_lasting=True)


def unwritable_cause(place: Path) -> Cause:
    """Return why an SQLite file can't be used, given what can't be written."""
    mend = "Let this account read and write the file, its -wal and -shm, and their folder."
    return Cause(f"{place} can't be opened for writing.", mend, is_lasting=True)


def _of_server(error: asyncpg.PostgresError) -> Cause:
    """Return why PostgreSQL refuses, by its own message, which holds names and no password."""
    code = error.sqlstate or ""
    is_refused = code[:2] in _STATEMENT_CLASSES and code not in _PARAMETER_CODES
    otherwise = _OF_STATEMENT if is_refused else "Look at the server's log."
    remedy = _BY_SQLSTATE.get(code, otherwise)
    problem = sentence(f"PostgreSQL says: {error.args[0]}")
    return Cause(problem, remedy, is_lasting=code in _PARAMETER_CODES)


def _of_network(error: BaseException, url: str) -> Cause:
    """Return why PostgreSQL can't be reached, or why the handshake fails."""
    hosts = urlsplit(url).netloc.rpartition("@")[2] or "the local socket"
    if isinstance(error, ssl.SSLCertVerificationError):
        why = error.verify_message
        problem = sentence(f"The certificate of {hosts} is not to be trusted: {why}")
        remedy = "Name its authority by sslrootcert=FILE, or the host that it is of."
        return Cause(problem, remedy, is_lasting=error.verify_code not in _VALIDITY_CODES)
    if isinstance(error, asyncpg.ClientConfigurationError):
        problem = sentence(f"The URL can't be used: {error.args[0]}")
        return Cause(problem, "Look at its parameters.", is_lasting=True)
    if isinstance(error, FileNotFoundError) and "sslrootcert" in url:
        mend = "Name one of certificates (PEM)."
        return Cause("The file of sslrootcert is not there.", mend, is_lasting=True)
    if _TLS_FILE.search(url) and _is_of_file(error):
        problem = sentence(f"A file that the URL names can't be used: {_words(error)}")
        mend = "Look at sslrootcert, sslcert, sslkey and sslcrl."
        return Cause(problem, mend, is_lasting=True)
    for kinds, problem, remedy in _BY_KIND:
        if isinstance(error, kinds):
            return Cause(problem.format(hosts), remedy)
    remedy = tls_advice(url).strip() or "See that it runs, and look at its log."
    return Cause(sentence(f"The connection to {hosts} failed: {_words(error)}"), remedy)


def _is_of_file(error: BaseException) -> bool:
    """Return whether the error is about a file of certificates, or of a key."""
    if isinstance(error, ssl.SSLError):
        return error.reason in _UNREADABLE
    return isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError)


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
