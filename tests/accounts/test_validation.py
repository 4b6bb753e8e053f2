"""What is checked of a customer before anything is written."""

from collections.abc import Callable, Mapping
from typing import TypedDict, cast
from unicodedata import category, normalize

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gql_app.accounts.authentication import check_typed
from gql_app.accounts.records import CustomerRecord
from gql_app.accounts.validation import Changes, Rules, check_changes, check_new
from gql_app.errors import Rejected
from gql_app.lib import clock
from gql_app.lib.text import canonical_email, mailbox_key, search_key

GOOD = "a passphrase nobody else has"
DECOMPOSED = normalize("NFD", "Élodie Dubois")

FAULTY = [
    ("name", "", "REQUIRED"),
    ("name", " \u2003 ", "REQUIRED"),
    ("name", "n" * 201, "TOO_LONG"),
    ("name", "e\u0301" * 201, "TOO_LONG"),
    ("name", "Ada\0", "INVALID"),
    ("name", "Ada\nLovelace", "INVALID"),
    ("name", "Ada\n", "INVALID"),
    ("name", "Ada\x7f", "INVALID"),
    ("name", "Ada \x9b31m", "INVALID"),
    ("name", "Ada\ud800", "INVALID"),
    ("email", "", "REQUIRED"),
    ("email", "  ", "REQUIRED"),
    ("email", f"ada@{'a.' * 130}com", "TOO_LONG"),
    ("email", "ada", "INVALID"),
    ("email", "ada@", "INVALID"),
    ("email", "@example.com", "INVALID"),
    ("email", "ada@@example.com", "INVALID"),
    ("email", "ada lovelace@example.com", "INVALID"),
    ("email", "ada@example", "INVALID"),
    ("email", "Ada <ada@example.com>", "INVALID"),
    ("email", "ada\0@example.com", "INVALID"),
    ("email", "ada\n@example.com", "INVALID"),
    ("email", "ada@example.com\n", "INVALID"),
    ("email", "ada\ud800@example.com", "INVALID"),
    ("phone", "", "REQUIRED"),
    ("phone", "1" * 41, "TOO_LONG"),
    ("phone", "no number", "INVALID"),
    ("phone", "+", "INVALID"),
    ("phone", "555\0", "INVALID"),
    ("phone", "555\n0100", "INVALID"),
    ("phone", "\t555 0100", "INVALID"),
    ("phone", "\u0665\u0665\u0665 \u0660\u0661\u0660\u0660", "INVALID"),
    ("password", "", "REQUIRED"),
    ("password", "ninechars", "WEAK_PASSWORD"),
    ("password", "e\u0301" * 9, "WEAK_PASSWORD"),
    ("password", "qwertyuiop", "WEAK_PASSWORD"),
    ("password", "QwertyUIOP", "WEAK_PASSWORD"),
    ("password", "x" * 201, "TOO_LONG"),
    ("password", f"{GOOD}\0", "INVALID"),
    ("password", f"{GOOD}\n", "INVALID"),
    ("password", f"{GOOD}\ud800", "INVALID"),
]


