"""`import`: all that a file has is in the database, or nothing, and why."""

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

from gql_app.cli.imports import SHOWN
from gql_app.lib.database import Database
from tests.api import Api
from tests.commands import output_here, run_here
from tests.databases import contents, copied_sqlite
from tests.letterbox import Letterbox
from tests.lib.hashes.examples import VECTORS
from tests.people import add_customer
from tests.processes import MAIN, pipe, printing, run, run_main_on
from tests.transfer import HASHES, ONE_ENGINE, Said, people, rows, write

LOGIN = """
mutation($email: String!, $password: String!) {
  login(email: $email, password: $password) { status }
}
"""
ASK = "mutation($email: String!) { requestPasswordReset(email: $email) { status } }"
RESET = """
mutation($link: String!) {
  resetPassword(token: $link, newPassword: "quite another one") { status }
}
"""


ACCEPT = """
mutation($link: String!) {
  acceptInvitation(token: $link, password: "quite another one") { status customer { name } }
}
"""


async def log_in(api: Api, email: str, password: str) -> str:
    """Try to sign in, and tell the status."""
    status: str = (await api.run(LOGIN, email=email, password=password)).data["login"]["status"]
    return status


def reasons(file: Path) -> list[tuple[int, str | None, str]]:
    """Read a report, each line of which has words as well."""
    told = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    assert all(each["why"] and each.keys() == {"line", "field", "code", "why"} for each in told)
    return [(each["line"], each["field"], each["code"]) for each in told]


@ONE_ENGINE
async def test_everybody_signs_in_with_the_password_they_had_and_is_rehashed(
    api: Api, database_url: str, tmp_path: Path
) -> None:
    said = [
        {"name": each.source, "email": f"{each.source}@example.com", "password_hash": each.hashed}
        for each in VECTORS
    ]
    file = write(tmp_path / "theirs.jsonl", said)
    done = await asyncio.to_thread(
        output_here, "import", str(file), folder=tmp_path, database_url=database_url
    )
    assert done == f"{len(VECTORS)} customers are imported.\n"
    before = {row["name"]: row["password_hash"] for row in await rows(database_url)}
    assert before == {each.source: each.hashed for each in VECTORS}
    for each in VECTORS:
        email = f"{each.source}@example.com"
        assert await log_in(api, email, f"{each.password[1:]}!") != "SUCCESS"
        assert await log_in(api, email, each.password) == "SUCCESS"
    after = [str(row["password_hash"]) for row in await rows(database_url)]
    assert {each.rpartition("p=1$")[0] for each in after} == {"$argon2id$v=19$m=19456,t=2,"}
    assert await log_in(api, f"{VECTORS[0].source}@example.com", VECTORS[0].password) == "SUCCESS"


async def test_who_has_no_hash_signs_in_once_they_have_reset_their_password(
    letterbox: Letterbox, api: Api, database_url: str, tmp_path: Path
) -> None:
    file = write(tmp_path / "new.csv", people(1, password_hash=""))
    await asyncio.to_thread(
        output_here, "import", str(file), folder=tmp_path, database_url=database_url
    )
    for password in ("", " ", "password"):
        assert await log_in(api, "c0@example.com", password) != "SUCCESS"
    assert (await api.run(ASK, email="c0@example.com")).data
    assert (await api.run(RESET, link=await letterbox.link())).data["resetPassword"]
    assert await log_in(api, "c0@example.com", "quite another one") == "SUCCESS"


async def test_who_has_no_hash_is_invited_if_letters_can_be_sent(
    letterbox: Letterbox, api: Api, database_url: str, tmp_path: Path
) -> None:
    file = write(tmp_path / "new.csv", [{"name": "Cleo", "email": "c0@example.com"}])
    inviting = ("import", str(file), "--invite")
    refused = await asyncio.to_thread(
        run_here, *inviting, folder=tmp_path, database_url=database_url
    )
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == "--invite takes letters, so GQL_APP_SMTP_URL has to be set.\n"
    with_mail = {"database_url": database_url, "smtp_url": "smtp://127.0.0.1:9"}
    done = await asyncio.to_thread(output_here, *inviting, folder=tmp_path, **with_mail)
    assert done == "1 customer is imported.\n"
    api.resources.posted.set()
    accepted = await api.run(ACCEPT, link=await letterbox.link())
    assert accepted.data["acceptInvitation"] == {"status": "SUCCESS", "customer": {"name": "Cleo"}}
    assert await log_in(api, "c0@example.com", "quite another one") == "SUCCESS"


