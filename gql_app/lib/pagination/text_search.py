"""Which single characters and pairs a column holds: what PostgreSQL finds short texts by.

Trigrams need three letters or digits in a row. This takes any characters, in any locale.
"""

import re
from collections.abc import Sequence
from typing import Final, Self

from sqlalchemy import (
    ARRAY,
    Boolean,
    ColumnElement,
    Integer,
    Text,
    and_,
    bindparam,
    literal_column,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.operators import OperatorType

GRAMS: Final = (
    "(string_to_array({0}, NULL) || string_to_array("
    r"regexp_replace({0}, '(.)', '\1' || chr(1) || '\1', 'g'), chr(1)))"
)
"""Every character, and every pair: `abc` is doubled to `a|ab|bc|c` and split."""
SEPARATOR: Final = "\1"

_TRIGRAM: Final = re.compile("[a-z0-9]{3}")


class Place(FunctionElement[int]):
    """Where in a column a text begins, from 1 on; 0 if nowhere.

    It needs no escaping, and takes half as long as LIKE, which PostgreSQL's prepared plans
    make the pattern of anew for each row.
    """

    inherit_cache = True
    type = Integer()


class Pieces(FunctionElement[Sequence[str]]):
    """A column's characters and pairs, as they are indexed."""

    inherit_cache = True
    type = ARRAY(Text())


class Sought(FunctionElement[bool]):
    """A condition as it is asked of every row on SQLite, and as PostgreSQL's index answers it.

    Both at once would let PostgreSQL's prepared plans take the trigrams' index for a short
    text, of which that finds everything.
    """

    inherit_cache = True
    type = Boolean()

    def self_group(self, against: OperatorType | None = None) -> Self:  # noqa: ARG002 — as its base has it
        """Stay as it is: SQLite would be asked whether it equals 1."""
        return self


@compiles(Place, "sqlite")
def _instr(element: Place, compiler: SQLCompiler, **options: object) -> str:
    return f"instr({compiler.process(element.clauses, **options)})"


@compiles(Place, "postgresql")
def _strpos(element: Place, compiler: SQLCompiler, **options: object) -> str:
    return f"strpos({compiler.process(element.clauses, **options)})"


@compiles(Pieces, "postgresql")
def _pieces(element: Pieces, compiler: SQLCompiler, **options: object) -> str:
    return GRAMS.format(compiler.process(element.clauses, **options))


@compiles(Sought, "sqlite")
def _of_every_row(element: Sought, compiler: SQLCompiler, **options: object) -> str:
    plain, _ = element.clauses  # what is processed has its values sent, written or not
    return compiler.process(plain, **options)


@compiles(Sought, "postgresql")
def _of_the_index(element: Sought, compiler: SQLCompiler, **options: object) -> str:
    _, indexed = element.clauses
    return f"({compiler.process(indexed, **options)})"


def grams(text: str) -> list[str]:
    """Tell what single characters and pairs a text is found by; none, if trigrams find it."""
    return [] if _TRIGRAM.search(text) or SEPARATOR in text else pieces(text)


def pieces(text: str) -> list[str]:
    """Return the pairs of characters that a text is made of, or the one that it is."""
    return sorted({text[start : start + 2] for start in range(len(text) - 1)}) or [text]


def pattern(text: str) -> str:
    """Write the pattern by which PostgreSQL's LIKE finds a text anywhere."""
    for special in "\\%_":
        text = text.replace(special, f"\\{special}")
    return f"%{text}%"


def holds(key: ColumnElement[str], of: str = "") -> ColumnElement[bool]:
    """Say that a column holds `text`, in the way that is fast for a row at hand.

    The names of parameters end in `of`, so that one statement asks for several texts.
    """
    return Place(key, bindparam(f"text{of}", type_=Text())) > literal_column("0")


def by_trigrams(key: ColumnElement[str], of: str = "") -> ColumnElement[bool]:
    """Say so by `pattern`, in the way that an index of trigrams answers."""
    return Sought(holds(key, of), key.like(bindparam(f"pattern{of}", type_=Text())))


def by_grams(key: ColumnElement[str], of: str = "") -> ColumnElement[bool]:
    """Say so by `grams`, a list, in the way that an index of these answers."""
    listed = bindparam(f"grams{of}", type_=ARRAY(Text()))
    return Sought(holds(key, of), and_(Pieces(key).bool_op("@>")(listed), holds(key, of)))