UNSEEN = [
    "\u200b",
    "\u2060\u200d",
    "\u3164",
    "\u2800",
    "\u00ad",
    "\ufeff",
    "A\u2028da",
    "A\u2029da",
    "Ada\u2028",
    "\u202eecila",
    "\U000e0041\U000e0042",
    "\ufffe",
    "\ue000",
    "\u0378",
    "Alice\u200b",
    "Al\u200dice",
    "Al\u200cice",
    "\u200dAlice",
    "Alice\u200d",
    "\u202aAda\u202c",
    "Ada\u2066",
    "Ada\ufe0f",
    "A\u034fda",
    "\ufe0fAda",
    "Ada\u115f",
    "\u0639\u0644\u06cc\u200d",
    "\u200c\u0639\u0644\u06cc",
]
"""Names that show nothing, or something else than they hold."""
UNLETTERED = ["...", "-", "🎉", "\u2764\ufe0f\u200d\U0001f525", "  !  ", "\u0301"]
SEEN = [
    "\u0639\u0644\u06cc\u200c\u0631\u0636\u0627",
    "\u0645\u06cc\u200c\u062e\u0648\u0627\u0646\u062f",
    "അനില\u0d4d\u200d",
    "क\u094d\u200dष",
    "ශ\u0dca\u200dරී",
    "Ada 👨\u200d👩\u200d👧",
    "Ada \u2764\ufe0f\u200d\U0001f525",
    "Ada 👩🏽\u200d🚀",
    "Ada 🏴\u200d\u2620\ufe0f",
    "葛\U000e0100城",
    "R2D2",
    "李小龍",
    "Ёлка Сидорова",
    "נועה",
    "Zo\u0308e",
    "ᠮᠣᠩ\u180bᠭᠣᠯ",
    "5",
]
"""Names of people everywhere, and with emoji, joiners among them."""


class Fields(TypedDict, total=False):
    """What a customer to be is made of."""

    name: str
    email: str
    password: str
    phone: str | None
    rules: Rules


def fields(**given: str | Rules) -> Fields:
    """Take good fields, and put those that are given in their place."""
    good = {"name": "Ada", "email": "ada@example.com", "password": GOOD, "phone": "555"}
    return cast("Fields", {**good, "rules": Rules(), **given})


def row() -> CustomerRecord:
    """Make a customer who could have been read from the database."""
    now = clock.now()
    return CustomerRecord(
        id=clock.new_id(),
        name="Ada Lovelace",
        email="ada@example.com",
        phone=None,
        password_hash="",
        is_admin=False,
        is_active=True,
        created_at=now,
        updated_at=now,
    )


def faults(check: Callable[[], object]) -> list[tuple[str, str | None]]:
    """Return each fault's code and field; there must be some."""
    with pytest.raises(Rejected) as why:
        check()
    assert all(fault.message for fault in why.value.faults)
    return [(fault.code, fault.field) for fault in why.value.faults]


@pytest.mark.parametrize(("field", "value", "code"), FAULTY)
def test_each_fault_of_a_new_customer_has_its_code(field: str, value: str, code: str) -> None:
    assert faults(lambda: check_new(**fields(**{field: value}))) == [(code, field)]


@pytest.mark.parametrize(("field", "value", "code"), FAULTY)
def test_each_fault_of_a_change_has_its_code(field: str, value: str, code: str) -> None:
    assert faults(lambda: check_changes(row(), {field: value}, Rules())) == [(code, field)]


@pytest.mark.parametrize("typed", [None, "", " ", "\t\n", "\u00a0\u3000"])
def test_blank_secret_is_missing(typed: str | None) -> None:
    assert faults(lambda: check_typed(typed, "code", what="the code")) == [("REQUIRED", "code")]


@pytest.mark.parametrize("typed", ["0", " a secret ", "-", "\0"])
def test_other_secret_is_left_as_it_was_typed(typed: str) -> None:
    assert check_typed(typed, "code", what="the code") == typed


@pytest.mark.parametrize("name", UNSEEN)
def test_name_of_what_is_not_seen_is_refused(name: str) -> None:
    assert faults(lambda: check_new(**fields(name=name))) == [("INVALID", "name")]
    assert faults(lambda: check_changes(row(), {"name": name}, Rules())) == [("INVALID", "name")]


@pytest.mark.parametrize("name", UNLETTERED)
def test_name_without_a_letter_or_a_number_is_refused(name: str) -> None:
    assert faults(lambda: check_new(**fields(name=name))) == [("INVALID", "name")]


@pytest.mark.parametrize("name", SEEN)
def test_name_of_any_script_is_taken(name: str) -> None:
    assert check_new(**fields(name=name)).name == normalize("NFC", name)


