"""The schema as a whole: what is printed is what is kept, and shows who may do what."""

from pathlib import Path
from typing import Final

import graphql

import gql_app
from gql_app.schema.root import build_schema

FILE: Final = Path(gql_app.__file__).parent.parent / "schema.graphql"


def test_kept_schema_is_what_the_code_prints() -> None:
    assert FILE.read_text(encoding="utf-8") == build_schema().as_str() + "\n"


def test_printed_schema_is_valid_graphql() -> None:
    schema = graphql.build_schema(FILE.read_text(encoding="utf-8"))
    assert graphql.validate_schema(schema) == []


def test_printed_schema_shows_the_policy() -> None:
    schema = graphql.build_schema(FILE.read_text(encoding="utf-8"))
    policy = {}
    for kind in (schema.query_type, schema.mutation_type):
        assert kind is not None
        for name, field in kind.fields.items():
            assert field.ast_node is not None
            policy[name] = [d.name.value for d in field.ast_node.directives or ()]
    assert policy == {
        "token": [],
        "me": ["isAuthenticated"],
        "customer": ["isAuthenticated"],
        "customers": ["isAuthenticated"],
        "node": ["isAuthenticated"],
        "nodes": ["isAuthenticated"],
        "auditEvents": ["isAdmin"],
        "login": [],
        "refresh": [],
        "register": [],
        "requestPasswordReset": [],
        "resetPassword": [],
        "acceptInvitation": [],
        "requestSignInLink": [],
        "signInByLink": [],
        "inviteCustomer": ["requires"],
        "requestEmailVerification": ["isAuthenticated"],
        "verifyEmail": [],
        "declineEmail": [],
        "undoEmailChange": [],
        "beginCodes": ["isAuthenticated"],
        "confirmCodes": ["isAuthenticated"],
        "beginPasskey": ["isAuthenticated"],
        "confirmPasskey": ["isAuthenticated"],
        "beginPasskeySignIn": [],
        "signInWithPasskey": [],
        "renewRecoveryCodes": ["isAuthenticated"],
        "removeSecondFactor": ["isAuthenticated"],
        "renameSecondFactor": ["isAuthenticated"],
        "reauthenticate": ["isAuthenticated"],
        "verifySecondFactor": [],
        "undoSecondFactor": [],
        "logout": ["isAuthenticated"],
        "endSession": ["isAuthenticated"],
        "endOtherSessions": ["isAuthenticated"],
        "endAllSessions": ["isAuthenticated"],
        "updateMe": ["isAuthenticated"],
        "changePassword": ["isAuthenticated"],
        "deleteMe": ["isAuthenticated"],
        "createCustomer": ["isAdmin"],
        "updateCustomer": ["isAdmin"],
        "deleteCustomer": ["isAdmin"],
    }


def test_protected_fields_may_be_null_so_that_refusing_one_spares_the_others() -> None:
    schema = graphql.build_schema(FILE.read_text(encoding="utf-8"))
    for kind in (schema.query_type, schema.mutation_type):
        assert kind is not None
        for field in kind.fields.values():
            assert field.ast_node is not None
            is_protected = bool(field.ast_node.directives)
            assert graphql.is_nullable_type(field.type) == is_protected
