"""Validation of a customer's fields, and the normal form in which they are stored."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from inspect import isawaitable
from typing import Final, Self, TypeAlias

from gql_app.accounts.permissions import ADMIN, SUPPORT
from gql_app.accounts.records import CustomerRecord, Person
from gql_app.errors import Fault, Rejected, UserErrorCode
from gql_app.lib.breached_passwords import NO_LOOKUPS, BreachedPasswords, Lookup
from gql_app.lib.language_tags import language_tag
from gql_app.lib.password_policy import PRODUCT, check_password
from gql_app.lib.text import (
    InvalidLine,
    canonical_email,
    email_address,
    email_key,
    phone_number,
    search_key,
    special_use,
    visible_line,
)
from gql_app.settings import Settings

MAX_NAME: Final = 200
BUILT_IN_ROLES: Final = (ADMIN, SUPPORT.name)
"""The names of the roles that exist without any feature."""
NOTHING_PENDING: Final = {"pending_email": None, "pending_since": None}
"""The values that drop a pending address; the current one stays."""
PasswordRule: TypeAlias = Callable[[str, Person], Awaitable[None] | None]
"""Raises Refused if it doesn't accept a person's new password, given in its normal form."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of fields that the operator and features set."""

    special_domains: Sequence[str] = ()
    """Special-use domains whose addresses are accepted, with their subdomains."""
    service: str = PRODUCT
    """The name of the service, which no password may contain."""
    roles: Collection[str] = BUILT_IN_ROLES
    """The names of all roles."""
    password_rules: Sequence[PasswordRule] = ()
    """The rules of features."""
    breached: BreachedPasswords = NO_LOOKUPS
    """The service that knows breached passwords, if one is set."""

    @classmethod
    def of(
        cls,
        settings: Settings,
        roles: Collection[str] = BUILT_IN_ROLES,
        password_rules: Sequence[PasswordRule] = (),
        count: Callable[[Lookup], object] = lambda _: None,
    ) -> Self:
        """Return the rules by the settings, with all roles and the password rules of features."""
        breached = BreachedPasswords(settings.breached_passwords_url, count=count)
        return cls(settings.special_domains, settings.issuer, roles, password_rules, breached)

    def email_address(self, text: str) -> str:
        """Return an address in its normal form. Raises InvalidLine unless it is accepted here."""
        address = email_address(text)
        special = special_use(address, self.special_domains)
        if special is None:
            return address
        message = (
            f"Addresses under .{special} are not taken here: mail does not reach them from "
            "everywhere. The operator may name their domain in GQL_APP_SPECIAL_DOMAINS."
        )
        raise InvalidLine(message)

    def password(self, text: str, *, email: str, name: str) -> str:
        """Return a new password in its normal form. Raises InvalidLine."""
        return check_password(text, email=email, name=name, service=self.service)

    async def accept_password(self, password: str, person: Person, field: str = "password") -> None:
        """Raise Rejected if a feature's rule refuses a new password, or it is a breached one.

        The built-in rules have accepted it already. Faults without a field get this one.
        """
        faults: list[Fault] = []
        for rule in self.password_rules:
            try:
                accepted = rule(password, person)
                if isawaitable(accepted):
                    await accepted
            except Rejected as why:
                faults += (replace(each, field=each.field or field) for each in why.faults)
        if not faults and await self.breached.contains(password):
            faults.append(Fault(UserErrorCode.WEAK_PASSWORD, _BREACHED, field))
        _raise(faults)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class NewCustomer:
    """The fields of a new customer, all of which are checked."""

    name: str
    email: str
    password: str = ""
    """Empty for an account without a password."""
    phone: str | None = None
    roles: frozenset[str] = frozenset()
    locale: str | None = None
    """The language of their letters, None for the service's own."""


@dataclass(frozen=True, slots=True, repr=False)
class Changes:
    """The checked changes of a customer: new values by column, a password and roles."""

    values: Mapping[str, str | bool | None]
    password: str | None = None
    roles: frozenset[str] | None = None
    """All roles after the change, if they change; `is_admin` is among the values then."""
    blind: bool = False
    """Whether the caller may not read private fields, so that each of their values is a change."""
    further: Sequence[str] = ()
    """The names of features' fields that are saved with it, each of which counts as changed."""

    @property
    def access(self) -> bool:
        """Whether the address, the password, the state or the roles are among the changes."""
        return (
            not _ACCESS.isdisjoint(self.values)
            or self.password is not None
            or self.roles is not None
        )

    def roles_after(self, had: frozenset[str]) -> frozenset[str]:
        """Return the roles after the changes of a customer who `had` these before."""
        if self.roles is not None:
            return self.roles
        is_admin = self.values.get("is_admin", ADMIN in had)
        return had | {ADMIN} if is_admin else had - {ADMIN}

    @property
    def may_remove_admin(self) -> bool:
        """Whether the changes may demote or deactivate an admin."""
        return False in (self.values.get("is_admin"), self.values.get("is_active"))

    def person(self, customer: CustomerRecord) -> Person:
        """Return the person that a customer is after the changes, as far as the caller may know."""
        name, email = self.values.get("name"), self.values.get("email")
        known = "" if self.blind else customer.email
        return Person(str(name or customer.name), str(email or known), customer.id)


def email_keys(email: str) -> dict[str, str]:
    """Return both keys of an address that is to be stored, by their columns.

    `email_canonical` is the key of its mailbox, `email_key` the one by which lists sort and search.
    Servers of the version before, which may run during an upgrade, know `email_key` alone, and
    find and distinguish customers by it. So this version writes both keys and looks up by both,
    and the stored address decides. Two addresses that differ in `email_canonical` alone, as ss
    and ß do, can't both be used until `email_key` is no longer unique, a release later.
    """
    return {"email_key": email_key(email), "email_canonical": canonical_email(email)}


