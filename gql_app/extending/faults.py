"""Validation of features: a sentence on each fault; with any, no application is made."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeGuard

from starlette.routing import BaseRoute, Mount, Route
from strawberry.types.base import get_object_definition
from strawberry.types.field import StrawberryField

from gql_app.accounts.audit import Action
from gql_app.accounts.mail.letters import Kind
from gql_app.accounts.permissions import ADMIN, Role, Roles
from gql_app.commands import COMMANDS, ONLY_WITH_FEATURES
from gql_app.extending import tables
from gql_app.extending.comparisons import NAMES, clashes
from gql_app.extending.extend import extends_input
from gql_app.extending.feature import Feature, packages_of
from gql_app.extending.functions import command_name, function_fault, function_name, is_list
from gql_app.extending.hooks import EVENTS
from gql_app.extending.letters import Letter
from gql_app.extending.permissions import VERB, permission_fault
from gql_app.extending.scalars import scalar_forms
from gql_app.extending.settings import FeatureSettings, names, unreadable
from gql_app.lib.composition import shown_fields
from gql_app.lib.faults import sentence
from gql_app.lib.nodes import NodeKind
from gql_app.metrics import REASONS
from gql_app.schema.root import MUTATIONS, QUERIES
from gql_app.settings import VARIABLES
from gql_app.web.pages import account

PATHS: Final = (
    *("/graphql", "/introspect", "/livez", "/readyz", "/metrics", "/.well-known/jwks.json"),
    *account.PATHS,
)
FOLDERS: Final = ("/playground",)
"""The paths that the program serves itself: exact ones, and prefixes."""
MAX_NAME: Final = 40
"""The most characters of the name of a role, an action or a letter: the size of its column."""

_NAME: Final = re.compile(r"[a-z][a-z0-9]{0,19}")
_ROLE: Final = re.compile(rf"[a-z][a-z0-9_]{{0,{MAX_NAME - 1}}}")
_CODE: Final = re.compile(r"[A-Z][A-Z0-9_]*")
_LETTER: Final = re.compile(r"[a-z][a-z0-9_]*")
_VARIABLE: Final = re.compile(r"\{\w+(:str)?(?=[:}])")
_RESERVED_CODES: Final = frozenset(
    {*REASONS, "INTERNAL_SERVER_ERROR", "SERVICE_UNAVAILABLE", "UNAUTHENTICATED"}
)
_Functions: TypeAlias = tuple[str, Iterable[tuple[str, object]], Sequence[str] | None, bool | None]
"""What some functions are, the functions by their names, the positional arguments that they take,
unless these are the builder's own, and whether they must be asynchronous, None if they may be."""


_FORMS: Final[Mapping[str, tuple[Any, str]]] = {
    **dict.fromkeys(("queries", "mutations", "extensions"), (type, "class")),
    "types": (Callable, "class"),
    **dict.fromkeys(("error_codes", "actions"), (str, "text")),
    "roles": (Role, "proper Role"),
    "letters": (object, "proper Letter"),
}
"""The types of the items of some lists, on which all other checks rely, and their names."""
_LISTS: Final = (*_FORMS, "nodes", "password_rules", "authenticators", "routes", "commands")
_all = chain.from_iterable


def outer_faults(features: Sequence[Feature]) -> list[str]:
    """Return a sentence on each fault of the features in what the schema does not depend on."""
    found = _of_each(features, _name, _routes, _migrations, _settings, _commands)
    return [*found, *_tables(features), *_roles(features), *_duplicates(features)]


def inner_faults(features: Sequence[Feature]) -> list[str]:
    """Return a sentence on each other fault, any of which may be why a schema can't be built."""
    found = [*_of_each(features, _values, _functions), *_names(features)]
    found += _root_types("Query", QUERIES, [*_all(each.queries for each in features)])
    found += _root_types("Mutation", MUTATIONS, [*_all(each.mutations for each in features)])
    return found


