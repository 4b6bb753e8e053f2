"""A GraphQL API over customer accounts, and the public API for applications built on it.

All public names are here, and are imported lazily: a command that needs none of them starts
without the server's libraries.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from gql_app.lib.environment import tidy_environment

if TYPE_CHECKING:
    from gql_app.accounts.authenticators import Authenticator
    from gql_app.accounts.permissions import Role
    from gql_app.accounts.records import CustomerRecord, Person
    from gql_app.accounts.sessions import Caller
    from gql_app.app import Application, create_app
    from gql_app.cli.features import run, settings_of
    from gql_app.errors import Refused, Rejected, TokenInvalid, Unauthenticated
    from gql_app.extending.connections import connection
    from gql_app.extending.context import Context, Info
    from gql_app.extending.extend import extend
    from gql_app.extending.feature import Feature
    from gql_app.extending.hooks import CommittedEvent, Event
    from gql_app.extending.letters import Letter
    from gql_app.extending.loaders import group, loader
    from gql_app.extending.mutations import mutation
    from gql_app.extending.nested import nested
    from gql_app.extending.node_kinds import node
    from gql_app.extending.nodes import node_of
    from gql_app.extending.permissions import HasPermission
    from gql_app.extending.routes import context_of
    from gql_app.extending.settings import FeatureSettings
    from gql_app.extending.tables import Table
    from gql_app.extending.transaction import Transaction
    from gql_app.extending.visibility import owned_by
    from gql_app.lib.clock import new_id, parse_id
    from gql_app.lib.database import IntegrityViolation, Query, Reader, any_of
    from gql_app.lib.faults import CannotStart
    from gql_app.lib.keyring import Signer
    from gql_app.schema.administration import CreateCustomerInput, UpdateCustomerInput
    from gql_app.schema.audit import AuditEvent
    from gql_app.schema.authentication import LoginPayload, RegisterInput, sign_in
    from gql_app.schema.customers import Customer
    from gql_app.schema.mail.invitations import InviteCustomerInput
    from gql_app.schema.payloads import Payload
    from gql_app.schema.permissions import IsAuthenticated, IsRecentlyAuthenticated
    from gql_app.schema.profile import UpdateMeInput
    from gql_app.schema.sessions import Session
    from gql_app.security.tokens import Identity
    from gql_app.settings import Settings

__version__ = "0.1.0"
__all__ = [
    "Application",
    "AuditEvent",
    "Authenticator",
    "Caller",
    "CannotStart",
    "CommittedEvent",
    "Context",
    "CreateCustomerInput",
    "Customer",
    "CustomerRecord",
    "Event",
    "Feature",
    "FeatureSettings",
    "HasPermission",
    "Identity",
    "Info",
    "IntegrityViolation",
    "InviteCustomerInput",
    "IsAuthenticated",
    "IsRecentlyAuthenticated",
    "Letter",
    "LoginPayload",
    "Payload",
    "Person",
    "Query",
    "Reader",
    "Refused",
    "RegisterInput",
    "Rejected",
    "Role",
    "Session",
    "Settings",
    "Signer",
    "Table",
    "TokenInvalid",
    "Transaction",
    "Unauthenticated",
    "UpdateCustomerInput",
    "UpdateMeInput",
    "any_of",
    "connection",
    "context_of",
    "create_app",
    "extend",
    "group",
    "loader",
    "mutation",
    "nested",
    "new_id",
    "node",
    "node_of",
    "owned_by",
    "parse_id",
    "run",
    "settings_of",
    "sign_in",
]

_MODULES: Final = {
    "accounts.authenticators": ("Authenticator",),
    "accounts.permissions": ("Role",),
    "accounts.records": ("CustomerRecord", "Person"),
    "accounts.sessions": ("Caller",),
    "app": ("Application", "create_app"),
    "cli.features": ("run", "settings_of"),
    "errors": ("Rejected", "Refused", "TokenInvalid", "Unauthenticated"),
    "extending.connections": ("connection",),
    "extending.context": ("Context", "Info"),
    "extending.extend": ("extend",),
    "extending.feature": ("Feature",),
    "extending.hooks": ("CommittedEvent", "Event"),
    "extending.letters": ("Letter",),
    "extending.loaders": ("group", "loader"),
    "extending.mutations": ("mutation",),
    "extending.nested": ("nested",),
    "extending.node_kinds": ("node",),
    "extending.nodes": ("node_of",),
    "extending.permissions": ("HasPermission",),
    "extending.routes": ("context_of",),
    "extending.settings": ("FeatureSettings",),
    "extending.tables": ("Table",),
    "extending.transaction": ("Transaction",),
    "extending.visibility": ("owned_by",),
    "lib.clock": ("new_id", "parse_id"),
    "lib.database": ("IntegrityViolation", "Query", "Reader", "any_of"),
    "lib.faults": ("CannotStart",),
    "lib.keyring": ("Signer",),
    "schema.administration": ("CreateCustomerInput", "UpdateCustomerInput"),
    "schema.audit": ("AuditEvent",),
    "schema.authentication": ("LoginPayload", "RegisterInput", "sign_in"),
    "schema.customers": ("Customer",),
    "schema.mail.invitations": ("InviteCustomerInput",),
    "schema.payloads": ("Payload",),
    "schema.permissions": ("IsAuthenticated", "IsRecentlyAuthenticated"),
    "schema.profile": ("UpdateMeInput",),
    "schema.sessions": ("Session",),
    "security.tokens": ("Identity",),
    "settings": ("Settings",),
}
"""The module of each public name, as imported above for type checkers."""

tidy_environment()  # before the import of any library that reads its variable only then


def __getattr__(name: str) -> Any:  # noqa: ANN401 — PEP 562: as mypy is told above
    """Import a public name at its first use."""
    for module, names in _MODULES.items():
        if name in names:
            found = globals()[name] = getattr(import_module(f"{__name__}.{module}"), name)
            return found
    message = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(message)


def __dir__() -> list[str]:
    """Return the public names, imported or not."""
    return sorted({*globals(), *__all__})
