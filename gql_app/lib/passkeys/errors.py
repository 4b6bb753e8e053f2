"""Why a passkey is refused, in sentences that reveal nothing of how it was verified."""

from typing import ClassVar


class InvalidPasskey(Exception):
    """What was sent as a passkey is malformed, or does not prove what it should.

    The cause says what is wrong, in the words of a library, for a log.
    """

    message: ClassVar = "This passkey can't be verified. Try again."

    def __init__(self) -> None:
        super().__init__(self.message)


class CounterWentBack(InvalidPasskey):
    """The signature is right, but its counter is not greater than the last one.

    Two devices may have the same key (WebAuthn section 6.1.1).
    """

    message = "This passkey was refused, because it may have been copied."
