"""Which customers are listed, in which order, and for whom."""

from datetime import timedelta
from unicodedata import normalize

import pytest

from gql_app.accounts.customer_lists import Filter, Order, OrderField, listing
from gql_app.errors import AdminRequired
from gql_app.lib.database import Database
from gql_app.lib.pagination import InvalidArgument, Window
from gql_app.lib.pagination.text_search import MAX_WORDS
from tests.accounts.rows import ORDERS, START, customer, everybody, names, read, store

MICROSECOND = timedelta(microseconds=1)


async def found(database: Database, which: Filter, *, reads_private: bool = True) -> set[str]:
    """Name those who match, and see that as many are counted."""
    of = listing(which, Order(), reads_private=reads_private)
    page = await read(database, of, Window(500))
    assert await of.count(database) == len(page.rows)
    return set(names(page.rows))


async def search(database: Database, text: str, *, reads_private: bool = True) -> set[str]:
    """Name those whom a search finds."""
    return await found(database, Filter(search=text), reads_private=reads_private)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ada", {"Ada Lovelace", "Adaeze Obi"}),
        ("ADA", {"Ada Lovelace", "Adaeze Obi"}),
        ("lovelace", {"Ada Lovelace"}),
        ("ada lo", {"Ada Lovelace"}),
        ("eze", {"Adaeze Obi"}),
        ("nobody", set()),
        ("", {"Ada Lovelace", "Adaeze Obi", "Bob"}),
        ("x" * 254, set()),
    ],
)
async def test_search_looks_anywhere_in_the_name(
    database: Database, text: str, expected: set[str]
) -> None:
    await store(database, map(customer, ["Ada Lovelace", "Adaeze Obi", "Bob"]))
    assert await search(database, text) == expected
    assert await search(database, text, reads_private=False) == expected


LITERAL = ["100% sure", "100 sure", "under_score", "underscore", "back\\slash", "a/b", "a*b?[c]"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("%", {"100% sure"}),
        ("0% s", {"100% sure"}),
        ("_", {"under_score"}),
        ("r_s", {"under_score"}),
        ("\\", {"back\\slash"}),
        ("\\s", {"back\\slash"}),
        ("/", {"a/b"}),
        ("a/b", {"a/b"}),
        ("*", {"a*b?[c]"}),
        ("?[c]", {"a*b?[c]"}),
        ("%%", set()),
        ("\\%", set()),
        ("/%", set()),
        ("/_", set()),
        ("' OR 1=1 --", set()),
        ("\0", set()),
        ("a\0", set()),
        ("under\0score", set()),
    ],
)
async def test_search_takes_every_character_literally(
    database: Database, text: str, expected: set[str]
) -> None:
    await store(database, map(customer, LITERAL))
    assert await search(database, text) == expected
    assert await search(database, text, reads_private=False) == expected


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Straße", "STRASSE"),
        ("Straße", "strasse"),
        ("STRASSE", "straße"),
        ("Σίσυφος", "ΣΊΣΥΦΟΣ"),
        ("ΣΊΣΥΦΟΣ", "σίσυφος"),
        ("Ёлкин", "ёЛКИН"),
        ("Élodie", normalize("NFD", "élodie")),
        ("Élodie", normalize("NFD", "É")),
        ("Élodie", "ÉLO"),
        ("ÅSA", "\u212bsa"),
        ("İpek", "i\u0307pek"),
        ("İSTANBUL LTD", "istanbul"),
        ("İSTANBUL LTD", "ISTANBUL"),
        ("İSTANBUL LTD", "\u0131stanbul"),
        ("istanbul ltd", "İSTANBUL"),
        ("Iş\u0131l", "IŞIL"),
        ("ﬁona", "FIONA"),
        ("\uff21\uff24\uff21", "ada"),
        ("Ada №5", "no5"),
    ],
)
async def test_search_folds_case_and_form_by_unicode(
    database: Database, name: str, text: str
) -> None:
    await store(database, [customer(name), customer("Bob")])
    assert await search(database, text) == {name}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Zebra", "zebra "),
        ("Zebra", " zebra"),
        ("Zebra", "\u00a0zebra\u2003"),
        ("Alice Kowalski", "Kowalski Alice"),
        ("Alice Kowalski", "alice  kowalski"),
        ("Alice  Kowalski", "alice kowalski"),
        ("Alice Kowalski", "ski ali"),
        ("Alice Kowalski", "lice walsk lice"),
        ("Alice Kowalski", "w l i a k"),
        ("小林 さくら", "さ 小"),
        ("İSTANBUL LTD", "ltd istanbul"),
    ],
)
async def test_every_word_is_found_anywhere_in_any_order(
    database: Database, name: str, text: str
) -> None:
    await store(
        database, map(customer, [name, "Alicia Wong", "Bob Kowal", "Zebr", "istanbul", "小"])
    )
    assert await search(database, text) == {name}
    assert await search(database, text, reads_private=False) == {name}


