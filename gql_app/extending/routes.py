"""Routes of features: the context of their requests."""

from starlette.requests import Request

from gql_app.extending.context import Context
from gql_app.lib.graphql_http import headers_of
from gql_app.web.graphql import open_context


async def context_of(request: Request) -> Context:
    """Return the context of a request to a feature's route: the same as a resolver's info.context.

    It reads and writes as in a resolver, and `await context.caller()` returns the caller or raises
    Unauthenticated, which is answered with 401 and the reason unless the route catches it.
    """
    state = request.scope["state"]
    if "context" not in state:
        authorization = headers_of(request.scope)[b"authorization"]
        state["context"] = await open_context(request.scope, authorization, Context)
    context: Context = state["context"]
    return context
