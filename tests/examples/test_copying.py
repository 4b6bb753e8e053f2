"""The TypeScript examples in the project of who copies them."""

import re
import shutil
from pathlib import Path
from typing import Final

import pytest

from tests.examples.driving import EXAMPLES, NODE
from tests.processes import ROOT, run

pytestmark = pytest.mark.xdist_group("copying")

TYPESCRIPT: Final = EXAMPLES / "typescript"
CONFIG: Final = re.compile(r"(?<=  config: \{\n).*?(?=^  \},$)", re.MULTILINE | re.DOTALL)
OPTION: Final = re.compile(r"`(\w+: (?:true|\{.*?\}))`")
IMPORTED: Final = re.compile(r'^(?:import|\}) .*from "((?:@[\w-]+/)?[\w-]+)', re.MULTILINE)
SILENT, GUIDED = "silent", "guided"
COPIED: Final = ("session.ts", "retry.ts", "apollo.ts", "urql.ts")


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the examples into two projects, whose files must compile; return where they are."""
    folder = tmp_path_factory.mktemp("copied")
    shutil.copy(ROOT / "schema.graphql", folder)
    examples = folder / "examples"
    generate(examples / SILENT, "useTypeImports: true")
    generate(examples / GUIDED, *options())
    (examples / "node_modules").symlink_to(TYPESCRIPT / "node_modules")
    config = (TYPESCRIPT / "tsconfig.json").read_text(encoding="utf-8")
    assert config.count('["src"]') == 1
    both = config.replace('["src"]', f'["{SILENT}/src", "{GUIDED}/src"]')
    (examples / "tsconfig.json").write_text(both, encoding="utf-8")
    checked = run([str(NODE), "node_modules/typescript/bin/tsc"], examples)
    assert (checked.returncode, checked.stdout) == (0, "")
    return examples


def generate(project: Path, *options: str) -> None:
    """Generate the types of a copy by a config of these options alone."""
    shutil.copytree(TYPESCRIPT / "src", project / "src")
    (project / "node_modules").symlink_to(TYPESCRIPT / "node_modules")
    program = (TYPESCRIPT / "generate.mjs").read_text(encoding="utf-8")
    generating, count = CONFIG.subn(",\n".join(options), program)
    assert count == 1
    (project / "generate.mjs").write_text(generating, encoding="utf-8")
    made = run([str(NODE), "generate.mjs"], project)
    assert made.returncode == 0, made.stderr


def types_of(project: Path) -> str:
    """Return the generated types of a project."""
    return (project / "src/generated.ts").read_text(encoding="utf-8")


def section() -> str:
    """Return what the guide says of TypeScript."""
    guide = (ROOT / "docs/clients.md").read_text(encoding="utf-8")
    return guide.partition("\n## TypeScript\n")[2].partition("\n## ")[0]


def options() -> list[str]:
    """Return the options that the guide names."""
    found = OPTION.findall(section())
    assert len(found) == 2
    return found


def test_types_suit_a_project_that_says_nothing_of_scalars(examples: Path) -> None:
    assert "expiresAt: unknown" in types_of(examples / SILENT)


def test_types_suit_a_project_with_the_options_of_the_guide(examples: Path) -> None:
    assert "expiresAt: string" in types_of(examples / GUIDED)


def test_guide_names_every_package_that_the_files_to_copy_import() -> None:
    imported = {
        package
        for name in COPIED
        for package in IMPORTED.findall((TYPESCRIPT / "src" / name).read_text(encoding="utf-8"))
    }
    assert len(imported) > len(COPIED)
    assert [each for each in sorted(imported) if f"`{each}`" not in section()] == []
