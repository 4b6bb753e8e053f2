"""Addresses: each has one spelling."""

import pytest

from gql_app.addresses import canonical


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
