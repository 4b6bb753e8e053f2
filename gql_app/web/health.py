"""Whether the process lives, and whether it can serve."""

from starlette.requests import Request

from gql_app.resources import Resources
from gql_app.web.responses import Json


async def livez(_: Request) -> Json:
    """Answer that the process lives, and ask nobody else."""
    return Json({"status": "alive"})


async def readyz(request: Request) -> Json:
    """Answer 200 if the database is reachable and migrated, 503 and what is wrong if not."""
    resources: Resources = request.state.resources
    faults = await resources.database.faults()
    if faults:
        return Json({"status": "not ready", **faults}, status_code=503)
    return Json({"status": "ready"})
