"""Sample customers, realistic enough to try searching, sorting and paging."""

import random
import secrets
import string
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from typing import Final, NamedTuple

from gql_app.accounts import customer_lists, customers
from gql_app.accounts.audit import Origin
from gql_app.accounts.customer_lists import Filter, Order
from gql_app.accounts.permissions import ADMIN
from gql_app.accounts.validation import MAX_NAME, NewCustomer, email_keys
from gql_app.db.tables import CustomerRow
from gql_app.lib import clock
from gql_app.lib.database import Transaction, insert_row
from gql_app.lib.fair_queue import LOCAL
from gql_app.lib.faults import CannotStart
from gql_app.lib.text import normalise, search_key
from gql_app.mail import mailboxes
from gql_app.security.passwords import Passwords


class SignIn(NamedTuple):
    """A sample customer with a public password, for `serve --demo` alone."""

    role: str
    name: str
    email: str
    password: str


SIGN_INS: Final = (
    SignIn("admin", "Demo Admin", "admin@example.com", "admin-of-the-demo"),
    SignIn("customer", "Demo Customer", "customer@example.com", "customer-of-the-demo"),
)
"""The two demo accounts with a known password, the admin first."""
BATCH: Final = 2_000
"""Rows inserted by one transaction."""
DEMO_CUSTOMERS: Final = 1_000
DEMO_SEED: Final = 1
INACTIVE: Final = 0.03
"""The share of samples that are deactivated."""

_FIRST: Final = """
Ada Adaeze Aiko Amara Ana Anders Anouk Arjun Astrid Ayşe Beatriz Björn Camille Carlos Chiara Chloé
Dmitri Dwayne Elif Emeka Emma Enzo Esther Fatima Femi Finn Freya Gabriel Grace Hana Haruto Hiba
Hugo Ingrid Isla Iván Jakub Jamal João Jūratė Kai Katarzyna Kofi Lars Layla Leïla Liam Linh Lucía
Luka Mai Malik Marta Mateo Mei Mila Mohammed Naledi Ngozi Niamh Nina Noah Nora Olga Omar Oscar
Paolo Pedro Priya Ravi Rosa Saoirse Sara Selin Sipho Sofía Sven Tariq Thandi Tomasz Uma Valentina
Wei Yara Yuki Zainab Zoë Łukasz Élodie Ömer Şule Zuzana
""".split()
_FAMILY: Final = """
Abebe Adeyemi Ahmed Andersson Aydın Banerjee Bauer Bianchi Castillo Chen Costa Dąbrowski Diallo
Dubois Eriksen Fernández Fischer García Gómez Haddad Hansen Hernández Horvat Ibrahim Ivanova
Jansen Jensen Johansson Kariuki Kaya Khan Kim Kowalska Kumar Lefèvre Lindqvist Lopes Mbeki Meyer
Moreau Müller Nakamura Ndlovu Nguyễn Novák O'Brien Okafor Olsen Osei Papadopoulos Park Patel
Peeters Pereira Petrov Popescu Reyes Ricci Romero Rossi Sato Schmidt Silva Singh Smith Söderberg
Tanaka Torres Traoré Vargas Virtanen Wang Weber Williams Yılmaz Zhang Zieliński
""".split()
INSERT: Final = insert_row(CustomerRow)
"""Adds each row of a batch."""


def batches(
    count: int, *, password_hash: str, seed: int | None = None
) -> Iterator[list[dict[str, object]]]:
    """Yield batches of rows of sample customers, which share one password hash.

    Their addresses are in example.com, which is reserved (RFC 2606 section 3).
    """
    chance = random.Random(seed)
    tag = "".join(chance.choices(string.ascii_lowercase, k=6))
    for start in range(0, count, BATCH):
        numbers = range(start, min(start + BATCH, count))
        yield [_sample(chance, f"{tag}{number}", password_hash) for number in numbers]


async def fill_demo(db: Transaction) -> None:
    """Fill an empty database with samples, or keep those of an earlier demo. Raises CannotStart."""
    if await mailboxes.by_email(db, SIGN_INS[0].email):
        return
    everyone = customer_lists.listing(Filter(), Order(), reads_private=True)
    if await everyone.count(db):
        raise CannotStart(["--demo wants an empty database: this one has customers already"])
    with closing(Passwords(threads=1, queue=0)) as passwords:
        for role, name, email, password in SIGN_INS:
            roles = frozenset({role} & {ADMIN})
            # Not validated, as the password rules would refuse such a password.
            new = NewCustomer(name=name, email=email, password=password, roles=roles)
            hashed = await passwords.hash(password, LOCAL)
            await customers.create(db, new, password_hash=hashed, origin=Origin())
        nobody = await passwords.hash(secrets.token_urlsafe(), LOCAL)
    for rows in batches(DEMO_CUSTOMERS - len(SIGN_INS), password_hash=nobody, seed=DEMO_SEED):
        await db.execute_many(INSERT, rows)


def _sample(chance: random.Random, tag: str, password_hash: str) -> dict[str, object]:
    first, family = chance.choice(_FIRST), chance.choice(_FAMILY)
    name = f"{first} {family}"
    email = f"{_ascii(first)}.{_ascii(family)}.{tag}@example.com"
    created_at = clock.now() - timedelta(seconds=chance.randrange(2 * 365 * 24 * 3600))
    return {
        "id": clock.new_id(),
        "name": name,
        "name_key": search_key(name),
        "email": email,
        **email_keys(email),
        "phone": f"+1 555 {chance.randrange(1000):03} {chance.randrange(10_000):04}",
        "password_hash": password_hash,
        "is_admin": False,
        "is_active": chance.random() > INACTIVE,
        "created_at": created_at,
        "updated_at": created_at,
    }


def _ascii(name: str) -> str:
    plain = normalise(name, longest=MAX_NAME, form="NFKD").encode("ascii", "ignore").decode()
    return "".join(filter(str.isalpha, plain)).lower()
