"""Custom scalars of features: what they read and write, and those that there can't be."""

from datetime import datetime
from ipaddress import ip_address
from typing import Any, NewType, cast
from urllib.parse import urlsplit

import pytest
import strawberry
from graphql import GraphQLError

from gql_app import Feature, create_app, extend
from gql_app.lib.faults import CannotStart
from gql_app.schema.customers import Customer
from gql_app.schema.root import build_schema
from gql_app.settings import Settings
from tests.api import Api, running
from tests.people import add_customer, sign_in

Url = NewType("Url", str)
Address = NewType("Address", str)


def parse_url(value: object) -> Url:
    """Return a URL of the web. Raises GraphQLError."""
    if not isinstance(value, str) or urlsplit(value).scheme not in {"http", "https"}:
        message = "a Url begins with http:// or https://"
        raise GraphQLError(message)
    return Url(value)


def parse_address(value: object) -> Address:
    """Return an IP address. Raises ValueError."""
    return Address(str(ip_address(str(value))))


URL = strawberry.scalar(name="Url", description="A URL of the web.", parse_value=parse_url)
ADDRESS = strawberry.scalar(name="Address", parse_value=parse_address)
HOME = "https://example.com/"


@strawberry.type
class Links:
    """Addresses that are given."""

    @strawberry.field
    def link(self, to: Url) -> Url:
        """Return the URL."""
        return to

    @strawberry.field
    def sender(self, address: Address) -> Address:
        """Return the address."""
        return address


@extend(Customer)
class Homes:
    """The page of a customer."""

    @strawberry.field
    def home(self) -> Url | None:
        """Return the same for everybody."""
        return Url(HOME)


WEB = Feature("web", queries=[Links], extensions=[Homes], scalars={Url: URL, Address: ADDRESS})


@pytest.fixture
async def api(settings: Settings) -> Any:  # noqa: ANN401 — an asynchronous generator of an Api
    """Serve the feature."""
    async with running(settings, features=[WEB]) as serving:
        yield serving


async def test_scalar_is_read_from_literals_and_variables_and_written(api: Api) -> None:
    assert (await api.run(f'{{ link(to: "{HOME}") }}')).data == {"link": HOME}
    answer = await api.run("query Q($to: Url!) { link(to: $to) }", to=HOME)
    assert answer.data == {"link": HOME}
    ada = await sign_in(api.resources, await add_customer(api.database, "Ada"))
    assert (await api.run("{ me { home } }", token=ada.token)).data == {"me": {"home": HOME}}


async def test_what_a_scalar_does_not_read_is_the_clients_error_in_its_words(api: Api) -> None:
    literal = await api.run('{ link(to: "ftp://example.com") }')
    variable = await api.run("query Q($to: Url!) { link(to: $to) }", to=7)
    for error in (literal.error(), variable.error()):
        assert "a Url begins with http:// or https://" in error["message"]
        assert error["extensions"]["code"] in {"BAD_USER_INPUT", "GRAPHQL_VALIDATION_FAILED"}


async def test_what_a_scalar_raises_otherwise_is_told_as_the_type_alone(api: Api) -> None:
    literal = await api.run('{ sender(address: "10.0.0.300") }')
    assert literal.error()["message"] == "Expected value of type 'Address'."
    variable = await api.run("query ($of: Address!) { sender(address: $of) }", of="10.0.0.300")
    assert variable.error()["message"] == (
        "Variable '$of' has invalid value: Expected value of type 'Address'."
    )


def test_scalar_is_described_in_the_schema(settings: Settings) -> None:
    application = create_app(settings, features=[WEB])
    printed = build_schema(application.merged.additions).as_str()
    assert '"""A URL of the web."""\nscalar Url\n' in printed


@pytest.mark.parametrize(
    ("scalars", "fault"),
    [
        ([URL], "The feature web: scalars must map Python types to what strawberry.scalar"),
        ({Url: parse_url}, "The feature web: scalars must map Python types to what strawberry"),
        (
            {datetime: URL},
            "The feature web: the scalar Url is of datetime, as DateTime is already: give it",
        ),
        ({int: URL}, "The feature web: the scalar Url is of int, as Int is already: give it"),
        ({float: URL}, "The feature web: the scalar Url is of float, as Float is already: give"),
        ({str: URL}, "The feature web: the scalar Url is of str, as String is already: give it"),
        ({bool: URL}, "The feature web: the scalar Url is of bool, as Boolean is already: give"),
        ({strawberry.ID: URL}, "The feature web: the scalar Url is of ID, as ID is already: give"),
        ({strawberry.scalars.JSON: URL}, "The feature web: the scalar Url is of JSON, as JSON is"),
        (
            {Url: strawberry.scalar(name="Customer")},
            "The scalar Customer has the name of the built-in Customer: rename it.",
        ),
        (
            {Url: strawberry.scalar(name="DateTime")},
            "The scalar DateTime has the name of the built-in DateTime: rename it.",
        ),
    ],
)
def test_scalar_that_there_can_not_be_is_told(
    settings: Settings, scalars: object, fault: str
) -> None:
    feature = Feature("web", queries=[Links], scalars=cast(Any, scalars))
    with pytest.raises(CannotStart) as caught:
        create_app(settings, features=[feature])
    assert any(each.startswith(fault) for each in caught.value.faults)


def test_two_features_give_a_type_one_scalar(settings: Settings) -> None:
    other = Feature("net", scalars={Url: strawberry.scalar(name="Uri")})
    with pytest.raises(CannotStart) as caught:
        create_app(settings, features=[WEB, other])
    [fault] = caught.value.faults
    assert fault == (
        "The feature net: the scalar Uri is of Url, as Url is already: give it a type of its own, "
        "NewType(…, Url)."
    )
    assert create_app(settings, features=[WEB, Feature("net", scalars={Url: URL})])
