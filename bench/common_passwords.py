"""The list of common passwords, which `make common-passwords` writes.

It is derived from zxcvbn's frequency lists: passwords that are long enough by themselves, and words
that are made into passwords by digits and marks around them.
"""

import re
from itertools import chain
from typing import Final

from zxcvbn.frequency_lists import FREQUENCY_LISTS

from gql_app.lib.password_policy import COMMON_PASSWORDS, MIN_LENGTH

PASSWORDS: Final = 8_000
"""The number of most common passwords from which words are taken."""
WORDS: Final = 8_000
"""The number of most common English words, of which the long ones are taken."""
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
    """Return the common passwords and words, sorted."""
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
    """Return the word of a password: without digits and marks around it, with letters restored."""
    return re.sub(r"^[^a-z]+|[^a-z]+$", "", password).translate(LOOKALIKES)


def text() -> str:
    """Return the contents of the file."""
    return NOTICE + "\n".join(lines()) + "\n"


if __name__ == "__main__":
    COMMON_PASSWORDS.write_text(text(), encoding="ascii")
    print(f"{COMMON_PASSWORDS}: {len(lines())} lines")
