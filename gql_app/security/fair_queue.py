"""The queue under its old name, until every import says gql_app.lib.fair_queue."""

from gql_app.lib.fair_queue import LOCAL, FairQueue, Party

__all__ = ["LOCAL", "FairQueue", "Party"]
