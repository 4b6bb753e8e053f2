"""The page is built to the same bytes wherever it is built."""

import gzip
import os
import shutil
import subprocess
import sys
from pathlib import Path

from gql_app.web.pages.playground import BUILT
from tests.playground.test_npm import tools
from tests.processes import PATIENCE, ROOT

UNCOMPRESSED = """
import config from "./vite.config.ts";
const plugins = config.plugins.filter(({ name }) => name !== "compressed");
export default { ...config, plugins };
"""
"""As the page is built, but for what takes most of the time and is tried by itself."""


def files(folder: Path) -> dict[str, bytes]:
    """Read what is in a folder, but for the compressed copies."""
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file() and file.suffix not in {".br", ".gz"}
    }


def test_page_is_the_same_when_it_is_built_again_elsewhere(tmp_path: Path) -> None:
    source, modules = ROOT / "playground", ROOT / "playground/node_modules"
    assert modules.exists(), "make test installs what builds the page"
    copy = tmp_path / "another place/playground"
    shutil.copytree(source, copy, ignore=shutil.ignore_patterns("node_modules", "__pycache__"))
    (copy / "node_modules").symlink_to(modules)
    (copy / "uncompressed.ts").write_text(UNCOMPRESSED)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    subprocess.run(  # noqa: S603 — what playground/npm.py runs, in a copy
        [str(modules / ".bin/vite"), "build", "--config", "uncompressed.ts", "--logLevel", "warn"],
        cwd=copy,
        env=tools(path),
        check=True,
        capture_output=True,
        timeout=PATIENCE,
    )
    assert files(copy.parent / "gql_app/web/static") == files(BUILT)


def test_compressed_copies_tell_neither_time_nor_machine() -> None:
    copies = list(BUILT.rglob("*.gz"))
    assert copies
    for file in copies:
        content = file.read_bytes()
        assert content[3:8] == bytes(5)  # no name, no time
        assert gzip.decompress(content) == file.with_suffix("").read_bytes()
