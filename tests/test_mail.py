"""Letters on their way: what arrives, when it is encrypted, and what is refused."""

import ssl
from pathlib import Path

import aiosmtplib
import pytest
import structlog
import trustme
from structlog.testing import capture_logs

from gql_app import mail
from gql_app.accounts import checks
from gql_app.errors import Rejected, UserErrorCode
from gql_app.mail import ClosedMailer, ConsoleMailer, Letter, SmtpMailer, Undeliverable
from gql_app.settings import Settings
from tests.mailbox import HOST, Mailbox, mail_server
from tests.people import PASSWORD

SENDER = "no-reply@shop.example"
LETTER = Letter(
    id="01890000-0000-7000-8000-000000000001",
    recipient="ada@example.com",
    subject="Passwort geändert 🔑",
    body="Hallo Ada Müller 🦊,\n\n.\nGrüße aus 東京.\n",
)
CONTROLS = ("\r\n", "\n", "\r", "\0", "\v", "\f", "\x1c", "\x85")


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Make an authority, and the key and certificate that it gives the loopback."""
    folder = tmp_path_factory.mktemp("certificate")
    file, key = folder / "authority.pem", folder / "key.pem"
    authority = trustme.CA()
    authority.cert_pem.write_to_path(file)
    authority.issue_cert(HOST).private_key_and_cert_chain_pem.write_to_path(key)
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


async def send(url: str, letter: Letter = LETTER) -> None:
    """Send a letter by SMTP."""
    await SmtpMailer(url, sender=SENDER).send(letter)


async def test_letter_arrives_with_its_headers_and_text_intact() -> None:
    mailbox = Mailbox()
    async with mail_server(mailbox) as port:
        await send(f"smtp://{HOST}:{port}")
    (arrived,) = mailbox.arrived
    assert (arrived.sender, arrived.recipients) == (SENDER, ["ada@example.com"])
    assert {name: arrived.message[name] for name in ("From", "To", "Subject")} == {
        "From": SENDER,
        "To": "ada@example.com",
        "Subject": "Passwort geändert 🔑",
    }
    assert arrived.message["Message-ID"] == f"<{LETTER.id}@shop.example>"
    assert arrived.message["Auto-Submitted"] == "auto-generated"
    assert arrived.text == LETTER.body


async def test_address_beyond_ascii_arrives_as_it_is_written() -> None:
    mailbox = Mailbox()
    recipient = "grüße@bücher.example"
    async with mail_server(mailbox) as port:
        await send(f"smtp://{HOST}:{port}", Letter("1", recipient, "Hello", "Hello"))
    (arrived,) = mailbox.arrived
    assert arrived.recipients == [recipient]
    assert arrived.message["To"] == recipient


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


@pytest.mark.parametrize("url", ["smtp+starttls://", "smtp://ada:secret@", "smtp://ada@"])
async def test_server_without_starttls_is_refused_where_it_is_needed(url: str) -> None:
    mailbox = Mailbox()
    async with mail_server(mailbox, auth_in_clear=True) as port:
        with pytest.raises(aiosmtplib.SMTPException, match="STARTTLS"):
            await send(f"{url}{HOST}:{port}")
    assert (mailbox.arrived, mailbox.logins) == ([], [])


@pytest.mark.usefixtures("trusted")
async def test_smtps_is_encrypted_from_the_start(tls: ssl.SSLContext) -> None:
    mailbox = Mailbox()
    async with mail_server(mailbox, tls=tls, at_once=True) as port:
        await send(f"smtps://{HOST}:{port}")
    assert [arrived.encrypted for arrived in mailbox.arrived] == [True]


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("scheme", ["smtp", "smtp+starttls", "smtps"])
async def test_user_and_password_are_sent_as_they_were_before_the_url(
    tls: ssl.SSLContext, scheme: str
) -> None:
    mailbox = Mailbox()
    async with mail_server(mailbox, tls=tls, at_once=scheme == "smtps") as port:
        await send(f"{scheme}://ada%40example.com:p%3Aw%2Fd%25%C3%A9@{HOST}:{port}")
    assert mailbox.logins == [(b"ada@example.com", "p:w/d%é".encode())]
    assert [arrived.encrypted for arrived in mailbox.arrived] == [True]


@pytest.mark.parametrize("scheme", ["smtp", "smtp+starttls", "smtps"])
async def test_certificate_that_nobody_vouches_for_is_refused(
    tls: ssl.SSLContext, scheme: str
) -> None:
    mailbox = Mailbox()
    async with mail_server(mailbox, tls=tls, at_once=scheme == "smtps") as port:
        with pytest.raises((aiosmtplib.SMTPException, ssl.SSLError)):
            await send(f"{scheme}://ada:secret@{HOST}:{port}")
    assert (mailbox.arrived, mailbox.logins) == ([], [])


@pytest.mark.parametrize("refusal", ["550 No such user", "553 Not here", "500 What?"])
async def test_recipient_refused_for_good_is_undeliverable(refusal: str) -> None:
    mailbox = Mailbox(refusal)
    async with mail_server(mailbox) as port:
        with pytest.raises(Undeliverable):
            await send(f"smtp://{HOST}:{port}")
    assert (mailbox.refused, mailbox.arrived) == (1, [])


@pytest.mark.parametrize("refusal", ["450 Busy", "421 Shutting down", "499 Later"])
async def test_recipient_refused_for_now_is_worth_another_try(refusal: str) -> None:
    async with mail_server(Mailbox(refusal)) as port:
        with pytest.raises(aiosmtplib.SMTPException) as refused:
            await send(f"smtp://{HOST}:{port}")
    assert not isinstance(refused.value, Undeliverable)


@pytest.mark.parametrize("break_", ["\r\n", "\n", "\r", "\x85", "\u2028", "\u2029"])
@pytest.mark.parametrize("header", ["recipient", "subject"])
def test_text_never_breaks_out_of_its_header(header: str, break_: str) -> None:
    texts = {"recipient": "ada@example.com", "subject": "Hello"}
    texts[header] += f"{break_}Bcc: b@y.example"
    with pytest.raises(ValueError, match="linefeed"):
        mail.written(Letter(id="1", body="Hello", **texts), sender=SENDER)


@pytest.mark.parametrize(
    ("field", "given"),
    [
        *(
            (field, f"{{}}{break_}Bcc: x@example.com")
            for field in ("name", "email")
            for break_ in CONTROLS
        ),
        ("email", "{}\u2028Bcc: x@example.com"),
        ("email", "{}\u2029Bcc: x@example.com"),
        ("email", "{}, x@example.com"),
        ("email", "Ada <{}>"),
    ],
)
def test_customer_who_would_break_out_of_a_header_can_not_exist(field: str, given: str) -> None:
    fine = {"name": "A", "email": "a@example.com"}
    texts = {**fine, field: given.format(fine[field])}
    with pytest.raises(Rejected) as rejected:
        checks.check_new(name=texts["name"], email=texts["email"], password=PASSWORD)
    assert [(fault.code, fault.field) for fault in rejected.value.faults] == [
        (UserErrorCode.INVALID, field)
    ]


async def test_console_mailer_writes_the_whole_letter_to_the_log() -> None:
    with capture_logs() as log:
        await ConsoleMailer().send(LETTER)
    (line,) = log
    assert (line["to"], line["subject"], line["body"]) == (
        LETTER.recipient,
        LETTER.subject,
        LETTER.body,
    )


async def test_closed_mailer_drops_a_letter_and_names_nobody() -> None:
    structlog.reset_defaults()  # which let every level through
    with capture_logs() as log:
        await ClosedMailer().send(LETTER)
    (line,) = log
    assert line["log_level"] == "debug"
    assert "ada" not in str(line).lower()
    assert LETTER.body not in str(line)


@pytest.mark.parametrize(
    ("given", "kind", "is_open"),
    [
        ({}, ClosedMailer, False),
        ({"demo": True}, ConsoleMailer, True),
        ({"smtp_url": "smtp://mail.example"}, SmtpMailer, True),
        ({"smtp_url": "smtp://mail.example", "demo": True}, SmtpMailer, True),
    ],
)
def test_letters_go_to_the_log_in_the_demo_only(
    given: dict[str, object], kind: type[object], *, is_open: bool
) -> None:
    chosen = mail.mailer(Settings.model_validate(given))
    assert isinstance(chosen, kind)
    assert chosen.open is is_open