def _of_each(
    features: Sequence[Feature], *checks: Callable[[Feature], Iterable[str]]
) -> Iterator[str]:
    for feature in features:
        for check in checks:
            yield from (sentence(f"The feature {feature.name}: {e}") for e in check(feature))


def form_faults(features: object) -> Iterator[str]:
    """Yield a sentence on each value of another form than features have, which hides all others."""
    if not is_list(features):
        yield f"features must be a list of them, not {features!r}."
        return
    for feature in features:
        if isinstance(feature, Feature):
            yield from (f"The feature {feature.name}: {each}." for each in _forms(feature))
        else:
            yield f"{feature!r} is no Feature."


def _forms(feature: Feature) -> Iterator[str]:
    for name in _LISTS:
        value: Any = getattr(feature, name)
        if not is_list(value):
            yield f"{name} must be a list, not {value!r}"
        elif name in _FORMS:
            kind, what = _FORMS[name]
            items = (*value, *(value.values() if isinstance(value, Mapping) else ()))
            wrong = (e for e in items if not isinstance(e, kind) or not _is_named(e))
            yield from (f"{name} has {each!r}, which is no {what}" for each in wrong)
    for name in ("name", "migrations"):
        if not isinstance(value := getattr(feature, name), str | None):
            yield f"{name} must be a text, not {value!r}"
    for name in ("on", "within"):
        value = getattr(feature, name)
        if not isinstance(value, Mapping) or not all(isinstance(each, str) for each in value):
            yield f"{name} must map the names of events to hooks"
    yield from scalar_forms(feature.scalars)


def _is_named(item: object) -> bool:
    """Return whether an item has a text as its name, and a role a list of permissions."""
    if not isinstance(item, Role | Letter):
        return True
    return isinstance(item.name, str) and is_list(getattr(item, "permissions", ()))


def _name(feature: Feature) -> Iterator[str]:
    if not _NAME.fullmatch(feature.name or ""):
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
    elif package_folder(feature.migrations) is None:
        yield f"there is no folder {folder} in a package {package} for its migrations"


def _tables(features: Sequence[Feature]) -> Iterator[str]:
    """Yield a sentence on each invalid table."""
    packages = packages_of(features)
    for feature in features:
        for package in packages_of([feature]):
            for fault in tables.faults_of(package, packages):
                yield sentence(f"The feature {feature.name}: {fault}")
    owned = [each for each in packages if tables.tables_of(each, packages)]
    yield from _twice("features own the tables in the package", owned)


def is_settings(kind: object) -> TypeGuard[type[FeatureSettings]]:
    """Return whether a value is a class of settings."""
    return isinstance(kind, type) and issubclass(kind, FeatureSettings)


def setting_faults(feature: Feature) -> Iterator[str]:
    """Yield a sentence on each fault for which a feature's settings can't be read."""
    yield from _name(feature)
    yield from _settings(feature)


def _settings(feature: Feature) -> Iterator[str]:
    kind: Any = feature.settings
    if kind is None:
        return
    if not is_settings(kind):
        yield "settings must be a subclass of gql_app.FeatureSettings"
        return
    read = names({feature.name: kind})
    yield from clashes("settings", zip(kind.model_fields, read, strict=True))
    for taken in sorted(VARIABLES.intersection(read)):
        yield f"the variable {taken} is read already; rename the field"
    for field in unreadable(kind):
        yield f"its setting {field} is more than a list of values: make it JSON, by pydantic's Json"


def _commands(feature: Feature) -> Iterator[str]:
    for command in feature.commands:
        name = command_name(command)
        if name is None:
            yield f"{command!r} has no name as a command: make it a function, or name the Typer"
        elif name in COMMANDS or name in ONLY_WITH_FEATURES:
            yield f"there is a command {name} already"


