"""The clock under its old name, until every import says gql_app.lib.clock."""

import sys

from gql_app.lib import clock
from gql_app.lib.clock import LATEST, later, now, rfc3339

__all__ = ["LATEST", "later", "now", "rfc3339"]
sys.modules[__name__] = clock
