"""The application of a command: the builder's, by --app or GQL_APP_APP, or the plain program."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from gql_app.cli.console import err
from gql_app.lib.environment import variable, variables

if TYPE_CHECKING:  # `version` needs none of it, nor does any command need all
    from gql_app.app import Application
    from gql_app.db.migrations.branches import Branch
    from gql_app.lib.keyring import Signer
    from gql_app.resources import Extensions
    from gql_app.schema.root import Additions
    from gql_app.settings import Settings

APP: Final = "GQL_APP_APP"
"""The variable with the application's module:name: settings.APP, without importing pydantic."""
NO_CLIENT_LIMIT: Final = "anybody may be any client, so that no limit of one client holds"
"""The consequence of trusting X-Forwarded-For of every peer."""


def application() -> "Application | None":
    """Return the builder's application, None if there is none. Raises CannotStart."""
    place = variable(APP)
    if place is None:
        return None
    from gql_app.app import Application  # noqa: PLC0415 — as above
    from gql_app.extending.loading import load_application  # noqa: PLC0415 — as above

    return load_application(place, Application)


def load(*, serving: bool = False) -> "Settings":
    """Return the settings that the application was given, or the environment's.

    Those of features are validated as well. Unknown variables are named first: a misspelt one may
    be why a setting is missing. Raises CannotStart.
    """
    from gql_app import settings  # noqa: PLC0415 — as above

    for name in unknown_variables():
        err(f"{name} is no setting of this program; it is ignored.")
    app = application()
    return settings.load(serving=serving) if app is None else app.load(serving=serving)


def unknown_variables() -> list[str]:
    """Return the names of `GQL_APP_` variables that are no setting of the program or a feature.

    They are most likely misspelt.
    """
    from gql_app.settings import PREFIX, VARIABLES  # noqa: PLC0415 — as above

    unknown = variables(PREFIX).keys() - VARIABLES
    if app := application():
        from gql_app.extending.settings import names  # noqa: PLC0415 — as above

        unknown -= set(names(app.merged.settings))
    return sorted(name for name in os.environ if name.upper() in unknown)


def branches() -> "Sequence[Branch]":
    """Return the migration branches of features."""
    app = application()
    return app.merged.extensions.branches if app else ()


def additions() -> "Additions":
    """Return the features' additions to the schema."""
    from gql_app.schema.root import Additions  # noqa: PLC0415 — as above

    app = application()
    return app.merged.additions if app else Additions()


def signer() -> "Signer | None":
    """Return a feature's signer of access tokens, None if the configured keys sign."""
    app = application()
    return app.merged.extensions.signer if app else None


def extensions() -> "Extensions":
    """Return the features' additions to the resources. Raises CannotStart."""
    from gql_app.resources import Extensions  # noqa: PLC0415 — as above

    app = application()
    return app.merged.load_extensions() if app else Extensions()
