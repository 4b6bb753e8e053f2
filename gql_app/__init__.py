"""A GraphQL API over customer accounts, and what an application that is built on it imports.

All that is public is named here, and is imported when it is taken: a command that needs none of it
starts without the server's libraries.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from gql_app.lib.environment import tidy_environment

if TYPE_CHECKING:
    from gql_app.accounts.permissions import Role
    from gql_app.accounts.sessions import Caller
    from gql_app.app import Application, create_app
    from gql_app.cli.features import run, settings_of
    from gql_app.extending.feature import Feature
    from gql_app.extending.settings import FeatureSettings
    from gql_app.extending.tables import Table
    from gql_app.lib.database import Transaction
    from gql_app.lib.faults import CannotStart
    from gql_app.schema.context import Context, Info, IsAuthenticated
    from gql_app.schema.customers import Customer
    from gql_app.settings import Settings
    from gql_app.web.graphql import context_of

__version__ = "0.1.0"
__all__ = [
    "Application",
    "Caller",
    "CannotStart",
    "Context",
    "Customer",
    "Feature",
    "FeatureSettings",
    "Info",
    "IsAuthenticated",
    "Role",
    "Settings",
    "Table",
    "Transaction",
    "context_of",
    "create_app",
    "run",
    "settings_of",
]

_MODULES: Final = {
    "accounts.permissions": ("Role",),
    "accounts.sessions": ("Caller",),
    "app": ("Application", "create_app"),
    "cli.features": ("run", "settings_of"),
    "extending.feature": ("Feature",),
    "extending.settings": ("FeatureSettings",),
    "extending.tables": ("Table",),
    "lib.database": ("Transaction",),
    "lib.faults": ("CannotStart",),
    "schema.context": ("Context", "Info", "IsAuthenticated"),
    "schema.customers": ("Customer",),
    "settings": ("Settings",),
    "web.graphql": ("context_of",),
}
"""Where each name is, as above for who checks types."""

tidy_environment()  # before any library that reads its variable once, as it is imported


def __getattr__(name: str) -> Any:  # noqa: ANN401 — PEP 562: as mypy is told above
    """Import what is public when it is taken."""
    for module, names in _MODULES.items():
        if name in names:
            found = globals()[name] = getattr(import_module(f"{__name__}.{module}"), name)
            return found
    message = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(message)


def __dir__() -> list[str]:
    """Name what is public, imported or not."""
    return sorted({*globals(), *__all__})
