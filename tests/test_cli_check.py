"""`check`: each thing that may be wrong with a deployment is found, and nothing else."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from sqlalchemy import update

from gql_app.cli import samples
from gql_app.cli.check import findings
from gql_app.db.tables import CustomerRow
from gql_app.lib import clock
from gql_app.lib.database import Database
from gql_app.lib.fair_queue import LOCAL
from gql_app.lib.keyring.keys import thumbprint
from gql_app.security.passwords import Passwords
from gql_app.security.tokens import MAX_LIFETIME
from gql_app.settings import PAGES, Settings
from tests.commands import output_here, run_here
from tests.conftest import SetClock
from tests.databases import Postgres, copied_sqlite
from tests.people import add_customer
from tests.processes import ROOT
from tests.security.foundry import pair, private_pem

RANDOM = "X8sL5xQm0c1ZkqVv2fTtJ3wYb7RrN9uHd4GgPpEe6Aa"
EVERYWHERE = "0.0.0.0"  # noqa: S104 — looked at, not listened on
PUBLIC = {
    "playground": "false",
    "introspection": "false",
    "allowed_hosts": "api.example.com",
    "management_port": "9000",
    "trusted_proxies": "10.0.0.1",
    "mail_from": "Shop <no-reply@example.com>",
    "reset_url": "https://example.com/reset",
    "verify_url": "https://example.com/verify",
    "undo_url": "https://example.com/undo",
    "invitation_url": "https://example.com/accept",
}
OPEN = ["open-playground", "open-introspection", "open-metrics"]
MAIL = [
    "local-sender",
    *(f"{each}-in-the-clear" for each in ("reset", "verify", "undo", "invitation")),
]
"""What is found of mail whose sender and pages are the defaults, on a public server."""


@pytest.fixture
def postgresql_url(postgres: Postgres) -> Iterator[str]:
    """Give a test a migrated PostgreSQL database."""
    with postgres.copied() as url:
        yield url


@pytest.fixture
def good(sqlite_template: Path, tmp_path: Path) -> dict[str, str]:
    """Set up a deployment with nothing to mend."""
    url = copied_sqlite(sqlite_template, tmp_path)
    (tmp_path / "test.db").chmod(0o600)
    return {"database_url": url, "secret_key": RANDOM, "smtp_url": "smtp://mail.example.com"}


def codes(folder: Path, *arguments: str, **settings: str) -> list[str]:
    """Run `check`, and tell the codes of what it finds; the status must agree with it."""
    done = run_here("check", "--json", *arguments, folder=folder, **settings)
    found = json.loads(done.stdout)["findings"]
    assert done.returncode == (1 if found else 0), done.stderr
    for finding in found:
        assert finding.keys() == {"code", "message", "remedy"}
        assert all(finding.values())
    return [finding["code"] for finding in found]


def test_good_deployment_has_nothing_to_mend(tmp_path: Path, good: dict[str, str]) -> None:
    assert output_here("check", folder=tmp_path, **good) == "Nothing to mend.\n"
    assert codes(tmp_path, **good) == []
    assert codes(tmp_path, "--host", EVERYWHERE, **good | PUBLIC) == []


@pytest.mark.parametrize(
    "url",
    [
        "smtp://mail.example.com",
        "smtp+starttls://mail.example.com",
        "smtps://mail.example.com",
        "smtp://127.0.0.1",
        "smtp+cleartext://localhost",
        "smtp+cleartext://[::1]:2525",
    ],
)
async def test_mail_that_is_encrypted_or_stays_here_is_no_finding(
    good: dict[str, str], url: str
) -> None:
    assert await found(good | {"smtp_url": url}) == []


def test_findings_are_told_in_words(tmp_path: Path, good: dict[str, str]) -> None:
    del good["smtp_url"]
    done = run_here("check", folder=tmp_path, **good)
    assert done.returncode == 1
    (line, count) = done.stdout.splitlines()
    assert line.startswith("no-mail: No letter is sent")
    assert "GQL_APP_SMTP_URL" in line
    assert count == "To mend: 1."


def test_finding_may_be_so_on_purpose(tmp_path: Path, good: dict[str, str]) -> None:
    del good["smtp_url"]
    assert codes(tmp_path, "--machines", "2", "--accept", "no-mail", **good) == [
        "sqlite-on-several-machines"
    ]
    accepted = ("--accept", "no-mail", "--accept", "sqlite-on-several-machines")
    assert codes(tmp_path, "--machines", "2", *accepted, **good) == []


def test_looking_makes_nothing(tmp_path: Path, good: dict[str, str]) -> None:
    (tmp_path / "empty").mkdir()
    del good["database_url"], good["secret_key"]
    assert codes(tmp_path / "empty", **good) == ["pending-migrations"]
    assert list((tmp_path / "empty").iterdir()) == []


async def found(given: dict[str, str], host: str = "127.0.0.1", machines: int = 1) -> list[str]:
    """Look a deployment over in this process, and tell the codes of what is found."""
    settings = Settings.model_validate(given)
    return [each.code for each in await findings(settings, host, machines)]


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"audienc": "misspelt"}, "unknown-variable"),
        ({"access_token_ttl": "0"}, "cannot-start"),
        ({"smtp_url": "", "email_verification": "require"}, "cannot-start"),
    ],
)
def test_faults_of_the_environment_are_findings(
    tmp_path: Path, good: dict[str, str], settings: dict[str, str], code: str
) -> None:
    assert codes(tmp_path, **good | settings) == [code]


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"secret_key": "correct horse battery staple, twice"}, "weak-key"),
        ({"secret_key": "x" * 40}, "cannot-start"),
        (
            {"secret_key": "404E635266556A586E3272357538782F413F4428472B4B6250645367566B5970"},
            "cannot-start",
        ),
        ({"secret_key_fallback": "password" * 5}, "cannot-start"),
        ({"secret_key_fallback": "correct horse battery staple, twice"}, "weak-key"),
        ({"database_url": "postgresql://127.0.0.1:1/none"}, "no-database"),
        (PUBLIC | {"playground": "true"}, "open-playground"),
        (PUBLIC | {"introspection": "true"}, "open-introspection"),
        ({k: v for k, v in PUBLIC.items() if k != "management_port"}, "open-metrics"),
        (PUBLIC | {"reset_url": "http://example.com/"}, "reset-in-the-clear"),
        (PUBLIC | {"undo_url": "HTTP://localhost:8000/undo"}, "undo-in-the-clear"),
        (PUBLIC | {"mail_from": "Shop <no-reply@localhost>"}, "local-sender"),
        (PUBLIC | {"mail_from": "no-reply@LocalHost"}, "local-sender"),
        ({"smtp_url": "smtp+cleartext://mail.example.com"}, "mail-in-the-clear"),
        ({"audiences": "orders"}, "no-public-key"),
        ({"smtp_url": "smtp+cleartext://ada:secret@192.0.2.1:25"}, "mail-in-the-clear"),
        (PUBLIC | {"trusted_proxies": "*"}, "any-proxy"),
        (PUBLIC | {"trusted_proxies": "10.0.0.1, 0.0.0.0/0"}, "any-proxy"),
        (PUBLIC | {"trusted_proxies": "::/0"}, "any-proxy"),
        ({"demo": "true"}, "demo-data"),
        ({"refresh_retry_seconds": "10"}, "short-refresh-retry"),
        ({"operation_timeout": "900"}, "short-refresh-retry"),
    ],
)
async def test_each_fault_is_found(
    good: dict[str, str], settings: dict[str, str], code: str
) -> None:
    assert await found(good | settings) == [code]


@pytest.mark.parametrize("ttl", [MAX_LIFETIME, MAX_LIFETIME + 1])
async def test_lifetime_that_services_refuse_is_found_where_there_are_services(
    good: dict[str, str], ttl: int
) -> None:
    given = good | {"access_token_ttl": str(ttl)}
    assert await found(given) == []
    is_long = "long-access-tokens" in await found(given | {"audiences": "orders"})
    assert is_long == (ttl > MAX_LIFETIME)
    own = Settings.model_validate(given).audience
    assert "long-access-tokens" not in await found(given | {"audiences": own})


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("uses", [{"sign_in_links": "true"}, {"second_factor": "admins"}])
async def test_page_of_links_that_is_not_set_is_found_by_its_setting(
    good: dict[str, str], name: str, uses: dict[str, str]
) -> None:
    given = good | PUBLIC | {"sign_in_url": "https://example.com/sign-in"} | uses
    assert await found(given) == []
    del given[name.lower()]
    (finding,) = await findings(Settings.model_validate(given), EVERYWHERE, 1)
    page = f"http://localhost:8000{PAGES[name]}"
    assert finding.message == f"Links in letters lead to {page}, a page without TLS."
    assert f"GQL_APP_{name} " in finding.remedy
    del given["smtp_url"]
    assert await found(given) == ["no-mail"]


@pytest.mark.parametrize("file", ["docs/operating.md", "deploy/kubernetes/settings.yaml"])
@pytest.mark.parametrize("name", [*PAGES, "MAIL_FROM"])
def test_who_sets_up_a_public_server_is_told_of_each_page(file: str, name: str) -> None:
    assert f"GQL_APP_{name}" in (ROOT / file).read_text(encoding="utf-8")


def listing(folder: Path, *texts: str) -> dict[str, str]:
    """Write a list of trusted documents, and return the setting that names it."""
    file = folder / "documents.json"
    file.write_text(json.dumps({f"id-{number}": text for number, text in enumerate(texts)}))
    return {"trusted_documents": str(file)}


async def test_trusted_documents_are_held_against_the_schema_and_the_limits(
    good: dict[str, str], tmp_path: Path
) -> None:
    fine = ("query A($n: Int) { customers(first: $n) { totalCount } } query B { __typename }",)
    assert await found(good | listing(tmp_path, *fine)) == []
    for wrong in ("{ nobody }", "{", "fragment A on Query { __typename }", "{ a" * 20 + "}" * 20):
        assert await found(good | listing(tmp_path, *fine, wrong)) == ["invalid-documents"]
    settings = Settings.model_validate(good | listing(tmp_path, *fine, "{ nobody }"))
    (finding,) = await findings(settings, "127.0.0.1", 1)
    assert finding.message.startswith("Trusted documents that can't run")
    assert finding.message.endswith(": id-1.")


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (None, "can't be read: No such file"),
        ('{"a":', "is not JSON: unexpected end of data: line 1"),
        ("[]", "is neither an object of ids and texts nor"),
        ('{"a": {"query": "{ a }"}}', "has no text under the id 'a'"),
    ],
)
def test_list_of_trusted_documents_that_is_none_is_named_with_the_cause(
    tmp_path: Path, good: dict[str, str], content: str | None, cause: str
) -> None:
    file = tmp_path / "documents.json"
    if content is not None:
        file.write_text(content)
    given = good | {"trusted_documents": str(file)}
    assert codes(tmp_path, **given) == ["cannot-start"]
    for command in ("check", "serve"):
        done = run_here(command, folder=tmp_path, **given)
        assert done.returncode
        assert f"GQL_APP_TRUSTED_DOCUMENTS: {file} {cause}" in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"introspection": "true"}, []),
        (
            {"introspection": "true", "playground": "true"},
            ["open-playground", "open-introspection"],
        ),
        (
            {"introspection": "true", "trusted_documents_allow": "introspection"},
            ["open-introspection"],
        ),
        ({"trusted_documents_allow": "playground"}, ["open-documents"]),
    ],
)
async def test_exceptions_to_a_list_are_found_where_anybody_may_use_them(
    good: dict[str, str], tmp_path: Path, settings: dict[str, str], expected: list[str]
) -> None:
    listed = good | listing(tmp_path, "{ __typename }")
    assert await found(listed | PUBLIC | settings) == expected


async def test_exceptions_to_no_list_are_found(good: dict[str, str]) -> None:
    given = good | {"trusted_documents_allow": "introspection"}
    assert await found(given) == ["no-trusted-documents"]


@pytest.mark.parametrize("host", [EVERYWHERE, "::", "192.0.2.1", "db.internal"])
async def test_public_host_without_anything_in_front(good: dict[str, str], host: str) -> None:
    assert await found(good, host) == [*MAIL, *OPEN, "any-host", "no-tls"]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
async def test_what_is_only_here_may_be_open(good: dict[str, str], host: str) -> None:
    assert await found(good, host) == []
    assert await found(good | {"allowed_hosts": "localhost, [::1]"}, host) == []


async def test_name_that_the_world_knows_makes_it_public(good: dict[str, str]) -> None:
    found_by_name = await found(good | {"allowed_hosts": "localhost, api.example.com"})
    assert found_by_name == [*MAIL, *OPEN, "no-tls"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
async def test_files_that_others_may_read_or_write(
    tmp_path: Path, good: dict[str, str], mode: int
) -> None:
    del good["secret_key"]
    key = tmp_path / "test.db.key"
    key.write_text(RANDOM)
    key.chmod(mode)
    assert await found(good) == ["exposed-key"]
    (tmp_path / "test.db").chmod(mode)
    assert await found(good) == ["exposed-database", "exposed-key"]


async def test_folder_of_keys_that_others_may_read(tmp_path: Path, good: dict[str, str]) -> None:
    folder = tmp_path / "keys"
    folder.mkdir(mode=0o700)
    assert await found(good | {"keys_dir": str(folder)}) == []
    folder.chmod(0o755)
    assert await found(good | {"keys_dir": str(folder)}) == ["exposed-key"]


@pytest.mark.parametrize("place", ["keys", "keys/EdDSA.pem", "test.db.key"])
async def test_what_everybody_may_write_to_keeps_it_from_starting(
    tmp_path: Path, good: dict[str, str], place: str
) -> None:
    del good["secret_key"]
    (tmp_path / "keys").mkdir(mode=0o700)
    for file, content in (
        (tmp_path / "keys/EdDSA.pem", private_pem(pair("EdDSA"))),
        (tmp_path / "test.db.key", RANDOM.encode()),
    ):
        file.write_bytes(content)
        file.chmod(0o600)
    good["keys_dir"] = str(tmp_path / "keys")
    assert await found(good) == []
    (tmp_path / place).chmod(0o702)
    assert set(await found(good)) == {"cannot-start", "exposed-key"}
    done = run_here("serve", "--port", "0", folder=tmp_path, **good)
    assert done.returncode == 2
    assert f"{place}: everybody on this machine may write to it; chmod o-w it" in done.stderr


@pytest.mark.parametrize(("bits", "codes"), [(2048, ["weak-rsa-key"]), (3072, [])])
async def test_short_rsa_key_is_found_while_it_verifies(
    tmp_path: Path, good: dict[str, str], bits: int, codes: list[str]
) -> None:
    folder = tmp_path / "keys"
    folder.mkdir(mode=0o700)
    key = rsa.generate_private_key(65537, bits)
    (folder / "RS256.pem").write_bytes(private_pem(key))
    (folder / "RS256.pem").chmod(0o600)
    assert await found(good | {"keys_dir": str(folder)}) == codes
    (folder / "ring.json").write_text(
        json.dumps({"retired": {thumbprint(key.public_key()): "2020-01-01T00:00:00Z"}})
    )
    (folder / "ring.json").chmod(0o600)
    assert await found(good | {"keys_dir": str(folder)}) == []


@pytest.mark.parametrize("mode", ["disable", "allow", "prefer"])
async def test_database_in_the_clear_is_found(good: dict[str, str], mode: str) -> None:
    url = f"postgresql://ada@0.0.0.0:1/db?sslmode={mode}"
    assert await found(good | {"database_url": url}) == ["database-in-the-clear", "no-database"]
    for here in (f"postgresql://ada@127.0.0.1:1/db?sslmode={mode}", "postgresql://0.0.0.0:1/db"):
        assert await found(good | {"database_url": here}) == ["no-database"]
        both = good | {"database_url": here, "read_url": url}
        assert await found(both) == ["database-in-the-clear", "no-database"]


def test_serve_says_that_anybody_may_be_any_client(tmp_path: Path, good: dict[str, str]) -> None:
    taken = {"management_port": "9000"}  # by itself, so that it ends before it listens
    for proxies, told in (("*", True), ("10.0.0.0/8, ::/0", True), ("127.0.0.1", False)):
        given = good | taken | {"trusted_proxies": proxies}
        done = run_here("serve", "--port", "9000", folder=tmp_path, **given)
        assert "GQL_APP_MANAGEMENT_PORT: is the port that is served already" in done.stderr
        assert ("GQL_APP_TRUSTED_PROXIES: anybody may be any client" in done.stderr) is told


async def test_key_file_that_is_none_is_found(tmp_path: Path, good: dict[str, str]) -> None:
    folder = tmp_path / "keys"
    folder.mkdir(mode=0o700)
    (folder / "x.pem").touch(mode=0o600)
    assert await found(good | {"keys_dir": str(folder)}) == ["cannot-start"]


@pytest.mark.parametrize("person", samples.SIGN_INS)
async def test_demo_customers_are_found_by_their_passwords(
    good: dict[str, str], person: samples.SignIn
) -> None:
    passwords = Passwords(threads=1, queue=0)
    hashed = await passwords.hash(person.password, LOCAL)
    passwords.close()
    database = Database(good["database_url"])
    await add_customer(database, "Somebody", person.email)
    assert await found(good) == []
    async with database.transaction() as db:
        await db.execute(update(CustomerRow).values(password_hash=hashed))
    await database.close()
    assert await found(good) == ["demo-data"]


async def test_postgresql_on_several_machines_is_as_it_should_be(
    good: dict[str, str], postgresql_url: str
) -> None:
    assert await found(good | PUBLIC | {"database_url": postgresql_url}, EVERYWHERE, 3) == []


async def test_unmigrated_postgresql_is_found(good: dict[str, str], postgres: Postgres) -> None:
    with postgres.copied("template1") as url:
        assert await found(good | {"database_url": url}) == ["pending-migrations"]


@pytest.mark.parametrize(("hours", "words"), [(-1, "ahead"), (1, "behind")])
async def test_clock_that_is_not_the_databases(
    postgresql_url: str, set_clock: SetClock, hours: int, words: str
) -> None:
    set_clock(clock.later(clock.now(), hours * 3600))
    settings = Settings(database_url=postgresql_url, secret_key=RANDOM, smtp_url="smtp://mail")
    (finding,) = await findings(settings, "127.0.0.1", 1)
    assert finding.code == "clock-skew"
    assert words in finding.message
    assert "36" in finding.message
