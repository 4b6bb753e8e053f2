"""Faults: all of them are told, each on a line of its own."""

import pytest

from gql_app.lib.faults import CannotStart, sentence


def test_every_fault_is_a_line() -> None:
    why = CannotStart(["PORT: must be a number", "FOLDER: is missing"])
    assert why.faults == ("PORT: must be a number", "FOLDER: is missing")
    assert str(why) == "PORT: must be a number\nFOLDER: is missing"


@pytest.mark.parametrize("text", ["It is.", "Is it?", "It is!"])
def test_sentence_has_one_stop(text: str) -> None:
    assert sentence(text) == text
    assert sentence("It is") == "It is."
