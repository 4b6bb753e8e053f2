"""Faults: all of them are told, each on a line of its own."""

from gql_app.lib.faults import CannotStart


def test_every_fault_is_a_line() -> None:
    why = CannotStart(["PORT: must be a number", "FOLDER: is missing"])
    assert why.faults == ("PORT: must be a number", "FOLDER: is missing")
    assert str(why) == "PORT: must be a number\nFOLDER: is missing"
