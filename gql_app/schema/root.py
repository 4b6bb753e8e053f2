"""The schema: Query and Mutation, and what features add to them."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Final

import strawberry
from graphql import GraphQLError
from strawberry.scalars import JSON
from strawberry.schema.config import StrawberryConfig
from strawberry.types.field import StrawberryField
from strawberry.types.scalar import ScalarDefinition

from gql_app.accounts.proofs import ProofMethod
from gql_app.errors import UserErrorCode
from gql_app.lib.composition import ComposedSchema, Replacements, merged_type
from gql_app.schema.administration import AdministrationMutation
from gql_app.schema.audit import AuditQuery
from gql_app.schema.authentication import AuthenticationMutation
from gql_app.schema.customers import CustomerQuery
from gql_app.schema.factors.passkeys import PasskeyMutation
from gql_app.schema.factors.second_factors import SecondFactorMutation
from gql_app.schema.mail.email_verification import EmailVerificationMutation
from gql_app.schema.mail.invitations import InvitationMutation
from gql_app.schema.mail.password_reset import PasswordResetMutation
from gql_app.schema.mail.sign_in_links import SignInLinkMutation
from gql_app.schema.nodes import NodeQuery
from gql_app.schema.permissions import Requires
from gql_app.schema.profile import ProfileMutation
from gql_app.schema.sessions import SessionMutation, TokenQuery
from gql_app.schema.types import DATE_TIME, JSON_VALUE

QUERIES: Final = (AuditQuery, CustomerQuery, NodeQuery, TokenQuery)
MUTATIONS: Final = (
    AdministrationMutation,
    EmailVerificationMutation,
    InvitationMutation,
    PasskeyMutation,
    PasswordResetMutation,
    SignInLinkMutation,
    ProfileMutation,
    SecondFactorMutation,
    SessionMutation,
    AuthenticationMutation,
)
SCALARS: Final[Mapping[object, ScalarDefinition]] = {datetime: DATE_TIME, JSON: JSON_VALUE}
SCHEMAS: Final = 8
"""The most schemas that are cached, each with other features."""


@dataclass(frozen=True, eq=False)
class Additions:
    """What features add to one schema, once it is checked; other schemas stay as they are."""

    queries: Sequence[type] = ()
    mutations: Sequence[type] = ()
    types: Sequence[type] = ()
    """Types that no field refers to."""
    fields: Mapping[type, Sequence[StrawberryField]] = field(default_factory=dict)
    """Further fields of built-in object types."""
    inputs: Mapping[type, type] = field(default_factory=dict)
    """Replacements of built-in input types, with more fields."""
    scalars: Mapping[object, ScalarDefinition] = field(default_factory=dict)
    error_codes: Mapping[str, str] = field(default_factory=dict)
    """Descriptions of further error codes, by code; empty if there is none."""


NOTHING: Final = Additions()
_DESCRIPTIONS: Final = Path(__file__).with_name("descriptions.toml")


def build_schema(additions: Additions = NOTHING) -> ComposedSchema:
    """Return the schema with what features add, built once. Raises what Strawberry raises.

    Raises ValueError for a name that there can't be.
    """
    try:
        return _built(additions if any(vars(additions).values()) else NOTHING)
    except GraphQLError as why:
        raise ValueError(str(why)) from why


@lru_cache(SCHEMAS)
def _built(additions: Additions) -> ComposedSchema:
    enums: dict[type, type] = {}
    if additions.error_codes:
        codes = [(code, code) for code in (*UserErrorCode, *additions.error_codes)]
        made: type[StrEnum] = StrEnum("UserErrorCode", codes)  # type: ignore[misc]  # known now
        enums[UserErrorCode] = strawberry.enum(made)
    replacements = Replacements(additions.fields, additions.inputs, enums)
    descriptions = tomllib.loads(_DESCRIPTIONS.read_text(encoding="utf-8"))
    further = additions.error_codes.items()
    descriptions["UserErrorCode"] |= {code: text for code, text in further if text}
    return ComposedSchema(
        query=merged_type("Query", [*QUERIES, *additions.queries]),
        mutation=merged_type("Mutation", [*MUTATIONS, *additions.mutations]),
        types=[Requires, strawberry.enum(ProofMethod), *additions.types],
        config=StrawberryConfig(scalar_map={**SCALARS, **additions.scalars}),
        fields_of=replacements.fields_of,
        descriptions=descriptions,
    )
