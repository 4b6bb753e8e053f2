"""A GraphQL API over customer accounts whose resolvers are protected by tokens."""

__version__ = "0.1.0"
