"""Which passwords are common? `make common-passwords` writes the list.

It is made of zxcvbn's frequency lists: passwords that are long enough as they are, and words, of
which common passwords are made with digits and marks around them.
"""

import re
from itertools import chain
from typing import Final

from zxcvbn.frequency_lists import FREQUENCY_LISTS

from gql_app.lib.password_policy import COMMON_PASSWORDS, MIN_LENGTH

PASSWORDS: Final = 8_000
"""Passwords, the most common first, of which the words are taken."""
WORDS: Final = 8_000
"""English words that are taken if they are long."""
LONG: Final = 8
NAMES: Final = 1_000
SHORTEST: Final = 4
OTHERS: Final = """
spring summer autumn fall winter monday tuesday wednesday thursday friday saturday sunday
january february march april may june july august september october november december
administrator admin root user guest secret login welcome letmein changeme
"""
LOOKALIKES: Final = str.maketrans("@4031!$57", "aaoeiisst")
NOTICE: Final = """\
# Made by bench/common_passwords.py of the frequency lists of zxcvbn, which are
# Copyright (c) 2012-2016 Dan Wheeler and Dropbox, Inc., and
# Copyright (c) 2016 Daniel Wolf, under the MIT License: see LICENSE, whose terms are the same.
"""


def lines() -> list[str]:
    """Return what is common, sorted."""
    passwords = FREQUENCY_LISTS["passwords"]
    long = {each for each in passwords if len(each) >= MIN_LENGTH}
    typed = {core(each) for each in passwords[:PASSWORDS]}
    english = {each for each in FREQUENCY_LISTS["english_wikipedia"][:WORDS] if len(each) >= LONG}
    names = chain.from_iterable(
        FREQUENCY_LISTS[kind][:NAMES] for kind in ("female_names", "male_names")
    )
    words = {
        each
        for each in {*typed, *english, *names, *OTHERS.split()}
        if len(each) >= SHORTEST and each.isascii() and each.isalpha()
    }
    return sorted(long | words)


def core(password: str) -> str:
    """Return the word of a password, without what is around it and with its letters restored."""
    return re.sub(r"^[^a-z]+|[^a-z]+$", "", password).translate(LOOKALIKES)


def text() -> str:
    """Return the list as it is kept."""
    return NOTICE + "\n".join(lines()) + "\n"


if __name__ == "__main__":
    COMMON_PASSWORDS.write_text(text(), encoding="ascii")
    print(f"{COMMON_PASSWORDS}: {len(lines())} lines")
