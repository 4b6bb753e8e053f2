"""A role with existing permissions."""

from gql_app import Feature, Role

feature = Feature("staff", roles=[Role("clerk", {"customers:read_private"})])
