"""Validation: what is accepted of a customer's fields, and in which form it is kept."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

from gql_app.accounts.records import CustomerRecord
from gql_app.errors import Fault, Rejected, UserErrorCode
from gql_app.lib.password_policy import PRODUCT
from gql_app.lib.text import (
    EmptyLine,
    InvalidLine,
    LineTooLong,
    canonical_email,
    check_visible,
    email_address,
    email_key,
    is_below,
    search_key,
    single_line,
    special_use,
)
from gql_app.security.passwords import check_new_password
from gql_app.settings import Settings

MAX_NAME: Final = 200
MAX_PHONE: Final = 40
_PHONE: Final = re.compile(r"\+?[0-9 ().\-/]*[0-9][ )]*((x|ext\.?) ?[0-9]+)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Rules:
    """What the operator decides about fields."""

    special_domains: Sequence[str] = ()
    """Special-use domains whose addresses are taken, with all below them."""
    service: str = PRODUCT
    """What the service is called, which no password may hold."""

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the rules that are set."""
        return cls(settings.special, settings.issuer)


DEFAULT_RULES: Final = Rules()


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
    """The name, address and phone of a customer, checked, whatever they sign in with."""

    name: str
    email: str
    phone: str | None


@dataclass(frozen=True, slots=True)
class Changes:
    """What is to change about a customer, checked: new values by column, and a password."""

    values: Mapping[str, str | bool | None]
    password: str | None = None

    @property
    def ends_sessions(self) -> bool:
        """Whether the customer's sessions end with this."""
        return self.password is not None or self.values.get("is_active") is False

    @property
    def may_remove_admin(self) -> bool:
        """Whether an admin may be one no longer after this."""
        return False in (self.values.get("is_admin"), self.values.get("is_active"))


def email_keys(email: str) -> dict[str, str]:
    """Return both keys of an address that is to be stored, by their columns.

    `email_canonical` is the key of its mailbox, `email_key` is what lists sort and search by.
    Servers of the version before know `email_key` alone, by which they find customers and keep
    them apart, and may run beside this version during an upgrade. So this one writes both keys
    and looks up by both, and the address that is stored decides whose it is. Two addresses that
    differ in `email_canonical` alone, as ss and ß do, can't both be taken until `email_key` is
    no longer unique, a release later.
    """
    return {"email_key": email_key(email), "email_canonical": canonical_email(email)}


def check_new(
    *,
    name: str,
    email: str,
    password: str,
    phone: str | None = None,
    is_admin: bool = False,
    rules: Rules = DEFAULT_RULES,
) -> NewCustomer:
    """Return a customer to be, checked. Raises Rejected, with every fault at once."""
    checks = _Checks()
    name, email = checks.take(_name(name)), checks.take(_email(email, rules))
    new = NewCustomer(
        name=name,
        email=email,
        password=checks.take(_password(password, email=email, name=name, rules=rules)),
        phone=None if phone is None else checks.take(_phone(phone)),
        is_admin=is_admin,
    )
    checks.raise_faults()
    return new


def check_person(
    *, name: str, email: str, phone: str | None, rules: Rules = DEFAULT_RULES
) -> Person:
    """Return who a customer is, checked. Raises Rejected, with every fault at once."""
    checks = _Checks()
    person = Person(
        name=checks.take(_name(name)),
        email=checks.take(_email(email, rules)),
        phone=None if phone is None else checks.take(_phone(phone)),
    )
    checks.raise_faults()
    return person


def check_changes(
    customer: CustomerRecord, new: Mapping[str, str | bool | None], rules: Rules = DEFAULT_RULES
) -> Changes:
    """Return what is to change about a customer, checked; None clears a phone and nothing else.

    Raises Rejected, with every fault at once.
    """
    checks = _Checks()
    values: dict[str, str | bool | None] = {}
    password: str | None = None
    name, email = customer.name, customer.email
    for field, value in new.items():
        match field, value:
            case "phone", None:
                values["phone"] = None
            case "phone", str():
                values["phone"] = checks.take(_phone(value))
            case "name", str():
                name = checks.take(_name(value))
                values |= {"name": name, "name_key": search_key(name)}
            case "email", str():
                email = checks.take(_email(value, rules))
                if (
                    email != customer.email
                ):  # what is as it was is not to be written over what follows
                    values |= {"email": email, **email_keys(email)}
            case "password", str():
                password = value
            case (("is_admin" | "is_active"), bool()):
                values[field] = value
            case _:
                message = "This can't be null. Leave it out to keep it as it is."
                checks.take(Fault(UserErrorCode.INVALID, message, field))
    if password is not None:
        password = checks.take(_password(password, email=email, name=name, rules=rules))
    checks.raise_faults()
    return Changes(values, password)


class _Checks:
    """The faults of several fields, which are answered all at once."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def take(self, checked: str | Fault) -> str:
        """Return a checked value; a fault is noted, and nothing returned in its place."""
        if isinstance(checked, Fault):
            self._faults.append(checked)
            return ""
        return checked

    def raise_faults(self) -> None:
        """Raise Rejected if there was any fault."""
        if self._faults:
            raise Rejected(*self._faults)


def _name(text: str) -> str | Fault:
    try:
        name = single_line(text, "name", longest=MAX_NAME)
        check_visible(name, "name")
    except InvalidLine as why:
        return _fault(why, "name")
    return name


def _email(text: str, rules: Rules) -> str | Fault:
    try:
        address = email_address(text)
    except InvalidLine as why:
        return _fault(why, "email")
    special = special_use(address)
    if special is None or any(is_below(address, domain) for domain in rules.special_domains):
        return address
    message = (
        f"Addresses under .{special} are not taken here: mail does not reach them from everywhere. "
        "The operator may name their domain in GQL_APP_SPECIAL_DOMAINS."
    )
    return Fault(UserErrorCode.INVALID, message, "email")


def _phone(text: str) -> str | Fault:
    try:
        phone = single_line(text, "phone number", longest=MAX_PHONE)
    except InvalidLine as why:
        return _fault(why, "phone")
    if _PHONE.fullmatch(phone):
        return phone
    return Fault(UserErrorCode.INVALID, "This is not a phone number.", "phone")


def _fault(why: InvalidLine, field: str) -> Fault:
    return Fault(_CODES.get(type(why), UserErrorCode.INVALID), str(why), field)


_CODES: Final = {EmptyLine: UserErrorCode.REQUIRED, LineTooLong: UserErrorCode.TOO_LONG}


def _password(text: str, *, email: str, name: str, rules: Rules) -> str | Fault:
    """Return a password in its normal form, or why it is a bad one for this name and address."""
    return check_new_password(text, email=email, name=name, service=rules.service)
