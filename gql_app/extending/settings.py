"""Settings of features: read from the environment and validated together with ours."""

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import is_dataclass
from types import UnionType
from typing import Annotated, Final, TypeAlias, Union, get_args, get_origin

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Json,
    PlainValidator,
    ValidationError,
    ValidationInfo,
    WrapValidator,
    field_validator,
)

from gql_app import settings
from gql_app.lib.environment import variables
from gql_app.lib.faults import CannotStart
from gql_app.settings import PREFIX, Settings

_PARSERS: Final = (BeforeValidator, Json, PlainValidator, WrapValidator)
"""Annotations of fields that take the text of a variable as it is."""


class FeatureSettings(BaseModel):
    """The base of a feature's settings: a pydantic model, whose fields may have defaults.

    The field `currency` of the feature `shop` is read from GQL_APP_SHOP_CURRENCY, once, when the
    application starts; pydantic converts the value. A list, tuple or set is comma-separated, and
    a field of pydantic's Json is JSON. Its faults are reported with all others.
    """

    model_config = ConfigDict(
        frozen=True, hide_input_in_errors=True, validate_by_alias=False, validate_by_name=True
    )

    @field_validator("*", mode="before")
    @classmethod
    def _split_list(cls, value: object, info: ValidationInfo) -> object:
        """Return the parts of a comma-separated text for a list; any other value unchanged."""
        field = cls.model_fields[info.field_name or ""]
        kinds = [*_kinds(field.annotation, *field.metadata)]
        if not isinstance(value, str) or str in kinds or not any(map(_is_list, kinds)):
            return value
        parts = [part.strip() for part in value.split(",")]
        if "" in parts:
            message = "must be a comma-separated list, without an empty part"
            raise ValueError(message)
        return parts


Kinds: TypeAlias = Mapping[str, type[FeatureSettings]]
"""The settings classes of features, by the features' names."""
Loaded: TypeAlias = Mapping[type, FeatureSettings]
"""The loaded settings of features, by their classes."""


def load(kinds: Kinds, given: Settings | None = None, *, serving: bool) -> Settings:
    """Return the given settings, or those of the environment as settings.load() does.

    Those of features are validated as well. Raises CannotStart, which names every faulty variable
    at once, and no values.
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
        prefix, fields = _prefix(name), {each.upper(): each for each in kind.model_fields}
        given = {key.removeprefix(prefix): value for key, value in variables(prefix).items()}
        values = {fields.get(key, key.lower()): value for key, value in given.items()}
        try:
            loaded[kind] = kind.model_validate(values)
        except ValidationError as error:
            faults += settings.faults_of(prefix, error)
    if faults:
        raise CannotStart(faults)
    return loaded


def names(kinds: Kinds) -> Sequence[str]:
    """Return the names of the variables that features read, in the order of their fields."""
    return [
        _prefix(each) + name.upper() for each, kind in kinds.items() for name in kind.model_fields
    ]


def unreadable(kind: type[FeatureSettings]) -> list[str]:
    """Return the names of fields that hold more than a value or a list of values."""
    return [
        name
        for name, field in kind.model_fields.items()
        for each in _kinds(field.annotation, *field.metadata)
        if _has_names(each) or (_is_list(each) and any(map(_is_nested, get_args(each))))
    ]


def _is_nested(part: object) -> bool:
    return any(_has_names(each) or _is_list(each) for each in _kinds(part))


def _has_names(kind: object) -> bool:
    """Return whether the parts of a value have names."""
    return _is(kind, BaseModel, Mapping) or is_dataclass(kind)


def _is_list(kind: object) -> bool:
    return _is(kind, Sequence, AbstractSet) and not _is(kind, str, bytes, bytearray)


def _is(kind: object, *bases: type) -> bool:
    cls = get_origin(kind) or kind
    return isinstance(cls, type) and issubclass(cls, bases)


def _kinds(annotation: object, *notes: object) -> Iterator[object]:
    """Yield the types that a value may be of, none if it has a parser of its own."""
    if get_origin(annotation) is Annotated:
        annotation, *more = get_args(annotation)
        notes = (*notes, *more)
    if any(isinstance(each, _PARSERS) for each in notes):
        return
    if get_origin(annotation) in {Union, UnionType}:
        for each in get_args(annotation):
            yield from _kinds(each)
    else:
        yield annotation


def _prefix(feature: str) -> str:
    return f"{PREFIX}{feature.upper()}_"
