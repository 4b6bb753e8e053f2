<%
branch = config.attributes.get("branch")
title = message.replace("\\", 2 * "\\").replace(3 * '"', 3 * '\\"')
names = branch.metadata.naming_convention if branch and "batch_op" in f"{upgrades}" else {}
def named(code):
    """Return operations that know a constraint without a name by the one it would have."""
    old = "schema=None) as batch_op"
    return code.replace(old, "naming_convention=NAMES) as batch_op") if names else code
%>\
"""${title}."""

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}
revision = "${up_revision}"
down_revision = ${f'"{down_revision}"' if down_revision else None}
% if names:
NAMES = {
% for kind, name in names.items():
    "${kind}": "${name}",
% endfor
}
% endif


def upgrade() -> None:
    """${title}.

    Locks what it changes for as long as it takes.
    """
    ${named(upgrades) if upgrades else "pass"}


def downgrade() -> None:
    """Undo it."""
    ${named(downgrades) if downgrades else "pass"}
