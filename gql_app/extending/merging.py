"""Merging: many features into the plain parts that the application takes."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, TypeVar

from starlette.routing import BaseRoute

from gql_app.accounts.permissions import Roles
from gql_app.db.migrations.branches import Branch, revisions
from gql_app.extending.faults import faults, place_of
from gql_app.extending.feature import Feature
from gql_app.extending.parts import Parts, parts_of
from gql_app.extending.settings import FeatureSettings, load_features
from gql_app.extending.tables import Table, tables_of
from gql_app.lib.faults import CannotStart
from gql_app.resources import Extensions
from gql_app.schema.root import Additions

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Merged:
    """What some features add together, by who takes it."""

    features: tuple[Feature, ...]
    parts: Parts
    roles: Roles
    branches: tuple[Branch, ...]
    settings: Mapping[str, type[FeatureSettings]]
    """The classes of their settings, by the features' names."""
    routes: tuple[BaseRoute, ...]
    commands: tuple[Callable[..., Any], ...]

    @property
    def additions(self) -> Additions:
        """What goes to the schema."""
        return self.parts.additions

    def extensions(self) -> Extensions:
        """Return what goes to the resources; this reads the settings. Raises CannotStart."""
        signers = [each.signer for each in self.features if each.signer is not None]
        return Extensions(
            roles=self.roles,
            settings=load_features(self.settings),
            branches=self.branches,
            claims=[each.claims for each in self.features if each.claims is not None],
            signer=signers[0] if signers else None,
            authenticators=_all(each.authenticators for each in self.features),
            hooks=self.parts.hooks,
            password_rules=self.parts.password_rules,
            letters=self.parts.letters,
            actions=self.parts.actions,
            error_codes=self.parts.error_codes,
            nodes=self.parts.nodes,
        )


def merge(features: Sequence[Feature]) -> Merged:
    """Return the parts of features. Raises CannotStart with everything that is wrong with them."""
    found = faults(features)
    branches: list[Branch] = []
    for feature in features:
        try:
            branches += _branches(feature)
        except CannotStart as why:
            found += [f"The feature {feature.name}: {fault}." for fault in why.faults]
    parts = parts_of(features, found)
    if found:
        raise CannotStart(found)
    return Merged(
        features=tuple(features),
        parts=parts,
        roles=Roles(_all(each.roles for each in features)),
        branches=tuple(branches),
        settings={each.name: each.settings for each in features if each.settings is not None},
        routes=_all(each.routes for each in features),
        commands=_all(each.commands for each in features),
    )


def _all(parts: Iterable[Sequence[T]]) -> tuple[T, ...]:
    """Return a part of all features, in their order."""
    return tuple(chain.from_iterable(parts))


def _branches(feature: Feature) -> list[Branch]:
    """Return the migrations of a feature, if it has any that are there. Raises CannotStart."""
    folder = place_of(feature.migrations) if feature.migrations else None
    if not feature.migrations or folder is None:
        return []
    tables = tables_of(feature.migrations.partition(":")[0])
    return [Branch(feature.name, folder, tables, Table.metadata, revisions(folder))]