async def test_line_of_a_special_use_domain_is_told_until_the_domain_is_named(
    database_url: str, tmp_path: Path
) -> None:
    said: list[Said] = [*people(2), {"name": "Ivo", "email": "ivo@firm.local"}]
    file = write(tmp_path / "three.jsonl", said)
    done = run_here("import", str(file), folder=tmp_path, database_url=database_url)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("line 3, email: Addresses under .local are not taken here")
    assert "GQL_APP_SPECIAL_DOMAINS" in done.stderr
    named = {"database_url": database_url, "special_domains": "local"}
    assert output_here("import", str(file), folder=tmp_path, **named)
    assert "ivo@firm.local" in {row["email"] for row in await rows(database_url)}


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
async def test_one_line_that_is_refused_keeps_all_others_out(
    database: Database, database_url: str, tmp_path: Path, ending: str
) -> None:
    await add_customer(database, "Ada")
    before = await contents(database)
    said: list[Said] = [*people(2_500), {"name": "Ada", "email": "ADA@example.com"}]
    file = write(tmp_path / f"many.{ending}", said)
    done = run_here("import", str(file), folder=tmp_path, database_url=database_url)
    line = len(said) + (ending == "csv")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"line {line}, email: Another customer, or a line before, has this e-mail address.\n"
        "Nothing is imported: 1 of 2501 lines is refused.\n"
    )
    assert await contents(database) == before


async def test_dry_run_judges_all_and_keeps_nothing(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    file = str(write(tmp_path / "some.csv", people(3)))
    told = output_here("import", file, "--dry-run", folder=tmp_path, database_url=database_url)
    assert told == "3 customers could be imported.\n"
    file = str(write(tmp_path / "one.csv", people(1)))
    told = output_here("import", file, "--dry-run", folder=tmp_path, database_url=database_url)
    assert told == "1 customer could be imported.\n"
    assert await contents(database) == ""
    twice = str(write(tmp_path / "twice.csv", people(3) * 2))
    done = run_here("import", twice, "--dry-run", folder=tmp_path, database_url=database_url)
    assert (done.returncode, done.stdout) == (1, "")
    assert "3 of 6 lines" in done.stderr


@ONE_ENGINE
@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_report_has_every_reason_and_the_terminal_some_and_neither_a_hash(
    database_url: str, tmp_path: Path, ending: str
) -> None:
    wrong = [
        {"name": "", "email": each.source, "phone": each.hashed, "password_hash": f"{each.hashed}!"}
        for each in VECTORS
    ]
    file, report = write(tmp_path / f"wrong.{ending}", wrong), tmp_path / "report.jsonl"
    report.write_text("what stood here before")
    options = ("import", str(file), "--report", str(report))
    done = run_here(*options, folder=tmp_path, database_url=database_url)
    first = 1 + (ending == "csv")
    assert done.returncode == 1
    assert sorted(reasons(report)) == sorted(
        (line, field, code)
        for line, each in enumerate(VECTORS, first)
        for field, code in [
            ("name", "REQUIRED"),
            ("email", "INVALID"),
            ("phone", "TOO_LONG" if len(each.hashed) > 40 else "INVALID"),
            ("password_hash", "INVALID"),
        ]
    )
    *shown, more, _ = done.stderr.splitlines()
    assert len(shown) == SHOWN
    assert more == f"… and {len(VECTORS) * 4 - SHOWN} more; --report FILE has them all."
    assert report.stat().st_mode & 0o777 == 0o600
    said = report.read_text(encoding="utf-8") + done.stderr
    assert not [each for each in HASHES if each[-20:] in said or each in said]


@ONE_ENGINE
def test_report_of_an_import_without_fault_is_empty(database_url: str, tmp_path: Path) -> None:
    file, report = write(tmp_path / "good.jsonl", people(1)), tmp_path / "report"
    output_here(
        "import", str(file), "--report", str(report), folder=tmp_path, database_url=database_url
    )
    assert report.read_bytes() == b""


@ONE_ENGINE
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["import", "missing.csv"], "missing.csv: No such file"),
        (["import", ".", "--format", "csv"], ".: Is a directory"),
        (["import", "file.txt"], "--format csv"),
        (["import", "-"], "--format csv"),
        (["export"], "--format csv"),
        (["export", "file.txt"], "--format csv"),
        (["export", "no/folder.csv"], "no/folder.csv: No such file"),
        (["import", "file.txt", "--format", "csv", "--report", "no/x"], "no/x: No such file"),
        (["import", "file.txt", "--format", "csv", "--report", "./file.txt"], "would replace"),
        (["export", "pipe", "--format", "csv"], "pipe: Not a regular file"),
        (["import", "file.txt", "--format", "csv", "--report", "pipe"], "pipe: Not a regular file"),
    ],
    ids=" ".join,
)
def test_what_cannot_be_read_or_written_is_told_in_words(
    database_url: str, tmp_path: Path, arguments: list[str], told: str
) -> None:
    write(tmp_path / "file.txt", people(1))
    os.mkfifo(tmp_path / "pipe")
    before = (tmp_path / "file.txt").read_bytes()
    done = run_here(*arguments, folder=tmp_path, database_url=database_url)
    assert (done.returncode, done.stdout) == (1, "")
    assert told in done.stderr
    assert (tmp_path / "file.txt").read_bytes() == before


