"""README and the pages of docs/: what they link to, name and promise is there."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from gql_app.settings import PREFIX, Settings
from tests.processes import ROOT

README: Final = ROOT / "README.md"
PAGES: Final = sorted((ROOT / "docs").glob("*.md"))
POLICIES: Final = [ROOT / "SECURITY.md", ROOT / "CHANGELOG.md"]
LONGEST_README: Final = 200
"""Lines."""
SCREEN: Final = 60
"""Lines; a longer page has a table of contents."""
THREATS: Final = (ROOT / "docs/security.md").read_text(encoding="utf-8")
NAMED: Final = re.findall(r"`([\w/]+\.py)::(\w+)`", THREATS)
LINK: Final = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)")
FENCE: Final = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)


def prose(file: Path) -> str:
    """Return the text of a page without its blocks of code."""
    return FENCE.sub("", file.read_text(encoding="utf-8"))


def headings(file: Path, level: str = "#+") -> Iterator[str]:
    """Yield the anchors of a page's headings, as GitHub makes them."""
    for heading in re.findall(rf"^{level} (.+)$", prose(file), re.MULTILINE):
        yield re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def written_in(file: str) -> set[str]:
    """Return the names of the tests that a file holds."""
    tree = ast.parse((ROOT / "tests" / file).read_text(encoding="utf-8"))
    return {
        node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def test_every_test_that_is_named_is_there() -> None:
    missing = [f"{file}::{name}" for file, name in NAMED if name not in written_in(file)]
    assert missing == []


def test_every_threat_has_its_test() -> None:
    rows = [line for line in THREATS.splitlines() if line.startswith("| ") and "Threat" not in line]
    assert len(rows) > 50
    assert not [row for row in rows if not re.search(r"\.py::test_\w+` \|$", row)]


def test_readme_is_short() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) <= LONGEST_README


def test_readme_links_every_page_and_every_package() -> None:
    linked = {(ROOT / target).resolve() for target, _ in LINK.findall(prose(README)) if target}
    packages = [file.parent for file in (ROOT / "gql_app/lib").glob("*/__init__.py")]
    assert [page for page in PAGES if page not in linked] == []
    assert [each for each in packages if not linked & {each, each / "README.md"}] == []


@pytest.mark.parametrize("page", [README, *PAGES, *POLICIES], ids=lambda page: page.name)
def test_every_relative_link_leads_to_a_file_or_heading(page: Path) -> None:
    for target, anchor in LINK.findall(prose(page)):
        file = (page.parent / target).resolve() if target else page
        assert file.exists(), f"{page.name} links to {target}, which is not there"
        if anchor:
            assert anchor in set(headings(file)), f"{page.name} links to {target}#{anchor}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_long_page_has_a_table_of_contents(page: Path) -> None:
    if len(page.read_text(encoding="utf-8").splitlines()) > SCREEN:
        contents = [anchor for target, anchor in LINK.findall(prose(page)) if not target]
        assert [each for each in headings(page, "##") if each not in contents] == []


def test_settings_are_grouped_alike_in_code_and_docs() -> None:
    page = (ROOT / "docs/settings.md").read_text(encoding="utf-8")
    code = (ROOT / "gql_app/settings/model.py").read_text(encoding="utf-8")
    documented = re.findall(r"^## (.+)$|^\| `GQL_APP_(\w+)` \|", page, re.MULTILINE)
    body = code.partition("\nclass Settings")[2].partition("# The demo")[0]
    declared = re.findall(r"^    # (.+)$|^    (\w+): ", body, re.MULTILINE)
    assert documented == [(group, name.upper()) for group, name in declared]
    assert PREFIX == "GQL_APP_"
    assert {name for _, name in declared if name} == Settings.model_fields.keys() - {"demo"}
