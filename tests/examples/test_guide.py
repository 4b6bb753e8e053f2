"""The guide to clients quotes its examples as they are, and names what is there."""

import re

import pytest

from gql_app.errors import TokenReason
from tests.processes import ROOT

GUIDES = {
    "clients": {"python", "sh", "ts"},
    "second-factors": {"python", "ts"},
    "services": {"python"},
}
"""The guides, and the languages that each quotes."""
WORDS = {guide: (ROOT / f"docs/{guide}.md").read_text(encoding="utf-8") for guide in GUIDES}
FENCE = re.compile(r"^```(python|sh|ts)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((\.\./[^)]+)\)")


@pytest.mark.parametrize("guide", GUIDES)
def test_every_quotation_is_in_the_file_that_was_named_last(guide: str) -> None:
    words = WORDS[guide]
    quoted = list(FENCE.finditer(words))
    assert {found[1] for found in quoted} == GUIDES[guide]
    for found in quoted:
        file = ROOT / "docs" / LINK.findall(words[: found.start()])[-1]
        assert found[2] in file.read_text(encoding="utf-8"), f"{file} has changed"


@pytest.mark.parametrize("guide", GUIDES)
def test_every_file_that_is_linked_is_there(guide: str) -> None:
    linked = LINK.findall(WORDS[guide])
    assert len(linked) > 5
    assert not [each for each in linked if not (ROOT / "docs" / each).exists()]


def test_every_reason_of_the_schema_is_told() -> None:
    assert not [reason for reason in TokenReason if f"| `{reason}` |" not in WORDS["clients"]]
