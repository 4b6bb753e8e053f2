"""Signs in with a second factor, and sets up an authenticator app if there is none."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeVar

from client import (
    FAULTS,
    Api,
    Refused,
    SignedOut,
    account,
    connected,
    granted,
    proof_methods_of,
)
from gql.transport.exceptions import TransportError, TransportQueryError

BEGIN: Final = f"mutation BeginCodes {{ beginCodes {{ {FAULTS} uri }} }}"
CONFIRM: Final = f"""mutation ConfirmCodes($code: String!) {{
  confirmCodes(code: $code) {{ {FAULTS} codes }}
}}"""
RENEW: Final = f"mutation RenewRecoveryCodes {{ renewRecoveryCodes {{ {FAULTS} codes }} }}"
MINE: Final = "query SecondFactors { me { secondFactors { id method name } } }"

T = TypeVar("T")
Ask = Callable[[str], Awaitable[str]]
"""Asks the user for a line, such as a code."""


async def sign_in(api: Api, email: str, password: str, ask: Ask) -> None:
    """Sign in, and ask for a code if one is required. Raises Refused."""
    try:
        await api.sign_in(email, password)
    except Refused as refused:
        if refused.second_factor is None:
            raise
        code = await ask("The code of your app, or a recovery code")
        await api.verify(refused.second_factor["challenge"], code)


async def set_up_codes(api: Api, ask: Ask) -> list[str] | None:
    """Set up an app, and return recovery codes with the first second factor. Raises Refused."""
    begun = await changed(api, BEGIN)
    code = await ask(f"Add {begun['uri']} to your app. Its code")
    codes: list[str] | None = (await changed(api, CONFIRM, code=code))["codes"]
    return codes


async def renew_recovery_codes(api: Api) -> list[str] | None:
    """Return new recovery codes; the old ones are void. Raises Refused."""
    codes: list[str] | None = (await changed(api, RENEW))["codes"]
    return codes


async def proven(api: Api, work: Callable[[], Awaitable[T]], ask: Ask) -> T:
    """Run work that may require a recent proof: if so, re-authenticate and retry it."""
    try:
        return await work()
    except TransportQueryError as error:
        methods = proof_methods_of(error)
        if methods is None:
            raise
    if "PASSWORD" in methods:  # it counts only without a second factor
        await api.prove(password=await ask("Your password again"))
    else:
        await api.prove(code=await ask("Another code, to prove that it is you"))
    return await work()


async def changed(api: Api, query: str, **variables: object) -> Mapping[str, Any]:
    """Return the payload of a mutation. Raises Refused."""
    [payload] = (await api.run(query, **variables)).values()
    return granted(payload)


async def ask_terminal(question: str) -> str:
    """Return a line from the terminal."""
    return await asyncio.to_thread(input, f"{question}: ")


async def main(ask: Ask = ask_terminal) -> None:
    """Sign in, set up an app or else make new recovery codes, and sign out."""
    url, email, password = account()
    async with connected(url) as api:
        await sign_in(api, email, password, ask)
        if (await api.run(MINE))["me"]["secondFactors"]:
            await ask("Enter makes new recovery codes")
            made = await proven(api, lambda: renew_recovery_codes(api), ask)
        else:
            made = await proven(api, lambda: set_up_codes(api, ask), ask)
        print("Recovery codes:", *(made or []), sep="\n")
        await api.sign_out()
    print("Signed out.")


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except TransportQueryError as failure:
        sys.exit(failure.errors[0]["message"] if failure.errors else str(failure))
    except (Refused, SignedOut, TransportError) as failure:
        sys.exit(str(failure))
