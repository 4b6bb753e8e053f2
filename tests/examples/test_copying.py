"""The TypeScript examples in the project of who copies them."""

import re
import shutil
from pathlib import Path
from typing import Final

from tests.examples.driving import EXAMPLES, NODE
from tests.processes import ROOT, run

TYPESCRIPT: Final = EXAMPLES / "typescript"
CONFIG: Final = re.compile(r"(?<=  config: \{\n).*?(?=^  \},$)", re.MULTILINE | re.DOTALL)
OPTION: Final = re.compile(r"`(\w+: (?:true|\{.*?\}))`")
IMPORTED: Final = re.compile(r'^(?:import|\}) .*from "((?:@[\w-]+/)?[\w-]+)', re.MULTILINE)
COPIED: Final = ("session.ts", "retry.ts", "apollo.ts", "urql.ts")


def types_of(folder: Path, *options: str) -> str:
    """Return the generated types by a config of these options alone; all files must compile."""
    source = folder / "examples/typescript"
    shutil.copytree(TYPESCRIPT / "src", source / "src")
    shutil.copy(ROOT / "schema.graphql", folder)
    shutil.copy(TYPESCRIPT / "tsconfig.json", source)
    (source / "node_modules").symlink_to(TYPESCRIPT / "node_modules")
    program = (TYPESCRIPT / "generate.mjs").read_text(encoding="utf-8")
    generating, count = CONFIG.subn(",\n".join(options), program)
    assert count == 1
    (source / "generate.mjs").write_text(generating, encoding="utf-8")
    made = run([str(NODE), "generate.mjs"], source)
    assert made.returncode == 0, made.stderr
    checked = run([str(NODE), "node_modules/typescript/bin/tsc"], source)
    assert (checked.returncode, checked.stdout) == (0, "")
    return (source / "src/generated.ts").read_text(encoding="utf-8")


def section() -> str:
    """Return what the guide says of TypeScript."""
    guide = (ROOT / "docs/clients.md").read_text(encoding="utf-8")
    return guide.partition("\n## TypeScript\n")[2].partition("\n## ")[0]


def test_types_suit_a_project_that_says_nothing_of_scalars(tmp_path: Path) -> None:
    assert "expiresAt: unknown" in types_of(tmp_path, "useTypeImports: true")


def test_types_suit_a_project_with_the_options_of_the_guide(tmp_path: Path) -> None:
    options = OPTION.findall(section())
    assert len(options) == 2
    assert "expiresAt: string" in types_of(tmp_path, *options)


def test_guide_names_every_package_that_the_files_to_copy_import() -> None:
    imported = {
        package
        for name in COPIED
        for package in IMPORTED.findall((TYPESCRIPT / "src" / name).read_text(encoding="utf-8"))
    }
    assert len(imported) > len(COPIED)
    assert [each for each in sorted(imported) if f"`{each}`" not in section()] == []
