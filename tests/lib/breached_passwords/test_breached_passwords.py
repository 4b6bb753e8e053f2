"""What a service of ranges answers is looked up, and what it fails to is no answer, in time."""

import asyncio
import ssl
import threading
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trustme
from structlog.testing import capture_logs

from gql_app.lib.breached_passwords import (
    LOG_INTERVAL,
    MAX_ANSWER_BYTES,
    NO_LOOKUPS,
    THREADS,
    BreachedPasswords,
    Lookup,
    Question,
)
from tests.ranges import (
    HOST,
    PADDING,
    Answering,
    Handler,
    RangeService,
    digest_of,
    knowing,
    lines,
    range_service,
)

PASSWORD = "correct horse battery"
PREFIX, SUFFIX = digest_of(PASSWORD)
PATIENCE = 30
"""Seconds that nothing here takes."""
FOUND = lines({SUFFIX: 3})
BEGUN = b"HTTP/1.1 200 OK\r\n"
ODD_ANSWERS: dict[str, Answering] = {
    "not found": lambda asked: asked.send(FOUND, 404),
    "failure": lambda asked: asked.send(FOUND, 500),
    "no content": lambda asked: asked.send(b"", 204),
    "page": lambda asked: asked.send(b"<!doctype html><title>Sign in to the network</title>"),
    "garbage": lambda asked: asked.send(b"\xff\xfe\x00" * 9),
    "no count": lambda asked: asked.send(SUFFIX.encode()),
    "negative": lambda asked: asked.send(f"{SUFFIX}:-1".encode()),
    "short": lambda asked: asked.send(f"{SUFFIX[1:]}:1".encode()),
    "faulty after it": lambda asked: asked.send(f"{SUFFIX}:1\r\n?".encode()),
    "empty line": lambda asked: asked.send(f"\r\n{SUFFIX}:1".encode()),
    "cut off": lambda asked: raw(asked, BEGUN + b"Content-Length: 99\r\n\r\n" + FOUND),
    "of no length": lambda asked: raw(asked, BEGUN + b"\r\n" + FOUND),
    "huge": lambda asked: asked.send(lines({f"{n:035X}": 1 for n in range(7_000)})),
    "no HTTP": lambda asked: raw(asked, b"SSH-2.0-OpenSSH_10.2\r\n"),
    "nothing": lambda asked: raw(asked, b""),
}


def raw(asked: Handler, answer: bytes) -> None:
    """Answer byte by byte, and hang up."""
    asked.close_connection = True
    asked.wfile.write(answer)


@asynccontextmanager
async def asking(
    url: str | None, deadline: float = PATIENCE
) -> AsyncIterator[tuple[BreachedPasswords, Counter[Lookup]]]:
    """Yield what asks a service, and what is counted; none of its threads is left in the end."""
    counts = Counter[Lookup]()
    others = {*threading.enumerate()}
    breached = BreachedPasswords(
        url, count=lambda lookup: counts.update([lookup]), deadline=deadline
    )
    try:
        async with asyncio.timeout(PATIENCE):
            yield breached, counts
    finally:
        breached.close()
        for thread in {*threading.enumerate()} - others:
            if thread.name.startswith("breached-password"):
                thread.join(PATIENCE)
                assert not thread.is_alive()


async def looked_up(answer: Answering, password: str = PASSWORD, path: str = "") -> Lookup:
    """Look a password up once, and return what came of it."""
    with range_service(answer) as service:
        async with asking(service.url + path) as (breached, counts):
            held = await breached.contains(password)
        (found,) = counts.elements()
    assert held == (found is Lookup.BREACHED)
    assert len(service.requests) == 1
    return found


@pytest.mark.parametrize("password", [PASSWORD, "Übergrößenträger 9", "パスワードパスワード"])
async def test_password_of_the_list_is_breached_and_another_is_not(password: str) -> None:
    assert await looked_up(knowing(password), password) is Lookup.BREACHED
    assert await looked_up(knowing("another one"), password) is Lookup.CLEAN


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b"", Lookup.CLEAN),
        (lines(PADDING), Lookup.CLEAN),
        (lines({SUFFIX: 0}), Lookup.CLEAN),
        (lines({SUFFIX: 0} | PADDING), Lookup.CLEAN),
        (lines({SUFFIX: 1} | PADDING), Lookup.BREACHED),
        (lines(PADDING | {SUFFIX: 10_000_000}) + b"\r\n", Lookup.BREACHED),
        (lines(PADDING | {SUFFIX: 2}).replace(b"\r", b"").lower(), Lookup.BREACHED),
    ],
)
async def test_line_of_no_count_is_padding_and_any_other_a_password(
    body: bytes, found: Lookup
) -> None:
    assert await looked_up(lambda asked: asked.send(body)) is found


