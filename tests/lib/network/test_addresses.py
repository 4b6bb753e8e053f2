"""Addresses: each has one spelling."""

import pytest

from gql_app.accounts.audit import Origin
from gql_app.accounts.throttling import Throttle
from gql_app.lib.network import (
    Networks,
    canonical,
    client_networks,
    client_of,
    is_address,
)
from tests.laws import MODULES, imported


@pytest.mark.parametrize(
    ("given", "spelling"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("::FFFF:C000:0201", "192.0.2.1"),
        ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("::1", "::1"),
        ("unknown", "unknown"),
        ("", ""),
    ],
)
def test_address_has_one_spelling(given: str, spelling: str) -> None:
    assert canonical(given) == spelling
    assert canonical(spelling) == spelling


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("192.0.2.1", ("192.0.2.1",)),
        ("::ffff:192.0.2.1", ("192.0.2.1",)),
        ("2001:DB8:1:2345::1", ("2001:db8:1:2345::/64", "2001:db8:1:2300::/56", "2001:db8:1::/48")),
        ("fe80::1%eth0", ("fe80::/64", "fe80::/56", "fe80::/48")),
        ("::1", ("::/64", "::/56", "::/48")),
        ("unknown", ("unknown",)),
        ("no:address", ("no:address",)),
        (":" * 100, (":" * 100,)),
        ("", ("unknown",)),
        (None, ("unknown",)),
    ],
)
def test_networks_of_an_address_are_told_the_narrowest_first(
    address: str | None, found: tuple[str, ...]
) -> None:
    assert client_networks(address) == found
    assert client_of(address) == found[0]


@pytest.mark.parametrize(
    ("listed", "inside", "outside"),
    [
        (None, [], ["192.0.2.1", "unknown"]),
        ("*", ["192.0.2.1", "::1", "unknown"], []),
        ("192.0.2.1", ["192.0.2.1", "::ffff:192.0.2.1"], ["192.0.2.2", "unknown", ""]),
        ("192.0.2.0/24,::1", ["192.0.2.9", "::1", "0::1"], ["192.0.3.1", "::2"]),
        ("::ffff:192.0.2.0/120", ["192.0.2.9", "::ffff:192.0.2.9"], ["192.0.3.1", "::192.0.2.9"]),
        ("2001:DB8::/32", ["2001:db8::1"], ["2001:db9::1", "192.0.2.1"]),
    ],
)
def test_networks_know_an_address_in_every_spelling(
    listed: str | None, inside: list[str], outside: list[str]
) -> None:
    networks = Networks(listed)
    assert [address in networks for address in inside] == [True] * len(inside)
    assert [address in networks for address in outside] == [False] * len(outside)


@pytest.mark.parametrize(
    ("listed", "has_all"),
    [
        (None, False),
        ("*", True),
        ("192.0.2.1, 0.0.0.0/0", True),
        ("::/0", True),
        ("::ffff:0:0/96", True),
        ("0.0.0.0/1, ::/1", False),
    ],
)
def test_networks_know_whether_they_have_every_address(
    listed: str | None, *, has_all: bool
) -> None:
    assert Networks(listed).has_all is has_all


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("192.0.2.1", True),
        ("2001:db8::1", True),
        ("2001:db8::1%evil.example", False),
        ("192.0.2.0/24", False),
        ("evil.example", False),
        ("", False),
    ],
)
def test_address_is_known_from_other_words(text: str, *, is_one: bool) -> None:
    assert is_address(text) == is_one


def test_nobody_else_takes_an_address_of_a_client_apart() -> None:
    takes_apart = {name for name, source in MODULES.items() if "ipaddress" in imported(source)}
    takes_apart |= {
        name
        for name, source in MODULES.items()
        if any(each.startswith("ipaddress.") for each in imported(source))
    }
    assert takes_apart == {"lib.network", "lib.setting_types"}


@pytest.mark.parametrize(("given", "kept"), [("::ffff:192.0.2.1", "192.0.2.1"), (None, None)])
def test_origin_of_a_deed_is_spelt_so(given: str | None, kept: str | None) -> None:
    assert Origin.of(given, None).ip_address == kept


def test_both_spellings_are_one_client_to_a_throttle() -> None:
    throttle = Throttle(key=b"key", attempts=1, client_attempts=1, window=1)
    spellings = ("192.0.2.1", "::ffff:192.0.2.1", "::FFFF:C000:201")
    assert len({throttle.of_client("sign-in", each) for each in spellings}) == 1
