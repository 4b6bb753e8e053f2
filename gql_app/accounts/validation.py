"""Validation: what is accepted of a customer's fields, and in which form it is kept.

An address has two keys: `email_canonical` is the key of its mailbox, `email_key` is what lists
sort and search by. Servers of the version before know `email_key` alone, by which they find
customers and keep them apart, and may run beside this version during an upgrade. So this one
writes both keys and looks up by both, and the address that is stored decides whose it is.
Two addresses that differ in `email_canonical` alone, as ss and ß do, can't both be taken until
`email_key` is no longer unique, a release later.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email

from gql_app.accounts.records import CustomerRecord
from gql_app.errors import Fault, Rejected, UserErrorCode
from gql_app.lib.password_policy import PRODUCT
from gql_app.lib.text import (
    EmptyLine,
    InvalidLine,
    LineTooLong,
    canonical_email,
    check_visible,
    search_key,
    single_line,
    unicode_domain,
)
from gql_app.security.passwords import check_new_password
from gql_app.settings import Settings

MAX_NAME: Final = 200
MAX_EMAIL: Final = 254
MAX_PHONE: Final = 40
MAX_LOCAL_PART: Final = 64
"""Octets before the @ of an address (RFC 5321 section 4.5.3.1.1)."""
SPECIAL_USE: Final = ("arpa", "invalid", "local", "localhost", "onion", "test")
"""Domains whose addresses are addresses, but of nobody whom mail reaches from everywhere."""

# The validator judges syntax; which of these domains are taken is the operator's to say.
SPECIAL_USE_DOMAIN_NAMES.clear()

_PLAIN: Final = re.compile(
    r"[a-z0-9_.+-]{1,64}@(?!xn--)[a-z0-9-]+(\.(?!xn--)[a-z0-9-]+)+", re.ASCII | re.IGNORECASE
)
"""Addresses that are kept as they are typed, if they are any; most are of this kind."""
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


def stored_key(email: str) -> str | None:
    """Return the canonical key of an address, however it is typed; None if it can be none.

    Of a plain one nobody asks whether it is any, which takes longer than to look it up.
    """
    typed = email.strip()
    if len(typed) <= MAX_EMAIL and _PLAIN.fullmatch(typed):
        return typed.lower()
    checked = _address(typed)
    return None if isinstance(checked, Fault) else canonical_email(checked)


def typed_key(email: str, stored: str | None) -> str:
    """Return the key of what was typed as an address, even if it is none that could be stored."""
    return stored or email.strip().lower()


def email_key(email: str) -> str:
    """Return what an address is sorted and searched by, and was told apart by before: casefold."""
    return email.casefold()


def former_key(canonical: str | None) -> str | None:
    """Return the email_key of every address of a canonical key; of none, None."""
    if canonical is None:
        return None
    local, _, domain = canonical.rpartition("@")
    return email_key(f"{local}@{unicode_domain(domain)}")


def email_keys(email: str) -> dict[str, str]:
    """Return both keys of an address that is to be stored, by their columns."""
    return {"email_key": email_key(email), "email_canonical": canonical_email(email)}


def owner(found: Iterable[CustomerRecord], canonical: str | None) -> CustomerRecord | None:
    """Return whose an address is, among those whom either of its keys finds.

    A key may be of an address that a server of the version before has changed since.
    """
    return next((each for each in found if canonical_email(each.email) == canonical), None)


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
    return _visible(_line(text, "name", "name", MAX_NAME), "name", "name")


def _email(text: str, rules: Rules) -> str | Fault:
    address = _visible(_address(text), "email", "e-mail address")
    if isinstance(address, Fault):
        return address
    domain = f".{address.rpartition('@')[2]}"
    special = next((name for name in SPECIAL_USE if domain.endswith(f".{name}")), None)
    if special is None or any(domain.endswith(f".{name}") for name in rules.special_domains):
        return address
    message = (
        f"Addresses under .{special} are not taken here: mail does not reach them from everywhere. "
        "The operator may name their domain in GQL_APP_SPECIAL_DOMAINS."
    )
    return Fault(UserErrorCode.INVALID, message, "email")


def _address(text: str) -> str | Fault:
    """Return an address in its normal form, or why it is none by its syntax."""
    clean = _line(text, "email", "e-mail address", MAX_EMAIL)
    if isinstance(clean, Fault):
        return clean
    try:
        address = validate_email(clean, check_deliverability=False).normalized
    except EmailNotValidError:
        return Fault(UserErrorCode.INVALID, "This is not an e-mail address.", "email")
    if len(address.rpartition("@")[0].encode()) > MAX_LOCAL_PART:
        message = f"Before its @ an e-mail address has {MAX_LOCAL_PART} bytes at most."
        return Fault(UserErrorCode.INVALID, message, "email")
    return address


def _phone(text: str) -> str | Fault:
    clean = _line(text, "phone", "phone number", MAX_PHONE)
    if isinstance(clean, Fault) or _PHONE.fullmatch(clean):
        return clean
    return Fault(UserErrorCode.INVALID, "This is not a phone number.", "phone")


def _line(text: str, field: str, what: str, longest: int) -> str | Fault:
    """Return a line of text in its normal form, or what is wrong with it."""
    try:
        return single_line(text, what, longest=longest)
    except InvalidLine as why:
        return Fault(_CODES.get(type(why), UserErrorCode.INVALID), str(why), field)


def _visible(line: str | Fault, field: str, what: str) -> str | Fault:
    """Return a line that shows all that it holds, or what is wrong with it."""
    if isinstance(line, Fault):
        return line
    try:
        check_visible(line, what)
    except InvalidLine as why:
        return Fault(UserErrorCode.INVALID, str(why), field)
    return line


_CODES: Final = {EmptyLine: UserErrorCode.REQUIRED, LineTooLong: UserErrorCode.TOO_LONG}


def _password(text: str, *, email: str, name: str, rules: Rules) -> str | Fault:
    """Return a password in its normal form, or why it is a bad one for this name and address."""
    return check_new_password(text, email=email, name=name, service=rules.service)