def _values(feature: Feature) -> Iterator[str]:
    """Yield a sentence on each value that is not what its argument takes."""
    for letter in feature.letters:
        yield from _letter(letter)
    for node in feature.nodes:
        if not isinstance(node, NodeKind):
            yield f"{node!r} is none of what node() returns"
    for extension in filter(extends_input, feature.extensions):
        names = {each.python_name for each in _fields(extension)}
        for name in vars(extension):
            checked = name.removeprefix("check_")
            if checked != name and names.isdisjoint({name, checked}):
                method = f"{extension.__name__}.{name}"
                yield f"the method {method} checks no field: there is no {checked}"


def _functions(feature: Feature) -> Iterator[str]:
    """Yield a sentence on each function that can't be called as it will be."""
    letters = [each for each in feature.letters if isinstance(each, Letter) and each.write]
    inputs = [each for each in feature.extensions if extends_input(each)]
    commands = _all(map(_command_functions, feature.commands))
    credentials = ("db", "scheme", "credentials")
    table: Sequence[_Functions] = (
        ("the letter", [(x.name, x.write) for x in letters], ("data", "customer"), False),
        ("the password rule", _named(feature.password_rules), ("password", "person"), None),
        ("the authenticator", _named(feature.authenticators), credentials, True),
        ("the hook of", feature.on.items(), ("event",), True),
        ("the hook of", feature.within.items(), ("tx", "event"), True),
        ("the claims", _named(_given(feature, "claims")), ("db", "customer"), None),
        ("the method", _named(_given(feature.signer, "sign")), ("data",), True),
        (
            "the method",
            _named(_all(_given(each, "save") for each in inputs)),
            ("tx", "customer_id", "values"),
            True,
        ),
        ("the method", _named(_all(map(_checks, inputs))), ("value",), None),
        ("the command", _named(commands), None, False),
    )
    for what, functions, arguments, is_async in table:
        for name, function in functions:
            if fault := function_fault(function, arguments, is_async=is_async):
                yield f"{what} {name} {fault}"


def _named(functions: Iterable[object]) -> Iterable[tuple[str, object]]:
    """Return functions with their names, or with the text of one that has none."""
    return [(function_name(each), each) for each in functions]


def _given(owner: object, *names: str) -> Iterator[object]:
    """Yield those of some attributes that are there."""
    return (each for name in names if (each := getattr(owner, name, None)) is not None)


def _checks(extension: type) -> Iterator[object]:
    return _given(extension, *(f"check_{each.python_name}" for each in _fields(extension)))


def _fields(extension: type) -> Sequence[StrawberryField]:
    return get_object_definition(extension, strict=True).fields


def _command_functions(command: object) -> Iterator[object]:
    """Yield the function of a command, or those of a Typer and of the ones in it."""
    groups: Sequence[Any] | None = getattr(command, "registered_groups", None)
    if groups is None:
        yield command
        return
    others: Sequence[Any] = getattr(command, "registered_commands", ())
    callbacks = [each.callback for each in (*groups, *others)]
    callbacks.append(getattr(getattr(command, "registered_callback", None), "callback", None))
    yield from filter(callable, callbacks)
    yield from _all(_command_functions(each.typer_instance) for each in groups)


def _letter(letter: object) -> Iterator[str]:
    if not isinstance(letter, Letter):
        yield f"{letter!r} is no Letter"
    elif (letter.write is None) == (letter.templates is None):
        yield f"the letter {letter.name} needs a function or templates, and not both"
    elif letter.templates is not None and package_folder(letter.templates) is None:
        yield (
            f"the letter {letter.name}: there is no folder {letter.templates}, "
            "which is written package:folder"
        )


def _roles(features: Sequence[Feature]) -> Iterator[str]:
    """Yield a sentence on each role that is invalid, or conflicts with another."""
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
        found = map(permission_fault, sorted(role.permissions, key=str))
        yield from (f"{tell} has {fault}." for fault in found if fault)


