"""Whether the process lives, and whether it can serve."""

from starlette.requests import Request

from gql_app.db.readiness import Condition
from gql_app.resources import Resources
from gql_app.web.responses import Json


async def livez(_: Request) -> Json:
    """Answer that the process lives, and ask nobody else."""
    return Json({"status": "alive"})


async def ready(request: Request) -> Json:
    """Answer 200 if the database is reachable and migrated, 503 if not, and nothing else."""
    return _answer(await _condition(request), {})


async def readyz(request: Request) -> Json:
    """Answer so, and how each part is.

    No other part takes a process out of service: keys that can't be read are those of before,
    and a flood of sign-ins would take out one process after the other.
    """
    resources: Resources = request.state.resources
    condition = await _condition(request)
    resources.keys.get()  # which looks whether they can still be read
    parts = {
        **condition._asdict(),
        "keys": "stale" if resources.keys.stale else "ok",
        "passwords": "queue full" if resources.passwords.full else "ok",
    }
    return _answer(condition, parts)


async def _condition(request: Request) -> Condition:
    """Return how the database is, or was less than a second ago."""
    resources: Resources = request.state.resources
    return await resources.readiness.latest()


def _answer(condition: Condition, parts: dict[str, str]) -> Json:
    if condition.ready:
        return Json({"status": "ready", **parts})
    return Json({"status": "not ready", **parts}, status_code=503)
