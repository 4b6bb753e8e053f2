"""Variables: what is empty is not set, and blanks at the ends are no part."""

import os

import pytest

from gql_app.lib.environment import tidy_environment, variable, variables


@pytest.mark.parametrize(
    ("value", "read"), [("8000", "8000"), (" 8000\n", "8000"), ("", None), (" ", None)]
)
def test_blanks_are_no_part_and_an_empty_one_is_not_set(
    monkeypatch: pytest.MonkeyPatch, value: str, read: str | None
) -> None:
    monkeypatch.setenv("APP_port", value)
    assert variable("APP_port") == read
    assert variables("APP_") == ({"APP_PORT": read} if read else {})


def test_variables_of_libraries_are_cleaned_but_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"PGHOST": "", "PGUSER": " me ", "PGPASSWORD": " hidden "}.items():
        monkeypatch.setenv(name, value)
    tidy_environment()
    assert "PGHOST" not in os.environ
    assert (os.environ["PGUSER"], os.environ["PGPASSWORD"]) == ("me", " hidden ")
