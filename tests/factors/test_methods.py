"""Methods of a session's proof: what they amount to with those of second factors."""

import pytest

from gql_app.factors.methods import combined, without_factors


@pytest.mark.parametrize(
    ("before", "more", "methods"),
    [
        (None, ["pwd"], "pwd"),
        ("pwd", ["otp"], "pwd otp mfa"),
        ("email", ["pop"], "email pop mfa"),
        ("provider", ["pop", "user"], "provider pop user mfa"),
        (None, ["pop", "user"], "pop user"),
        (None, ["pop"], "pop"),
        ("pwd", ["email"], "pwd email"),
        ("pwd", ["pwd"], "pwd"),
    ],
)
def test_methods_add_up(before: str | None, more: list[str], methods: str) -> None:
    assert combined(before, *more) == methods


@pytest.mark.parametrize(
    ("before", "left"),
    [("pwd otp mfa", "pwd"), ("email pop user mfa", "email"), ("pop user", ""), (None, "")],
)
def test_a_removed_factor_does_not_count_any_more(before: str | None, left: str) -> None:
    assert without_factors(before) == left
