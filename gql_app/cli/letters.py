"""Letters to customers: previews, and a test of the mail server."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

from gql_app.cli import application, audit
from gql_app.cli.console import fail, out
from gql_app.lib import clock, signals
from gql_app.lib.language_tags import language_tag
from gql_app.lib.mail_templates import MailTemplates
from gql_app.lib.outbox import SEND_TIMEOUT, Letter, Undeliverable, answer_of
from gql_app.lib.text import InvalidLine, counted, email_address
from gql_app.mail import composing
from gql_app.settings import PREFIX, Settings

letters: Final = typer.Typer(help=__doc__, no_args_is_help=True)


@letters.command()
def preview(
    to: Annotated[
        Path, typer.Option("--out", help="The folder to write to; it is created if needed.")
    ] = Path("letters-preview"),
    language: Annotated[
        list[str] | None, typer.Option(help="Only this language; repeatable.")
    ] = None,
) -> None:
    """Write every letter in every language to a folder, with made-up values."""
    chosen = application.load()
    templates = _templates(chosen)
    languages = [_tag(each) for each in language or ()]
    count = 0
    try:
        to.mkdir(parents=True, exist_ok=True)
        for name, text in _written(chosen, templates, languages):
            (to / name).write_text(text, encoding="utf-8")
            count += 1
    except OSError as why:
        fail(f"{why.filename or to}: {why.strerror}")
    out(f"{counted(count, 'file is', 'files are')} in {to}.")


@letters.command("send-test")
def send_test(
    address: Annotated[str, typer.Argument(help="The recipient.")],
    kind: Annotated[
        str, typer.Option(help="The letter, by the name of its files without their endings.")
    ] = "password_reset",
    language: Annotated[str, typer.Option(help="Its language, such as de or de-CH.")] = "en",
) -> None:
    """Send a letter with made-up values by the configured mail server, or say why that fails."""
    chosen = application.load()
    templates, mailer = _templates(chosen), composing.mailer(chosen)
    if chosen.smtp_url is None:
        fail(f"{PREFIX}SMTP_URL is not set: no letter leaves.")
    if kind not in templates.kinds:
        fail(f"There is no letter {kind}. There are {', '.join(sorted(templates.kinds))}.")
    try:
        recipient = email_address(address)
    except InvalidLine as why:
        fail(why.message)
    values = next(_examples(chosen, templates, kind))
    rendered = templates.render(kind, _tag(language), values)
    letter = Letter(
        str(clock.new_id()),
        recipient,
        rendered.subject,
        rendered.text,
        rendered.html,
        rendered.language,
    )
    try:
        signals.run(asyncio.wait_for(mailer.send(letter), SEND_TIMEOUT))
    except Undeliverable as why:
        fail(f"The mail server refuses the letter for good: {why.reply or why}")
    except TimeoutError:
        fail(f"The mail server didn't take the letter within {SEND_TIMEOUT} seconds.")
    except Exception as why:  # noqa: BLE001 — any error is the operator's to mend
        fail(f"The letter can't be sent: {answer_of(why) or why or type(why).__name__}")
    audit.record(chosen, "letter:test")
    out(f"The mail server took the letter {kind} in {rendered.language} to {recipient}.")


def _templates(chosen: Settings) -> MailTemplates:
    """Return the templates of letters. Raises CannotStart."""
    return composing.mail_templates(chosen, application.extensions().templates)


def _examples(
    chosen: Settings, templates: MailTemplates, kind: str
) -> Iterator[Mapping[str, object]]:
    """Yield example values of a letter, with links to the pages of the settings."""
    page = composing.pages_of_links(chosen).get(kind)
    for values in templates.kinds[kind]:
        has_link = page and values.get("link")
        yield {**values, "link": f"{page}#token=of-an-example"} if has_link else values


def _written(
    chosen: Settings, templates: MailTemplates, languages: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each file of a preview; further examples are numbered."""
    for kind in templates.kinds:
        for number, values in enumerate(_examples(chosen, templates, kind), 1):
            for language in languages or templates.languages(kind):
                letter = templates.render(kind, language, values)
                name = f"{kind}{f'-{number}' if number > 1 else ''}.{language}"
                yield f"{name}.subject.txt", f"{letter.subject}\n"
                yield f"{name}.txt", letter.text
                if letter.html:
                    yield f"{name}.html", letter.html


def _tag(text: str) -> str:
    tag = language_tag(text)
    if tag is None:
        fail(f"{text} is no language tag, such as de or de-CH.")
    return tag
