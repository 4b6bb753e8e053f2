"""The TypeScript examples in the project of who copies them."""

import re
import shutil
from pathlib import Path
from typing import Final

from tests.examples.driving import EXAMPLES, NODE
from tests.processes import ROOT, run

TYPESCRIPT: Final = EXAMPLES / "typescript"
SCALARS: Final = re.compile(r"^ +(scalars: \{.*\}|strictScalars: true),\n", re.MULTILINE)
IMPORTED: Final = re.compile(r'^(?:import|\}) .*from "((?:@[\w-]+/)?[\w-]+)', re.MULTILINE)
COPIED: Final = ("session.ts", "retry.ts", "apollo.ts", "urql.ts")


def test_types_suit_a_project_that_says_nothing_of_scalars(tmp_path: Path) -> None:
    folder = tmp_path / "examples/typescript"
    shutil.copytree(TYPESCRIPT / "src", folder / "src")
    shutil.copy(ROOT / "schema.graphql", tmp_path)
    shutil.copy(TYPESCRIPT / "tsconfig.json", folder)
    (folder / "node_modules").symlink_to(TYPESCRIPT / "node_modules")
    generating, count = SCALARS.subn("", (TYPESCRIPT / "generate.mjs").read_text(encoding="utf-8"))
    assert count == 2
    (folder / "generate.mjs").write_text(generating, encoding="utf-8")
    made = run([str(NODE), "generate.mjs"], folder)
    assert made.returncode == 0, made.stderr
    generated = (folder / "src/generated.ts").read_text(encoding="utf-8")
    assert "expiresAt: unknown" in generated
    checked = run([str(NODE), "node_modules/typescript/bin/tsc"], folder)
    assert (checked.returncode, checked.stdout) == (0, "")


def test_guide_names_every_package_that_the_files_to_copy_import() -> None:
    imported = {
        package
        for name in COPIED
        for package in IMPORTED.findall((TYPESCRIPT / "src" / name).read_text(encoding="utf-8"))
    }
    assert len(imported) > len(COPIED)
    guide = (ROOT / "docs/clients.md").read_text(encoding="utf-8")
    section = guide.partition("\n## TypeScript\n")[2].partition("\n## ")[0]
    assert [each for each in sorted(imported) if f"`{each}`" not in section] == []
