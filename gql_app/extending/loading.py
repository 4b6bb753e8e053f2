"""Loading of an application by its module:name, for commands and worker processes."""

import sys
import traceback
from contextvars import ContextVar
from importlib import import_module
from pathlib import Path
from sysconfig import get_paths
from typing import Final, TypeVar

from gql_app.lib.faults import CannotStart
from gql_app.settings import APP

T = TypeVar("T")
_OURS: Final = Path(__file__).parent.parent
postponed: Final[ContextVar[bool]] = ContextVar("postponed", default=False)
"""Whether an application is being loaded, so that settings are read later, when they are needed.

A command may set variables first, and most commands need fewer settings than a server.
"""


def load_application(place: str, kind: type[T]) -> T:
    """Return the object at module:name; the module may be in the working folder.

    Raises CannotStart if the module can't be imported, or the object isn't of the kind.
    """
    module, _, name = place.partition(":")
    if not module or not name:
        raise CannotStart([f"{APP}: must be module:name, as in shop.api:app, not {place}"])
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    token = postponed.set(True)
    try:
        found = getattr(import_module(module), name, None)
    except CannotStart:
        raise
    except Exception as why:
        raise CannotStart([f"{APP}: {place} can't be imported: {_cause(module, why)}"]) from why
    finally:
        postponed.reset(token)
    if isinstance(found, kind):
        return found
    what = "is not there" if found is None else f"is of the type {type(found).__name__}"
    raise CannotStart([f"{APP}: {place} {what}; it must be what gql_app.create_app() returns"])


def _cause(module: str, error: Exception) -> str:
    """Return in one line why a module can't be imported, and where the builder's error is.

    An error of ours, or of a library, is where the builder's code calls it.
    """
    if isinstance(error, ModuleNotFoundError) and f"{module}.".startswith(f"{error.name}."):
        return f"there is no module {error.name} in {Path.cwd()} nor among what is installed"
    frames = traceback.extract_tb(error.__traceback__)
    *_, last = [*frames, *(each for each in frames if _is_theirs(each.filename))]
    return f"{type(error).__name__}: {error} ({last.filename}, line {last.lineno})"


def _is_theirs(file: str) -> bool:
    """Return whether a file is neither ours nor of a library: frozen modules have a name in <>."""
    paths = get_paths()
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    libraries = [_OURS, *(Path(paths[name]) for name in names)]
    return file[:1] != "<" and not any(Path(file).is_relative_to(each) for each in libraries)
