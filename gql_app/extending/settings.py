"""Settings of features: read from the environment and validated together with ours."""

from collections.abc import Collection, Mapping
from typing import TypeAlias

from pydantic import BaseModel, ConfigDict, ValidationError

from gql_app import settings
from gql_app.lib.environment import variables
from gql_app.lib.faults import CannotStart
from gql_app.settings import PREFIX, Settings


class FeatureSettings(BaseModel):
    """The base of a feature's settings: a pydantic model, whose fields may have defaults.

    The field `currency` of the feature `shop` is read from GQL_APP_SHOP_CURRENCY, once, when the
    application starts; pydantic converts the value. Its faults are reported with all others.
    """

    model_config = ConfigDict(
        frozen=True, hide_input_in_errors=True, validate_by_alias=False, validate_by_name=True
    )


Kinds: TypeAlias = Mapping[str, type[FeatureSettings]]
"""The settings classes of features, by the features' names."""
Loaded: TypeAlias = Mapping[type, FeatureSettings]
"""The loaded settings of features, by their classes."""


def load(kinds: Kinds, given: Settings | None = None, *, serving: bool) -> Settings:
    """Return the given settings, or those of the environment as settings.load() does.

    Those of features are validated first.
    Raises CannotStart, which names every faulty variable at once, and no values.
    """
    faults: list[str] = []
    chosen: Settings | None = None
    try:
        chosen = given or settings.load(serving=serving)
    except CannotStart as why:
        faults += why.faults
    try:
        load_features(kinds)
    except CannotStart as why:
        faults += why.faults
    if chosen is None or faults:
        raise CannotStart(faults)
    return chosen


def load_features(kinds: Kinds) -> Loaded:
    """Return the settings of features. Raises CannotStart as load() does."""
    loaded: dict[type, FeatureSettings] = {}
    faults: list[str] = []
    for name, kind in kinds.items():
        prefix = _prefix(name)
        values = {key.removeprefix(prefix).lower(): v for key, v in variables(prefix).items()}
        try:
            loaded[kind] = kind.model_validate(values)
        except ValidationError as error:
            faults += settings.faults_of(prefix, error)
    if faults:
        raise CannotStart(faults)
    return loaded


def names(kinds: Kinds) -> Collection[str]:
    """Return the names of the variables that features read."""
    return {
        _prefix(each) + name.upper() for each, kind in kinds.items() for name in kind.model_fields
    }


def _prefix(feature: str) -> str:
    return f"{PREFIX}{feature.upper()}_"
