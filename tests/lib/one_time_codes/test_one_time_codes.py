"""One-time passwords are those of RFC 6238, good once, and readable by apps."""

import re
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, unquote, urlsplit
from xml.etree import ElementTree as ET

import pytest

from gql_app.lib.one_time_codes import matching_step, new_secret, qr_code, secret_text, uri

SECRET = b"12345678901234567890"
VECTORS = [
    (59, "287082"),
    (1111111109, "081804"),
    (1111111111, "050471"),
    (1234567890, "005924"),
    (2000000000, "279037"),
    (20000000000, "353130"),
]
"""RFC 6238, appendix B, for SHA-1: the last six digits of eight."""
NOW = datetime.fromtimestamp(1234567890, UTC)
STEP, CODE = 1234567890 // 30, "005924"
SVG = "{http://www.w3.org/2000/svg}"


def matching(code: str, *, now: datetime = NOW, last_step: int | None = None) -> int | None:
    return matching_step(SECRET, code, now=now, last_step=last_step)


@pytest.mark.parametrize(("seconds", "code"), VECTORS)
def test_the_codes_are_those_of_the_standard(seconds: int, code: str) -> None:
    assert matching(code, now=datetime.fromtimestamp(seconds, UTC)) == seconds // 30


@pytest.mark.parametrize(("steps", "found"), [(-2, None), (-1, STEP), (1, STEP), (2, None)])
def test_a_clock_may_be_one_step_behind_or_ahead(steps: int, found: int | None) -> None:
    assert matching(CODE, now=NOW + timedelta(seconds=30 * steps)) == found


@pytest.mark.parametrize(("last_step", "found"), [(STEP - 1, STEP), (STEP, None), (STEP + 1, None)])
def test_no_step_counts_that_is_not_later_than_the_last_one(
    last_step: int, found: int | None
) -> None:
    assert matching(CODE, last_step=last_step) == found


def test_a_last_step_far_back_opens_no_step_between() -> None:
    now = NOW + timedelta(minutes=5)
    assert matching(CODE, now=now, last_step=STEP - 100) is None


def test_a_code_of_another_secret_is_refused() -> None:
    assert matching_step(b"another" * 3, CODE, now=NOW, last_step=None) is None


@pytest.mark.parametrize("typed", ["005 924", " 005924\n", "0 0 5 9 2 4", "005\u00a0924"])
def test_blanks_within_a_code_are_taken(typed: str) -> None:
    assert matching(typed) == STEP


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "5924",
        "0005924",
        "00592a",
        "+05924",
        "005-924",
        "\uff10\uff10\uff15\uff19\uff12\uff14",
        "\u0660\u0660\u0665\u0669\u0662\u0664",
        "005924\0",
        "005924" + " " * 100,
        "0" * 1_000_000,
    ],
)
def test_whatever_is_not_six_ascii_digits_is_refused(typed: str) -> None:
    assert matching(typed) is None


def test_every_secret_is_new_and_has_160_bits() -> None:
    assert len({new_secret() for _ in range(100)}) == 100
    assert len(new_secret()) == 20


def test_a_secret_is_typed_in_base32_without_padding() -> None:
    assert secret_text(SECRET) == "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
    assert secret_text(b"1234567890123456") == "GEZDGNBVGY3TQOJQGEZDGNBVGY"


def test_the_uri_says_all_that_an_app_needs() -> None:
    parts = urlsplit(uri(SECRET, account="ada@example.com", issuer="Our Shop & Söhne"))
    assert (parts.scheme, parts.netloc) == ("otpauth", "totp")
    assert unquote(parts.path) == "/Our Shop & Söhne:ada@example.com"
    assert parse_qs(parts.query, strict_parsing=True) == {
        "secret": [secret_text(SECRET)],
        "issuer": ["Our Shop & Söhne"],
        "algorithm": ["SHA1"],
        "digits": ["6"],
        "period": ["30"],
    }


def test_nothing_in_an_account_or_an_issuer_leaves_its_place() -> None:
    written = uri(SECRET, account="a/b?c=d&secret=x#+%:1", issuer="E: F/G?&=#")
    assert re.fullmatch(r"otpauth://totp/[\w%.-]+:[\w%.-]+\?[\w%.&=-]+", written, re.ASCII)
    parts = urlsplit(written)
    assert unquote(parts.path) == "/E F/G?&=#:a/b?c=d&secret=x#+%1"
    assert parse_qs(parts.query)["secret"] == [secret_text(SECRET)]
    assert parse_qs(parts.query)["issuer"] == ["E F/G?&=#"]


def modules(drawn: ET.Element) -> set[tuple[int, int]]:
    """Return where the dark modules of a drawn QR code are, as column and row."""
    dark, x, y = set(), 0.0, 0.0
    for command, numbers in re.findall(r"([Mmh])([-\d. ]+)", drawn.attrib["d"]):
        first, *second = map(float, numbers.split())
        if command == "h":
            dark |= {(int(x) + step, int(y)) for step in range(int(first))}
            x += first
        else:
            x, y = (first, second[0]) if command == "M" else (x + first, y + second[0])
    return dark


def test_the_qr_code_is_an_svg_that_fills_its_place_on_a_light_ground() -> None:
    text = qr_code(uri(SECRET, account="ada@example.com", issuer="Our Shop"))
    picture = ET.fromstring(text)  # noqa: S314 — our own
    assert text.startswith("<svg")
    assert (picture.tag, set(picture.attrib)) == (f"{SVG}svg", {"viewBox"})
    width = int(picture.attrib["viewBox"].split()[2])
    ground, lines = picture
    assert ground.attrib == {"fill": "#fff", "d": f"M0 0h{width}v{width}h-{width}z"}
    dark = modules(lines)
    assert lines.attrib["stroke"] == "#000"
    assert {min(x for x, _ in dark), min(y for _, y in dark)} == {4}
    assert max(y for _, y in dark) == width - 5


def test_the_qr_code_has_the_three_corners_that_a_scanner_looks_for() -> None:
    picture = ET.fromstring(qr_code("otpauth://totp/x"))  # noqa: S314 — our own
    width = int(picture.attrib["viewBox"].split()[2])
    dark = modules(picture[1])
    eye = {(x, y) for x in range(7) for y in range(7)}
    ring = {(x, y) for x, y in eye if max(abs(x - 3), abs(y - 3)) == 2}
    for left, top in ((4, 4), (width - 11, 4), (4, width - 11)):
        assert {(x - left, y - top) for x, y in dark} & eye == eye - ring


def test_every_text_has_a_qr_code_of_its_own() -> None:
    assert qr_code("otpauth://totp/a") == qr_code("otpauth://totp/a")
    assert qr_code("otpauth://totp/a") != qr_code("otpauth://totp/b")


def test_a_text_that_no_qr_code_holds_is_refused() -> None:
    with pytest.raises(ValueError, match="too large"):
        qr_code("x" * 5000)