async def test_answer_in_chunks_is_read_to_its_end() -> None:
    def answer(asked: Handler) -> None:
        asked.wfile.write(BEGUN + b"Transfer-Encoding: chunked\r\n\r\n")
        for part in (lines(PADDING) + b"\r\n", lines({SUFFIX: 3}), b""):
            asked.wfile.write(b"%x\r\n%b\r\n" % (len(part), part))

    assert await looked_up(answer) is Lookup.BREACHED


@pytest.mark.parametrize("path", ["", "/", "/pwned/v1", "/pwned/v1/"])
async def test_nothing_leaves_but_five_characters_of_the_digest(path: str) -> None:
    with range_service(knowing(PASSWORD)) as service:
        async with asking(service.url + path) as (breached, _):
            assert await breached.contains(PASSWORD)
    (request,) = service.requests
    assert request.startswith(f"GET {path.rstrip('/')}/range/{PREFIX} HTTP/1.1\n")
    assert "\nAdd-Padding: true\n" in request
    assert "\nUser-Agent: gql_app\n" in request
    for secret in (SUFFIX, PREFIX + SUFFIX[:1], SUFFIX[:6], PASSWORD):
        assert secret.lower() not in request.lower()


@pytest.mark.parametrize("name", ODD_ANSWERS)
async def test_odd_answer_says_nothing(name: str) -> None:
    assert await looked_up(ODD_ANSWERS[name]) is Lookup.FAILED


async def test_answer_is_read_up_to_its_bound_and_no_further() -> None:
    line = len(f"{SUFFIX}:1\r\n")
    most = MAX_ANSWER_BYTES // line
    full = {f"{n:035X}": 1 for n in range(most - 1)} | {SUFFIX: 1}
    spare = b"0" * (MAX_ANSWER_BYTES - len(lines(full)))
    assert await looked_up(lambda asked: asked.send(lines(full))) is Lookup.BREACHED
    beyond = lines(full) + spare + b"0"
    assert await looked_up(lambda asked: asked.send(beyond)) is Lookup.FAILED


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_redirect_leads_nowhere(status: int) -> None:
    with range_service(knowing(PASSWORD)) as other, range_service(knowing()) as service:
        service.answer = lambda asked: asked.send(b"", status, Location=other.url + asked.path)
        async with asking(service.url) as (breached, counts):
            assert not await breached.contains(PASSWORD)
    assert counts == {Lookup.FAILED: 1}
    assert (len(service.requests), other.requests) == (1, [])


@pytest.mark.parametrize("url", [f"http://{HOST}:9", "http://nowhere.invalid", "http://a..b"])
async def test_service_that_is_not_there_says_nothing(url: str) -> None:
    async with asking(url) as (breached, counts):
        assert not await breached.contains(PASSWORD)
    assert counts == {Lookup.FAILED: 1}


async def test_without_an_address_nobody_is_asked_and_nothing_counted() -> None:
    async with asking(None) as (breached, counts):
        assert not await breached.contains(PASSWORD)
    assert counts == {}
    assert not await NO_LOOKUPS.contains(PASSWORD)


async def test_service_that_never_answers_is_waited_for_no_longer_than_the_usual_deadline() -> None:
    with range_service(knowing()) as service:
        service.answer = service.say_nothing
        counts = Counter[Lookup]()
        breached = BreachedPasswords(service.url, count=lambda found: counts.update([found]))
        async with asyncio.timeout(PATIENCE):
            assert not await breached.contains(PASSWORD)
        assert counts == {Lookup.FAILED: 1}
        assert service.left.wait(PATIENCE)
        breached.close()


async def test_others_are_served_while_a_service_is_waited_for() -> None:
    with range_service(knowing()) as service:
        service.answer = service.say_nothing
        async with asking(service.url) as (breached, _):
            holding = asyncio.create_task(breached.contains(PASSWORD))
            await asyncio.to_thread(service.asked.wait, PATIENCE)
            assert not holding.done()
            holding.cancel()
            with pytest.raises(asyncio.CancelledError):
                await holding
            assert await asyncio.to_thread(service.left.wait, PATIENCE)