@ONE_ENGINE
@pytest.mark.parametrize(
    ("named", "content"),
    [
        ("csv", b"\xef\xbb\xbfname , email\r\nAda,ada@example.com\r\n\r\n"),
        ("csv", b'email,name\n"ada@example.com","Ada"'),
        ("jsonl", b'\xef\xbb\xbf{"name": "Ada", "email": "ada@example.com"}\r\n\r\n'),
        ("jsonl", b'{"email": "ada@example.com", "name": "\\u0041da", "phone": null}'),
    ],
)
async def test_standard_input_is_read_in_every_way_of_writing_it(
    database_url: str, tmp_path: Path, named: str, content: bytes
) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)
    command = ("import", "-", "--format", named)
    done = output_here(*command, folder=tmp_path, stdin=str(file), database_url=database_url)
    assert done == "1 customer is imported.\n"
    assert [(row["name"], row["email"]) for row in await rows(database_url)] == [
        ("Ada", "ada@example.com")
    ]


@ONE_ENGINE
async def test_standard_input_may_be_a_pipe(database_url: str, tmp_path: Path) -> None:
    reader, writer = pipe()
    with writer:
        writer.write(b"name,email\nAda,ada@example.com\n")
    importing = ("import", "-", "--format", "csv")
    with reader:
        done = run_main_on({0: reader}, *importing, folder=tmp_path, database_url=database_url)
    assert (done.returncode, done.stdout) == (0, "1 customer is imported.\n")
    assert done.stderr == ""
    assert [row["email"] for row in await rows(database_url)] == ["ada@example.com"]


@ONE_ENGINE
def test_progress_is_shown_on_a_terminal_only(database_url: str, tmp_path: Path) -> None:
    file = str(write(tmp_path / "some.csv", people(1_200)))
    for arguments, what in ((["import", file], "Importing"), (["export", "a.csv"], "Exporting")):
        with printing(*arguments, folder=tmp_path, database_url=database_url) as terminal:
            assert terminal.end() == 0
        assert what in terminal.seen
        assert "100%" in terminal.seen
    done = run_here("export", "a.csv", folder=tmp_path, database_url=database_url)
    assert (done.stdout, done.stderr) == ("1200 customers are exported to a.csv.\n", "")


MEASURE = """
import os, sys
_, status, used = os.wait4(os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ), 0)
print(status, used.ru_maxrss)
"""
"""Linux counts what started a program with what it takes itself: that had better be small."""


def memory_of(folder: Path, url: str, file: Path) -> int:
    """Import a file, and return how many KiB that took at most."""
    command = [*MAIN, "import", str(file), "--report", str(folder / "report")]
    told = run([sys.executable, "-c", MEASURE, *command], folder, database_url=url).stdout
    status, used = told.splitlines()[-1].split()
    assert status == "0"
    return int(used)


@ONE_ENGINE
async def test_many_take_no_more_memory_than_few(
    sqlite_template: Path, database_url: str, tmp_path: Path
) -> None:
    (tmp_path / "few").mkdir()
    few = write(tmp_path / "few.csv", people(3_000, password_hash=HASHES[0]))
    many = write(tmp_path / "many.csv", people(10_000, password_hash=HASHES[0]))
    before = memory_of(tmp_path, copied_sqlite(sqlite_template, tmp_path / "few"), few)
    assert memory_of(tmp_path, database_url, many) - before < 1_280
    assert len(await rows(database_url)) == 10_000