@given(st.text(max_size=20))
def test_name_that_is_taken_is_seen(name: str) -> None:
    try:
        taken = check_new(**fields(name=name)).name
    except Rejected:
        return
    assert {category(character) for character in taken}.isdisjoint({"Cc", "Cs", "Zl", "Zp", "Cn"})
    assert any(category(character)[0] in "LN" for character in taken)


@pytest.mark.parametrize("unseen", ["\u200b", "\u202e", "\u3164", "\u2800", "\u00ad", "\ufffe"])
@pytest.mark.parametrize("address", ["ad{}a@example.com", "{}@example.com"])
def test_address_of_what_is_not_seen_is_refused(address: str, unseen: str) -> None:
    email = address.format(unseen)
    assert faults(lambda: check_new(**fields(email=email))) == [("INVALID", "email")]


@pytest.mark.parametrize("field", ["name", "email", "phone", "password"])
@pytest.mark.parametrize("marks", ["\u0301" * 31, "\u0301\u0327" * 16, "\u0f73" * 31])
def test_long_run_of_marks_is_refused_in_every_field(field: str, marks: str) -> None:
    value = f"a good one{marks}"
    assert faults(lambda: check_new(**fields(**{field: value}))) == [("INVALID", field)]


@pytest.mark.parametrize(
    ("local", "taken"), [("a" * 64, True), ("a" * 65, False), ("é" * 32, True), ("é" * 33, False)]
)
def test_local_part_has_64_octets(local: str, *, taken: bool) -> None:
    email = f"{local}@example.com"
    assert (mailbox_key(email) == email) is taken
    if taken:
        assert check_new(**fields(email=email)).email == email
    else:
        assert mailbox_key(email) is None
        assert faults(lambda: check_new(**fields(email=email))) == [("INVALID", "email")]


SPECIAL = ["u@firm.local", "u@x.test", "u@home.arpa", "u@a.localhost", "u@b.onion", "u@c.invalid"]


@pytest.mark.parametrize("email", SPECIAL)
def test_address_of_a_special_use_domain_is_refused_naming_the_setting(email: str) -> None:
    with pytest.raises(Rejected) as why:
        check_new(**fields(email=email))
    [fault] = why.value.faults
    assert (fault.code, fault.field) == ("INVALID", "email")
    assert "GQL_APP_SPECIAL_DOMAINS" in fault.message
    assert f".{email.rpartition('.')[2]} " in fault.message


@pytest.mark.parametrize("email", SPECIAL)
def test_address_of_a_special_use_domain_that_is_named_is_taken(email: str) -> None:
    named = Rules(special_domains=("local", "test", "home.arpa", "a.localhost", "onion", "invalid"))
    assert check_new(**fields(email=email, rules=named)).email == email
    assert check_changes(row(), {"email": email}, named).values["email"] == email
    assert mailbox_key(email) == email


@pytest.mark.parametrize("email", ["u@office.arpa", "u@nohome.arpa", "u@other.localhost"])
def test_only_the_special_use_domains_that_are_named_are_taken(email: str) -> None:
    named = Rules(special_domains=("home.arpa", "a.localhost"))
    with pytest.raises(Rejected):
        check_new(**fields(email=email, rules=named))


def test_password_holds_no_word_of_what_the_service_is_called() -> None:
    rules = Rules(service="https://shopkeeper.example")
    given = {"password": "the shopkeeper sleeps"}
    assert check_new(**fields(**given)).password
    weak = [("WEAK_PASSWORD", "password")]
    assert faults(lambda: check_new(**fields(**given, rules=rules))) == weak
    assert faults(lambda: check_changes(row(), given, rules)) == weak


def test_all_faults_of_a_new_customer_are_reported_at_once() -> None:
    bad = fields(name=" ", email="ada", password="short", phone="none")
    assert faults(lambda: check_new(**bad)) == [
        ("REQUIRED", "name"),
        ("INVALID", "email"),
        ("WEAK_PASSWORD", "password"),
        ("INVALID", "phone"),
    ]


