"""Templates of letters: which file is taken, what is told of a faulty one, and what none can do."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path

import pytest

from gql_app.lib.faults import CannotStart
from gql_app.lib.mail_templates import Folder, MailTemplates, Rendered

GREETING: Mapping[str, str] = {
    "hello.en.subject.txt": "Hello",
    "hello.en.txt": "Hello {{ who }}",
    "hello.en.html": (
        '{% extends "frame.html" %}{% block body %}<p>Hello {{ who }}</p>{% endblock %}'
    ),
    "hello.de.subject.txt": "Hallo",
    "hello.de.txt": "Hallo {{ who }}",
    "hello.de.html": "<p>Hallo {{ who }}</p>",
    "frame.html": '<html lang="{{ language }}">{% block body %}{% endblock %}</html>',
}
EXAMPLES = {"hello": [{"who": "Ada"}]}
BOOM: str = "{{ who.__class__.__mro__ }}"


def write(folder: Path, files: Mapping[str, str]) -> Path:
    """Write files into a folder."""
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def read(tmp_path: Path, own: Mapping[str, str] | None = None, **common: object) -> MailTemplates:
    """Return the templates of the tests, some replaced by files of an operator's."""
    ours = Folder(write(tmp_path / "ours", GREETING), EXAMPLES, is_tested=True)
    replaced_by = None if own is None else write(tmp_path / "own", own)
    return MailTemplates([ours], {"shop": "Shop", **common}, replaced_by=replaced_by)


def hello(templates: MailTemplates, language: str | None = None, who: object = "Ada") -> Rendered:
    """Render the letter that there is."""
    return templates.render("hello", language, {"who": who})


def faults(tmp_path: Path, own: Mapping[str, str]) -> list[str]:
    """Return what is wrong with files of an operator's, without the folder's name."""
    with pytest.raises(CannotStart) as stopped:
        read(tmp_path, own).check()
    return [each.removeprefix(f"{tmp_path}/own/") for each in stopped.value.faults]


@pytest.mark.parametrize(
    ("language", "chosen"),
    [
        ("de", "de"),
        ("de-CH", "de"),
        ("de-Latn-CH-1996", "de"),
        ("en-GB", "en"),
        ("pt", "en"),
        ("x-whatever", "en"),
        (None, "en"),
    ],
)
def test_language_falls_back(tmp_path: Path, language: str | None, chosen: str) -> None:
    letter = hello(read(tmp_path), language)
    told = {"de": ("Hallo", "Hallo Ada\n"), "en": ("Hello", "Hello Ada\n")}[chosen]
    assert (letter.language, letter.subject, letter.text) == (chosen, *told)
    assert letter.html
    assert told[1].strip() in letter.html


def test_each_file_is_replaced_by_itself(tmp_path: Path) -> None:
    own = {
        "hello.de.txt": "Servus {{ who }} von {{ shop }}",
        "frame.html": "<i>{% block body %}{% endblock %}</i>",
    }
    templates = read(tmp_path, own)
    templates.check()
    german, english = hello(templates, "de"), hello(templates)
    assert german == Rendered("de", "Hallo", "Servus Ada von Shop\n", "<p>Hallo Ada</p>")
    assert english.html == "<i><p>Hello Ada</p></i>"


def test_language_of_ones_own_needs_no_html_and_a_region_only_what_differs(tmp_path: Path) -> None:
    own = {
        "hello.pt.subject.txt": "Olá",
        "hello.pt.txt": "Olá {{ who }}",
        "hello.de-CH.subject.txt": "Grüezi",
    }
    templates = read(tmp_path, own)
    templates.check()
    assert templates.languages("hello") == ["de", "de-CH", "en", "pt"]
    assert hello(templates, "pt-BR") == Rendered("pt", "Olá", "Olá Ada\n", None)
    swiss = hello(templates, "de-CH")
    assert (swiss.subject, swiss.text, swiss.language) == ("Grüezi", "Hallo Ada\n", "de-CH")


def test_values_are_escaped_in_html_alone(tmp_path: Path) -> None:
    letter = hello(read(tmp_path), who='<b> & "x"')
    assert letter.text == 'Hello <b> & "x"\n'
    assert letter.html == '<html lang="en"><p>Hello &lt;b&gt; &amp; &#34;x&#34;</p></html>'


@pytest.mark.parametrize(
    "break_", ["\r\n", "\n", "\r", "\v", "\f", "\x1c", "\x85", "\u2028", "\u2029"]
)
def test_subject_is_one_line(tmp_path: Path, break_: str) -> None:
    templates = read(tmp_path, {"hello.en.subject.txt": "To {{ who }}\n!"})
    assert hello(templates, who=f"a{break_}Bcc: b@c.example").subject == "To a Bcc: b@c.example !"


