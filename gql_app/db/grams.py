"""Which single characters and pairs a column holds: what PostgreSQL finds short texts by.

Trigrams need three letters or digits in a row. This takes any characters, in any locale.
"""

import re
from typing import Final

from sqlalchemy import ARRAY, Boolean, ColumnElement, Text, bindparam
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

GRAMS: Final = (
    "(string_to_array({0}, NULL) || string_to_array("
    r"regexp_replace({0}, '(.)', '\1' || chr(1) || '\1', 'g'), chr(1)))"
)
"""Every character, and every pair: `abc` is doubled to `a|ab|bc|c` and split."""
SEPARATOR: Final = "\1"

_TRIGRAM: Final = re.compile("[a-z0-9]{3}")


class Holds(FunctionElement[bool]):
    """Whether a column holds a text: by its grams where they are indexed, by LIKE elsewhere.

    Both at once would let PostgreSQL's prepared plans take the trigrams' index, which finds
    everything for such a text.
    """

    inherit_cache = True
    type = Boolean()


@compiles(Holds, "sqlite")
def _like(element: Holds, compiler: SQLCompiler, **options: object) -> str:
    like, *_ = element.clauses
    return compiler.process(like, **options)


@compiles(Holds, "postgresql")
def _by_grams(element: Holds, compiler: SQLCompiler, **options: object) -> str:
    _, *parts = element.clauses  # what is processed has its values sent, written or not
    key, grams, text = (compiler.process(each, **options) for each in parts)
    return f"({GRAMS.format(key)} @> {grams} AND strpos({key}, CAST({text} AS text)) > 0)"


def grams(text: str) -> list[str]:
    """Tell what single characters and pairs a text is found by; none, if trigrams find it."""
    if _TRIGRAM.search(text) or SEPARATOR in text:
        return []
    return sorted({text[start : start + 2] for start in range(len(text) - 1)}) or [text]


def holding(like: ColumnElement[bool], key: ColumnElement[str]) -> ColumnElement[bool]:
    """Say that a column holds `text`, whose `grams` are a list, in the way an index answers."""
    listed = bindparam("grams", type_=ARRAY(Text()))
    return Holds(like, key, listed, bindparam("text", type_=Text()))