@pytest.mark.parametrize("text", ["ada hidden", "hidden ada", "com ada love", "ADA@hid LOVELACE"])
async def test_for_admins_each_word_is_in_the_name_or_in_the_address(
    database: Database, text: str
) -> None:
    await store(
        database,
        [customer("Ada Lovelace", "Ada@hidden.example.com"), customer("Ada", "ada@example.org")],
    )
    assert await search(database, text) == {"Ada Lovelace"}
    assert await search(database, text, reads_private=False) == set()


@pytest.mark.parametrize("text", ["straße@", "STRASSE@", "ﬁn", "i\u0307@", "e\u0301lod"])
async def test_an_address_is_searched_in_the_fold_that_its_key_has(
    database: Database, text: str
) -> None:
    await store(database, [customer("Ada", "éLODie.Straße@x.org"), customer("B", "ﬁnİ@x.org")])
    assert len(await search(database, text)) == 1


@pytest.mark.parametrize("text", [" ", "\u2003 \t"])
async def test_nothing_but_blanks_is_no_search(database: Database, text: str) -> None:
    await store(database, [customer("Ada")])
    assert await search(database, text) == {"Ada"}


def test_words_are_bounded_and_those_within_others_are_not_counted() -> None:
    most = " ".join(f"{number}x" for number in range(MAX_WORDS))
    assert (
        len(listing(Filter(search=f"{most} x 1x 1X"), Order(), reads_private=True).query.filters)
        == 8
    )
    with pytest.raises(
        InvalidArgument, match=r"search has 9 words\. Search for at most 8\."
    ) as why:
        listing(Filter(search=f"{most} another"), Order(), reads_private=True)
    assert why.value.extensions == {"code": "BAD_USER_INPUT"}


@pytest.mark.parametrize("text", ["\u0301\u0327" * 127, "a" + "\u0301" * 253])
def test_a_search_of_more_marks_than_a_name_may_have_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument, match="more than 30 combining marks") as why:
        listing(Filter(search=text), Order(), reads_private=True)
    assert why.value.extensions == {"code": "BAD_USER_INPUT"}


async def test_search_does_not_drop_accents(database: Database) -> None:
    await store(database, [customer("Élodie")])
    assert await search(database, "Elodie") == set()


@pytest.mark.parametrize("text", ["hidden", "ADA@hidden", "hidden.example.com", "@", ".com"])
async def test_only_admins_search_in_addresses(database: Database, text: str) -> None:
    await store(database, [customer("Ada", "Ada@hidden.example.com")])
    assert await search(database, text) == {"Ada"}
    assert await search(database, text, reads_private=False) == set()


@pytest.mark.parametrize("reads_private", [True, False])
@pytest.mark.parametrize("text", ["x" * 255, "%" * 100_000, "\0" * 255, "x" + "\u0301" * 31])
def test_too_long_a_search_is_refused(text: str, *, reads_private: bool) -> None:
    with pytest.raises(InvalidArgument, match="search") as why:
        listing(Filter(search=text), Order(), reads_private=reads_private)
    assert why.value.extensions == {"code": "BAD_USER_INPUT"}


