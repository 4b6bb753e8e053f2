"""Letters, and the ways they leave: by SMTP, to the log in the demo, or not at all."""

import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Final, Protocol
from urllib.parse import unquote, urlsplit

import structlog

from gql_app.settings import Settings

SEND_TIMEOUT: Final = 10
"""Seconds that a mail server has to take a letter."""

_log: Final = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Letter:
    """What is said to one person."""

    id: str
    recipient: str
    subject: str
    body: str


class Undeliverable(Exception):
    """The letter will never be taken; trying again is no use."""


class Mailer(Protocol):
    """A way for letters to leave."""

    @property
    def open(self) -> bool:
        """Whether letters get anywhere this way."""

    async def send(self, letter: Letter) -> None:
        """Send a letter. Raises Undeliverable; anything else is worth another try."""


class SmtpMailer:
    """Sends by SMTP (RFC 5321), with TLS at once, by STARTTLS (RFC 3207), or where offered.

    A password is never sent in clear: with one, `smtp://` insists on STARTTLS.
    """

    open = True

    def __init__(self, url: str, *, sender: str) -> None:
        parts = urlsplit(url)
        self._host = parts.hostname or ""
        self._port = parts.port
        self._username = unquote(parts.username) if parts.username else None
        self._password = unquote(parts.password) if parts.password else None
        self._tls_at_once = parts.scheme == "smtps"
        insists = parts.scheme == "smtp+starttls" or self._username is not None
        self._starttls = False if self._tls_at_once else insists or None
        self._sender = sender

    async def send(self, letter: Letter) -> None:
        """Hand the letter to the mail server."""
        import aiosmtplib  # noqa: PLC0415 — most processes of many send no letter

        try:
            await aiosmtplib.send(
                written(letter, sender=self._sender),
                hostname=self._host,
                port=self._port,
                username=self._username,
                password=self._password,
                use_tls=self._tls_at_once,
                start_tls=self._starttls,
                tls_context=ssl.create_default_context(),
                timeout=SEND_TIMEOUT,
            )
        except aiosmtplib.SMTPRecipientsRefused as error:
            if all(refused.code >= 500 for refused in error.recipients):  # noqa: PLR2004 — RFC 5321 section 4.2.1
                raise Undeliverable from None
            raise


class ConsoleMailer:
    """Writes letters to the log, links and all: for the demo only."""

    open = True

    async def send(self, letter: Letter) -> None:
        """Log the letter."""
        _log.info("Letter", to=letter.recipient, subject=letter.subject, body=letter.body)


class ClosedMailer:
    """Drops letters, for nobody has set up mail."""

    open = False

    async def send(self, letter: Letter) -> None:
        """Drop the letter, and say so without saying whose it was."""
        _log.debug("Mail is not set up; a letter was dropped", subject=letter.subject)


def mailer(settings: Settings) -> Mailer:
    """Choose how letters leave."""
    if settings.smtp_url is not None:
        return SmtpMailer(settings.smtp_url.get_secret_value(), sender=settings.mail_from)
    return ConsoleMailer() if settings.demo else ClosedMailer()


def written(letter: Letter, *, sender: str) -> EmailMessage:
    """Write a letter as a message (RFC 5322), whose headers no text can break out of."""
    message = EmailMessage()
    message["From"] = sender
    message["To"] = letter.recipient
    message["Subject"] = letter.subject
    message["Message-ID"] = f"<{letter.id}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(letter.body)
    return message
