"""HTTP/1.1 on uvicorn: deadlines, limits, strict framing, a graceful stop, and workers."""

from gql_app.lib.server.cycle import Disconnect
from gql_app.lib.server.limits import ConnectionLimits, Usage
from gql_app.lib.server.protocol import HttpProtocol, Refuse
from gql_app.lib.server.proxies import ProxyHeadersMiddleware
from gql_app.lib.server.serving import GRACEFUL_TIMEOUT, serve
from gql_app.lib.server.sockets import CannotListen, bind

__all__ = [
    "GRACEFUL_TIMEOUT",
    "CannotListen",
    "ConnectionLimits",
    "Disconnect",
    "HttpProtocol",
    "ProxyHeadersMiddleware",
    "Refuse",
    "Usage",
    "bind",
    "serve",
]