def _duplicates(features: Sequence[Feature]) -> Iterator[str]:
    """Yield a sentence on each name that several features use."""
    yield from _twice("features are named", [each.name for each in features])
    commands = [command_name(c) for each in features for c in each.commands]
    yield from _twice("commands are named", [name for name in commands if name])
    kinds = Counter(each.settings for each in features if isinstance(each.settings, type))
    for kind, times in kinds.items():
        if times > 1:
            yield f"{times} features have the settings {kind.__name__}."
    folders = [each.migrations for each in features if each.migrations is not None]
    yield from _twice("features have the migrations", folders)
    yield from _twice("routes answer", _all(map(_answers, _all(f.routes for f in features))))
    if sum(each.signer is not None for each in features) > 1:
        yield "Several features have a signer; one key signs."


def _names(features: Sequence[Feature]) -> Iterator[str]:
    """Yield a sentence on each code, action, letter or event name that is invalid or taken."""
    owners: dict[str, str] = dict.fromkeys(_RESERVED_CODES, "this program")
    actions: dict[str, str] = dict.fromkeys((*Action, *EVENTS), "this program")
    letters: dict[str, str] = dict.fromkeys(Kind, "this program")
    for feature in features:
        where = f"The feature {feature.name}"
        yield from _declared(f"{where}: the code", feature.error_codes, _CODE, owners)
        yield from _declared(f"{where}: the action", feature.actions, VERB, actions)
        names = [each.name for each in feature.letters if isinstance(each, Letter)]
        yield from _declared(f"{where}: the letter", names, _LETTER, letters)
    known = {*EVENTS, *_all(each.actions for each in features)}
    for feature in features:
        for name in sorted({*feature.on, *feature.within} - known):
            yield (
                f"The feature {feature.name}: there is no event {name}. There are "
                f"{', '.join(sorted(known))}."
            )


def _declared(
    what: str, names: Iterable[str], form: re.Pattern[str], owners: dict[str, str]
) -> Iterator[str]:
    """Yield a sentence on each name that is taken, too long, or not of the required form."""
    for name in names:
        if not form.fullmatch(name) or len(name) > MAX_NAME:
            yield f"{what} {name} isn't {form.pattern}, of at most {MAX_NAME} characters."
        elif name in owners:
            yield f"{what} {name} is that of {owners[name]} already."
        owners[name] = "another feature"


def _root_types(root: str, ours: Sequence[type], theirs: Sequence[type]) -> Iterator[str]:
    """Yield a sentence on each root type that can't be merged with our own."""
    owners: dict[str, str] = {}
    for part in (*ours, *theirs):
        definition = get_object_definition(part)
        if definition is None or definition.origin is not part:
            yield f"{part.__name__} is no Strawberry type: decorate it with @strawberry.type."
            continue
        for field in shown_fields(definition.fields):
            name, where = NAMES.get_graphql_name(field), f"{part.__name__}.{field.python_name}"
            if field.base_resolver is None:
                yield f"{where} has no resolver: write a function with @strawberry.field."
            if field.is_subscription:
                yield f"{where} is a subscription, which there are none of: take @strawberry.field."
            if other := owners.get(name):
                yield f"{where} would be the second {root}.{name}, beside that of {other}."
            owners[name] = part.__name__


def _twice(what: str, names: Iterable[str]) -> Iterator[str]:
    for name, times in Counter(names).items():
        if times > 1:
            yield f"{times} {what} {name}."


def _answers(route: BaseRoute) -> Iterator[str]:
    """Yield each method and path that a route answers, without the names of variables."""
    if isinstance(route, Route | Mount):
        methods = getattr(route, "methods", None) or {""}
        path = _VARIABLE.sub("{", route.path)
        yield from (f"{each} {path}".strip() for each in sorted({*methods} - {"HEAD"}))


def package_folder(place: str) -> Path | None:
    """Return the path of package:folder, None if there is no such folder."""
    package, _, folder = place.partition(":")
    try:
        spec = find_spec(package)
    except (ImportError, ValueError):
        return None
    places = (spec and spec.submodule_search_locations) or ()
    found = (Path(place, folder) for place in places)
    return next((each for each in found if each.is_dir()), None)
