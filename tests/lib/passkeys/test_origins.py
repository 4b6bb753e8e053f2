"""Origins: which pages may use passkeys, and those of which domain."""

import pytest

from gql_app.lib.passkeys import is_domain, may_use, origin_of, shared_domain


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://example.com/account/reset?a=b", "https://example.com"),
        ("https://EXAMPLE.com:443", "https://example.com"),
        ("https://www.example.com:8443/", "https://www.example.com:8443"),
        ("http://localhost:8000/graphql", "http://localhost:8000"),
        ("http://localhost:80", "http://localhost"),
        ("https://localhost", "https://localhost"),
        ("https://intranet", "https://intranet"),
        ("http://example.com", None),
        ("http://sub.localhost", None),
        ("http://127.0.0.1:8000", None),
        ("https://127.0.0.1", None),
        ("https://192.0.2.1.", None),
        ("https://[::1]", None),
        ("https://b\u00fccher.example", None),
        (f"https://{'a.' * 130}com", None),
        ("capacitor://localhost", None),
        ("/account/reset", None),
    ],
)
def test_page_has_an_origin_if_passkeys_can_be_used_there(url: str, origin: str | None) -> None:
    assert origin_of(url) == origin


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("example.com", True),
        ("xn--bcher-kva.example", True),
        ("7-eleven.com", True),
        ("1.2.3.4a", True),
        ("1.2.3.4", False),
        ("example.1", False),
        ("example..com", False),
        (".com", False),
        ("", False),
    ],
)
def test_domain_is_no_address(text: str, *, fits: bool) -> None:
    assert is_domain(text) is fits


def test_page_may_use_the_passkeys_of_its_domain_and_those_above() -> None:
    assert may_use("https://example.com", "example.com")
    assert may_use("https://app.example.com:8443", "example.com")
    assert not may_use("https://example.com", "app.example.com")
    assert not may_use("https://badexample.com", "example.com")


@pytest.mark.parametrize(
    ("origins", "domain"),
    [
        ([], None),
        (["http://localhost:8000"], "localhost"),
        (["https://app.example.com", "https://example.com"], "example.com"),
        (["https://app.example.com", "https://www.example.com"], None),
        (["https://example.com", "http://localhost:8000"], None),
    ],
)
def test_shared_domain_is_one_of_a_page(origins: list[str], domain: str | None) -> None:
    assert shared_domain(origins) == domain
