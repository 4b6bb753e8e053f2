"""Letters, and the ways to send them: by SMTP, to the log in the demo, or not at all."""

import re
import ssl
from collections.abc import Callable
from contextlib import AbstractContextManager, closing, suppress
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from typing import Final, Protocol
from urllib.parse import unquote, urlsplit

from gql_app.lib import clock
from gql_app.lib.network import is_loopback
from gql_app.lib.telemetry import get_logger
from gql_app.lib.text import ENCODED_WORD, a_label

SEND_TIMEOUT: Final = 10
"""Seconds that a mail server has to accept a letter."""

_PERMANENT: Final = 500
"""The least code of a permanent failure, which is not retried (RFC 5321 section 4.2.1)."""
_SESSION_CODES: Final = frozenset({530, 534, 535, 538})
"""Codes that refuse the session, not the letter: it lacks TLS or a sign-in (RFC 3207, RFC 4954)."""
_CODES: Final = re.compile(r"[0-9]{3}( [245]\.[0-9]{1,3}\.[0-9]{1,3}(?!\S))?")
"""The code of an answer, and the enhanced status code that its text may begin with (RFC 3463)."""
_GO_WITHOUT: Final = "; a URL with smtp+cleartext:// sends without"
_log: Final = get_logger(__name__)


@dataclass(frozen=True, slots=True, repr=False)
class Letter:
    """A letter to one recipient, whose link no log holds."""

    id: str
    recipient: str
    subject: str
    body: str
    html: str | None = None
    """The body in HTML, if there is one."""
    language: str | None = None
    """The language tag (BCP 47), if known."""
    kind: str = ""
    """The kind of the letter that was written, by which it is limited."""

    def __post_init__(self) -> None:
        """Raise TypeError or ValueError for a text that can't be sent."""
        for text in (self.subject, self.body):
            str.encode(text)
        if len(self.subject.splitlines()) > 1:
            message = "The subject of a letter must be one line"
            raise ValueError(message)


class Undeliverable(Exception):
    """The letter will never be accepted; a retry is useless."""

    def __init__(self, why: str, reply: str = "") -> None:
        super().__init__(why)
        self.reply: Final = reply
        """The mail server's answer, which may name the recipient; empty if it gave none."""


class Unencrypted(Exception):
    """The mail server offers no TLS, which is required."""

    def __init__(self, remedy: str = "") -> None:
        super().__init__(f"the mail server offers no STARTTLS{remedy}")


class Mailer(Protocol):
    """Sends letters."""

    open: bool
    """Whether letters are sent at all."""

    async def send(self, letter: Letter) -> None:
        """Send a letter. Raises Undeliverable; after any other error a retry may succeed."""


class ObservedMailer:
    """A mailer that sends each letter within a context manager, made for the letter's id."""

    def __init__(
        self, mailer: Mailer, observe: Callable[[str], AbstractContextManager[None]]
    ) -> None:
        self.open = mailer.open
        self._mailer = mailer
        self._observe = observe

    async def send(self, letter: Letter) -> None:
        """Send a letter. Raises Undeliverable; after any other error a retry may succeed."""
        with self._observe(letter.id):
            await self._mailer.send(letter)


class SmtpMailer:
    """Sends by SMTP (RFC 5321), over implicit TLS or STARTTLS (RFC 3207).

    TLS with a trusted certificate is required, unless the URL says smtp+cleartext://, or smtp://
    and a host of this machine: what is sent there does not leave it.
    """

    open = True

    def __init__(self, url: str, *, sender: str, reply_to: str | None = None) -> None:
        parts = urlsplit(url)
        self._scheme = parts.scheme
        self._host = parts.hostname or ""
        self._username = unquote(parts.username) if parts.username else None
        self._password = unquote(parts.password) if parts.password else ""
        stays_here = parts.scheme == "smtp" and is_loopback(self._host)
        self._insists_on_tls = parts.scheme != "smtp+cleartext" and not stays_here
        self._port = port_of(url)
        self._sender = sender
        self._reply_to = reply_to

    async def send(self, letter: Letter) -> None:
        """Send the letter to the mail server.

        Raises Unencrypted if TLS is required and not offered, Undeliverable if the recipient can't
        be written or the server refuses this letter for good, and any other error of the
        connection or the sign-in.
        """
        import aiosmtplib  # noqa: PLC0415 — most processes send no letter

        recipient = ascii_domain(letter.recipient)
        if ENCODED_WORD in recipient:
            why = "its recipient would be read as another one in a header"
            raise Undeliverable(why)
        tls = ssl.create_default_context()
        if not self._insists_on_tls:
            tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
        client = aiosmtplib.SMTP(
            hostname=self._host,
            port=self._port,
            use_tls=self._scheme == "smtps",
            start_tls=False if self._scheme == "smtp+cleartext" else None,  # if it is offered
            tls_context=tls,
            timeout=SEND_TIMEOUT,
        )
        await client.connect()
        try:
            if self._insists_on_tls and client.get_transport_info("sslcontext") is None:
                raise Unencrypted(_GO_WITHOUT if self._scheme == "smtp" else "")
            if self._username is not None:
                await client.login(self._username, self._password)
            try:
                await client.send_message(
                    message(letter, sender=self._sender, reply_to=self._reply_to),
                    sender=_split(self._sender)[1],
                    recipients=[recipient],
                )
            except aiosmtplib.SMTPNotSupported:
                why = "the mail server takes no address beyond ASCII"
                raise Undeliverable(why) from None
            except (
                aiosmtplib.SMTPRecipientsRefused,
                aiosmtplib.SMTPSenderRefused,
                aiosmtplib.SMTPDataError,
            ) as refused:
                answer = answer_of(refused)
                code = int(answer.partition(" ")[0])
                if code < _PERMANENT or code in _SESSION_CODES:
                    raise
                raise Undeliverable(cause_of(refused), answer) from None
        finally:
            # Its answer is not waited for: the letter would count as not sent for want of it.
            with closing(client), suppress(aiosmtplib.SMTPException):
                await client.quit(timeout=0)


