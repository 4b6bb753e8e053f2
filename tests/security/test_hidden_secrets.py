"""Secrets in records: none is in their repr(), which logs and tracebacks may hold."""

import dataclasses
import re
from collections.abc import Iterator
from importlib import import_module
from inspect import isclass
from typing import Any, Final
from unittest.mock import Mock

import pytest

from tests.laws import MODULES, PACKAGE

HUSH: Final = "hush"
SECRET: Final = re.compile(r"(.*_)?(password|hash|token|secret|challenge|uri|html|codes)")
"""Names of fields with secrets; the HTML of a letter has a link."""
PUBLIC: Final = frozenset({"error_codes"})
OPEN: Final = frozenset({"Answer", "Chosen", "SignIn"})
"""Records without secrets: answers of passkeys, templates of letters, customers of the demo."""


def fields(kind: type[Any]) -> list[str]:
    """Return the names of a record's fields; none if it is no record."""
    if dataclasses.is_dataclass(kind):
        return [field.name for field in dataclasses.fields(kind)]
    return list(getattr(kind, "_fields", ()))


def secrets(kind: type[Any]) -> set[str]:
    """Return the names of a record's fields with secrets."""
    return {name for name in fields(kind) if SECRET.fullmatch(name)} - PUBLIC


def records() -> Iterator[type[Any]]:
    """Yield each record with a secret."""
    for name in sorted(MODULES):
        if name.startswith(("db.migrations", "main")):
            continue
        module = import_module(f"{PACKAGE}.{name}".rstrip("."))
        for kind in vars(module).values():
            if isclass(kind) and kind.__module__ == module.__name__ and secrets(kind):
                yield kind


RECORDS: Final = [kind for kind in records() if kind.__name__ not in OPEN]


def filled(kind: type[Any]) -> object:
    """Return a record that is full of secrets."""
    values = {name: HUSH if name in secrets(kind) else Mock() for name in fields(kind)}
    if issubclass(kind, tuple):
        return kind(**values)
    made = object.__new__(kind)
    for name, value in values.items():
        object.__setattr__(made, name, value)
    return made


@pytest.mark.parametrize("kind", RECORDS)
def test_no_secret_is_in_the_repr_of_a_record(kind: type[Any]) -> None:
    assert HUSH not in repr(filled(kind))


def test_records_with_secrets_are_found() -> None:
    found = {kind.__name__ for kind in RECORDS}
    assert found >= {"NewCustomer", "Changes", "CustomerRecord", "RegisterInput", "Letter", "Added"}
