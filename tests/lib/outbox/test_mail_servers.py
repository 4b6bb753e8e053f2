"""Mail servers: when a letter is encrypted on its way there, and what a refusal means."""

import asyncio
import ssl
from contextlib import nullcontext
from pathlib import Path

import aiosmtplib
import pytest
import trustme
from aiosmtpd.smtp import SMTP, Envelope, Session

from gql_app.lib.outbox import SEND_TIMEOUT, Letter, Undeliverable, mailer
from gql_app.lib.outbox.mailer import SmtpMailer, Unencrypted
from tests.mailbox import HOST, Mailbox, mail_server

ELSEWHERE = "0.0.0.0"  # noqa: S104 — this machine as well, by an address that is not loopback
LETTER = Letter("1", "ada@example.com", "Hello", "Hello")


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Make an authority, and the key and certificate that it gives the loopback."""
    folder = tmp_path_factory.mktemp("certificate")
    file, key = folder / "authority.pem", folder / "key.pem"
    authority = trustme.CA()
    authority.cert_pem.write_to_path(file)
    authority.issue_cert(HOST, ELSEWHERE).private_key_and_cert_chain_pem.write_to_path(key)
    return file, key


@pytest.fixture
def tls(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    """Make what a server encrypts with."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate[1])
    return context


