"""Addresses: each has one spelling."""

import pytest

from gql_app.addresses import canonical, client_of, networks


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
    ],
)
def test_networks_of_an_address_are_told_the_narrowest_first(
    address: str, found: tuple[str, ...]
) -> None:
    assert networks(address) == found
    assert client_of(address) == found[0]
