"""A GraphQL API over customer accounts whose resolvers are protected by tokens."""

from gql_app.lib.environment import tidy_environment

__version__ = "0.1.0"

tidy_environment()  # before any library that reads its variable once, as it is imported
