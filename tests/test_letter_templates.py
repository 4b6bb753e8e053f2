"""Our letters: complete in each language, safe whatever the product is called, plain to read."""

import re
from collections.abc import Iterator, Mapping
from datetime import date
from html import escape, unescape
from pathlib import Path

import pytest

from gql_app.accounts.mail.letters import Kind
from gql_app.lib.mail_templates import Folder, MailTemplates
from gql_app.mail.composing import mail_templates
from gql_app.mail.letter_examples import EXAMPLES
from gql_app.settings import Settings
from tests.processes import ROOT

LANGUAGES = ["de", "en", "es", "fr"]
HOSTILE = '<b>Müller & Söhne</b> "{{ 7 * 7 }}" {% raw %} \''
FOLDER = ROOT / "gql_app/letters"
FORMS = [(kind, number) for kind, examples in EXAMPLES.items() for number in range(len(examples))]


def templates(**chosen: object) -> MailTemplates:
    """Return the templates of a product."""
    return mail_templates(Settings.model_validate(chosen))


HOSTILE_TEMPLATES = templates(product_name=HOSTILE)


def said(values: Mapping[str, object], language: str) -> Iterator[str]:
    """Return what values read like in a letter."""
    days = {"de": "31. Januar", "en": "31 January", "es": "31 de enero de", "fr": "31 janvier"}
    for value in values.values():
        if isinstance(value, date):
            yield f"{days[language]} {value.year}"
        elif value is not None and not isinstance(value, bool):
            yield str(value)


def test_every_kind_has_every_part_in_every_language_and_there_is_nothing_else() -> None:
    assert {*EXAMPLES} == {*Kind}
    files = {
        f"{kind}.{language}.{part}"
        for kind in Kind
        for language in LANGUAGES
        for part in ("subject.txt", "txt", "html")
    }
    assert {each.name for each in FOLDER.iterdir()} == {*files, "layout.html"}


def test_all_of_them_pass_the_check_of_an_operators() -> None:
    MailTemplates([Folder(FOLDER, EXAMPLES)], {"product_name": "Shop"}).check()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("kind", "number"), FORMS)
def test_letter_says_all_its_values_in_text_and_html(kind: str, number: int, language: str) -> None:
    values = EXAMPLES[kind][number]
    letter = HOSTILE_TEMPLATES.render(kind, language, values)
    assert letter.html
    assert letter.language == language
    assert 0 < len(letter.subject.replace(HOSTILE, "")) <= 45
    shown = unescape(re.sub(r"<[^>]*>", "", letter.html.partition("</head>")[2]))
    link = values.get("link")
    unsaid = {"method"} | ({"made_on"} if values.get("is_change") else set())
    if "link" in values and link is None:
        unsaid.add("days")
    needed = said({name: values[name] for name in values if name not in unsaid}, language)
    for word in (HOSTILE, *needed):
        assert word in " ".join(letter.text.split()), word
        assert word in " ".join(shown.split()), word
    assert letter.subject in shown
    assert ("#token" in letter.text) == (link is not None)
    if link:
        assert link in letter.text.splitlines()
        assert re.findall(r'href="([^"]*)"', letter.html) == [escape(str(link))]
    assert max(map(len, letter.text.replace(HOSTILE, "Shop").splitlines())) <= 100


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("kind", "number"), FORMS)
def test_html_is_of_one_language_loads_nothing_and_has_no_placeholder(
    kind: str, number: int, language: str
) -> None:
    letter = HOSTILE_TEMPLATES.render(kind, language, EXAMPLES[kind][number])
    assert letter.html
    assert f'<html lang="{language}">' in letter.html
    assert "<b>" not in letter.html
    assert escape(HOSTILE, quote=True).replace("&#x27;", "&#39;").replace("&quot;", "&#34;") in (
        letter.html
    )
    for text in (letter.subject, letter.text, letter.html):
        rest = unescape(text).replace(HOSTILE, "")
        assert not re.search(r"\{\{|\}\}|\{%|%\}|Undefined|None", rest)
    assert not re.search(r"src=|url\(|@import|<(img|link|script|form|table)", letter.html)
    assert '<meta name="color-scheme" content="light dark">' in letter.html
    assert "prefers-color-scheme: dark" in letter.html
    assert "max-width: 36em" in letter.html
    assert "font-size: 16px" in letter.html


def test_what_is_set_replaces_ours_file_by_file(tmp_path: Path) -> None:
    (tmp_path / "password_reset.de.subject.txt").write_text("Neues Passwort\r\nBcc: x@y.example")
    (tmp_path / "layout.html").write_text("<p>{{ product_name }}: {% block title %}{% endblock %}")
    own = templates(letters_dir=tmp_path, product_name="Shop")
    values = EXAMPLES[Kind.PASSWORD_RESET][0]
    german, french = (own.render("password_reset", each, values) for each in ("de-CH", "fr"))
    assert german.subject == "Neues Passwort Bcc: x@y.example"
    assert german.text == templates(product_name="Shop").render("password_reset", "de", values).text
    assert french.html
    assert french.html.startswith("<p>Shop: Réinitialisez votre mot de passe")
