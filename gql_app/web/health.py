"""Whether the process lives, and whether it can serve."""

from starlette.requests import Request

from gql_app.resources import Resources
from gql_app.web.responses import Json


async def livez(_: Request) -> Json:
    """Answer that the process lives, and ask nobody else."""
    return Json({"status": "alive"})


async def ready(request: Request) -> Json:
    """Answer 200 if the database is reachable and migrated, 503 if not, and nothing else."""
    return _answer(await _faults(request), {})


async def readyz(request: Request) -> Json:
    """Answer so, and how each part is.

    No other part takes a process out of service: keys that can't be read are those of before,
    and a flood of sign-ins would take out one process after the other.
    """
    resources: Resources = request.state.resources
    faults = await _faults(request)
    _ = resources.keys  # which looks whether they can still be read
    parts = {
        "database": "ok",
        "migrations": "unknown" if "database" in faults else "ok",
        "keys": "stale" if resources.current_ring.stale else "ok",
        "passwords": "queue full" if resources.passwords.full else "ok",
    }
    return _answer(faults, parts)


async def _faults(request: Request) -> dict[str, str]:
    resources: Resources = request.state.resources
    return await resources.database.faults()


def _answer(faults: dict[str, str], parts: dict[str, str]) -> Json:
    told = {name: faults.get(name, state) for name, state in parts.items()}
    if faults:
        return Json({"status": "not ready", **told}, status_code=503)
    return Json({"status": "ready", **told})
