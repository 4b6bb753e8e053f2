"""Substring search in columns by indexes: of trigrams, and of single characters and pairs.

PostgreSQL's trigrams need three letters or digits in a row. The arrays here hold any
characters, in any locale, so that an index finds shorter texts as well.
"""

import re
from collections.abc import Callable, Sequence
from operator import contains
from typing import Final

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Integer,
    Text,
    and_,
    bindparam,
    func,
    literal_column,
    or_,
)
from sqlalchemy.orm import InstrumentedAttribute

from gql_app.lib.database import EitherDialect
from gql_app.lib.pagination.listing import InvalidArgument
from gql_app.lib.pagination.statements import NOTHING, Condition
from gql_app.lib.text import LONGEST_DECOMPOSITION, MAX_MARKS, TooManyMarks, normalise

NGRAM_ARRAY: Final = (
    "(string_to_array({0}, NULL) || string_to_array("
    r"regexp_replace({0}, '(.)', '\1' || chr(1) || '\1', 'g'), chr(1)))"
)
"""The expression of a GIN index, with the column's name in the place of {0}.

It is an array of every character and pair: `abc` becomes `a|ab|bc|c`, which is split.
"""
SEPARATOR: Final = "\1"
MAX_SEARCH: Final = 254
"""The most characters of a text to search for."""
MAX_WORDS: Final = 8
"""The most words of it, each of which is searched for separately."""

_TRIGRAM: Final = re.compile("[a-z0-9]{3}")
_Column = InstrumentedAttribute[str]


class TextSearch:
    """Filters that match rows in which each word of a text is contained in any of some columns.

    On PostgreSQL each column needs two GIN indexes: one with gin_trgm_ops, one of NGRAM_ARRAY.
    """

    def __init__(self, *columns: tuple[_Column, Callable[[str], str]]) -> None:
        """Take the columns, each with a function that folds a text as the column is folded."""
        self._folds: Final = [fold for _, fold in columns]
        searched = [column for column, _ in columns]
        self._words: Final = [Word(searched, f"search_{number}") for number in range(MAX_WORDS)]

    def filters(self, text: str) -> dict[Condition, dict[str, object]]:
        """Return a condition for each word, and the values of its parameters.

        Raises InvalidArgument, with a message that calls the text `search`.
        """
        if len(text) > MAX_SEARCH:
            message = f"search is {len(text)} characters long. Search for at most {MAX_SEARCH}."
            raise InvalidArgument(message)
        if "\0" in text:  # which no stored text has, and PostgreSQL refuses
            return {NOTHING: {}}
        try:
            text = normalise(text, longest=LONGEST_DECOMPOSITION * MAX_SEARCH)
        except TooManyMarks:
            message = f"search has more than {MAX_MARKS} combining marks in a row."
            raise InvalidArgument(message) from None
        words = self._split(text)
        if len(words) > MAX_WORDS:
            message = f"search has {len(words)} words. Search for at most {MAX_WORDS}."
            raise InvalidArgument(message)
        return dict(map(Word.filter, self._words, words))

    def _split(self, text: str) -> list[tuple[str, ...]]:
        """Return the words, longest first, without those that another one contains.

        Each comes folded for every column.
        """
        folded = {tuple(fold(word) for fold in self._folds) for word in text.split()}
        words: list[tuple[str, ...]] = []
        for word in sorted(folded, key=lambda word: (-len(word[0]), word)):
            if not any(all(map(contains, other, word)) for other in words):
                words.append(word)
        return words


class Word:
    """The filters for one word of a search, which is folded for every column."""

    def __init__(self, columns: Sequence[_Column], name: str) -> None:
        """Take the columns, and the prefix of the parameters' names."""
        self._names: Final = [f"{name}_{number}" for number in range(len(columns))]
        each = [_conditions(*key) for key in zip(columns, self._names, strict=True)]
        row, by_trigrams, by_ngrams = (or_(*some) for some in zip(*each, strict=True))
        self.by_trigrams: Final = Condition(row, by_trigrams)
        self.by_ngrams: Final = Condition(row, by_ngrams)

    def filter(self, word: Sequence[str]) -> tuple[Condition, dict[str, object]]:
        """Return the condition that finds a word, and the values of its parameters."""
        named = list(zip(self._names, word, strict=True))
        values: dict[str, object] = {f"{name}_text": text for name, text in named}
        if any(map(ngrams, word)):
            return self.by_ngrams, values | {f"{name}_ngrams": pairs(text) for name, text in named}
        values |= {f"{name}_pattern": pattern(text) for name, text in named}
        return self.by_trigrams, values


def _conditions(
    column: _Column, name: str
) -> tuple[ColumnElement[bool], ColumnElement[bool], ColumnElement[bool]]:
    """Return conditions that a column contains a text: per row, by trigrams, by NGRAM_ARRAY.

    strpos needs no escaping, and takes half as long as LIKE, whose pattern PostgreSQL's generic
    plans compile again for each row. With both index conditions at once, these plans might choose
    the trigram index for a short text, for which it returns every row.
    """
    text, zero = bindparam(f"{name}_text", type_=Text()), literal_column("0", Integer())
    at_hand = EitherDialect(func.instr(column, text) > zero, func.strpos(column, text) > zero)
    like = column.like(bindparam(f"{name}_pattern", type_=Text()))
    ngram_array = literal_column(NGRAM_ARRAY.format(column.key), ARRAY(Text()))
    has_all = ngram_array.bool_op("@>")(bindparam(f"{name}_ngrams", type_=ARRAY(Text())))
    by_ngrams = EitherDialect(at_hand, and_(has_all, at_hand))
    return at_hand, EitherDialect(at_hand, like), by_ngrams


def ngrams(text: str) -> list[str]:
    """Return the characters and pairs by which a text is found; none if trigrams find it."""
    return [] if _TRIGRAM.search(text) or SEPARATOR in text else pairs(text)


def pairs(text: str) -> list[str]:
    """Return the pairs of characters in a text, or the text itself if it is a single one."""
    return sorted({text[start : start + 2] for start in range(len(text) - 1)}) or [text]


def pattern(text: str) -> str:
    """Return the pattern with which LIKE finds a text anywhere."""
    for special in "\\%_":
        text = text.replace(special, f"\\{special}")
    return f"%{text}%"
