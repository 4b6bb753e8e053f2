"""HTTP/1.1 on uvicorn: deadlines, limits, strict framing, a graceful stop, and workers."""

from gql_app.lib.server.connection import ConnectionLimits
from gql_app.lib.server.cycle import Disconnect
from gql_app.lib.server.serving import serve, tuned_gc

__all__ = ["ConnectionLimits", "Disconnect", "serve", "tuned_gc"]
