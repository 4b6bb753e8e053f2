"""Documents that are expensive to parse, to limit or to validate, of any number of tokens."""

import re
from collections.abc import Callable, Mapping
from math import isqrt
from typing import Final

Make = Callable[[int], str]

LENGTH: Final = 64 * 1024
"""The most characters of a document."""
_TOKEN: Final = re.compile(
    r"""
    \"{3} (?: \\\"{3} | (?!\"{3}) . )* \"{3}  # a block string
    | " (?: \\. | [^"\\\n] )* "
    | (?P<comment> \# [^\n\r]* )
    | [A-Za-z_] \w* | -? \d [\w.+-]* | \.{3} | [!$&():=@\[\]{|}]
    """,
    re.ASCII | re.DOTALL | re.VERBOSE,
)
FIELDS: Final = "id name email phone isActive isAdmin createdAt updatedAt "


def hostile(make: Make, tokens: int) -> str:
    """Return the largest document within a number of tokens and within LENGTH."""
    least, most = 1, tokens
    while least < most:
        middle = (least + most + 1) // 2
        document = make(middle)
        if len(document) <= LENGTH and count(document) <= tokens:
            least = middle
        else:
            most = middle - 1
    return make(least)


def count(document: str) -> int:
    """Return the number of a document's tokens, in a tenth of the time of graphql-core's lexer."""
    return sum(not token["comment"] for token in _TOKEN.finditer(document))


def doubling(levels: int) -> str:
    """Return a document in which each fragment is spread twice in the one before it."""
    chain = (f"fragment F{n} on Query {{ ...F{n + 1} ...F{n + 1} }} " for n in range(levels))
    return "{ ...F0 } " + "".join(chain) + f"fragment F{levels} on Query {{ __typename }}"


def _fragments(n: int, kind: str, selection: str) -> str:
    return "".join(f"fragment F{i} on {kind} {{ {selection} }} " for i in range(n))


def _spreads(n: int) -> str:
    return "".join(f"...F{i} " for i in range(n))


def _rows(n: int, opening: str, leaf: str, closing: str) -> str:
    """Return a repeated field of repeated fields, both equally often."""
    side = max(1, isqrt(n))
    return "{ " + (opening + leaf * side + closing) * side + "}"