@pytest.mark.parametrize(
    ("file", "text", "told"),
    [
        (
            "hello.en.txt",
            "a\n{% if %}",
            "hello.en.txt, line 2: Expected an expression, got 'end of statement block'.",
        ),
        (
            "hello.en.txt",
            "a\n{{ whom }}",
            "hello.en.txt, line 2: there is no value whom; there are language, shop, who.",
        ),
        (
            "hello.de.html",
            "{% if who %}{% else %}{{ whom }}{% endif %}",
            "hello.de.html, line 1: there is no value whom; there are language, shop, who.",
        ),
        ("hello.en.subject.txt", "  \n", "hello.en: its subject or its text is empty."),
        (
            "hello.en.html",
            "\n{% include 'nowhere.html' %}",
            "hello.en.html, line 2: TemplateNotFound: nowhere.html.",
        ),
        ("frame.html", "{{ whom }}", "frame.html, line 1: UndefinedError: 'whom' is undefined."),
        (
            "frame.html",
            "\n{% endblock %}",
            "frame.html, line 2: TemplateSyntaxError: Encountered unknown tag 'endblock'.",
        ),
        ("hello.en.txt", "{{ who + 1 }}", "hello.en.txt, line 1: TypeError: "),
        ("hullo.en.txt", "", "hullo.en.txt: there is no letter hullo; there are hello."),
        (
            "hello.subject.txt",
            "",
            "hello.subject.txt: its name lacks the language, such as hello.en.subject.txt.",
        ),
        ("hello.en-.txt", "", "hello.en-.txt: en- is no language tag (BCP 47)."),
        ("hello.DE.txt", "", "hello.DE.txt: DE is written de."),
        ("hello.fr.html", "", "hello.fr.subject.txt is missing."),
        ("hello.fr.txt", "", "hello.fr.subject.txt is missing."),
        (
            "Hello.en.txt",
            "",
            "Hello.en.txt: a template of a letter is named KIND.LANGUAGE.subject.txt, ",
        ),
    ],
)
def test_fault_is_told_by_its_file_line_and_cause(
    tmp_path: Path, file: str, text: str, told: str
) -> None:
    found = faults(tmp_path, {file: text})
    assert found
    assert found[0].startswith(told), found


@pytest.mark.parametrize(
    "text",
    [
        '{% extends "base.html" %}{% set to = who %}{% block body %}{{ to }}{% endblock %}',
        (
            '{% extends "base.html" %}{% from "parts.html" import hi as hey %}'
            "{% block body %}{{ hey(who) }}{% endblock %}"
        ),
        (
            '{% extends "base.html" %}{% import "parts.html" as parts %}'
            "{% block body %}{{ parts.hi(who) }}{% endblock %}"
        ),
        "{% macro hi(to) %}{{ to }}{% endmacro %}{% block body %}{{ hi(who) }}{% endblock %}",
        (
            "{% if who == 'Bob' %}{% set to = 1 %}{% elif who %}{% set to = who %}"
            "{% else %}{% set to = 2 %}{% endif %}{{ to }}"
        ),
        "{% if who %}{% set to %}{{ who }}{% endset %}{% endif %}{% if who %}{{ to }}{% endif %}",
        (
            "{% for each in [who] %}{% if each %}{% set to = each %}{% endif %}"
            "{% if each %}{{ to }}{% endif %}{% endfor %}"
        ),
        "{% macro hi() %}{{ caller() }}{% endmacro %}{% call hi() %}{{ who }}{% endcall %}",
    ],
)
def test_name_that_a_template_gives_a_value_is_known(tmp_path: Path, text: str) -> None:
    parts = {"base.html": "{% block body %}{% endblock %}"}
    parts["parts.html"] = "{% macro hi(to) %}{{ to }}{% endmacro %}"
    templates = read(tmp_path, {**parts, "hello.en.html": text})
    templates.check()
    assert hello(templates).html == "Ada"


@pytest.mark.parametrize(
    "text",
    [
        "{% if not who %}{% for whom in [1] %}{{ whom }}{% endfor %}{{ whom }}{% endif %}",
        "{% macro hi(whom) %}{{ whom }}{% endmacro %}{% if not who %}{{ whom }}{% endif %}",
    ],
)
def test_name_that_only_a_loop_or_a_macro_has_is_unknown_elsewhere(
    tmp_path: Path, text: str
) -> None:
    told = "hello.en.txt, line 1: there is no value whom; there are language, shop, who."
    assert told in faults(tmp_path, {"hello.en.txt": text})


