"""The policy under its old name, until every import says gql_app.security.passwords."""

from gql_app.lib.password_policy import PRODUCT
from gql_app.security.passwords import check_new_password as judge

__all__ = ["PRODUCT", "judge"]
