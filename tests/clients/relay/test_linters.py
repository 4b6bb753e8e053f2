"""schema.graphql as linters see it; each exception has its reason where the rules are."""

import json
from typing import Any, Final

from tests.clients.relay.test_relay import HERE, MODULES, NODE
from tests.processes import ROOT, run

SCHEMA: Final = str(ROOT / "schema.graphql")
UNUSED: Final = "ProofMethod"
"""The type that no field answers: refusals say its values in `extensions.methods`."""


def test_graphql_eslint_finds_nothing_of_schema_and_relay_rules() -> None:
    program = MODULES / "eslint/bin/eslint.js"
    config = ("--config", str(HERE / "eslint.config.mjs"), "--format", "json")
    done = run([NODE, str(program), *config, SCHEMA], ROOT)
    files: list[dict[str, Any]] = json.loads(done.stdout)
    assert [each["filePath"] for each in files] == [SCHEMA]
    assert [(each["ruleId"], each["message"]) for each in files[0]["messages"]] == [
        ("@graphql-eslint/no-unreachable-types", f"Enum type `{UNUSED}` is unreachable.")
    ]


def test_graphql_schema_linter_finds_nothing() -> None:
    program = MODULES / "graphql-schema-linter/lib/cli.js"
    config = ("--config-directory", str(HERE), "--format", "json")
    done = run([NODE, str(program), *config, SCHEMA], ROOT)
    found = [(each["rule"], each["message"]) for each in json.loads(done.stdout)["errors"]]
    words = f"The type `{UNUSED}` is defined in the schema but not used anywhere."
    assert found == [("defined-types-are-used", words)], done.stderr
