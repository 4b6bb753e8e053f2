"""Checks: what is accepted of a customer's fields, and in which form it is kept."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email

from gql_app.accounts import lines
from gql_app.accounts.identity import canonical_email, email_keys, search_key
from gql_app.accounts.records import AnyCustomer
from gql_app.errors import Fault, Rejected, UserErrorCode
from gql_app.security import password_policy
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
    service: str = password_policy.PRODUCT
    """What the service is called, which no password may hold."""

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Take what is set."""
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
    checked = _address(typed)
    return None if isinstance(checked, Fault) else canonical_email(checked)


def typed_key(email: str, stored: str | None) -> str:
    """Return the key of what was typed as an address, even if it is none that could be stored."""
    return stored or email.strip().lower()


def check_new(
    *,
    name: str,
    email: str,
    password: str,
    phone: str | None = None,
    is_admin: bool = False,
    rules: Rules = DEFAULT_RULES,
) -> NewCustomer:
    """Check a customer to be. Raises Rejected, with every fault at once."""
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
    """Check who a customer is. Raises Rejected, with every fault at once."""
    checks = _Checks()
    person = Person(
        name=checks.take(_name(name)),
        email=checks.take(_email(email, rules)),
        phone=None if phone is None else checks.take(_phone(phone)),
    )
    checks.raise_faults()
    return person


def check_changes(
    row: AnyCustomer, given: Mapping[str, str | bool | None], rules: Rules = DEFAULT_RULES
) -> Changes:
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
                email = checks.take(_email(value, rules))
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
        password = checks.take(_password(password, email=email, name=name, rules=rules))
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
    clean = lines.line(text, "name", "name", MAX_NAME)
    return clean if isinstance(clean, Fault) else lines.visible(clean, "name", "name")


def _email(text: str, rules: Rules) -> str | Fault:
    address = _address(text)
    if isinstance(address, Fault) or isinstance(
        address := lines.visible(address, "email", "e-mail address"), Fault
    ):
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
    clean = lines.line(text, "email", "e-mail address", MAX_EMAIL)
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
    clean = lines.line(text, "phone", "phone number", MAX_PHONE)
    if isinstance(clean, Fault) or _PHONE.fullmatch(clean):
        return clean
    return Fault(UserErrorCode.INVALID, "This is not a phone number.", "phone")


def _password(text: str, *, email: str, name: str, rules: Rules) -> str | Fault:
    """Judge a password against the name and the address as they are stored."""
    return password_policy.judge(text, email=email, name=name, service=rules.service)
