"""Keys of names: what they are searched and sorted by."""

from typing import Final

from gql_app.lib.text.normalization import TextTooLong, TooManyMarks, normalise

MAX_KEY: Final = 1_200
"""Bytes of UTF-8 that a name's key has at most, so that each order's index holds it."""
_LONGEST: Final = 18 * 254
"""Code points of the longest search in NFKC, of which one may become eighteen."""
_DOTLESS: Final = str.maketrans({"\u0131": "i"})


def search_key(typed: str) -> str:
    """Return what a name is searched and sorted by, whatever its case and compatibility form.

    That is NFKC (UAX 15) and full case folding (Unicode 3.13), with the dotted and the dotless
    i of Turkish as one letter; accents are kept. It is cut to MAX_KEY bytes.
    """
    if typed.isascii():
        folded = typed.casefold()
    else:
        try:
            folded = _compatible(_compatible(typed).casefold())
            folded = _compatible(folded.replace("i\u0307", "i").translate(_DOTLESS))
        except (TextTooLong, TooManyMarks):
            folded = typed.casefold()
    if len(folded) <= MAX_KEY // 4:
        return folded
    return folded.encode(errors="ignore")[:MAX_KEY].decode(errors="ignore")


def _compatible(typed: str) -> str:
    return normalise(typed, longest=_LONGEST, form="NFKC")