@pytest.fixture
def trusted(certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Trust the authority."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))


async def send(url: str) -> None:
    """Send a letter by SMTP."""
    await SmtpMailer(url, sender="no-reply@shop.example").send(LETTER)


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize(
    ("scheme", "offered", "encrypted"),
    [
        ("smtp", False, False),
        ("smtp", True, True),
        ("smtp+starttls", True, True),
        ("smtp://ada:secret@", True, True),
    ],
)
async def test_starttls_is_used_where_it_is_offered(
    tls: ssl.SSLContext, scheme: str, *, offered: bool, encrypted: bool
) -> None:
    mailbox = Mailbox()
    url = scheme if "@" in scheme else f"{scheme}://"
    async with mail_server(mailbox, tls=tls if offered else None) as port:
        await send(f"{url}{HOST}:{port}")
    assert [arrived.encrypted for arrived in mailbox.arrived] == [encrypted]


@pytest.mark.parametrize("host", [HOST, "localhost"])
@pytest.mark.parametrize("user", ["", "ada:secret@"])
@pytest.mark.parametrize("offered", [False, True])
async def test_smtp_to_this_machine_takes_any_certificate_or_none(
    tls: ssl.SSLContext, host: str, user: str, *, offered: bool
) -> None:
    mailbox = Mailbox()
    async with mail_server(mailbox, tls=tls if offered else None, auth_in_clear=True) as port:
        await send(f"smtp://{user}{host}:{port}")
    assert [arrived.encrypted for arrived in mailbox.arrived] == [offered]
    assert mailbox.logins == [(b"ada", b"secret")] * bool(user)


@pytest.mark.parametrize("url", ["smtp+starttls://", "smtp+starttls://ada:secret@"])
async def test_server_without_starttls_is_refused_where_it_is_needed(url: str) -> None:
    mailbox = Mailbox()
    async with mail_server(mailbox, auth_in_clear=True) as port:
        with pytest.raises(Unencrypted, match=r"STARTTLS$"):
            await send(f"{url}{HOST}:{port}")
    assert (mailbox.arrived, mailbox.logins) == ([], [])


@pytest.mark.parametrize(
    ("url", "remedy"),
    [
        ("smtp://", r"smtp\+cleartext://"),
        ("smtp+starttls://", "STARTTLS$"),
        ("smtp://ada:secret@", r"smtp\+cleartext://"),
        ("smtp://ada@", r"smtp\+cleartext://"),
    ],
)
async def test_nothing_leaves_this_machine_in_the_clear_by_accident(url: str, remedy: str) -> None:
    mailbox = Mailbox()
    async with mail_server(mailbox, auth_in_clear=True) as port:
        with pytest.raises(Unencrypted, match=remedy):
            await send(f"{url}{ELSEWHERE}:{port}")
    assert (mailbox.arrived, mailbox.logins) == ([], [])


@pytest.mark.usefixtures("trusted")
async def test_beyond_loopback_starttls_is_used_and_certificates_are_verified(
    tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    mailbox = Mailbox()
    async with mail_server(mailbox, tls=tls) as port:
        await send(f"smtp://{ELSEWHERE}:{port}")
        monkeypatch.delenv("SSL_CERT_FILE")
        with pytest.raises((aiosmtplib.SMTPException, ssl.SSLError)):
            await send(f"smtp://{ELSEWHERE}:{port}")
    assert [arrived.encrypted for arrived in mailbox.arrived] == [True]


@pytest.mark.parametrize("host", [HOST, ELSEWHERE])
@pytest.mark.parametrize("offered", [False, True])
async def test_cleartext_is_what_the_url_says(
    tls: ssl.SSLContext, host: str, *, offered: bool
) -> None:
    mailbox = Mailbox()
    async with mail_server(mailbox, tls=tls if offered else None, auth_in_clear=True) as port:
        await send(f"smtp+cleartext://ada:secret@{host}:{port}")
    assert [arrived.encrypted for arrived in mailbox.arrived] == [False]
    assert mailbox.logins == [(b"ada", b"secret")]


@pytest.mark.usefixtures("trusted")
async def test_smtps_is_encrypted_from_the_start(tls: ssl.SSLContext) -> None:
    mailbox = Mailbox()
    async with mail_server(mailbox, tls=tls, at_once=True) as port:
        await send(f"smtps://{HOST}:{port}")
    assert [arrived.encrypted for arrived in mailbox.arrived] == [True]


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("scheme", ["smtp", "smtp+starttls", "smtps"])
@pytest.mark.parametrize(
    ("user", "password"),
    [("ada%40example.com:p%3Aw%2Fd%25%C3%A9", "p:w/d%é"), ("ada@example.com:p@:w%2Fd", "p@:w/d")],
)
async def test_user_and_password_are_sent_as_they_were_before_the_url(
    tls: ssl.SSLContext, scheme: str, user: str, password: str
) -> None:
    mailbox = Mailbox()
    async with mail_server(mailbox, tls=tls, at_once=scheme == "smtps") as port:
        await send(f"{scheme}://{user}@{HOST}:{port}")
    assert mailbox.logins == [(b"ada@example.com", password.encode())]
    assert [arrived.encrypted for arrived in mailbox.arrived] == [True]


@pytest.mark.parametrize(
    ("scheme", "host"), [("smtp", ELSEWHERE), ("smtp+starttls", HOST), ("smtps", HOST)]
)
async def test_certificate_that_nobody_vouches_for_is_refused(
    tls: ssl.SSLContext, scheme: str, host: str
) -> None:
    mailbox = Mailbox()
    async with mail_server(mailbox, tls=tls, at_once=scheme == "smtps") as port:
        with pytest.raises((aiosmtplib.SMTPException, ssl.SSLError)):
            await send(f"{scheme}://ada:secret@{host}:{port}")
    assert (mailbox.arrived, mailbox.logins) == ([], [])


@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize("refusal", ["550 No such user", "553 Not here", "552 Full", "500 What?"])
async def test_letter_refused_for_good_is_undeliverable(command: str, refusal: str) -> None:
    mailbox = Mailbox(refusal, refused_at=command)
    async with mail_server(mailbox) as port:
        with pytest.raises(Undeliverable, match=refusal[:3]):
            await send(f"smtp://{HOST}:{port}")
    assert (mailbox.refused, mailbox.arrived) == (1, [])


class Silent(Mailbox):
    """A mail server that does not answer QUIT."""

    def __init__(self, refusal: str | None) -> None:
        super().__init__(refusal)
        self.left = asyncio.Event()
        """Set once QUIT has come."""

    async def handle_QUIT(  # noqa: N802 — the hook's name
        self, _server: SMTP, _session: Session, _envelope: Envelope
    ) -> str:
        """Note the command, and wait until the connection is lost."""
        self.left.set()
        return await asyncio.Future[str]()


@pytest.mark.parametrize("refusal", [None, "550 No such user"])
async def test_answer_to_a_letter_counts_also_without_one_to_quit(refusal: str | None) -> None:
    mailbox = Silent(refusal)
    async with mail_server(mailbox) as port, asyncio.timeout(SEND_TIMEOUT):
        with pytest.raises(Undeliverable) if refusal else nullcontext():
            await send(f"smtp://{HOST}:{port}")
        await mailbox.left.wait()
    assert len(mailbox.arrived) == (refusal is None)


@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA"])
async def test_cancelled_letter_waits_for_no_server_that_is_silent(command: str) -> None:
    mailbox = Silent(None)
    arrived = asyncio.Event()

    async def stall(*_: object) -> str:
        arrived.set()
        return await asyncio.Future[str]()

    setattr(mailbox, f"handle_{command}", stall)
    async with mail_server(mailbox) as port, asyncio.timeout(SEND_TIMEOUT):
        sending = asyncio.create_task(send(f"smtp://{HOST}:{port}"))
        await arrived.wait()
        sending.cancel()
        await asyncio.wait({sending})
    assert sending.cancelled()


@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize("refusal", ["450 Busy", "421 Shutting down", "499 Later", "530 Sign in"])
async def test_letter_refused_for_now_is_worth_another_try(command: str, refusal: str) -> None:
    mailbox = Mailbox(refusal, refused_at=command)
    async with mail_server(mailbox) as port:
        with pytest.raises(aiosmtplib.SMTPException) as refused:
            await send(f"smtp://{HOST}:{port}")
    assert not isinstance(refused.value, Undeliverable)
    assert mailbox.refused == 1


@pytest.mark.parametrize("command", ["AUTH", "MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        ("451 4.7.1 Greylisted: ada@example.com", "451 4.7.1"),
        ("550 5.1.1\x1b[2J ada@example.com", "550"),
        ("550 5.1.1 <ada@example.com>: no such user", "550 5.1.1"),
        ("450 4.2.1-ada@example.com is full", "450"),
        ("452 Full", "452"),
        ("535 5.7.8", "535 5.7.8"),
    ],
)
async def test_cause_is_the_codes_of_the_answer_without_its_text(
    command: str, answer: str, cause: str
) -> None:
    async with mail_server(Mailbox(answer, refused_at=command), auth_in_clear=True) as port:
        with pytest.raises((aiosmtplib.SMTPException, Undeliverable)) as failed:
            await send(f"smtp://{'ada:secret@' * (command == 'AUTH')}{HOST}:{port}")
    assert mailer.cause_of(failed.value) == cause


async def test_refusal_of_the_sign_in_is_of_no_letter() -> None:
    mailbox = Mailbox("535 Wrong password", refused_at="AUTH")
    async with mail_server(mailbox, auth_in_clear=True) as port:
        with pytest.raises(aiosmtplib.SMTPAuthenticationError):
            await send(f"smtp+cleartext://ada:secret@{HOST}:{port}")
    assert (mailbox.refused > 0, mailbox.arrived) == (True, [])


@pytest.mark.parametrize(
    ("greeting", "cause"),
    [
        (b"554 5.7.1 Not you\r\n", "554 5.7.1"),
        (b"421 Later\r\n", "421"),
        (b"", "SMTPConnectError"),
        (b"-1 5.7.1 Hi\r\n", "SMTPConnectResponseError"),
    ],
)
async def test_connection_that_fails_is_worth_another_try(greeting: bytes, cause: str) -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        writer.close()

    server = await asyncio.start_server(answer, HOST, 0)
    async with server:
        with pytest.raises(aiosmtplib.SMTPException) as failed:
            await send(f"smtp://{HOST}:{server.sockets[0].getsockname()[1]}")
    assert not isinstance(failed.value, Undeliverable)
    assert mailer.cause_of(failed.value) == cause


@pytest.mark.parametrize(
    ("url", "port"),
    [
        ("smtp://mailer.example", 25),
        ("smtp+cleartext://mailer.example", 25),
        ("smtp://ada:secret@mailer.example", 587),
        ("smtp+starttls://mailer.example", 587),
        ("smtps://mailer.example", 465),
        ("smtps://ada:secret@mailer.example", 465),
        ("smtps://mailer.example:2525", 2525),
    ],
)
def test_port_is_the_usual_one_unless_the_url_names_it(url: str, port: int) -> None:
    assert mailer.port_of(url) == port
