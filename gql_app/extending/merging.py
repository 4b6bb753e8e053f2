"""Merging of all features into the parts that the application is made of."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from graphlib import CycleError, TopologicalSorter
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

from starlette.routing import BaseRoute
from strawberry.exceptions import StrawberryException
from strawberry.types.base import get_object_definition

from gql_app.accounts.permissions import Roles
from gql_app.db.migrations.branches import Branch, revisions
from gql_app.extending.authenticators import identify
from gql_app.extending.claims import claims_of
from gql_app.extending.connections import Connection, connection_of
from gql_app.extending.extend import Extended
from gql_app.extending.faults import (
    form_faults,
    inner_faults,
    is_settings,
    outer_faults,
    package_folder,
    setting_faults,
)
from gql_app.extending.feature import Feature, packages_of
from gql_app.extending.functions import command_name
from gql_app.extending.hooks import FeatureHooks
from gql_app.extending.letters import Letter
from gql_app.extending.node_kinds import implement_node
from gql_app.extending.scalars import scalar_faults, scalars_of
from gql_app.extending.schema_faults import required_permissions, schema_faults, union_faults
from gql_app.extending.settings import Kinds, load_features
from gql_app.extending.tables import Table, referred, tables_of
from gql_app.lib.faults import CannotStart, sentence
from gql_app.lib.mail_templates import Folder
from gql_app.lib.nodes import NodeKind
from gql_app.resources import Extensions
from gql_app.schema.nodes import OURS
from gql_app.schema.root import Additions, build_schema

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Parts:
    """The additions to the schema and, but for roles, branches and settings, to the resources."""

    additions: Additions
    extensions: Extensions
    permissions: Collection[str] = ()
    """The permissions that fields require."""


def parts_of(features: Sequence[Feature], found: list[str]) -> Parts:
    """Return the parts of features; append their faults to `found`."""
    on = [(each.name, each.on) for each in features]
    within = [(each.name, each.within) for each in features]
    letters = [each for each in _all(f.letters for f in features) if isinstance(each, Letter)]
    permissions: Collection[str] = ()
    extended = Extended(_all(each.extensions for each in features))
    found += outer_faults(features)
    before = len(found)
    found += [*inner_faults(features), *extended.faults]
    codes, listed = _codes(features), _connections(features)
    nodes = _nodes(features, listed)
    found += _shared_ids((*OURS, *nodes))
    additions = Additions(
        queries=_all(each.queries for each in features),
        mutations=_all(each.mutations for each in features),
        types=(*_all(each.types for each in features), *(each.type for each in nodes)),
        fields=extended.fields,
        inputs=extended.inputs,
        scalars=scalars_of(features, found),
        error_codes=codes,
    )
    if len(found) == before:
        for kind in nodes:
            implement_node(kind.type)
        try:
            schema = build_schema(additions)
            found += schema_faults(schema)
            permissions = required_permissions(schema)
        except (StrawberryException, TypeError, ValueError) as error:
            named = [*union_faults(additions), *scalar_faults(additions)]
            found += named or [f"The schema can't be built: {_why_not(error)}"]
    claims = [each.claims for each in features if each.claims is not None]
    authenticators = _all(each.authenticators for each in features)
    extensions = Extensions(
        claims=partial(claims_of, claims) if claims else None,
        signer=next((each.signer for each in features if each.signer is not None), None),
        identify=partial(identify, authenticators) if authenticators else None,
        hooks=partial(FeatureHooks, on, within) if any(hooks for _, hooks in on + within) else None,
        password_rules=_all(each.password_rules for each in features),
        letters={each.name: each.write for each in letters},
        templates=_templates(letters),
        actions=frozenset(_all(each.actions for each in features)),
        error_codes=codes,
        nodes=nodes,
        visible={each.columns.node: each.visibility for each in reversed(listed)},
    )
    return Parts(additions, extensions, permissions)


def _why_not(error: Exception) -> str:
    """Return the message of an error, and for types of one name their classes."""
    told = str(error).strip()
    found = [getattr(error, f"{each}_cls", None) for each in ("first", "second")]
    classes = sorted(f"{each.__module__}.{each.__qualname__}" for each in found if each)
    return f"{told}: {' and '.join(classes)}. Rename one." if classes else told


def _codes(features: Sequence[Feature]) -> Mapping[str, str]:
    """Return a mapping of error codes to their descriptions, which may be empty."""
    codes: dict[str, str] = {}
    for feature in features:
        given = feature.error_codes
        codes |= given if isinstance(given, Mapping) else dict.fromkeys(given, "")
    return codes


def _connections(features: Sequence[Feature]) -> Sequence[Connection]:
    """Return the connections of features, in their order."""
    types = [get_object_definition(each) for feature in features for each in feature.queries]
    made = [connection_of(field) for each in types if each for field in each.fields]
    return [each for each in made if each]


def _nodes(features: Sequence[Feature], listed: Sequence[Connection]) -> tuple[NodeKind[Any], ...]:
    """Return how `node` finds each type: by Feature.nodes, or else as its first connection does."""
    first: dict[type, NodeKind[Any]] = {}
    for each in (*_all(each.nodes for each in features), *(each.kind for each in listed)):
        if isinstance(each, NodeKind):
            first.setdefault(each.type, each)
    return tuple(first.values())


def _shared_ids(nodes: Iterable[NodeKind[Any]]) -> Iterator[str]:
    """Yield a sentence on each type whose ids are those of another type."""
    first: dict[Any, str] = {}
    for each in nodes:
        name, rows = each.type.__name__, each.ids.class_
        if first.setdefault(rows, name) != name:
            yield (
                f"The types {first[rows]} and {name} are both of {rows.__name__}, and an ID is "
                f"unique over all types: let the id of {name} be a UUID instead."
            )


def _templates(letters: Iterable[Letter]) -> tuple[Folder, ...]:
    """Return the folders of templates, each with the example data of its letters."""
    kinds: dict[Path, dict[str, Sequence[Mapping[str, object]]]] = {}
    for letter in letters:
        if letter.templates and (folder := package_folder(letter.templates)):
            kinds.setdefault(folder, {})[letter.name] = [letter.example]
    return tuple(Folder(folder, examples) for folder, examples in kinds.items())


@dataclass(frozen=True, slots=True, eq=False)
class Merged:
    """All that the features add, grouped by the part of the application that takes it."""

    features: tuple[Feature, ...]
    additions: Additions
    """The additions to the schema."""
    extensions: Extensions
    """The additions to the resources, without the settings."""
    settings: Kinds
    """The classes of their settings, by the features' names."""
    routes: tuple[BaseRoute, ...]
    commands: Mapping[str, Callable[..., Any]]
    """Their commands, by the names on the command line."""

    def load_extensions(self) -> Extensions:
        """Return the additions to the resources; this reads the settings. Raises CannotStart."""
        return replace(self.extensions, settings=load_features(self.settings))


