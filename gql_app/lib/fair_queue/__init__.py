"""A bounded queue in which clients take turns."""

from gql_app.lib.fair_queue.queue import LOCAL, FairQueue, Party, QueueFull

__all__ = ["LOCAL", "FairQueue", "Party", "QueueFull"]
