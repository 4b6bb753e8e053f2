"""The guide to clients quotes its examples as they are, and names what is there."""

import re

from tests.processes import ROOT

GUIDE = ROOT / "docs/clients.md"
WORDS = GUIDE.read_text(encoding="utf-8")
FENCE = re.compile(r"^```(python|sh|ts)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((\.\./[^)]+)\)")


def test_every_quotation_is_in_the_file_that_was_named_last() -> None:
    quoted = list(FENCE.finditer(WORDS))
    assert {found[1] for found in quoted} == {"python", "sh", "ts"}
    for found in quoted:
        file = GUIDE.parent / LINK.findall(WORDS[: found.start()])[-1]
        assert found[2] in file.read_text(encoding="utf-8"), f"{file} has changed"


def test_every_file_that_is_linked_is_there() -> None:
    linked = LINK.findall(WORDS)
    assert len(linked) > 5
    assert not [each for each in linked if not (GUIDE.parent / each).exists()]


def test_every_reason_of_the_schema_is_told() -> None:
    schema = (ROOT / "schema.graphql").read_text(encoding="utf-8")
    found = re.search(r"enum TokenReason \{(.*?)\}", schema, re.DOTALL)
    assert found is not None
    assert not [reason for reason in found[1].split() if f"| `{reason}` |" not in WORDS]