def check_new(  # noqa: PLR0913 — the fields of a customer
    *,
    name: str,
    email: str,
    password: str | None = None,
    phone: str | None = None,
    is_admin: bool = False,
    roles: Sequence[str] | None = None,
    locale: str | None = None,
    rules: Rules,
) -> NewCustomer:
    """Return the checked fields of a new customer. Raises Rejected, with every fault at once."""
    faults: list[Fault] = []
    name = _take(faults, "name", _name, name)
    email = _take(faults, "email", rules.email_address, email)
    secret = ""
    if password is not None:
        rule = partial(rules.password, email=email, name=name)
        secret = _take(faults, "password", rule, password)
    phone = _take_if_any(faults, "phone", phone)
    locale = _take_if_any(faults, "locale", locale)
    granted = _take_roles(faults, roles or (), rules) | ({ADMIN} if is_admin else set())
    _raise(faults)
    return NewCustomer(
        name=name, email=email, password=secret, phone=phone, roles=granted, locale=locale
    )


def check_changes(
    customer: CustomerRecord | None,
    new: Mapping[str, str | bool | Sequence[str] | None],
    rules: Rules,
    *,
    blind: bool = False,
) -> Changes:
    """Return the checked changes of a customer; only a phone or a locale may be None, to clear it.

    Without a customer every value is a change, and if `blind` every address; passwords are then
    compared with no address that isn't given. Raises Rejected, with every fault at once.
    """
    faults: list[Fault] = []
    values: dict[str, str | bool | None] = {}
    password: str | None = None
    roles: frozenset[str] | None = None
    name, email = (customer.name, "" if blind else customer.email) if customer else ("", "")
    for field, value in new.items():
        match field, value:
            case (("phone" | "locale"), str() | None):
                values[field] = _take_if_any(faults, field, value)
            case "name", str():
                name = _take(faults, "name", _name, value)
                values |= {"name": name, "name_key": search_key(name)}
            case "email", str():
                email = _take(faults, "email", rules.email_address, value)
                values |= _address(None if blind else customer, email)
            case "password", str():
                password = value
            case (("is_admin" | "is_active"), bool()):
                values[field] = value
            case "roles", list():
                roles = _take_roles(faults, value, rules)
            case _:
                message = "This can't be null. Leave it out to keep it as it is."
                faults.append(Fault(UserErrorCode.INVALID, message, field))
    if password is not None:
        password = _take(
            faults, "password", partial(rules.password, email=email, name=name), password
        )
    _derive_is_admin(faults, values, roles)
    _raise(faults)
    return Changes(values, password, roles, blind)


def check_new_password(
    text: str, customer: CustomerRecord, rules: Rules, *, field: str = "new_password"
) -> str:
    """Return the normal form of a customer's new password. Raises Rejected, naming `field`."""
    try:
        return rules.password(text, email=customer.email, name=customer.name)
    except InvalidLine as why:
        fault = Fault(UserErrorCode(why.reason), why.message, field)
        raise Rejected(fault) from None


def _take(faults: list[Fault], field: str, rule: Callable[[str], str], text: str) -> str:
    """Return a text as a rule normalises it; if the rule refuses it, a fault is added."""
    try:
        return rule(text)
    except InvalidLine as why:
        faults.append(Fault(UserErrorCode(why.reason), why.message, field))
        return ""


def _address(customer: CustomerRecord | None, email: str) -> Mapping[str, str | bool | None]:
    """Return the changes for an address; one that is in force already only clears a pending one.

    An unchanged address is not written, so that it can't overwrite a later change.
    """
    if customer is None or email != customer.email:
        return {"email": email, **email_keys(email)}
    return NOTHING_PENDING if customer.pending_email else {}


def _take_if_any(faults: list[Fault], field: str, text: str | None) -> str | None:
    """Return the text of an optional field as its rule normalises it, None if there is none."""
    return None if text is None else _take(faults, field, _OPTIONAL[field], text)


def _locale(text: str) -> str:
    """Return a language tag in its usual case. Raises InvalidLine if it is malformed."""
    tag = language_tag(text)
    if tag is None:
        message = "This is no language tag (BCP 47), such as de or de-CH."
        raise InvalidLine(message)
    return tag


def _take_roles(faults: list[Fault], names: Sequence[str], rules: Rules) -> frozenset[str]:
    """Return the roles of these names; a fault is added for unknown ones."""
    unknown = sorted({*names} - {*rules.roles})
    if unknown:
        message = f"There is no such role. There are: {', '.join(sorted(rules.roles))}."
        faults.append(Fault(UserErrorCode.INVALID, message, "roles"))
    return frozenset(names)


def _derive_is_admin(
    faults: list[Fault], values: dict[str, str | bool | None], roles: frozenset[str] | None
) -> None:
    """Add `is_admin` to the values if the roles change; a contradiction is added to the faults."""
    is_admin = ADMIN in (roles or ())
    if roles is not None and values.setdefault("is_admin", is_admin) != is_admin:
        faults.append(Fault(UserErrorCode.INVALID, _CONTRADICTION, "roles"))


def _raise(faults: Sequence[Fault]) -> None:
    """Raise Rejected if there is any fault."""
    if faults:
        raise Rejected(*faults)


_ACCESS: Final = frozenset({"email", "is_active", "is_admin", "pending_email"})
_BREACHED: Final = "This password is in a list of stolen passwords. Choose another."
_CONTRADICTION: Final = "Whether this is an admin is said twice, and not alike."
_OPTIONAL: Final = {"phone": phone_number, "locale": _locale}
_name: Final = partial(visible_line, what="name", longest=MAX_NAME)
