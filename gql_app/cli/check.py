"""`check`: faults of a deployment's configuration, files, keys and database."""

import json
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from stat import S_IRWXG, S_IRWXO
from typing import Annotated
from urllib.parse import urlsplit

import typer

from gql_app.cli import application
from gql_app.cli.console import out, unless_empty
from gql_app.cli.findings import MAX_NAMED, Finding, is_keyless, of_database
from gql_app.lib import signals
from gql_app.lib.atomic_files import has_modes
from gql_app.lib.database import in_the_clear
from gql_app.lib.faults import CannotStart, sentence
from gql_app.lib.keyring import NEW_RSA_BITS, guessable, is_pattern, is_short
from gql_app.lib.network import Networks, is_loopback
from gql_app.lib.outbox import clear_text
from gql_app.mail.composing import mail_templates
from gql_app.security.key_store import kept_beside, key_store
from gql_app.security.tokens import MAX_LIFETIME
from gql_app.settings import PAGES, PREFIX, Settings


def check(
    host: Annotated[
        str, typer.Option(help="The address that serve listens on.", callback=unless_empty)
    ] = "127.0.0.1",
    machines: Annotated[int, typer.Option(min=1, help="The number of machines that serve.")] = 1,
    accept: Annotated[
        list[str] | None,
        typer.Option(help="A code to accept: that finding is on purpose; repeatable."),
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check a deployment for problems; exit with status 1 if there are any."""
    try:
        found = signals.run(findings(application.load(serving=True), host, machines))
    except CannotStart as why:
        found = _faults(why)
    to_mend = [each for each in found if each.code not in (accept or ())]
    if as_json:
        sys.stdout.write(json.dumps({"findings": [each._asdict() for each in to_mend]}) + "\n")
    else:
        for each in to_mend:
            out(f"{each.code}: {each.message} {each.remedy}")
        out("Nothing to mend." if not to_mend else f"To mend: {len(to_mend)}.")
    if to_mend:
        sys.exit(1)


async def findings(chosen: Settings, host: str, machines: int) -> list[Finding]:
    """Return the faults of a deployment; nothing is created or changed.

    It counts as public if other machines can reach it: by its address, a name or a proxy.
    """
    names = (host, *chosen.allowed_hosts)
    is_public = chosen.trusted_proxies is not None or not all(map(is_loopback, names))
    return [
        *(
            Finding("unknown-variable", f"{name} is no setting of this program.", "Mend its name.")
            for name in application.unknown_variables()
        ),
        *_keys(chosen),
        *_files(chosen),
        *_letters(chosen, is_public=is_public),
        *_settings(chosen, machines, is_public=is_public),
        *_documents(chosen, is_public=is_public),
        *_network(chosen),
        *[finding async for finding in of_database(chosen)],
    ]


def _keys(chosen: Settings) -> Iterator[Finding]:
    for name, secret in (
        ("SECRET_KEY", chosen.secret_bytes),
        ("SECRET_KEY_FALLBACK", chosen.fallback_bytes),
        *zip(("FACTOR_KEY", "FACTOR_KEY_FALLBACK"), chosen.factor_keys, strict=True),
    ):
        if secret and not is_pattern(secret) and guessable(secret):
            yield Finding(
                "weak-key",
                f"{PREFIX}{name} reads like something that can be guessed.",
                "Make one with: openssl rand -base64 48",
            )
    if is_keyless(chosen):
        return
    try:
        store = key_store(chosen, application.signer())
        scan = store.scan()
        ring = store.ring(scan)
    except CannotStart as why:
        yield from _faults(why)
        return
    if chosen.audiences and not store.external and isinstance(ring.signing.verifier, bytes):
        yield Finding(
            "no-public-key",
            "Tokens for other services are signed with the secret, by which they can be forged.",
            "Make a key, and sign with it: keys new, keys promote",
        )
    for place, key in scan.stored.items():
        if is_short(key) and ring.find(key.id):
            yield Finding(
                "weak-rsa-key",
                f"{place} has fewer than {NEW_RSA_BITS} bits, too few after 2030.",
                "Change to a new key: keys new",
            )


def _faults(why: CannotStart) -> list[Finding]:
    return [Finding("cannot-start", sentence(fault), "Mend it first.") for fault in why.faults]


def _letters(chosen: Settings, *, is_public: bool) -> Iterator[Finding]:
    """Yield the faults of letters: of their templates, their sender and the pages of their links.

    By default the latter two are of this machine, which other machines can't reach.
    """
    try:
        mail_templates(chosen, application.extensions().templates)
    except CannotStart as why:
        yield from _faults(why)
    if chosen.smtp_url is None or not is_public:
        return
    if chosen.mail_from.lower().rstrip(">").endswith("@localhost"):
        yield Finding(
            "local-sender",
            f"Letters come from {chosen.mail_from}: other mail servers may refuse them.",
            f"Set {PREFIX}MAIL_FROM to an address of yours.",
        )
    signs_in = chosen.sign_in_links or chosen.second_factor != "off"
    for name in PAGES:
        page = getattr(chosen, name.lower())
        if urlsplit(page).scheme == "http" and (signs_in or name != "SIGN_IN_URL"):
            yield Finding(
                f"{name.removesuffix('_URL').lower().replace('_', '-')}-in-the-clear",
                f"Links in letters lead to {page}, a page without TLS.",
                f"Set {PREFIX}{name} to an https:// page that customers can open.",
            )


def _files(chosen: Settings) -> Iterator[Finding]:
    files: list[tuple[str, Path]] = []
    if chosen.on_sqlite:
        file = chosen.sqlite_file
        files.append(("exposed-database", file))
        if chosen.secret_bytes is None:
            files.append(("exposed-key", kept_beside(file)))
    if chosen.keys_dir:
        files.append(("exposed-key", chosen.keys_dir))
        with suppress(OSError):  # _keys() has found a folder that can't be read
            files += [("exposed-key", file) for file in sorted(chosen.keys_dir.iterdir())]
    for code, file in files:
        if _is_exposed(file):
            yield Finding(
                code,
                f"Others on this machine may read or write {file}.",
                f"Run: chmod go= {file}",
            )


def _is_exposed(file: Path) -> bool:
    """Return whether others may read or write a file; this account may not see it at all."""
    try:
        return has_modes() and bool(file.stat().st_mode & (S_IRWXG | S_IRWXO))
    except OSError:
        return False


def _documents(chosen: Settings, *, is_public: bool) -> Iterator[Finding]:
    """Yield the faults of the list of trusted documents, each validated against the schema."""
    if chosen.trusted_documents is None:
        if chosen.trusted_documents_allow:
            yield Finding(
                "no-trusted-documents",
                f"{PREFIX}TRUSTED_DOCUMENTS_ALLOW excepts something of a list that is not there: "
                "every document runs.",
                f"Set {PREFIX}TRUSTED_DOCUMENTS, or neither.",
            )
        return
    if is_public and "playground" in chosen.trusted_documents_allow:
        yield Finding(
            "open-documents",
            "Whoever says that they are the playground runs any document.",
            f"Take playground out of {PREFIX}TRUSTED_DOCUMENTS_ALLOW.",
        )
    from gql_app.app import build_engine  # noqa: PLC0415 — few deployments need the engine here
    from gql_app.lib.graphql_http import read_manifest  # noqa: PLC0415 — as above

    engine = build_engine(chosen, application.additions())
    listed = read_manifest(chosen.trusted_documents)
    wrong = [name for name, text in listed.items() if not engine.validator.is_valid(text)]
    if wrong:
        names = ", ".join(wrong[:MAX_NAMED])
        yield Finding(
            "invalid-documents",
            f"Trusted documents that can't run by today's schema and limits, {len(wrong)} of "
            f"{len(listed)}: {names}.",
            f"Write the list of {PREFIX}TRUSTED_DOCUMENTS anew by this server's schema.graphql.",
        )


def _settings(chosen: Settings, machines: int, *, is_public: bool) -> Iterator[Finding]:
    smtp_url = chosen.smtp_url and chosen.smtp_url.get_secret_value()
    for is_so, *words in (
        (
            Networks(chosen.trusted_proxies).has_all,
            "any-proxy",
            f"X-Forwarded-For is believed of anybody: {application.NO_CLIENT_LIMIT}.",
            f"Set {PREFIX}TRUSTED_PROXIES to your proxy's address.",
        ),
        (
            is_public and chosen.playground,
            "open-playground",
            "Everybody is shown the playground.",
            f"Set {PREFIX}PLAYGROUND=false, or keep it on purpose.",
        ),
        (
            is_public and chosen.introspection and _shows_schema(chosen),
            "open-introspection",
            "Everybody may ask for the schema.",
            f"Set {PREFIX}INTROSPECTION=false, or keep it on purpose.",
        ),
        (
            is_public and chosen.management_port is None,
            "open-metrics",
            "Everybody is shown the numbers at /metrics, and how each part is at /readyz.",
            f"Set {PREFIX}MANAGEMENT_PORT, or see that your proxy lets nobody at them.",
        ),
        (
            is_public and not chosen.allowed_hosts,
            "any-host",
            "Every Host header is answered.",
            f"Set {PREFIX}ALLOWED_HOSTS to the names that clients use.",
        ),
        (
            is_public and chosen.trusted_proxies is None,
            "no-tls",
            "Nothing in front ends TLS: passwords and tokens travel in the clear.",
            f"Put a proxy in front, and set {PREFIX}TRUSTED_PROXIES to its address.",
        ),
        (
            smtp_url is None,
            "no-mail",
            "No letter is sent: nobody can reset a password, or is told of a change.",
            f"Set {PREFIX}SMTP_URL and {PREFIX}MAIL_FROM.",
        ),
        (
            smtp_url and clear_text(smtp_url),
            "mail-in-the-clear",
            "Letters, and the links in them, go to the mail server in the clear.",
            f"Begin {PREFIX}SMTP_URL with smtps:// or smtp+starttls://.",
        ),
        (
            {*chosen.audiences} - {chosen.audience} and chosen.access_token_ttl > MAX_LIFETIME,
            "long-access-tokens",
            "The services refuse tokens that live for more than a day, unless told otherwise.",
            f"Set {PREFIX}ACCESS_TOKEN_TTL to at most {MAX_LIFETIME}, or longest_life there.",
        ),
        (
            chosen.refresh_retry_seconds <= chosen.operation_timeout,
            "short-refresh-retry",
            (
                "Whoever waits for a refresh until the operation's timeout comes too late to "
                "repeat it, and is signed out."
            ),
            f"Set {PREFIX}REFRESH_RETRY_SECONDS to some times {PREFIX}OPERATION_TIMEOUT.",
        ),
        (
            chosen.on_sqlite and machines > 1,
            "sqlite-on-several-machines",
            "An SQLite file serves one machine: each would have customers of its own.",
            f"Set {PREFIX}DATABASE_URL to a PostgreSQL.",
        ),
    ):
        if is_so:
            yield Finding(*words)


def _shows_schema(chosen: Settings) -> bool:
    """Return whether introspection is possible in spite of a list of trusted documents."""
    excepted = chosen.trusted_documents is None or bool(chosen.trusted_documents_allow)
    return excepted or chosen.playground  # the playground's introspection always runs


def _network(chosen: Settings) -> Iterator[Finding]:
    for name, url in (("DATABASE_URL", chosen.database_url), ("READ_URL", chosen.read_url)):
        if url and not chosen.on_sqlite and in_the_clear(url):
            yield Finding(
                "database-in-the-clear",
                f"{PREFIX}{name} lets the password and all data go over a network without TLS.",
                "Say sslmode=verify-full there, or require, or keep it to a network of its own.",
            )
