"""A log whose reader stalls: nobody waits for it, and what it misses is counted."""

import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from gql_app.lib.telemetry.logs import MAX_BACKLOG, NonBlockingStream, non_blocking
from tests.peers import connected, head, post
from tests.processes import forked_server, free_port
from tests.scraping import parsed

LINE = "x" * 999 + "\n"
MANY = 2 * MAX_BACKLOG // len(LINE)
Read = Callable[[], str]


@pytest.fixture(params=["pipe", "socket"])
def stalled(request: pytest.FixtureRequest) -> Iterator[tuple[NonBlockingStream, Read]]:
    """Write to a reader that reads when it is told to."""
    with ExitStack() as opened:
        if request.param == "pipe":
            reader, writer = os.pipe()
        else:
            ends = socket.socketpair()
            reader, writer = (each.detach() for each in ends)
        os.set_blocking(reader, False)
        opened.callback(os.close, reader)
        sink = non_blocking(opened.enter_context(os.fdopen(writer, "w")))
        assert isinstance(sink, NonBlockingStream)

        def read() -> str:
            found = b""
            try:
                while some := os.read(reader, 65_536):
                    found += some
            except BlockingIOError:
                pass
            return found.decode()

        yield sink, read


def test_reader_that_stalls_is_not_waited_for_and_told_what_it_missed(
    stalled: tuple[NonBlockingStream, Read],
) -> None:
    sink, read = stalled
    for _ in range(MANY):
        sink.write(LINE)
    seen = read()
    while "dropped" not in seen:
        sink.write(LINE)
        seen += read()
    sink.write(LINE)
    seen += read()
    lines = seen.splitlines(keepends=True)
    [told] = [line for line in lines if line != LINE]
    dropped = json.loads(told)["dropped"]
    assert 0 < dropped < MANY
    assert lines.index(told) > MAX_BACKLOG // len(LINE)


def test_reader_has_a_last_chance_when_the_process_ends(
    stalled: tuple[NonBlockingStream, Read],
) -> None:
    sink, read = stalled
    count = MAX_BACKLOG // len(LINE)
    for _ in range(count):
        sink.write(LINE)
    seen = ""
    while len(seen) < count * len(LINE):
        seen += read()
        sink.end()
    assert seen == LINE * count


def test_lines_of_processes_that_share_a_stalled_pipe_are_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gql_app.lib.telemetry.logs.STALL_TIMEOUT", 0)
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    with os.fdopen(writer, "w") as shared, os.fdopen(reader, "rb") as pipe:
        sinks = [non_blocking(shared) for _ in range(2)]
        written = [f"{number} {'x' * (number % 300)}\n" for number in range(2_000)]
        for number, line in enumerate(written):
            sinks[number % 2].write(line)
        seen = b""
        while some := pipe.read():
            seen += some
            for sink in sinks:
                assert isinstance(sink, NonBlockingStream)
                sink.end()
    assert sorted(seen.decode().splitlines(keepends=True)) == sorted(written)


def test_lines_of_threads_are_written_once_each(
    stalled: tuple[NonBlockingStream, Read], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gql_app.lib.telemetry.logs.STALL_TIMEOUT", 0)
    sink, read = stalled

    def write(name: int) -> None:
        for number in range(2_000):
            sink.write(f"{name} {number} {'x' * 100}\n")

    threads = [threading.Thread(target=write, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    seen = ""
    while any(thread.is_alive() for thread in threads):
        seen += read()
    sink.end()
    while some := read():
        seen += some
        sink.end()
    lines = seen.splitlines()
    assert len(lines) == len(set(lines)) == 8_000


def test_stream_that_is_neither_is_written_as_ever(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w", encoding="utf-8") as file:
        assert non_blocking(file) is file


@pytest.mark.parametrize("workers", ["1", "2"])
def test_server_whose_log_nobody_reads_answers_counts_what_it_drops_and_stops(
    tmp_path: Path, workers: str
) -> None:
    port = free_port()
    errors = tmp_path / f"{port}.err"  # where forked_server() has it print to
    os.mkfifo(errors)
    reader = os.open(errors, os.O_RDWR | os.O_NONBLOCK)
    serve = ("serve", "--port", str(port), "--workers", workers)
    long = post(line=b"POST /%s HTTP/1.1" % (b"x" * 8_000))  # as is its line

    with forked_server(serve, port, tmp_path) as server, os.fdopen(reader, "rb") as log:
        with connected(server) as peer:

            def answer(request: bytes, status: int) -> bytes:
                peer.send(request)
                answer = peer.answer()
                assert answer.status == status
                return answer.body

            for _ in range(200):
                answer(long, 404)
            scraped = answer(head(line=b"GET /metrics HTTP/1.1"), 200).decode()
            counted = parsed(scraped).of("gql_app_log_lines_dropped_total")
            assert counted > 0
            seen = log.read()
            while b"Lines were dropped" not in seen:
                answer(post(), 200)
                seen += log.read() or b""
            [told] = [line for line in seen.splitlines() if b"Lines were dropped" in line]
            assert json.loads(told)["dropped"] >= counted
            for _ in range(200):
                answer(long, 404)
        assert server.stop() == 0