def merge(features: Sequence[Feature]) -> Merged:
    """Return the merged features. Raises CannotStart with all their faults."""
    found = [*form_faults(features)]
    if found:
        raise CannotStart(found)
    parts = parts_of(features, found)
    branches: list[Branch] = []
    for feature in features:
        try:
            branches += _branches(feature, packages_of(features))
        except CannotStart as why:
            found += [sentence(f"The feature {feature.name}: {fault}") for fault in why.faults]
    try:
        branches = [*_sorted(branches)]
    except CycleError as error:
        names = " and ".join(sorted({each.name for each in error.args[1]}))
        found.append(f"Tables of the features {names} refer to each other; make them one feature.")
    if found:
        raise CannotStart(found)
    return Merged(
        features=tuple(features),
        additions=parts.additions,
        extensions=replace(
            parts.extensions,
            roles=Roles(_all(each.roles for each in features), parts.permissions),
            branches=tuple(branches),
        ),
        settings=settings_of(features),
        routes=_all(each.routes for each in features),
        commands={
            name: command
            for command in _all(each.commands for each in features)
            if (name := command_name(command))
        },
    )


def settings_of(features: Sequence[Feature]) -> Kinds:
    """Return the settings of features by their names, without those that have a fault."""
    given = [] if any(form_faults(features)) else features
    named = Counter(each.name for each in given)
    kinds = {each.name: each.settings for each in given if not any(setting_faults(each))}
    return {name: kind for name, kind in kinds.items() if is_settings(kind) and named[name] == 1}


def _all(parts: Iterable[Sequence[T]]) -> tuple[T, ...]:
    """Return the items of some sequences as one tuple, in their order."""
    return tuple(chain.from_iterable(parts))


def _sorted(branches: Sequence[Branch]) -> Iterable[Branch]:
    """Return the branches, each after those with the tables that it refers to.

    Raises CycleError if there is no such order.
    """
    owners = {name: branch for branch in branches for name in branch.tables}
    order: TopologicalSorter[Branch] = TopologicalSorter()
    for branch in branches:
        others = [
            owners.get(each, branch) for name in sorted(branch.tables) for each in referred(name)
        ]
        order.add(branch, *(each for each in others if each is not branch))
    return order.static_order()


def _branches(feature: Feature, packages: Sequence[str]) -> list[Branch]:
    """Return the migration branch of a feature, none without a folder. Raises CannotStart."""
    folder = package_folder(feature.migrations) if feature.migrations else None
    if not feature.migrations or folder is None:
        return []
    [package] = packages_of([feature])
    tables = tables_of(package, packages)
    return [Branch(feature.name, folder, tables, Table.metadata, revisions(folder))]
