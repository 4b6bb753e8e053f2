"""The `letters` commands: all of them to look at, one to try the mail server, and what is told."""

import asyncio
import json
from functools import partial
from pathlib import Path

import pytest

from gql_app.mail.letter_examples import EXAMPLES
from tests.commands import output_here, run_here
from tests.conftest import SECRET
from tests.databases import copied_sqlite
from tests.mailbox import HOST, Mailbox, mail_server, port_of, reserved_port
from tests.processes import run_main

FORMS = sum(map(len, EXAMPLES.values()))
ADA = "ada@bücher.example"


@pytest.fixture
def database(sqlite_template: Path, tmp_path: Path) -> dict[str, str]:
    """Make the settings of a server that has a database."""
    return {"database_url": copied_sqlite(sqlite_template, tmp_path)}


def test_preview_writes_every_letter_in_every_language(tmp_path: Path) -> None:
    chosen = {"product_name": "Shop", "invitation_url": "https://shop.example/join"}
    told = output_here("letters", "preview", folder=tmp_path, **chosen)
    files = [*(tmp_path / "letters-preview").iterdir()]
    assert told == f"{len(files)} files are in letters-preview.\n"
    assert len(files) == FORMS * 4 * 3
    texts = {file.name: file.read_text(encoding="utf-8") for file in files}
    assert texts["invitation.de.subject.txt"] == "Einladung zu Shop\n"
    for ending in ("txt", "html"):
        assert "https://shop.example/join#token=of-an-example" in texts[f"invitation.de.{ending}"]
    assert "#token" not in texts["email_changed-2.en.html"]
    assert {name.split(".")[1] for name in texts} == {"de", "en", "es", "fr"}
    assert not (tmp_path / "gql_app.db").exists()


def test_preview_writes_the_languages_that_are_asked_for_and_what_they_fall_back_to(
    tmp_path: Path,
) -> None:
    options = ("--language", "de-ch", "--language", "pt", "--out", "a/b")
    assert output_here("letters", "preview", *options, folder=tmp_path)
    names = {file.name for file in (tmp_path / "a/b").iterdir()}
    assert len(names) == FORMS * 2 * 3
    subjects = [(tmp_path / f"a/b/password_reset.{tag}.subject.txt") for tag in ("de-CH", "pt")]
    assert [each.read_text(encoding="utf-8") for each in subjects] == [
        "Passwort zurücksetzen\n",
        "Reset your password\n",
    ]


async def test_test_letter_arrives_as_it_is_set_and_is_audited(
    tmp_path: Path, database: dict[str, str]
) -> None:
    mailbox, reserved = Mailbox(), reserved_port()
    chosen = {
        **database,
        "smtp_url": f"smtp://{HOST}:{port_of(reserved)}",
        "mail_from": "Müller & Söhne <no-reply@shop.example>",
        "reply_to": "Hilfe für Sie <help@bücher.example>",
        "product_name": "Müller",
        "sign_in_url": "https://shop.example/in?x=1&y=2",
    }
    command = ("letters", "send-test", ADA, "--kind", "sign_in_link", "--language", "fr-ca")
    async with mail_server(mailbox, reserved, utf8=False):
        told = await asyncio.to_thread(partial(output_here, *command, folder=tmp_path, **chosen))
    assert told == f"The mail server took the letter sign_in_link in fr to {ADA}.\n"
    (arrived,) = mailbox.arrived
    message, link = arrived.message, "https://shop.example/in?x=1&y=2#token=of-an-example"
    assert {name: message[name] for name in ("From", "Reply-To", "To", "Subject")} == {
        "From": "Müller & Söhne <no-reply@shop.example>",
        "Reply-To": "Hilfe für Sie <help@xn--bcher-kva.example>",
        "To": "ada@xn--bcher-kva.example",
        "Subject": "Connexion à Müller",
    }
    assert message["Content-Language"] == "fr"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Date"]
    assert message["Message-ID"].endswith("@shop.example>")
    assert message.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    assert link in arrived.text.splitlines()
    assert link.replace("&", "&amp;") in arrived.html
    events = output_here("export-audit", folder=tmp_path, **chosen).splitlines()
    assert [json.loads(each)["action"] for each in events] == ["letter:test"]


