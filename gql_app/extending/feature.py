"""Features: what a builder adds to the application, in one place."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.routing import BaseRoute

from gql_app.accounts.authenticators import Authenticator
from gql_app.accounts.permissions import Role
from gql_app.accounts.validation import PasswordRule
from gql_app.extending.hooks import After, Within
from gql_app.extending.letters import Letter
from gql_app.extending.settings import FeatureSettings
from gql_app.lib.keyring import Signer
from gql_app.lib.nodes import NodeKind
from gql_app.resources import ClaimsOf


@dataclass(frozen=True, slots=True, eq=False)
class Feature:
    """A part of an application: its types, tables, rules and whatever else it adds.

    What is wrong with it is told when the application is made, all at once.
    """

    name: str
    """The beginning of its settings' and permissions' names: lower case letters and digits."""
    queries: Sequence[type] = ()
    """Strawberry types whose fields are added to Query."""
    mutations: Sequence[type] = ()
    """Strawberry types whose fields are added to Mutation."""
    types: Sequence[type] = ()
    """Types that no field names, such as those of an interface."""
    nodes: Sequence[NodeKind[Any]] = ()
    """What node() returned: types that `node` finds, beside those that a connection() lists."""
    extensions: Sequence[type] = ()
    """Classes that extend() decorated, whose fields are added to types of ours."""
    roles: Sequence[Role] = ()
    """Roles of its own, and more permissions for others' by Role.extend()."""
    error_codes: Sequence[str] | Mapping[str, str] = ()
    """Codes of its own that Refused may have, or their descriptions by the codes; they join
    UserErrorCode."""
    actions: Sequence[str] = ()
    """What it records in the audit, as noun:verb."""
    on: Mapping[str, After] = field(default_factory=dict)
    """What runs after the commit of an event, by the event's name: docs/extending.md has all."""
    within: Mapping[str, Within] = field(default_factory=dict)
    """What runs in an event's own transaction, and may refuse it."""
    claims: ClaimsOf | None = None
    """Returns further claims for a customer's access tokens."""
    password_rules: Sequence[PasswordRule] = ()
    """Each raises Refused for a new password that it doesn't accept, given whose it is.

    They run after our own rules, and may be asynchronous.
    """
    authenticators: Sequence[Authenticator] = ()
    """What proves by other credentials than our tokens who is calling."""
    signer: Signer | None = None
    """What signs access tokens, instead of the keys that are set."""
    letters: Sequence[Letter] = ()
    """Letters of its own."""
    routes: Sequence[BaseRoute] = ()
    """Further paths that are served."""
    migrations: str | None = None
    """Where its migrations are, as package:folder; they run after ours.

    The tables of that package are the feature's.
    """
    settings: type[FeatureSettings] | None = None
    """Its settings, read from variables that begin with GQL_APP_ and its name."""
    commands: Sequence[Callable[..., Any]] = ()
    """Commands of its own: functions as Typer takes them, or a Typer that has a name."""
