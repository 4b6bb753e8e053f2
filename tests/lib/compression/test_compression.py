"""Compression: for whom, and that the bytes are the same."""

import gzip

import pytest

from gql_app.lib.compression import accepts, compress

LARGE = b'{"id":"01a22bb4","name":"Ada"},' * 1000
VARY = (b"vary", b"Accept-Encoding")
GZIP = (b"content-encoding", b"gzip")


@pytest.mark.parametrize(
    ("accepted", "takes"),
    [
        ("gzip", True),
        ("GZIP", True),
        ("gzip, deflate, br, zstd", True),
        ("br;q=1, gzip;q=0.8, *;q=0.1", True),
        ("*", True),
        ("gzip ; q=0.001", True),
        ("gzip;Q=0.5", True),
        ("identity;q=0.5, gzip;q=0.5", True),
        ("identity;q=0, *", True),
        ("", False),
        ("br", False),
        ("gzip;q=0", False),
        ("gzip;q=0.000", False),
        ("gzip;q=0, *", False),
        ("*;q=0", False),
        ("identity", False),
        ("identity, gzip;q=0.5", False),
        ("identity;q=1, *;q=0.5", False),
        ("notgzip", False),
        ("gzip;q=x", False),
        ("gzip;q=nan", False),
        ("gzip;level=9", False),
        (";", False),
    ],
)
def test_client_gets_what_it_takes(accepted: str, *, takes: bool) -> None:
    assert accepts("gzip", accepted) is takes
    body, headers = compress(LARGE, [accepted.encode()])
    assert headers == ([VARY, GZIP] if takes else [VARY])
    assert (gzip.decompress(body) if takes else body) == LARGE


def test_several_headers_are_one_list() -> None:
    body, headers = compress(LARGE, [b"br", b"gzip"])
    assert (gzip.decompress(body), headers) == (LARGE, [VARY, GZIP])


def test_client_that_says_nothing_gets_it_as_it_is() -> None:
    assert compress(LARGE, []) == (LARGE, [VARY])


def test_what_was_compressed_is_smaller() -> None:
    body, _ = compress(LARGE, [b"gzip"])
    assert len(body) < len(LARGE) / 5
