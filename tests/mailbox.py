"""A real mail server for the tests, and the letters that it receives."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Arrived:
    """A received letter."""

    sender: str | None
    recipients: list[str]
    message: EmailMessage
    encrypted: bool

    @property
    def text(self) -> str:
        """The plain-text body."""
        return self._alternative("plain")

    @property
    def html(self) -> str:
        """The HTML body."""
        return self._alternative("html")

    def _alternative(self, form: str) -> str:
        part = self.message.get_body((form,))
        assert part is not None, f"There is no {form} in it"
        text: str = part.get_content()
        return text.replace("\r\n", "\n")


@dataclass(slots=True)
class Mailbox:
    """A mail server that accepts letters, or refuses them."""

    refusal: str | None = None
    """The reply that refuses letters; None to accept them."""
    refused_at: str = "RCPT"
    """The command with that reply: AUTH, MAIL, RCPT or DATA."""
    refused_name: str = ""
    """The recipient whose letters are refused; empty for all."""
    arrived: list[Arrived] = field(default_factory=list)
    logins: list[tuple[bytes, bytes]] = field(default_factory=list)
    refused: int = 0

    async def handle_MAIL(  # noqa: N802 — the hook's name and arguments
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Accept a sender, or refuse them."""
        if self.refusal and self.refused_at == "MAIL":
            self.refused += 1
            return self.refusal
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(  # noqa: N802 — the hook's name and arguments
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: object
    ) -> str:
        """Accept a recipient, or refuse them."""
        named = address.startswith(self.refused_name)
        if self.refusal and self.refused_at == "RCPT" and named:
            self.refused += 1
            return self.refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802 — the hook's name
        self, server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        """Store a letter, or refuse it."""
        if self.refusal and self.refused_at == "DATA":
            self.refused += 1
            return self.refusal
        assert isinstance(envelope.content, bytes)
        assert server.transport is not None
        message = message_from_bytes(envelope.content, policy=policy.default)
        encrypted = server.transport.get_extra_info("sslcontext") is not None
        self.arrived.append(
            Arrived(envelope.mail_from, list(envelope.rcpt_tos), message, encrypted)
        )
        return "250 OK"

    def authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _way: str, given: object
    ) -> AuthResult:
        """Accept or refuse all credentials, and record them."""
        assert isinstance(given, LoginPassword)
        if self.refusal and self.refused_at == "AUTH":
            self.refused += 1
            return AuthResult(success=False, handled=False, message=self.refusal)
        self.logins.append((given.login, given.password))
        return AuthResult(success=True)


def reserved_port() -> socket.socket:
    """Return a socket bound to a free port, which refuses connections until a server listens."""
    reserved = socket.socket()
    reserved.bind((HOST, 0))
    return reserved


def port_of(reserved: socket.socket) -> int:
    """Return the number of a reserved port."""
    port: int = reserved.getsockname()[1]
    return port


@asynccontextmanager
async def mail_server(
    mailbox: Mailbox,
    reserved: socket.socket | None = None,
    *,
    tls: ssl.SSLContext | None = None,
    at_once: bool = False,
    auth_in_clear: bool = False,
    utf8: bool = True,
) -> AsyncIterator[int]:
    """Serve a mailbox until the block ends, and yield the port.

    With `tls`, TLS begins by STARTTLS, or `at_once`.
    """
    loop = asyncio.get_running_loop()

    def session() -> SMTP:
        return SMTP(
            mailbox,
            enable_SMTPUTF8=utf8,
            tls_context=None if at_once else tls,
            authenticator=mailbox.authenticate,
            auth_require_tls=not (auth_in_clear or at_once),
            hostname="mail.example",
            loop=loop,
        )

    listening = reserved or reserved_port()
    port = port_of(listening)
    server = await loop.create_server(session, sock=listening, ssl=tls if at_once else None)
    async with server:
        yield port
