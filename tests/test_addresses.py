"""Addresses: each has one spelling."""

import pytest

from gql_app.addresses import canonical, client_of


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
    ("given", "client"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2::", "2001:db8:1:2::/64"),
        ("unix socket", "unix socket"),
        ("unknown", "unknown"),
        ("", "unknown"),
        (None, "unknown"),
    ],
)
def test_client_has_a_network_of_its_own(given: str | None, client: str) -> None:
    assert client_of(given) == client