class ConsoleMailer:
    """Writes letters to the log, including their links: for the demo only."""

    open = True

    async def send(self, letter: Letter) -> None:
        """Log the letter."""
        _log.info("Letter", to=letter.recipient, subject=letter.subject, body=letter.body)


class ClosedMailer:
    """Drops letters: mail is not set up."""

    open = False

    async def send(self, letter: Letter) -> None:
        """Drop the letter, and log that without its recipient."""
        _log.debug("Mail is not set up; a letter was dropped", subject=letter.subject)


def answer_of(error: Exception) -> str:
    """Return the code and the text of a mail server's answer, empty if the error is none."""
    import aiosmtplib  # noqa: PLC0415 — as above

    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        error = error.recipients[0]
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return f"{error.code} {error.message}"
    return ""


def cause_of(error: Exception) -> str:
    """Return why a letter was not sent: by the codes of the mail server's answer, if it gave one.

    Its text is left out, because it may name the recipient.
    """
    if isinstance(error, Undeliverable | Unencrypted):
        return str(error)
    codes = _CODES.match(answer_of(error))
    return codes[0] if codes else type(error).__name__


def clear_text(url: str) -> bool:
    """Return whether letters leave this machine without TLS, because the URL says so."""
    parts = urlsplit(url)
    return parts.scheme == "smtp+cleartext" and not is_loopback(parts.hostname or "")


def message(letter: Letter, *, sender: str, reply_to: str | None = None) -> EmailMessage:
    """Return a letter as a message (RFC 5322), multipart/alternative if it has HTML (RFC 2046).

    Raises ValueError if a header has a line break.
    """
    written = EmailMessage()
    _, address = _split(sender)
    written["From"] = _shown(sender)
    if reply_to:
        written["Reply-To"] = _shown(reply_to)
    written["To"] = ascii_domain(letter.recipient)
    written["Subject"] = letter.subject.replace(ENCODED_WORD, "= ?")  # or its text is decoded
    written["Date"] = clock.now()
    written["Message-ID"] = f"<{letter.id}@{address.rpartition('@')[2]}>"
    written["Auto-Submitted"] = "auto-generated"
    written.set_content(letter.body)
    if letter.html:
        written.add_alternative(letter.html, subtype="html")
    if letter.language:
        written["Content-Language"] = letter.language
    return written


def ascii_domain(address: str) -> str:
    """Return an address with its domain as A-labels, which every server accepts."""
    local, _, domain = address.rpartition("@")
    return f"{local}@{a_label(domain)}"


def _shown(sender: str) -> Address | str:
    """Return a sender as the value of a header."""
    name, address = _split(sender)
    return Address(name, addr_spec=address) if name else address


def _split(sender: str) -> tuple[str, str]:
    """Return the name and the address of `Name <address>`; an address alone has no name."""
    name, _, address = sender.rpartition("<")
    return name.strip().strip('"'), ascii_domain(address.removesuffix(">"))


def port_of(url: str) -> int:
    """Return the port of a mail server's URL: by default submission's with a sign-in (RFC 6409)."""
    parts = urlsplit(url)
    if parts.port:
        return parts.port
    if parts.scheme == "smtps":
        return 465
    return 587 if parts.username or parts.scheme == "smtp+starttls" else 25