def test_unknown_filter_is_told_by_its_line(tmp_path: Path) -> None:
    found = faults(tmp_path, {"hello.en.txt": "\n{{ who | upperr }}"})
    assert found == ["hello.en.txt, line 2: No filter named 'upperr'."]


def test_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "hello.en.txt").write_bytes(b"\xff")
    (own / "hello.de.txt").mkdir()
    assert faults(tmp_path, {}) == [
        "hello.de.txt: can't be read: Is a directory.",
        "hello.en.txt: can't be read: it is not UTF-8.",
    ]


def test_other_files_are_left_alone_and_every_fault_is_told_at_once(tmp_path: Path) -> None:
    others = {"README.md": "{% if %}", ".hidden.txt": "{% if %}", "notes.txt": "of nobody"}
    read(tmp_path, others).check()
    broken = {"hello.en.txt": "{% if %}", "hello.de.txt": "{{ a }}{{ b }}"}
    assert len(faults(tmp_path, broken)) == 3


def test_faults_of_each_letter_are_told_whatever_another_lacks(tmp_path: Path) -> None:
    texts = {
        "missing.de.txt": "",
        "hello.en.subject.txt": "Hello",
        "hello.en.txt": "{{ whom }}",
        "hello.de.txt": "{% if %}",
        "empty.en.subject.txt": "",
        "empty.en.txt": "{{ who.name }}",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    folder = Folder(tmp_path, {each: [{"who": "Ada"}] for each in ("hello", "missing", "empty")})
    with pytest.raises(CannotStart) as stopped:
        MailTemplates([folder], {"shop": "Shop"}).check()
    told = [each.removeprefix(f"{tmp_path}/") for each in stopped.value.faults]
    assert told == [
        "hello.de.subject.txt is missing.",
        "missing.de.subject.txt is missing.",
        "missing.en.subject.txt is missing.",
        "missing.en.txt is missing.",
        "empty.en.txt, line 1: UndefinedError: 'str object' has no attribute 'name'.",
        "hello.de.txt, line 1: Expected an expression, got 'end of statement block'.",
        "hello.en.txt, line 1: there is no value whom; there are language, shop, who.",
    ], told


@pytest.mark.parametrize(
    "escape",
    [
        BOOM,
        "{{ ''.__class__ }}",
        "{{ self._TemplateReference__context }}",
        "{{ who | attr('__class__') }}",
        "{{ '{0.__class__}'.format(who) }}",
        "{{ '{0.__class__}' | format_map }}",
        "{{ namespace() }}",
        "{{ lipsum.__globals__ }}",
        "{{ cycler.__init__ }}",
        "{{ range(9) }}",
        "{{ shop.append('x') }}",
        "{{ things.append('x') }}",
        "{% include '/etc/passwd' %}",
        "{% include '../ours/hello.en.txt' %}",
        "{% import 'os' as os %}{{ os.environ }}",
        "{{ joiner }}",
        "{{ config }}",
    ],
)
def test_template_gets_out_of_no_sandbox(tmp_path: Path, escape: str) -> None:
    templates = read(tmp_path, {"hello.en.txt": escape}, things=[])
    with pytest.raises(CannotStart):
        templates.check()
    with pytest.raises(Exception, match=r".+"):
        hello(templates)


def test_what_only_values_of_the_day_show_is_an_error_then(tmp_path: Path) -> None:
    templates = read(tmp_path, {"hello.en.txt": "{{ who.upper() }}"})
    templates.check()
    assert hello(templates).text == "ADA\n"
    with pytest.raises(Exception, match="has no attribute 'upper'"):
        hello(templates, who=1)


@pytest.mark.parametrize(
    ("language", "day", "written"),
    [
        ("en", date(2030, 1, 31), "31 January 2030"),
        ("de", date(2030, 3, 1), "1. März 2030"),
        ("fr-CA", date(2030, 8, 1), "1er août 2030"),
        ("fr", date(2030, 12, 2), "2 décembre 2030"),
        ("es", date(2030, 2, 1), "1 de febrero de 2030"),
        ("pt", date(2030, 2, 1), "2030-02-01"),
    ],
)
def test_date_is_written_as_the_language_has_it(
    tmp_path: Path, language: str, day: date, written: str
) -> None:
    own = {f"hello.{language}.{part}": "{{ who | date }}" for part in ("subject.txt", "txt")}
    assert hello(read(tmp_path, own), language, day).text == f"{written}\n"
