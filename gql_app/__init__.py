"""A GraphQL API over customer accounts, and the public API for applications built on it.

All public names are here, and are imported lazily: a command that needs none of them starts
without the server's libraries.
"""

from importlib import import_module
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from gql_app.lib.environment import tidy_environment

if TYPE_CHECKING:
    from gql_app.accounts.permissions import Role as Role
    from gql_app.accounts.records import CustomerRecord as CustomerRecord, Person as Person
    from gql_app.accounts.sessions import Caller as Caller
    from gql_app.app import Application as Application, create_app as create_app
    from gql_app.cli.features import run as run, settings_of as settings_of
    from gql_app.errors import (
        Refused as Refused,
        Rejected as Rejected,
        TokenInvalid as TokenInvalid,
        Unauthenticated as Unauthenticated,
    )
    from gql_app.extending.authenticators import Authenticator as Authenticator
    from gql_app.extending.connections import connection as connection
    from gql_app.extending.context import Context as Context, Info as Info, context_of as context_of
    from gql_app.extending.extend import extend as extend
    from gql_app.extending.feature import Feature as Feature
    from gql_app.extending.hooks import CommittedEvent as CommittedEvent, Event as Event
    from gql_app.extending.letters import Letter as Letter
    from gql_app.extending.loaders import loader as loader
    from gql_app.extending.mutations import mutation as mutation
    from gql_app.extending.nested import nested as nested
    from gql_app.extending.node_kinds import node as node
    from gql_app.extending.nodes import node_of as node_of
    from gql_app.extending.permissions import HasPermission as HasPermission
    from gql_app.extending.settings import FeatureSettings as FeatureSettings
    from gql_app.extending.tables import Table as Table
    from gql_app.extending.transaction import Transaction as Transaction
    from gql_app.extending.visibility import owned_by as owned_by
    from gql_app.lib.batching import group as group
    from gql_app.lib.clock import new_id as new_id, parse_id as parse_id
    from gql_app.lib.database import (
        IntegrityViolation as IntegrityViolation,
        Query as Query,
        Reader as Reader,
        any_of as any_of,
    )
    from gql_app.lib.faults import CannotStart as CannotStart
    from gql_app.lib.keyring import Signer as Signer
    from gql_app.schema.administration import (
        CreateCustomerInput as CreateCustomerInput,
        UpdateCustomerInput as UpdateCustomerInput,
    )
    from gql_app.schema.audit import AuditEvent as AuditEvent
    from gql_app.schema.authentication import (
        LoginPayload as LoginPayload,
        RegisterInput as RegisterInput,
        sign_in as sign_in,
    )
    from gql_app.schema.customers import Customer as Customer
    from gql_app.schema.mail.invitations import InviteCustomerInput as InviteCustomerInput
    from gql_app.schema.payloads import Payload as Payload
    from gql_app.schema.permissions import (
        IsAuthenticated as IsAuthenticated,
        IsRecentlyAuthenticated as IsRecentlyAuthenticated,
    )
    from gql_app.schema.profile import UpdateMeInput as UpdateMeInput
    from gql_app.schema.sessions import Session as Session
    from gql_app.security.tokens import Identity as Identity
    from gql_app.settings import Settings as Settings

__version__ = "0.1.0"
_MODULES: Final = {
    "accounts.permissions": ("Role",),
    "accounts.records": ("CustomerRecord", "Person"),
    "accounts.sessions": ("Caller",),
    "app": ("Application", "create_app"),
    "cli.features": ("run", "settings_of"),
    "errors": ("Rejected", "Refused", "TokenInvalid", "Unauthenticated"),
    "extending.authenticators": ("Authenticator",),
    "extending.connections": ("connection",),
    "extending.context": ("Context", "Info", "context_of"),
    "extending.extend": ("extend",),
    "extending.feature": ("Feature",),
    "extending.hooks": ("CommittedEvent", "Event"),
    "extending.letters": ("Letter",),
    "extending.loaders": ("loader",),
    "extending.mutations": ("mutation",),
    "extending.nested": ("nested",),
    "extending.node_kinds": ("node",),
    "extending.nodes": ("node_of",),
    "extending.permissions": ("HasPermission",),
    "extending.settings": ("FeatureSettings",),
    "extending.tables": ("Table",),
    "extending.transaction": ("Transaction",),
    "extending.visibility": ("owned_by",),
    "lib.batching": ("group",),
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
__all__ = [*sorted(chain(*_MODULES.values()))]  # noqa: PLE0604 — no name twice

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