def test_all_faults_of_a_change_are_reported_at_once() -> None:
    given = {"name": "n" * 201, "email": None, "is_admin": None, "phone": "", "password": "short"}
    assert set(faults(lambda: check_changes(row(), given, Rules()))) == {
        ("TOO_LONG", "name"),
        ("INVALID", "email"),
        ("INVALID", "is_admin"),
        ("REQUIRED", "phone"),
        ("WEAK_PASSWORD", "password"),
    }


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("A", "A"),
        ("n" * 200, "n" * 200),
        ("e\u0301" * 200, "\u00e9" * 200),
        (DECOMPOSED, "Élodie Dubois"),
        ("  Ada Lovelace  ", "Ada Lovelace"),
        ("نورة", "نورة"),
        ("O'Brien-Smith, Jr. 🎉", "O'Brien-Smith, Jr. 🎉"),
        ("'; DROP TABLE customers; --", "'; DROP TABLE customers; --"),
    ],
)
def test_a_name_is_kept_trimmed_and_in_nfc(typed: str, stored: str) -> None:
    assert check_new(**fields(name=typed)).name == stored
    assert check_changes(row(), {"name": typed}, Rules()).values == {
        "name": stored,
        "name_key": search_key(stored),
    }


@pytest.mark.parametrize(
    ("typed", "stored", "key", "canonical"),
    [
        ("eve@example.com", "eve@example.com", "eve@example.com", "eve@example.com"),
        (" Ada@EXAMPLE.com ", "Ada@example.com", "ada@example.com", "ada@example.com"),
        ("a+list@example.com", "a+list@example.com", "a+list@example.com", "a+list@example.com"),
        (
            "ada@xn--bcher-kva.example.com",
            "ada@bücher.example.com",
            "ada@bücher.example.com",
            "ada@xn--bcher-kva.example.com",
        ),
        ("e\u0301lodie@a.com", "\u00e9lodie@a.com", "\u00e9lodie@a.com", "\u00e9lodie@a.com"),
        ("STRAßE@a.com", "STRAßE@a.com", "strasse@a.com", "straße@a.com"),
    ],
)
def test_an_address_is_stored_normalised_and_with_both_keys(
    typed: str, stored: str, key: str, canonical: str
) -> None:
    assert check_new(**fields(email=typed)).email == stored
    assert check_changes(row(), {"email": typed}, Rules()).values == {
        "email": stored,
        "email_key": key,
        "email_canonical": canonical,
    }


@pytest.mark.parametrize("typed", ["ada@example.com", " ada@EXAMPLE.com "])
def test_the_address_that_is_stored_already_is_no_change(typed: str) -> None:
    assert check_changes(row(), {"email": typed}, Rules()).values == {}


LABELS = st.text("abcXYZ019-", min_size=1, max_size=12)
ADDRESSES = st.emails() | st.builds(
    lambda local, labels: f"{local}@{'.'.join(labels)}",
    st.text("aZ0._+-%é", min_size=1, max_size=20),
    st.lists(LABELS | st.sampled_from(["xn--mnchen-3ya", "XN--nxasmq6b", "com", "De"]), max_size=4),
)


@given(ADDRESSES)
@example("Ada@Example.COM")
@example("ada@xn--mnchen-3ya.de")
@example("ada@sub.xn--mnchen-3ya.de")
def test_an_address_is_looked_for_by_the_key_that_it_is_stored_by(address: str) -> None:
    try:
        stored = check_new(**fields(email=address)).email
    except Rejected:
        return
    assert mailbox_key(address) == canonical_email(stored)
    assert mailbox_key(f" {address.upper()} ") == mailbox_key(address.upper())


