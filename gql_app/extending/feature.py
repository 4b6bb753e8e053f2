"""Features: everything that a builder adds to the application, in one place."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.routing import BaseRoute
from strawberry.types.scalar import ScalarDefinition

from gql_app.accounts.permissions import Role
from gql_app.accounts.validation import PasswordRule
from gql_app.extending.authenticators import Authenticator
from gql_app.extending.hooks import After, Within
from gql_app.extending.letters import Letter
from gql_app.extending.settings import FeatureSettings
from gql_app.lib.keyring import Signer
from gql_app.lib.nodes import NodeKind
from gql_app.resources import ClaimsOf


@dataclass(frozen=True, slots=True, eq=False)
class Feature:
    """A part of an application: its types, tables, rules and all else that it adds.

    create_app() raises CannotStart with all faults of the features.
    """

    name: str
    """The prefix of its settings, and its migrations' branch: lower case letters and digits."""
    queries: Sequence[type] = ()
    """Strawberry types whose fields are added to Query."""
    mutations: Sequence[type] = ()
    """Strawberry types whose fields are added to Mutation."""
    types: Sequence[type] = ()
    """Types that no field refers to, such as implementations of an interface."""
    scalars: Mapping[object, ScalarDefinition] = field(default_factory=dict)
    """Custom scalars by the types that they stand for, as strawberry.scalar(name=...) returns
    them."""
    nodes: Sequence[NodeKind[Any]] = ()
    """Results of node(): types that `node` finds, in addition to those that connection() lists."""
    extensions: Sequence[type] = ()
    """Classes decorated with extend(), whose fields are added to our types."""
    roles: Sequence[Role] = ()
    """New roles, and further permissions for existing roles by Role.extend()."""
    error_codes: Sequence[str] | Mapping[str, str] = ()
    """Further codes of Refused, or a mapping of the codes to their descriptions; they are added to
    UserErrorCode."""
    actions: Sequence[str] = ()
    """The actions that it records in the audit log, as noun:verb."""
    on: Mapping[str, After] = field(default_factory=dict)
    """Hooks that run after the commit of an event, by the event's name: see docs/extending.md."""
    within: Mapping[str, Within] = field(default_factory=dict)
    """Hooks that run in an event's own transaction, and may refuse it."""
    claims: ClaimsOf | None = None
    """A function that returns further claims for a customer's access tokens."""
    password_rules: Sequence[PasswordRule] = ()
    """Functions of a new password and its owner that raise Refused if they don't accept it.

    They run after our own rules, and may be asynchronous.
    """
    authenticators: Sequence[Authenticator] = ()
    """Functions that authenticate callers by other credentials than our tokens."""
    signer: Signer | None = None
    """The signer of access tokens, in place of the configured keys."""
    letters: Sequence[Letter] = ()
    """Further kinds of letters."""
    routes: Sequence[BaseRoute] = ()
    """Further routes of the application."""
    migrations: str | None = None
    """The folder of its migrations, as package:folder; they run after ours.

    The tables that this package declares are the feature's, but for a feature's package in it.
    """
    settings: type[FeatureSettings] | None = None
    """The class of its settings, read from variables that begin with GQL_APP_ and its name."""
    commands: Sequence[Callable[..., Any]] = ()
    """Further commands: functions as Typer takes them, not asynchronous, or a Typer with a name."""


def packages_of(features: Iterable[Feature]) -> list[str]:
    """Return the packages of the features' migrations, in which their tables are."""
    return [each.migrations.partition(":")[0] for each in features if each.migrations]
