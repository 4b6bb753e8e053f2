"""Letters on their way: what arrives, and what no letter can hold."""

from base64 import b64encode
from datetime import UTC, datetime
from typing import Any

import pytest
from aiosmtplib.email import flatten_message
from structlog.testing import capture_logs

from gql_app.lib.outbox import Letter, Undeliverable, mailer
from gql_app.lib.outbox.mailer import ClosedMailer, ConsoleMailer, SmtpMailer
from tests.conftest import SetClock
from tests.mailbox import HOST, Mailbox, mail_server

SENDER = "no-reply@shop.example"
LETTER = Letter(
    id="01890000-0000-7000-8000-000000000001",
    recipient="ada@example.com",
    subject="Passwort geändert 🔑",
    body="Hallo Ada Müller 🦊,\n\n.\nGrüße aus 東京.\n",
)


async def send(url: str, letter: Letter = LETTER) -> None:
    """Send a letter by SMTP."""
    await SmtpMailer(url, sender=SENDER).send(letter)


async def test_letter_arrives_with_its_headers_and_text_intact(set_clock: SetClock) -> None:
    set_clock(datetime(2030, 1, 1, 12, tzinfo=UTC))
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
    assert arrived.message["Date"] == "Tue, 01 Jan 2030 12:00:00 +0000"
    assert arrived.message["Auto-Submitted"] == "auto-generated"
    assert arrived.text == LETTER.body


@pytest.mark.parametrize(
    ("recipient", "arrives_as"),
    [
        ("ada@bücher.example", "ada@xn--bcher-kva.example"),
        ("ada@BÜCHER.example", "ada@xn--bcher-kva.example"),
        ("ada@busineß.example", "ada@xn--busine-gta.example"),
        ("ada@例え.テスト", "ada@xn--r8jz45g.xn--zckzah"),
        ("ada@shop.example", "ada@shop.example"),
        ("ada@xn--bcher-kva.example", "ada@xn--bcher-kva.example"),
    ],
)
async def test_international_domain_goes_where_every_mail_server_finds_it(
    recipient: str, arrives_as: str
) -> None:
    mailbox = Mailbox()
    async with mail_server(mailbox, utf8=False) as port:
        await send(f"smtp://{HOST}:{port}", Letter("1", recipient, "Hello", "Hello"))
    (arrived,) = mailbox.arrived
    assert arrived.recipients == [arrives_as]
    assert arrived.message["To"] == arrives_as


async def test_name_beyond_ascii_needs_a_mail_server_that_takes_it() -> None:
    letter = Letter("1", "grüße@bücher.example", "Hello", "Hello")
    mailbox = Mailbox()
    async with mail_server(mailbox) as port:
        await send(f"smtp://{HOST}:{port}", letter)
    (arrived,) = mailbox.arrived
    assert arrived.recipients == ["grüße@xn--bcher-kva.example"]
    async with mail_server(mailbox, utf8=False) as port:
        with pytest.raises(Undeliverable):
            await send(f"smtp://{HOST}:{port}", letter)
    assert len(mailbox.arrived) == 1


async def test_domain_that_has_no_ascii_form_stays_as_it_is() -> None:
    assert mailer.ascii_domain("ada@a\u0378b.example") == "ada@a\u0378b.example"


@pytest.mark.parametrize(
    ("sender", "shown", "address"),
    [
        ("Acme <no-reply@acme.example>", "Acme <no-reply@acme.example>", "no-reply@acme.example"),
        ('"Acme, Inc." <a@acme.example>', '"Acme, Inc." <a@acme.example>', "a@acme.example"),
        ("Acme, Inc. <a@acme.example>", '"Acme, Inc." <a@acme.example>', "a@acme.example"),
        (
            "Bücher <a@bücher.example>",
            "Bücher <a@xn--bcher-kva.example>",
            "a@xn--bcher-kva.example",
        ),
        ("a@bücher.example", "a@xn--bcher-kva.example", "a@xn--bcher-kva.example"),
    ],
)
async def test_sender_may_have_a_name(sender: str, shown: str, address: str) -> None:
    mailbox = Mailbox()
    async with mail_server(mailbox, utf8=False) as port:
        await SmtpMailer(f"smtp://{HOST}:{port}", sender=sender).send(LETTER)
    (arrived,) = mailbox.arrived
    assert (arrived.sender, arrived.message["From"]) == (address, shown)
    assert arrived.message["Message-ID"] == f"<{LETTER.id}@{address.partition('@')[2]}>"


@pytest.mark.parametrize(
    ("texts", "why"),
    [
        (("One\nTwo", "Text"), "The subject of a letter must be one line"),
        (("One", None), "doesn't apply to a 'NoneType' object"),
        ((("One",), "Text"), "doesn't apply to a 'tuple' object"),
        (("One", "\ud800"), "surrogates not allowed"),
    ],
)
def test_letter_of_what_can_not_be_sent_is_none(texts: tuple[Any, Any], why: str) -> None:
    with pytest.raises((TypeError, ValueError), match=why):
        Letter("1", "ada@example.com", *texts)


@pytest.mark.parametrize("break_", ["\r\n", "\n", "\r", "\x85", "\u2028", "\u2029"])
@pytest.mark.parametrize("header", ["recipient", "subject"])
def test_text_never_breaks_out_of_its_header(header: str, break_: str) -> None:
    texts = {"recipient": "ada@example.com", "subject": "Hello"}
    texts[header] += f"{break_}Bcc: b@y.example"
    with pytest.raises(ValueError, match=r"linefeed|must be one line"):
        mailer.message(Letter(id="1", body="Hello", **texts), sender=SENDER)


DECODED = [b"x@evil.example", b"x@evil.example,", b"a\nBcc: b@y.example", b"a\rb", b"a\0b", b"ada"]


def encoded(text: bytes) -> str:
    """Return a text as an encoded word (RFC 2047 section 2)."""
    return f"=?utf-8?b?{b64encode(text).decode()}?="


@pytest.mark.parametrize("text", DECODED)
@pytest.mark.parametrize("local", ["{}", "a.{}", "{}.a"])
async def test_letter_to_an_encoded_word_goes_to_nobody(text: bytes, local: str) -> None:
    letter = Letter("1", f"{local.format(encoded(text))}@example.com", "Hello", "Hello")
    mailbox = Mailbox()
    async with mail_server(mailbox) as port:
        with pytest.raises(Undeliverable, match="in a header"):
            await send(f"smtp://{HOST}:{port}", letter)
    assert mailbox.arrived == []


@pytest.mark.parametrize("text", DECODED)
def test_encoded_word_in_a_subject_is_not_decoded(text: bytes) -> None:
    subject = f"Order {encoded(text)}"
    letter = Letter("1", "ada@example.com", subject, "Hello")
    raw = flatten_message(mailer.message(letter, sender=SENDER), utf8=True)
    assert f"\r\nSubject: {subject.replace('=?', '= ?')}\r\n".encode() in raw
    assert len(raw.split(b"\r\n\r\n")[0].splitlines()) == len(mailer.message(LETTER, sender=SENDER))


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
    with capture_logs() as log:
        await ClosedMailer().send(LETTER)
    (line,) = log
    assert line["log_level"] == "debug"
    assert "ada" not in str(line).lower()
    assert LETTER.body not in str(line)
