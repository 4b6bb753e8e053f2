"""deploy/kubernetes by the schemas of Kubernetes, whose unknown fields are refused."""

from pathlib import Path

import pytest

from tests.operating.programs import DEPLOY, told

MANIFESTS = sorted((DEPLOY / "kubernetes").glob("*.yaml"))


@pytest.mark.parametrize("version", ["1.27", "1.33", "1.37"])
def test_manifests_are_valid(version: str) -> None:
    said = told("kubernetes-validate", "--strict", "-k", version, *MANIFESTS).splitlines()
    assert [line for line in said if " passed for resource " not in line] == []
    assert len(said) >= len(MANIFESTS)


def test_misspelt_field_is_found(tmp_path: Path) -> None:
    text = (DEPLOY / "kubernetes/server.yaml").read_text(encoding="utf-8")
    file = tmp_path / "server.yaml"
    file.write_text(text.replace("enableServiceLinks", "enableServiceLink"))
    said = told("kubernetes-validate", "--strict", file, code=1)
    assert "enableServiceLink" in said