def _padded(n: int, before: str, after: str, filling: str = "x") -> str:
    """Return n repetitions of a field, padded to fill LENGTH."""
    room = max(1, (LENGTH - 2) // n - len(before) - len(after) - 8)
    values = (f"{i}{filling * (room // len(filling))}" for i in range(n))
    return "{" + "".join(f"{before}{value}{after}" for value in values) + "}"


def _chain(n: int, selection: str = "") -> str:
    links = (f"fragment F{i} on Query {{ {selection} ...F{i + 1} }} " for i in range(n))
    return "".join(links) + f"fragment F{n} on Query {{ __typename }}"


def _complete(n: int) -> str:
    """Return a document in which each fragment spreads every later one."""
    side = max(1, isqrt(n))
    each = (" ".join(f"...F{j}" for j in range(i + 1, side)) for i in range(side))
    links = (
        f"fragment F{i} on Query {{ {spread} a: __typename }} " for i, spread in enumerate(each)
    )
    return "{ ...F0 } " + "".join(links)


KINDS: Final[Mapping[str, Make]] = {
    "one field repeated": lambda n: "{ " + "__typename " * n + "}",
    "objects repeated": lambda n: "{ me { " + "sessions { id } " * n + "} }",
    "repeats in repeats": lambda n: _rows(n, "customers { ", "totalCount ", "} "),
    "repeats deep down": lambda n: _rows(n, "me { sessions { ", "id ", "} } "),
    "chains repeated": lambda n: "{ me { " + ("sessions{" * 8 + "id" + "}" * 8) * n + "} }",
    "arguments repeated": lambda n: "{ me { " + 'a(b:1 c:"x" d:{e:2}) ' * n + "} }",
    "names in conflict": lambda n: "{ " + "me { id: name } me { id } " * n + "}",
    "fragments of ten fields": lambda n: (
        "{ me { " + _spreads(n) + "} } " + _fragments(n, "Customer", FIELDS)
    ),
    "fragments of objects": lambda n: (
        "{ " + _spreads(n) + "} " + _fragments(n, "Query", "me { id }")
    ),
    "fragments never spread": lambda n: "{ a } " + _fragments(n, "Query", "__typename"),
    "fragments doubling": doubling,
    "fragments in a chain": lambda n: "{ ...F0 } " + _chain(n, "a: __typename"),
    "fragments in a circle": lambda n: "{ ...F0 } " + _chain(n) + "fragment G on Query { ...G }",
    "fragments all to all": _complete,
    "operations on a chain": lambda n: (
        "".join(f"query Q{i}($a: Int) {{ ...F0 }} " for i in range(min(n, 20)))
        + _chain(n, "customers(first: $a) { totalCount }")
    ),
    "operations on a star": lambda n: (
        "".join(f"query Q{i} {{ {_spreads(n // 20)} }} " for i in range(20))
        + _fragments(n // 20, "Query", "__typename")
    ),
    "inline fragments": lambda n: "{ " + "... { __typename } " * n + "}",
    "inline fragments nested": lambda n: (
        "{ " + "...{" * min(n, 190) + "a" + "}" * min(n, 190) + "}"
    ),
    "fragments of an interface": lambda n: (
        "mutation { logout { " + "... on Payload { status } " * n + "} }"
    ),
    "variables": lambda n: "query(" + "".join(f"$v{i}: Int " for i in range(n)) + ") { a }",
    "variables used": lambda n: "query($a: Int) { me { " + "sessions(a: $a) { id } " * n + "} }",
    "unknown fields": lambda n: "{ me {" + "".join(f"name{i} " for i in range(n)) + "} }",
    "unknown fields, long": lambda n: _padded(n, " customers", ""),
    "unknown types, long": lambda n: _padded(n, "...on Customer", "{id} "),
    "unknown input fields": lambda n: (
        "{ customers(filter: {"
        + "".join(f"search{i}: 1 " for i in range(n))
        + "}) { totalCount } }"
    ),
    "unknown input fields, long": lambda n: (
        "{ customers(filter: " + _padded(n, " search", ":1")[: LENGTH - 60] + ") { totalCount } }"
    ),
    "unknown directives": lambda n: "{ a" + "".join(f" @d{i}" for i in range(n)) + " }",
    "wrong enum values, long": lambda n: _padded(n, " customers(orderBy: {field: NAME", "}){a}"),
    "one argument repeated": lambda n: "{ customers(" + "first: 1 " * n + ") { totalCount } }",
    "list": lambda n: "{ customers(first: [" + "1 " * n + "]) { totalCount } }",
    "lists in lists": lambda n: "{ a(b: " + "[" * min(n, 190) + "]" * min(n, 190) + ") }",
    "strings": lambda n: _padded(n, ' customer(id: "', '") { id }'),
    "strings of escapes": lambda n: _padded(n, ' customer(id: "', '") { id }', "\\n"),
    "blocks of lines": lambda n: _padded(n, ' customer(id: """', '""") { id }', "\n"),
    "one long number": lambda _: "{ customers(first: " + "9" * (LENGTH - 40) + ") { totalCount } }",
    "one long name": lambda _: "{ " + "a" * (LENGTH - 4) + " }",
    "empty lines": lambda _: "{ __typename " + "\n" * (LENGTH - 30) + "nobody }",
    "comments": lambda n: "{ __typename " + "#\n" * n + "}",
    "anonymous operations": lambda n: "{ __typename } " * n,
    "types": lambda n: "{ a } " + "type A { a: B } " * n,
    "introspection": lambda n: "{ __schema { types { " + "fields { type { name } } " * n + "} } }",
}
"""Functions that make a document of n parts, by the kind of document."""
TEXTS: Final[Mapping[str, str]] = {
    "marks in turn": "\u0301\u0327",
    "marks of class 0": "\u0f73",
    "letters with marks": "a\u0301\u0327",
    "ligatures": "\ufdfa",
    "letters": "a",
    "addresses": "a@b.",
}
"""Texts to repeat that are expensive to normalise, to case-fold or to validate."""
