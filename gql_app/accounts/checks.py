"""Checks: what is accepted of a customer's fields, and in which form it is kept."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from email_validator import EmailNotValidError, validate_email

from gql_app.accounts.identity import canonical_email, email_keys, search_key
from gql_app.accounts.records import AnyCustomer
from gql_app.errors import Fault, Rejected, UserErrorCode
from gql_app.security import passwords

MAX_NAME: Final = 200
MAX_EMAIL: Final = 254
MAX_PHONE: Final = 40

_PLAIN: Final = re.compile(
    r"[a-z0-9_.+-]+@(?!xn--)[a-z0-9-]+(\.(?!xn--)[a-z0-9-]+)+", re.ASCII | re.IGNORECASE
)
"""Addresses that are kept as they are typed, if they are any; most are of this kind."""
_PHONE: Final = re.compile(r"\+?[0-9 ().\-/]*[0-9][ )]*((x|ext\.?) ?[0-9]+)?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCustomer:
    """A customer to be, every field of whom has been checked."""

    name: str
    email: str
    password: str
    phone: str | None = None
    is_admin: bool = False


@dataclass(frozen=True, slots=True)
class Person:
    """Who a customer is, checked, whatever they prove themself with."""

    name: str
    email: str
    phone: str | None


@dataclass(frozen=True, slots=True)
class Changes:
    """What is to change about a customer, checked: new values by column, and a password."""

    values: Mapping[str, str | bool | None]
    password: str | None = None

    @property
    def signs_out(self) -> bool:
        """Whether the customer's sessions end with this."""
        return self.password is not None or self.values.get("is_active") is False

    @property
    def may_unseat(self) -> bool:
        """Whether an admin may be one no longer after this."""
        return False in (self.values.get("is_admin"), self.values.get("is_active"))


def stored_key(email: str) -> str | None:
    """Return the canonical key of an address, however it is typed; None if it can be none.

    Of a plain one nobody asks whether it is any, which takes longer than to look it up.
    """
    typed = email.strip()
    if len(typed) <= MAX_EMAIL and _PLAIN.fullmatch(typed):
        return typed.lower()
    checked = _email(typed)
    return None if isinstance(checked, Fault) else canonical_email(checked)


def typed_key(email: str, stored: str | None) -> str:
    """Return the key of what was typed as an address, even if it is none that could be stored."""
    return stored or email.strip().lower()


def check_new(
    *, name: str, email: str, password: str, phone: str | None = None, is_admin: bool = False
) -> NewCustomer:
    """Check a customer to be. Raises Rejected, with every fault at once."""
    checks = _Checks()
    name, email = checks.take(_name(name)), checks.take(_email(email))
    new = NewCustomer(
        name=name,
        email=email,
        password=checks.take(_password(password, email=email, name=name)),
        phone=None if phone is None else checks.take(_phone(phone)),
        is_admin=is_admin,
    )
    checks.raise_faults()
    return new


def check_person(*, name: str, email: str, phone: str | None) -> Person:
    """Check who a customer is. Raises Rejected, with every fault at once."""
    checks = _Checks()
    person = Person(
        name=checks.take(_name(name)),
        email=checks.take(_email(email)),
        phone=None if phone is None else checks.take(_phone(phone)),
    )
    checks.raise_faults()
    return person


def check_changes(row: AnyCustomer, given: Mapping[str, str | bool | None]) -> Changes:
    """Check what is to change about a customer; None clears a phone and nothing else.

    Raises Rejected, with every fault at once.
    """
    checks = _Checks()
    values: dict[str, str | bool | None] = {}
    password: str | None = None
    name, email = row.name, row.email
    for field, value in given.items():
        match field, value:
            case "phone", None:
                values["phone"] = None
            case "phone", str():
                values["phone"] = checks.take(_phone(value))
            case "name", str():
                name = checks.take(_name(value))
                values |= {"name": name, "name_key": search_key(name)}
            case "email", str():
                email = checks.take(_email(value))
                if email != row.email:  # what is as it was is not to be written over what follows
                    values |= {"email": email, **email_keys(email)}
            case "password", str():
                password = value
            case (("is_admin" | "is_active"), bool()):
                values[field] = value
            case _:
                message = "This can't be null. Leave it out to keep it as it is."
                checks.take(Fault(UserErrorCode.INVALID, message, field))
    if password is not None:
        password = checks.take(_password(password, email=email, name=name))
    checks.raise_faults()
    return Changes(values, password)


class _Checks:
    """Gathers the faults of several fields, so that all are told at once."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def take(self, checked: str | Fault) -> str:
        """Take a checked value, or note its fault."""
        if isinstance(checked, Fault):
            self._faults.append(checked)
            return ""
        return checked

    def raise_faults(self) -> None:
        """Raise Rejected if there was any fault."""
        if self._faults:
            raise Rejected(*self._faults)


def _name(text: str) -> str | Fault:
    return _line(text, "name", "name", MAX_NAME)


def _email(text: str) -> str | Fault:
    clean = _line(text, "email", "e-mail address", MAX_EMAIL)
    if isinstance(clean, Fault):
        return clean
    try:
        return validate_email(clean, check_deliverability=False).normalized
    except EmailNotValidError:
        return Fault(UserErrorCode.INVALID, "This is not an e-mail address.", "email")


def _phone(text: str) -> str | Fault:
    clean = _line(text, "phone", "phone number", MAX_PHONE)
    if isinstance(clean, Fault) or _PHONE.fullmatch(clean):
        return clean
    return Fault(UserErrorCode.INVALID, "This is not a phone number.", "phone")


def _password(text: str, *, email: str, name: str) -> str | Fault:
    """Judge a password against the name and the address as they are stored."""
    clean = passwords.normalise(text)
    return passwords.judge(clean, email=email, name=name) or clean


def _line(text: str, field: str, what: str, longest: int) -> str | Fault:
    """Judge a line of text, and trim it; NFC comes first, for it may lengthen."""
    clean = unicodedata.normalize("NFC", text).strip()
    if not clean:
        return Fault(UserErrorCode.REQUIRED, f"Give the {what}.", field)
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in text):
        message = f"The {what} can't hold control characters."
        return Fault(UserErrorCode.INVALID, message, field)
    if len(clean) > longest:
        message = f"The {what} can be {longest} characters long, not {len(clean)}."
        return Fault(UserErrorCode.TOO_LONG, message, field)
    return clean
