"""An authenticator app of the tests: an independent implementation of RFC 6238."""

import hashlib
import hmac
from base64 import b32decode
from dataclasses import dataclass
from typing import Any

from gql_app.lib import clock
from tests.api import Api
from tests.people import Person
from tests.schema.mutations import STATUS, SUCCESS, do, faults

BEGIN = f"mutation {{ beginCodes {{ {STATUS} secret }} }}"
"""An enrolment without its QR code, which takes ten milliseconds."""
STEP = 30
"""Seconds for which a code is valid."""


@dataclass(frozen=True, slots=True)
class App:
    """An app with a secret, in base32."""

    secret: str

    def code(self, steps: int = 0) -> str:
        """Return the present code, or that of some steps later."""
        counter = int(clock.now().timestamp()) // STEP + steps
        key = b32decode(self.secret + "=" * (-len(self.secret) % 8))
        mac = hmac.digest(key, counter.to_bytes(8, "big"), hashlib.sha1)
        at = mac[-1] & 15
        number = int.from_bytes(mac[at : at + 4], "big") & 0x7FFFFFFF
        return f"{number % 1_000_000:06d}"

    def wrong(self) -> str:
        """Return a code that is wrong at this time."""
        shown = {self.code(steps) for steps in range(-5, 6)}
        return next(f"{n:06d}" for n in range(20) if f"{n:06d}" not in shown)


async def begin(api: Api, token: str) -> App:
    """Begin the enrolment of an app in a session."""
    begun = (await api.run(BEGIN, token=token)).data["beginCodes"]
    assert faults(begun) == SUCCESS
    return App(begun["secret"])


async def set_up(api: Api, token: str) -> tuple[App, list[str] | None]:
    """Enrol an app in a session, which uses the present code."""
    app = await begin(api, token)
    done = await do(api, "confirmCodes", token=token, code=app.code())
    assert faults(done) == SUCCESS
    return app, done["codes"]


async def set_up_first(api: Api, who: Person) -> tuple[App, list[str]]:
    """Enrol a person's first second factor; return the app and the recovery codes."""
    app, codes = await set_up(api, who.token)
    assert codes is not None
    return app, codes


async def challenge(api: Api, email: str, password: str) -> str:
    """Sign in by the password, and return the challenge."""
    answered = await do(api, "login", email=email, password=password)
    assert faults(answered) == [("SECOND_FACTOR_REQUIRED", None)]
    token: str = answered["secondFactor"]["challenge"]
    return token


async def verify(api: Api, token: str, code: str) -> dict[str, Any]:
    """Answer a challenge by a code, and return the payload."""
    return await do(api, "verifySecondFactor", challenge=token, code=code)
