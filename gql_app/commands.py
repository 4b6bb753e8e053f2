"""The names of the commands: the command line has them, and no feature may use them."""

from collections.abc import Mapping
from typing import Final

COMMANDS: Final[Mapping[str, str]] = {
    "serve": "serve.serve",
    "migrate": "database.migrate",
    "create-admin": "accounts.create_admin",
    "change-email": "accounts.change_email",
    "verify-email": "accounts.verify_email",
    "seed": "accounts.seed",
    "purge": "accounts.purge",
    "backup": "database.backup",
    "distribute": "distribute.distribute",
    "end-sessions": "accounts.end_sessions",
    "remove-factors": "accounts.remove_factors",
    "unlock": "accounts.unlock",
    "export-audit": "audit.export_audit",
    "check": "check.check",
    "export-schema": "schema.export_schema",
    "version": "console.version",
    "import": "imports.import_customers",
    "export": "exports.export_customers",
    "keys": "keys.keys",
    "letters": "letters.letters",
}
"""The commands, and the functions of the modules of gql_app/cli that run them."""
ONLY_WITH_FEATURES: Final[Mapping[str, str]] = {"make-migration": "features.make_migration"}
"""The commands that exist only for a builder's application."""