@pytest.mark.parametrize(
    "phone", ["5", "+1 555 0100", "(030) 123/45-67", "555.0100 ext. 12", "555 x7", "1" * 40]
)
def test_phone_numbers_are_taken_as_people_write_them(phone: str) -> None:
    assert check_new(**fields(phone=f" {phone} ")).phone == phone
    assert check_changes(row(), {"phone": phone}, Rules()).values == {"phone": phone}


def test_a_new_customer_needs_no_phone_and_is_no_admin() -> None:
    new = check_new(name="Ada", email="ada@example.com", password=GOOD, rules=Rules())
    assert (new.phone, new.roles) == (None, frozenset())
    new = check_new(
        name="Ada", email="ada@example.com", password=GOOD, is_admin=True, rules=Rules()
    )
    assert new.roles == {"admin"}


@pytest.mark.parametrize("kept", ["éàüñôçïåýř", "é seven horses drink, " * 9 + "ř!"])
def test_passwords_of_10_to_200_characters_are_taken_in_nfc(kept: str) -> None:
    typed = normalize("NFD", kept)
    assert check_new(**fields(password=typed)).password == kept
    assert check_changes(row(), {"password": typed}, Rules()) == Changes({}, kept)


@pytest.mark.parametrize(
    ("name", "email", "password"),
    [
        ("Ada Lovelace", "ada@example.com", "ada LOVELACE"),
        ("  Ada Lovelace ", "ada@example.com", "Ada Lovelace"),
        ("Ada Lovelace", "ada@example.com", "ADA@example.com"),
        ("Ada Lovelace", " Ada@Example.com ", "ada@example.com"),
        (DECOMPOSED, "ada@example.com", "Élodie Dubois"),
        ("Élodie Dubois", "ada@example.com", DECOMPOSED),
        ("Max Große Straße", "ada@example.com", "MAX GROSSE STRASSE"),
        ("Ada Lovelace", "ada@xn--bcher-kva.example.com", "ada@bücher.example.com"),
    ],
)
def test_a_password_is_neither_the_name_nor_the_address(
    name: str, email: str, password: str
) -> None:
    weak = [("WEAK_PASSWORD", "password")]
    given = {"name": name, "email": email, "password": password}
    assert faults(lambda: check_new(**fields(**given))) == weak
    assert faults(lambda: check_changes(row(), given, Rules())) == weak


@pytest.mark.parametrize("password", ["ada lovelace", "ADA@example.com"])
def test_a_new_password_is_held_against_what_stays_the_same(password: str) -> None:
    assert faults(lambda: check_changes(row(), {"password": password}, Rules())) == [
        ("WEAK_PASSWORD", "password")
    ]


def test_a_new_password_is_held_against_the_name_to_be_whichever_comes_first() -> None:
    given = {"password": "Augusta King", "name": "Augusta King"}
    assert faults(lambda: check_changes(row(), given, Rules())) == [("WEAK_PASSWORD", "password")]


def test_null_clears_a_phone() -> None:
    assert check_changes(row(), {"phone": None}, Rules()).values == {"phone": None}


@pytest.mark.parametrize("field", ["name", "email", "is_admin", "is_active", "password"])
def test_null_clears_nothing_else(field: str) -> None:
    assert faults(lambda: check_changes(row(), {field: None}, Rules())) == [("INVALID", field)]


@pytest.mark.parametrize(
    ("given", "may_remove_admin"),
    [
        ({}, False),
        ({"name": "Augusta"}, False),
        ({"phone": None}, False),
        ({"is_active": True}, False),
        ({"is_admin": True}, False),
        ({"is_active": False}, True),
        ({"is_admin": False}, True),
        ({"password": GOOD}, False),
    ],
)
def test_what_a_change_leads_to(
    given: Mapping[str, str | bool | None], *, may_remove_admin: bool
) -> None:
    assert check_changes(row(), given, Rules()).may_remove_admin == may_remove_admin
