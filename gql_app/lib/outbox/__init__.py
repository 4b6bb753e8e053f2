"""Letters that leave after the commit, and are tried again."""

from gql_app.lib.outbox.delivery import Claimed, Outbox, deliver
from gql_app.lib.outbox.mailer import (
    SEND_TIMEOUT,
    Letter,
    Mailer,
    ObservedMailer,
    Undeliverable,
    clear_text,
    mailer_of,
)
from gql_app.lib.outbox.queue import BATCH, LEASE, LONGEST_PAUSE, Queue

__all__ = [
    "BATCH",
    "LEASE",
    "LONGEST_PAUSE",
    "SEND_TIMEOUT",
    "Claimed",
    "Letter",
    "Mailer",
    "ObservedMailer",
    "Outbox",
    "Queue",
    "Undeliverable",
    "clear_text",
    "deliver",
    "mailer_of",
]
