"""Settings of features that are more than one value: lists, and JSON."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, BeforeValidator, Field, Json, create_model, field_validator

from gql_app import Feature, FeatureSettings, create_app
from gql_app.extending.settings import load_features
from gql_app.lib.faults import CannotStart
from gql_app.settings import Settings


class Day(StrEnum):
    """A day on which the shop is open."""

    MONDAY = "monday"
    FRIDAY = "friday"


class Parts(BaseModel):
    """A value with parts."""

    one: int = 1


class Needing(BaseModel):
    """A value with a part that it needs."""

    one: int


@dataclass
class Pair:
    """Another value with parts."""

    one: int = 1


class Spoken(FeatureSettings):
    """Settings with a validator of their own."""

    value: list[str]

    @field_validator("value", mode="before")
    @classmethod
    def _words(cls, text: str) -> list[str]:
        return text.split()


class Spelt(FeatureSettings):
    """Settings whose names have capitals."""

    Upper: int = 1
    maxCents: int = 1  # noqa: N815 — as some builders spell it


class Twice(FeatureSettings):
    """Two settings with one variable."""

    most: int = 1
    Most: int = 1


def of(kind: object) -> type[FeatureSettings]:
    """Return settings with a value of a type."""
    value: Any = (kind, ...)
    return create_model("Of", __base__=FeatureSettings, value=value)


def read(kind: type[FeatureSettings], text: str, patch: pytest.MonkeyPatch) -> object:
    """Return the value of settings that are read from a text."""
    patch.setenv("GQL_APP_SHOP_VALUE", text)
    return dict(load_features({"shop": kind})[kind])["value"]


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (list[str], "a, b ,c", ["a", "b", "c"]),
        (list[str], "a", ["a"]),
        (list, "a,b", ["a", "b"]),
        (list[int], "1,2", [1, 2]),
        (tuple[int, str], "1,b", (1, "b")),
        (tuple[float, ...], "1.5,2", (1.5, 2.0)),
        (set[Day], "friday,monday", {Day.MONDAY, Day.FRIDAY}),
        (frozenset[Literal["a", "b"]], "b,b", frozenset("b")),
        (Sequence[str], "a,b", ["a", "b"]),
        (list[str] | None, "a,b", ["a", "b"]),
        (
            Annotated[list[Annotated[str, Field(max_length=1)]], Field(min_length=2)],
            "a,b",
            ["a", "b"],
        ),
        (str, "a,b", "a,b"),
        (str | list[str], "a,b", "a,b"),
        (bytes, "a,b", b"a,b"),
        (Json[dict[str, int]], '{"a": 1, "b": 2}', {"a": 1, "b": 2}),
        (Json[list[list[int]]] | None, "[[1, 2], [3]]", [[1, 2], [3]]),
        (Annotated[list[str], BeforeValidator(str.split)], "a, b", ["a,", "b"]),
    ],
)
def test_list_is_comma_separated(
    kind: object, text: str, value: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = of(kind)
    assert read(settings, text, monkeypatch) == value
    create_app(Settings(playground=False), features=[Feature("shop", settings=settings)])


def test_validator_of_the_builder_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read(Spoken, "a b", monkeypatch) == ["a", "b"]
    assert Spoken.model_construct(value=["a,b"]).value == ["a,b"]
    assert dict(of(list[str])(value=["a,b"]))["value"] == ["a,b"]


def test_settings_of_two_features_may_have_one_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GQL_APP_SHOP_VALUE", "1")
    monkeypatch.setenv("GQL_APP_DESK_VALUE", "two")
    shop, desk = of(int), of(str)
    features = [Feature("shop", settings=shop), Feature("desk", settings=desk)]
    loaded = create_app(Settings(playground=False), features=features).merged.load_extensions()
    assert dict(loaded.settings_of(shop)) == {"value": 1}
    assert dict(loaded.settings_of(desk)) == {"value": "two"}


@pytest.mark.parametrize(
    ("kind", "text", "fault"),
    [
        (list[int], "1,two", "should be a valid integer, unable to parse string as an integer"),
        (list[str], "a,,b", "must be a comma-separated list, without an empty part"),
        (list[str], "a,", "must be a comma-separated list, without an empty part"),
        (tuple[int, str], "1", "lacks a part"),
        (tuple[int, str] | None, "1", "lacks a part"),
        (Json[Needing], "{}", "lacks one"),
        (Json[list[Needing]], "[{}]", "lacks one"),
    ],
)
def test_faulty_part_of_a_list_is_told(
    kind: object, text: str, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(CannotStart) as caught:
        read(of(kind), text, monkeypatch)
    assert caught.value.faults == (f"GQL_APP_SHOP_VALUE: {fault}",)


@pytest.mark.parametrize(
    "kind",
    [
        dict[str, int],
        dict[str, int] | None,
        Parts,
        Pair,
        list[Parts],
        list[list[int]],
        tuple[dict[str, int] | None, ...],
    ],
)
def test_what_no_variable_can_hold_is_told(kind: object) -> None:
    with pytest.raises(CannotStart) as caught:
        create_app(Settings(playground=False), features=[Feature("shop", settings=of(kind))])
    assert caught.value.faults[0] == (
        "The feature shop: its setting value is more than a list of values: make it JSON, by "
        "pydantic's Json."
    )


def test_setting_is_read_however_its_name_is_spelt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GQL_APP_SHOP_UPPER", "9")
    monkeypatch.setenv("GQL_APP_SHOP_MAXCENTS", "8")
    assert load_features({"shop": Spelt})[Spelt] == Spelt(Upper=9, maxCents=8)
    monkeypatch.setenv("GQL_APP_SHOP_MAXCENTS", "none")
    with pytest.raises(CannotStart) as caught:
        load_features({"shop": Spelt})
    [fault] = caught.value.faults
    assert fault.startswith("GQL_APP_SHOP_MAXCENTS: should be a valid integer")


def test_two_settings_with_one_variable_are_a_fault() -> None:
    with pytest.raises(CannotStart) as caught:
        create_app(Settings(playground=False), features=[Feature("shop", settings=Twice)])
    assert caught.value.faults == (
        (
            "The feature shop: settings names most and Most, which would both be "
            "GQL_APP_SHOP_MOST: leave one out."
        ),
    )
