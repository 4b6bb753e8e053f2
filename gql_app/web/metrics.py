"""The numbers, for a scraper such as Prometheus."""

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from gql_app.resources import Resources


async def tell(request: Request) -> Response:
    """Tell the numbers of every process; a thread writes them down, for that takes a while."""
    resources: Resources = request.state.resources
    resources.sample()
    accept = ",".join(request.headers.getlist("accept"))
    text, media_type = await asyncio.to_thread(resources.metrics.told, accept)
    return Response(text, headers={"content-type": media_type})
