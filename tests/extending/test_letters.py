"""Letters of features that templates write: found, tried, in the reader's language, replaced."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from gql_app.app import create_app
from gql_app.db.tables import CustomerRow
from gql_app.extending.feature import Feature
from gql_app.extending.letters import Letter
from gql_app.extending.transaction import Transaction, transact
from gql_app.lib.faults import CannotStart
from gql_app.settings import Settings
from tests.extending.graph import Graph, graph
from tests.letterbox import Letterbox
from tests.people import add_customer

TEMPLATES = "tests.extending.market:letters"
SHIPPED = Letter("market_shipped", templates=TEMPLATES, example={"number": "17", "link": None})
LINK = "https://shop.example/parcels/17"


async def ship(shop: Graph, locale: str | None, **data: object) -> None:
    """Tell a customer of a parcel."""
    customer = await add_customer(shop.resources.database, "Ada", f"{locale}@example.com")

    async def told(tx: Transaction) -> None:
        await tx.post(SHIPPED, customer.id, **data)

    async with shop.resources.database.transaction() as db:
        theirs = update(CustomerRow).where(CustomerRow.id == customer.id)
        await db.execute(theirs.values(locale=locale))
    await transact(shop.resources, told)


async def test_letter_is_in_the_language_of_its_reader_and_in_our_layout(
    settings: Settings, letterbox: Letterbox
) -> None:
    chosen = settings.model_copy(update={"product_name": "Shop & Co"})
    async with graph(chosen, [Feature("market", letters=[SHIPPED])]) as shop:
        await ship(shop, "en", number="<17>", link=LINK)
        english = await letterbox.next()
        await ship(shop, "de-AT", number="18", link=None)
        german = await letterbox.next()
    assert (english.subject, english.language) == ("Your parcel <17>", "en")
    assert english.body == (
        f"Parcel <17> of Shop & Co is on its way.\nSee where it is:\n\n{LINK}\n"
    )
    assert english.html
    for part in (f'href="{LINK}"', "Parcel &lt;17&gt;", "Shop &amp; Co", "Or copy this address"):
        assert part in english.html
    assert (german.subject, german.language, german.html) == ("Ihr Paket 18", "de", None)
    assert german.body == "Paket 18 von Shop & Co ist unterwegs.\n"


async def test_operator_replaces_its_files_as_ours(
    settings: Settings, letterbox: Letterbox, tmp_path: Path
) -> None:
    (tmp_path / "market_shipped.fr.subject.txt").write_text("Votre colis")
    (tmp_path / "market_shipped.fr.txt").write_text("Colis {{ number }}")
    (tmp_path / "market_hint.html").write_text("Copy:")
    chosen = settings.model_copy(update={"letters_dir": tmp_path})
    async with graph(chosen, [Feature("market", letters=[SHIPPED])]) as shop:
        await ship(shop, "fr", number="19", link=None)
        french = await letterbox.next()
        await ship(shop, "en", number="20", link=LINK)
        english = await letterbox.next()
    assert (french.subject, french.body) == ("Votre colis", "Colis 19\n")
    assert english.html
    assert "Copy:" in english.html


async def test_value_that_the_example_lacks_is_a_fault_at_start(
    settings: Settings, letterbox: Letterbox
) -> None:
    lacking = Letter("market_shipped", templates=TEMPLATES, example={"number": "17"})
    with pytest.raises(CannotStart) as stopped:
        async with graph(settings, [Feature("market", letters=[lacking])]):
            pass
    assert letterbox.empty
    fault, *_ = stopped.value.faults
    assert "market_shipped.en.txt, line 2: there is no value link" in fault


@pytest.mark.parametrize(
    ("letter", "sentence"),
    [
        ({}, "the letter market_x needs a function or templates, and not both"),
        (
            {"write": dict, "templates": TEMPLATES},
            "the letter market_x needs a function or templates, and not both",
        ),
        ({"write": len}, "the letter market_x must take data, customer"),
        ({"write": "x"}, "the letter market_x is no function"),
        (
            {"templates": "tests.extending.market:nowhere"},
            (
                "the letter market_x: there is no folder tests.extending.market:nowhere, "
                "which is written package:folder"
            ),
        ),
    ],
)
def test_letter_that_nothing_writes_is_a_fault(letter: Mapping[str, Any], sentence: str) -> None:
    with pytest.raises(CannotStart) as stopped:
        create_app(
            Settings(playground=False),
            features=[Feature("market", letters=[Letter("market_x", **letter)])],
        )
    assert stopped.value.faults == (f"The feature market: {sentence}.",)
