"""Mail as the settings have it: where letters go."""

import pytest

from gql_app.lib.outbox.mailer import ClosedMailer, ConsoleMailer, SmtpMailer
from gql_app.mail.composing import mailer
from gql_app.settings import Settings


@pytest.mark.parametrize(
    ("given", "kind", "is_open"),
    [
        ({}, ClosedMailer, False),
        ({"demo": True}, ConsoleMailer, True),
        ({"smtp_url": "smtp://mailer.example"}, SmtpMailer, True),
        ({"smtp_url": "smtp://mailer.example", "demo": True}, SmtpMailer, True),
    ],
)
def test_letters_go_to_the_log_in_the_demo_only(
    given: dict[str, object], kind: type[object], *, is_open: bool
) -> None:
    chosen = mailer(Settings.model_validate(given))
    assert isinstance(chosen, kind)
    assert chosen.open is is_open
