"""Routes of features: what they are given of a request."""

from starlette.requests import Request

from gql_app.extending.context import Context
from gql_app.lib.graphql_http import headers_of
from gql_app.web.graphql import open_context


async def context_of(request: Request) -> Context:
    """Return the context of a request to a feature's route: what a resolver has as info.context.

    It reads and writes as a resolver does, and `await context.caller()` returns who is calling,
    or raises Unauthenticated, which is answered with 401 and the reason if the route lets it.
    """
    state = request.scope["state"]
    if "context" not in state:
        authorization = headers_of(request.scope)[b"authorization"]
        state["context"] = await open_context(request.scope, authorization, Context)
    context: Context = state["context"]
    return context
