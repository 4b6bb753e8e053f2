"""Variables of the environment: an empty one is not set, and blanks at its ends are no part."""

from gql_app.lib.environment.reading import tidy_environment, variable, variables

__all__ = ["tidy_environment", "variable", "variables"]
