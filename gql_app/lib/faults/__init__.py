"""What an operator has to mend before a program can start."""

from collections.abc import Sequence
from typing import Final


class CannotStart(Exception):
    """What keeps the program from starting, every fault in words."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults: Final = tuple(faults)
