"""A transactional outbox: letters that are sent after the commit, with retries."""

from gql_app.lib.outbox.delivery import Claimed, Outbox, Outcome, Queue, deliver
from gql_app.lib.outbox.mailer import (
    SEND_TIMEOUT,
    ClosedMailer,
    ConsoleMailer,
    Letter,
    Mailer,
    ObservedMailer,
    SmtpMailer,
    Undeliverable,
    answer_of,
    clear_text,
)

__all__ = [
    "SEND_TIMEOUT",
    "Claimed",
    "ClosedMailer",
    "ConsoleMailer",
    "Letter",
    "Mailer",
    "ObservedMailer",
    "Outbox",
    "Outcome",
    "Queue",
    "SmtpMailer",
    "Undeliverable",
    "answer_of",
    "clear_text",
    "deliver",
]
