"""Faults of features, in sentences: what keeps an application from being made."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from starlette.routing import BaseRoute, Mount, Route

from gql_app.accounts.permissions import ADMIN, OURS, Role, Roles
from gql_app.extending import tables
from gql_app.extending.feature import Feature
from gql_app.extending.settings import FeatureSettings, names
from gql_app.settings import PREFIX, Settings

COMMANDS: Final = frozenset(
    {
        *("backup", "change-email", "check", "create-admin", "end-sessions", "export"),
        *("export-audit", "export-schema", "import", "keys", "make-migration", "migrate", "purge"),
        *("seed", "serve", "unlock", "version"),
    }
)
"""The commands that there are without any feature."""
PATHS: Final = (
    *("/graphql", "/introspect", "/livez", "/readyz", "/metrics", "/.well-known/jwks.json"),
)
FOLDERS: Final = ("/playground",)
"""What is served already: paths, and whatever is below some."""
MAX_NAME: Final = 40
"""Characters of a role's or an action's name: as many as its column holds."""

_NAME: Final = re.compile(r"[a-z][a-z0-9]{0,19}")
_ROLE: Final = re.compile(rf"[a-z][a-z0-9_]{{0,{MAX_NAME - 1}}}")
_VERB: Final = re.compile(r"[a-z][a-z0-9_]*:[a-z][a-z0-9_]*")
_VERB_FORM: Final = "written noun:verb, in small letters"


def faults(features: Sequence[Feature]) -> list[str]:
    """Return a sentence on everything that is wrong with features, alone and together."""
    found = [
        f"The feature {feature.name}: {sentence}."
        for feature in features
        for check in (_name, _routes, _migrations, _settings, _commands)
        for sentence in check(feature)
    ]
    return [*found, *_roles(features), *_doubles(features)]


def _name(feature: Feature) -> Iterator[str]:
    if not _NAME.fullmatch(feature.name):
        yield "its name must be 1 to 20 small letters and digits, a letter first"


def _routes(feature: Feature) -> Iterator[str]:
    for route in feature.routes:
        if not isinstance(route, Route | Mount):
            yield f"{route!r} is neither a Route nor a Mount of Starlette's"
        elif route.path in PATHS or f"{route.path}/".startswith(tuple(f"{f}/" for f in FOLDERS)):
            yield f"the path {route.path} is served already"


def _migrations(feature: Feature) -> Iterator[str]:
    if feature.migrations is None:
        return
    package, _, folder = feature.migrations.partition(":")
    if not package or not folder:
        yield f"migrations must be package:folder, not {feature.migrations}"
    elif place_of(feature.migrations) is None:
        yield f"there is no folder {folder} in a package {package} for its migrations"
    yield from tables.faults_of(package)


def _settings(feature: Feature) -> Iterator[str]:
    kind: Any = feature.settings
    if kind is None:
        return
    if not (isinstance(kind, type) and issubclass(kind, FeatureSettings)):
        yield "settings must be a subclass of gql_app.FeatureSettings"
        return
    ours = {PREFIX + name.upper() for name in Settings.model_fields}
    for taken in sorted(ours.intersection(names({feature.name: kind}))):
        yield f"the variable {taken} is read already; rename the field"


def _commands(feature: Feature) -> Iterator[str]:
    for command in feature.commands:
        name = command_name(command)
        if name is None:
            yield f"{command!r} has no name as a command: make it a function, or name the Typer"
        elif name in COMMANDS:
            yield f"there is a command {name} already"


def _roles(features: Sequence[Feature]) -> Iterator[str]:
    """Yield a sentence on each role that can't be, by itself or beside the others."""
    named = [(feature.name, role) for feature in features for role in feature.roles]
    ours = {ADMIN, *Roles().names}
    made = Counter(role.name for _, role in named if not role.extends)
    for feature, role in named:
        tell = f"The feature {feature}: the role {role.name}"
        if role.extends and role.name == ADMIN:
            yield f"{tell} has every permission already."
        elif role.extends and role.name not in {*ours, *made}:
            yield f"{tell} is nowhere to be extended."
        elif not role.extends and role.name in ours:
            yield f"{tell} is there already; add to it with Role.extend()."
        elif not role.extends and made[role.name] > 1:
            yield f"{tell} is there twice; add to it with Role.extend()."
        elif not _ROLE.fullmatch(role.name):
            yield f"{tell} must have a name of small letters, digits and _, {MAX_NAME} at most."
        yield from (f"{tell} {sentence}." for sentence in _permissions(role))


def _permissions(role: Role) -> Iterator[str]:
    nouns = {each.partition(":")[0] for each in OURS}
    for permission in sorted(role.permissions):
        if not _VERB.fullmatch(permission):
            yield f"has a permission {permission}, which must be {_VERB_FORM}"
        elif permission not in OURS and permission.partition(":")[0] in nouns:
            yield f"has a permission {permission}, which is none of ours: {', '.join(sorted(OURS))}"


def _doubles(features: Sequence[Feature]) -> Iterator[str]:
    """Yield a sentence on what several features name alike."""
    yield from _twice("features are named", [each.name for each in features])
    commands = [command_name(c) for each in features for c in each.commands]
    yield from _twice("commands are named", [name for name in commands if name])
    kinds = [each.settings.__name__ for each in features if each.settings is not None]
    yield from _twice("features have the settings", kinds)
    folders = [each.migrations for each in features if each.migrations is not None]
    yield from _twice("features have the migrations", folders)
    routes = [(route, m) for each in features for route in each.routes for m in _methods(route)]
    yield from _twice("routes answer", [f"{m} {getattr(route, 'path', '')}" for route, m in routes])
    if sum(each.signer is not None for each in features) > 1:
        yield "Several features have a signer; one key signs."


def _twice(what: str, names: Sequence[str]) -> Iterator[str]:
    for name, times in Counter(names).items():
        if times > 1:
            yield f"{times} {what} {name}."


def _methods(route: BaseRoute) -> Sequence[str]:
    if isinstance(route, Route):
        return sorted(set(route.methods or ()) - {"HEAD"})
    return [""]


def place_of(migrations: str) -> Path | None:
    """Return the folder that package:folder stands for, None if it isn't there."""
    package, _, folder = migrations.partition(":")
    try:
        spec = find_spec(package)
    except (ImportError, ValueError):
        return None
    places = (spec and spec.submodule_search_locations) or ()
    found = (Path(place, folder) for place in places)
    return next((each for each in found if each.is_dir()), None)


def command_name(command: Callable[..., Any]) -> str | None:
    """Return what a command is called on the command line, None if it has no name."""
    info = getattr(command, "info", None)  # of a Typer, which holds commands of its own
    name = getattr(info, "name", None) if info else getattr(command, "__name__", None)
    return name.replace("_", "-") if isinstance(name, str) and name.isidentifier() else None