@pytest.mark.parametrize(
    ("mailbox", "told"),
    [
        (
            Mailbox("550 5.1.1 No such user"),
            "The mail server refuses the letter for good: 550 5.1.1 No such user",
        ),
        (
            Mailbox("451 4.7.1 Greylisted"),
            "The letter can't be sent: 451 4.7.1 Greylisted",
        ),
        (
            Mailbox("451 Greylisted", refused_at="DATA"),
            "The letter can't be sent: 451 Greylisted",
        ),
        (
            Mailbox("535 Wrong password", refused_at="AUTH"),
            "The letter can't be sent: 535 Wrong password",
        ),
    ],
)
async def test_what_the_mail_server_says_is_told_and_no_password(
    tmp_path: Path, mailbox: Mailbox, told: str
) -> None:
    async with mail_server(mailbox, auth_in_clear=True) as port:
        chosen = {"smtp_url": f"smtp+cleartext://ada:hunter2@{HOST}:{port}"}
        command = partial(run_here, "letters", "send-test", ADA, folder=tmp_path, **chosen)
        done = await asyncio.to_thread(command)
    # The mail server of the tests writes there, too.
    assert (done.returncode, done.stdout, done.stderr.splitlines()[-1]) == (1, "", told)
    assert "hunter2" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "chosen", "told"),
    [
        (["send-test", ADA], {}, "GQL_APP_SMTP_URL is not set: no letter leaves."),
        (
            ["send-test", ADA],
            {"smtp_url": f"smtp://{HOST}:1"},
            "The letter can't be sent: Error connecting to 127.0.0.1 on port 1: ",
        ),
        (
            ["send-test", "ada"],
            {"smtp_url": f"smtp://{HOST}:1"},
            "This is not an e-mail address.",
        ),
        (
            ["send-test", ADA, "--kind", "wish"],
            {"smtp_url": f"smtp://{HOST}:1"},
            "There is no letter wish. There are address_in_use, ",
        ),
        (
            ["send-test", ADA, "--language", "de_CH"],
            {"smtp_url": f"smtp://{HOST}:1"},
            "de_CH is no language tag, such as de or de-CH.",
        ),
        (["preview", "--language", ""], {}, " is no language tag, such as de or de-CH."),
        (["preview", "--out", "/dev/null/x"], {}, "/dev/null/x: Not a directory"),
    ],
)
def test_operators_mistake_is_told_by_its_cause(
    tmp_path: Path, arguments: list[str], chosen: dict[str, str], told: str
) -> None:
    done = run_here("letters", *arguments, folder=tmp_path, **chosen)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(told)


def test_server_that_takes_no_tls_where_it_must_is_told(tmp_path: Path) -> None:
    async def attempt() -> str:
        async with mail_server(Mailbox()) as port:
            chosen = {"smtp_url": f"smtp+starttls://{HOST}:{port}"}
            command = partial(run_here, "letters", "send-test", ADA, folder=tmp_path, **chosen)
            return (await asyncio.to_thread(command)).stderr

    assert asyncio.run(attempt()) == (
        "The letter can't be sent: the mail server offers no STARTTLS\n"
    )


@pytest.mark.parametrize("command", [("serve", "--port", "0"), ("check",), ("letters", "preview")])
def test_faulty_template_is_told_by_file_line_and_cause(
    tmp_path: Path, database: dict[str, str], command: tuple[str, ...]
) -> None:
    folder = tmp_path / "templates"
    folder.mkdir()
    (folder / "invitation.de.txt").write_text("Hallo,\n{{ name }}", encoding="utf-8")
    (folder / "invitation.fr.html").write_text("{% block %}", encoding="utf-8")
    chosen = {**database, "letters_dir": str(folder), "secret_key": SECRET}
    run = run_main if command[0] == "serve" else run_here
    done = run(*command, folder=tmp_path, **chosen)
    told = done.stdout if command == ("check",) else done.stderr
    assert done.returncode == (1 if command == ("check",) else 2)
    for fault in (
        f"{folder}/invitation.de.txt, line 2: there is no value name; there are ",
        f"{folder}/invitation.fr.html, line 1: ",
    ):
        assert fault in told


def test_folder_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    done = run_here("letters", "preview", folder=tmp_path, letters_dir=str(tmp_path / "nowhere"))
    assert done.returncode == 2
    assert done.stderr == "GQL_APP_LETTERS_DIR: must be a folder that this account can find\n"
