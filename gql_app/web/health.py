"""Whether the process lives, and whether it can serve."""

from starlette.requests import Request
from starlette.responses import JSONResponse

from gql_app.resources import Resources


async def livez(_: Request) -> JSONResponse:
    """Answer that the process lives, and ask nobody else."""
    return JSONResponse({"status": "alive"})


async def readyz(request: Request) -> JSONResponse:
    """Answer 200 if the database is reachable and migrated, 503 and what is wrong if not."""
    resources: Resources = request.state.resources
    faults = await resources.database.faults()
    if faults:
        return JSONResponse({"status": "not ready", **faults}, status_code=503)
    return JSONResponse({"status": "ready"})