def trickling(service: RangeService, name: str) -> Answering:
    """Return what answers without an end, from some place of an answer on."""
    chunked = BEGUN + b"Transfer-Encoding: chunked\r\n\r\n"
    beginnings = {
        "status": b"HTTP/1.1 200 ",
        "headers": BEGUN + b"X: ",
        "length of a chunk": chunked,
        "chunk": chunked + b"30000\r\n",
        "body": BEGUN + b"Content-Length: 200000\r\n\r\n",
        "body that ends with the connection": BEGUN + b"Connection: close\r\n\r\n",
    }
    return service.trickle(beginnings[name]) if name in beginnings else service.say_nothing


@pytest.mark.parametrize(
    "name",
    [
        *("nothing", "status", "headers", "length of a chunk", "chunk", "body"),
        "body that ends with the connection",
    ],
)
async def test_thread_ends_with_the_deadline_however_slowly_it_is_answered(name: str) -> None:
    with range_service(knowing()) as service:
        service.answer = trickling(service, name)
        async with asking(service.url, deadline=0.2) as (breached, counts):
            for _ in range(2):
                assert not await breached.contains(PASSWORD)
            held = await asyncio.gather(*(breached.contains(PASSWORD) for _ in range(2 * THREADS)))
        assert counts == {Lookup.FAILED: 2 + 2 * THREADS}
        assert not any(held)
        assert service.left.wait(PATIENCE)
        service.answer = knowing(PASSWORD)
        async with asking(service.url) as (other, _):
            assert await other.contains(PASSWORD)


async def test_threads_are_free_for_the_next_once_their_questions_were_given_up() -> None:
    with range_service(knowing()) as service:
        service.answer = service.say_nothing
        async with asking(service.url) as (breached, counts):
            asked = [asyncio.create_task(breached.contains(PASSWORD)) for _ in range(2 * THREADS)]
            await asyncio.to_thread(service.asked.wait, PATIENCE)
            service.answer = knowing(PASSWORD)
            for each in asked:
                each.cancel()
            assert await breached.contains(PASSWORD)
        assert counts == {Lookup.BREACHED: 1}


def test_question_that_was_given_up_before_it_was_connected_is_not_sent() -> None:
    with range_service(knowing(PASSWORD)) as service:
        connection = HTTPConnection(urlsplit(service.url).netloc, timeout=PATIENCE)
        question = Question(connection, "/range/", PREFIX + SUFFIX)
        question.give_up()
        with pytest.raises(TimeoutError):
            question.ask()
        assert connection.sock is None
        assert service.requests == []


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    """Make an authority, and what a server encrypts with that it has certified."""
    made = trustme.CA()
    file = tmp_path_factory.mktemp("authority") / "authority.pem"
    made.cert_pem.write_to_path(file)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    made.issue_cert(HOST).configure_cert(tls)
    return file, tls


async def test_certificate_has_to_be_of_a_trusted_authority_and_of_the_host(
    authority: tuple[Path, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    file, tls = authority
    with range_service(knowing(PASSWORD), tls) as service:
        async with asking(service.url) as (breached, counts):
            assert not await breached.contains(PASSWORD)
        assert (counts, service.requests) == ({Lookup.FAILED: 1}, [])
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
        async with asking(service.url.replace(HOST, "localhost")) as (breached, counts):
            assert not await breached.contains(PASSWORD)
        assert (counts, service.requests) == ({Lookup.FAILED: 1}, [])
        async with asking(service.url) as (breached, _):
            assert await breached.contains(PASSWORD)


async def test_failure_is_logged_once_a_minute_without_what_was_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 1_000.0
    monkeypatch.setattr("gql_app.lib.breached_passwords.monotonic", lambda: now)
    monkeypatch.setattr("gql_app.lib.breached_passwords.is_configured", lambda: True)
    with capture_logs() as log, range_service(ODD_ANSWERS["failure"]) as service:
        async with asking(service.url) as (breached, _):
            for _ in range(3):
                await breached.contains(PASSWORD)
            assert [each["problem"] for each in log] == ["it answers with the status 500"]
            now += LOG_INTERVAL
            service.answer = lambda asked: raw(asked, asked.requestline.encode())
            await breached.contains(PASSWORD)
            assert log[1]["problem"] == "BadStatusLine"
        async with asking(f"http://{HOST}:9") as (breached, _):
            await breached.contains(PASSWORD)
    assert [each["problem"] for each in log[2:]] == ["Connection refused"]
    assert {each["log_level"] for each in log} == {"warning"}
    assert PREFIX not in str(log)


async def test_command_says_by_itself_what_it_has_to_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gql_app.lib.breached_passwords.is_configured", lambda: False)
    with capture_logs() as log:
        async with asking(f"http://{HOST}:9") as (breached, _):
            await breached.contains(PASSWORD)
    assert log == []
