"""A real mail server for the tests, and what arrived there."""

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
    """A letter as it arrived."""

    sender: str | None
    recipients: list[str]
    message: EmailMessage
    encrypted: bool

    @property
    def text(self) -> str:
        """What it says."""
        return self._alternative("plain")

    @property
    def html(self) -> str:
        """What it says in HTML."""
        return self._alternative("html")

    def _alternative(self, form: str) -> str:
        part = self.message.get_body((form,))
        assert part is not None, f"There is no {form} in it"
        text: str = part.get_content()
        return text.replace("\r\n", "\n")


@dataclass(slots=True)
class Mailbox:
    """Takes letters, or refuses them."""

    refusal: str | None = None
    """What is answered where letters are refused, if not that it is fine."""
    refused_at: str = "RCPT"
    """The command that is answered so: AUTH, MAIL, RCPT or DATA."""
    refused_name: str = ""
    """Whom the refusal is for; everybody, if not said."""
    arrived: list[Arrived] = field(default_factory=list)
    logins: list[tuple[bytes, bytes]] = field(default_factory=list)
    refused: int = 0

    async def handle_MAIL(  # noqa: N802 — the hook's name and arguments
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take a sender, or refuse them."""
        if self.refusal and self.refused_at == "MAIL":
            self.refused += 1
            return self.refusal
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(  # noqa: N802 — the hook's name and arguments
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: object
    ) -> str:
        """Take a recipient, or refuse them."""
        named = address.startswith(self.refused_name)
        if self.refusal and self.refused_at == "RCPT" and named:
            self.refused += 1
            return self.refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802 — the hook's name
        self, server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        """Keep a letter, or refuse it."""
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
        """Let everybody in, or nobody, and note who it was."""
        assert isinstance(given, LoginPassword)
        if self.refusal and self.refused_at == "AUTH":
            self.refused += 1
            return AuthResult(success=False, handled=False, message=self.refusal)
        self.logins.append((given.login, given.password))
        return AuthResult(success=True)


def reserved_port() -> socket.socket:
    """Reserve a port at which nobody answers until a server listens there."""
    reserved = socket.socket()
    reserved.bind((HOST, 0))
    return reserved


def port_of(reserved: socket.socket) -> int:
    """Return a reserved port's number."""
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
    """Serve a mailbox for as long as the block lasts, and tell at which port.

    With TLS, it is offered by STARTTLS if not spoken at once.
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
