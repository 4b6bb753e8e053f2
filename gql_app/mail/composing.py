"""Composition of mail by the settings: the mailer, the templates of letters, and the outbox."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from gql_app.accounts.mail.letters import Kind
from gql_app.accounts.throttling import Throttle
from gql_app.lib.keyring import KeyRing
from gql_app.lib.mail_templates import Folder, MailTemplates
from gql_app.lib.outbox import ClosedMailer, ConsoleMailer, Mailer, SmtpMailer
from gql_app.mail.letter_examples import EXAMPLES
from gql_app.mail.outbox import Outbox, WriteLetter
from gql_app.settings import Settings


def outbox_of(
    settings: Settings,
    keys: KeyRing,
    throttle: Throttle,
    features: Mapping[str, WriteLetter | None],
    folders: Sequence[Folder],
) -> Outbox:
    """Return the outbox, given the writers of features' letters and the folders of their templates.

    Raises CannotStart if a template is faulty.
    """
    return Outbox(
        pepper=keys.derive("reset links"),
        pages=pages_of_links(settings),
        throttle=throttle,
        letters_per_day=settings.letters_per_day,
        templates=mail_templates(settings, folders),
        features=features,
    )


def mail_templates(settings: Settings, folders: Sequence[Folder] = ()) -> MailTemplates:
    """Return the templates that letters are written by, ours and those in folders of features.

    Raises CannotStart if one is faulty.
    """
    ours = Folder(Path(__file__).parents[1] / "letters", EXAMPLES, is_tested=True)
    templates = MailTemplates(
        [ours, *folders],
        {"product_name": settings.product_name},
        replaced_by=settings.letters_dir,
    )
    templates.check()
    return templates


def pages_of_links(settings: Settings) -> Mapping[str, str]:
    """Return the pages that links lead to, by the kinds of their letters."""
    return {
        Kind.PASSWORD_RESET: settings.reset_url,
        Kind.VERIFY_EMAIL: settings.verify_url,
        Kind.EMAIL_CHANGED: settings.undo_url,
        Kind.SECOND_FACTOR_ADDED: settings.undo_url,
        Kind.INVITATION: settings.invitation_url,
        Kind.SIGN_IN: settings.sign_in_url,
        Kind.ENROLMENT: settings.sign_in_url,
    }


def mailer(settings: Settings) -> Mailer:
    """Return the mailer: SMTP if it is set, the log in the demo, or a closed one."""
    if settings.smtp_url:
        url = settings.smtp_url.get_secret_value()
        return SmtpMailer(url, sender=settings.mail_from, reply_to=settings.reply_to)
    return ConsoleMailer() if settings.demo else ClosedMailer()