@pytest.mark.parametrize("descending", [False, True])
def test_only_admins_sort_by_address(*, descending: bool) -> None:
    order = Order(OrderField.EMAIL, descending=descending)
    with pytest.raises(AdminRequired) as why:
        listing(Filter(), order, reads_private=False)
    assert why.value.extensions["code"] == "FORBIDDEN"
    assert why.value.extensions["reason"] == "ADMIN_REQUIRED"
    assert listing(Filter(), order, reads_private=True)


@pytest.mark.parametrize(
    "order", [order for order in ORDERS if order.field is not OrderField.EMAIL]
)
async def test_anybody_sorts_by_what_they_can_see(database: Database, order: Order) -> None:
    await store(database, [customer("Ada"), customer("Bob", seconds=1)])
    page = await read(database, listing(Filter(), order, reads_private=False), Window())
    assert names(page.rows) == (["Bob", "Ada"] if order.descending else ["Ada", "Bob"])


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        (Filter(created_after=START - MICROSECOND), {"at", "past", "later"}),
        (Filter(created_after=START), {"past", "later"}),
        (Filter(created_after=START + MICROSECOND), {"later"}),
        (Filter(created_before=START), set()),
        (Filter(created_before=START + MICROSECOND), {"at"}),
        (Filter(created_before=START + 2 * MICROSECOND), {"at", "past"}),
        (Filter(None, None, START, START + timedelta(seconds=1)), {"past"}),
        (Filter(None, None, START, START), set()),
        (Filter("a", None, START, None), {"past", "later"}),
        (Filter("past", None, START, START + timedelta(seconds=1)), {"past"}),
    ],
)
async def test_dates_of_a_filter_are_exclusive_to_the_microsecond(
    database: Database, which: Filter, expected: set[str]
) -> None:
    moments = {"at": 0, "past": 0.000001, "later": 1}
    await store(database, (customer(name, seconds=after) for name, after in moments.items()))
    assert await found(database, which) == expected


@pytest.mark.parametrize(
    ("is_admin", "expected"),
    [(None, {"Ada", "Bob", "Carla"}), (True, {"Ada"}), (False, {"Bob", "Carla"})],
)
async def test_admins_can_be_told_from_others(
    database: Database, expected: set[str], *, is_admin: bool | None
) -> None:
    ada, bob, carla = customer("Ada"), customer("Bob"), customer("Carla")
    ada.is_admin = True
    carla.is_active = False
    await store(database, [ada, bob, carla])
    visible = expected - {"Carla"}
    assert await found(database, Filter(is_admin=is_admin), reads_private=False) == visible
    assert await found(database, Filter(is_admin=is_admin)) == expected


async def test_names_are_sorted_by_their_folded_code_points(database: Database) -> None:
    expected = ["ADA", "ada b", "Bob", "Straße", "strassF", "Zoë", "Éva", "Ömer", "ΣΊΣΥΦΟΣ", "小林"]
    await store(database, map(customer, expected[::-1]))
    page = await read(database, everybody(Order(OrderField.NAME)), Window())
    assert names(page.rows) == expected


async def test_names_that_differ_in_case_alone_stand_together(database: Database) -> None:
    await store(database, map(customer, ["Ada", "adb", "ADA", "aDb", "ada", "ADB"]))
    page = await read(database, everybody(Order(OrderField.NAME)), Window())
    assert [name.casefold() for name in names(page.rows)] == ["ada"] * 3 + ["adb"] * 3


async def test_addresses_are_sorted_in_any_case(database: Database) -> None:
    addresses = ["b@example.com", "Ç@example.com", "A@example.com"]
    await store(database, (customer("Ada", address) for address in addresses))
    page = await read(database, everybody(Order(OrderField.EMAIL)), Window())
    assert [row.email[0] for row in page.rows] == ["A", "b", "Ç"]


async def test_without_an_order_the_first_added_come_first(database: Database) -> None:
    await store(database, [customer("second", seconds=1), customer("first")])
    assert names((await read(database, everybody(Order()), Window())).rows) == ["first", "second"]
