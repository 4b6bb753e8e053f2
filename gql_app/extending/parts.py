"""Parts: what features are to the schema, the rules and the audit, and what is wrong with it."""

import dataclasses
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from inspect import iscoroutinefunction
from itertools import chain
from typing import Final

from strawberry.exceptions import StrawberryException
from strawberry.permission import PermissionExtension
from strawberry.schema.config import StrawberryConfig
from strawberry.types.base import get_object_definition

from gql_app.accounts.audit import Action
from gql_app.accounts.letters import Kind, WriteLetter
from gql_app.accounts.validation import PasswordRule
from gql_app.extending.extend import Extended
from gql_app.extending.feature import Feature
from gql_app.extending.hooks import EVENTS, FeatureHooks
from gql_app.extending.letters import Letter
from gql_app.extending.nested import KEY
from gql_app.lib.composition import ComposedSchema
from gql_app.metrics import REASONS
from gql_app.resources import Hooks
from gql_app.schema.root import MUTATIONS, QUERIES, Additions, build_schema

MAX_NAME: Final = 40
"""Characters of an action's and of a letter's name, which the database holds."""
_CODE: Final = re.compile(r"[A-Z][A-Z0-9_]*")
_ACTION: Final = re.compile(r"[a-z][a-z0-9_]*:[a-z][a-z0-9_]*")
_LETTER: Final = re.compile(r"[a-z][a-z0-9_]*")
_SPOKEN_FOR: Final = frozenset(
    {*REASONS, "FORBIDDEN", "INTERNAL_SERVER_ERROR", "SERVICE_UNAVAILABLE", "UNAUTHENTICATED"}
)
_NAMES: Final = StrawberryConfig().name_converter


@dataclass(frozen=True, slots=True)
class Parts:
    """What features add to the schema, and to resources.Extensions by the same names."""

    additions: Additions
    hooks: Callable[[], Hooks] | None
    password_rules: Sequence[PasswordRule]
    letters: Mapping[str, WriteLetter]
    actions: frozenset[str]
    error_codes: tuple[str, ...]


def parts_of(features: Sequence[Feature], faults: list[str]) -> Parts:
    """Return the parts of features; what is wrong with them is added to the faults."""
    on = [(each.name, each.on) for each in features]
    within = [(each.name, each.within) for each in features]
    letters = [*_all(each.letters for each in features)]
    before, extended = len(faults), Extended([*_all(each.extensions for each in features)])
    faults += extended.faults
    faults += _shapes(features)
    if len(faults) == before:
        faults += _names(features)
    faults += _root_types("Query", QUERIES, [*_all(each.queries for each in features)])
    faults += _root_types("Mutation", MUTATIONS, [*_all(each.mutations for each in features)])
    codes = tuple(_all(each.error_codes for each in features))
    additions = Additions(
        queries=tuple(_all(each.queries for each in features)),
        mutations=tuple(_all(each.mutations for each in features)),
        types=tuple(_all(each.types for each in features)),
        fields=extended.fields,
        inputs=extended.inputs,
        error_codes=codes,
    )
    if len(faults) == before:
        for each in features:
            _print_permissions((*each.queries, *each.mutations, *each.types, *each.extensions))
        try:
            faults += _keys(build_schema(additions))
        except (StrawberryException, TypeError, ValueError) as error:
            faults.append(f"The schema can't be built: {str(error).strip()}")
    return Parts(
        additions=additions,
        hooks=partial(FeatureHooks, on, within) if any(hooks for _, hooks in on + within) else None,
        password_rules=tuple(_all(each.password_rules for each in features)),
        letters={each.name: each.write for each in letters if isinstance(each, Letter)},
        actions=frozenset(_all(each.actions for each in features)),
        error_codes=codes,
    )


_all = chain.from_iterable


def _keys(schema: ComposedSchema) -> Iterator[str]:
    """Yield a sentence on each nested list that is read by what its object hasn't."""
    for kind, fields in schema.fields.items():
        names = {each.name for each in dataclasses.fields(kind)}
        for field in fields:
            key = field.metadata.get(KEY)
            if key and key not in names:
                where = f"{kind.__name__}.{field.python_name}"
                yield f"{where} is read by {key}, which is no field of {kind.__name__}."


def _print_permissions(types: Iterable[type]) -> None:
    """Add the directives of fields' `permission_classes`, which Strawberry prints none of."""
    for kind in types:
        definition = get_object_definition(kind)
        for field in definition.fields if definition else ():
            for extension in field.extensions:
                if isinstance(extension, PermissionExtension):
                    extension.use_directives = True


def _shapes(features: Sequence[Feature]) -> Iterator[str]:
    """Yield a sentence on each part of a type that a feature doesn't take."""
    for feature in features:
        where = f"The feature {feature.name}"
        for letter in feature.letters:
            if not isinstance(letter, Letter):
                yield f"{where}: {letter!r} is no Letter."
        for rule in feature.password_rules:
            if not callable(rule):
                yield f"{where}: the password rule {rule!r} is no function."
        for name, hook in chain(feature.on.items(), feature.within.items()):
            if not iscoroutinefunction(hook):
                yield f"{where}: the hook of {name} is no asynchronous function."


def _names(features: Sequence[Feature]) -> Iterator[str]:
    """Yield a sentence on each name that a feature can't declare."""
    owners: dict[str, str] = dict.fromkeys(_SPOKEN_FOR, "this program")
    actions: dict[str, str] = dict.fromkeys((*Action, *EVENTS), "this program")
    letters: dict[str, str] = dict.fromkeys(Kind, "this program")
    for feature in features:
        where = f"The feature {feature.name}"
        yield from _declared(f"{where}: the code", feature.error_codes, _CODE, owners)
        yield from _declared(f"{where}: the action", feature.actions, _ACTION, actions)
        names = [each.name for each in feature.letters]
        yield from _declared(f"{where}: the letter", names, _LETTER, letters)
    known = {*EVENTS, *_all(each.actions for each in features)}
    for feature in features:
        for name in sorted({*feature.on, *feature.within} - known):
            yield (
                f"The feature {feature.name}: there is no event {name}. There are "
                f"{', '.join(sorted(known))}."
            )


def _declared(
    what: str, names: Sequence[str], form: re.Pattern[str], owners: dict[str, str]
) -> Iterator[str]:
    """Yield a sentence on each name that is taken already, too long, or of another form."""
    for name in names:
        if not form.fullmatch(name) or len(name) > MAX_NAME:
            yield f"{what} {name} isn't {form.pattern}, of at most {MAX_NAME} characters."
        elif name in owners:
            yield f"{what} {name} is that of {owners[name]} already."
        owners[name] = "another feature"


def _root_types(root: str, ours: Sequence[type], theirs: Sequence[type]) -> Iterator[str]:
    """Yield a sentence on each type that can't be merged with our own."""
    owners: dict[str, str] = {}
    for part in (*ours, *theirs):
        definition = get_object_definition(part)
        if definition is None or definition.origin is not part:
            yield f"{part.__name__} is no Strawberry type: decorate it with @strawberry.type."
            continue
        for field in definition.fields:
            name, where = _NAMES.get_graphql_name(field), f"{part.__name__}.{field.python_name}"
            if field.base_resolver is None:
                yield f"{where} has no resolver: write a function with @strawberry.field."
            if other := owners.get(name):
                yield f"{where} would be the second {root}.{name}, beside that of {other}."
            owners[name] = part.__name__
