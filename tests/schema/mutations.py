"""Mutations as the tests send them, and the faults in their payloads."""

from collections.abc import Mapping
from typing import Any, Final

from tests.api import Answer, Api

STATUS: Final = "status message errors { code field message } retryAfter"
CUSTOMER: Final = f"{STATUS} customer {{ id name email phone isAdmin }}"
TOKENS: Final = f"{CUSTOMER} token expiresAt refreshToken refreshExpiresAt"
WAITS: Final = "secondFactor { challenge methods expiresAt passkeyOptions }"
FACTOR: Final = "secondFactor { id method name createdAt lastUsedAt }"

_MUTATIONS: Final[Mapping[str, tuple[str, Mapping[str, str]]]] = {
    "login": (f"{TOKENS} {WAITS}", {"email": "String!", "password": "String!"}),
    "refresh": (TOKENS, {"refreshToken": "String!"}),
    "logout": (STATUS, {}),
    "endSession": (STATUS, {"id": "ID!"}),
    "endOtherSessions": (STATUS, {}),
    "endAllSessions": (STATUS, {"customerId": "ID"}),
    "register": (TOKENS, {"input": "RegisterInput!"}),
    "updateMe": (CUSTOMER, {"input": "UpdateMeInput!"}),
    "changePassword": (TOKENS, {"currentPassword": "String", "newPassword": "String!"}),
    "deleteMe": (STATUS, {"password": "String"}),
    "requestPasswordReset": (STATUS, {"email": "String!"}),
    "resetPassword": (STATUS, {"token": "String!", "newPassword": "String!"}),
    "requestSignInLink": (STATUS, {"email": "String!"}),
    "signInByLink": (f"{TOKENS} {WAITS}", {"token": "String!"}),
    "beginCodes": (f"{STATUS} secret uri qrCode", {}),
    "confirmCodes": (f"{STATUS} codes", {"code": "String!"}),
    "renewRecoveryCodes": (f"{STATUS} codes", {}),
    "beginPasskey": (f"{STATUS} options", {}),
    "confirmPasskey": (
        f"{STATUS} {FACTOR} codes",
        {"credential": "JSON!", "name": "String"},
    ),
    "beginPasskeySignIn": (f"{STATUS} options", {}),
    "signInWithPasskey": (f"{TOKENS} {WAITS}", {"credential": "JSON!"}),
    "removeSecondFactor": (STATUS, {"id": "ID!"}),
    "renameSecondFactor": (f"{STATUS} {FACTOR} codes", {"id": "ID!", "name": "String!"}),
    "verifySecondFactor": (
        f"{TOKENS} {WAITS}",
        {"challenge": "String!", "code": "String", "passkey": "JSON"},
    ),
    "reauthenticate": (STATUS, {"password": "String", "code": "String", "passkey": "JSON"}),
    "undoSecondFactor": (STATUS, {"token": "String!"}),
    "inviteCustomer": (CUSTOMER, {"input": "InviteCustomerInput!"}),
    "acceptInvitation": (f"{TOKENS} {WAITS}", {"token": "String!", "password": "String!"}),
    "requestEmailVerification": (STATUS, {}),
    "verifyEmail": (STATUS, {"token": "String!"}),
    "declineEmail": (STATUS, {"token": "String!"}),
    "undoEmailChange": (STATUS, {"token": "String!"}),
    "createCustomer": (CUSTOMER, {"input": "CreateCustomerInput!"}),
    "updateCustomer": (CUSTOMER, {"id": "ID!", "input": "UpdateCustomerInput!"}),
    "deleteCustomer": (STATUS, {"id": "ID!"}),
}
CodeAndField = tuple[str, str | None]
"""The code and the field of a fault."""
SUCCESS: Final[list[CodeAndField]] = []
"""The faults of a successful mutation."""


async def send(
    api: Api,
    name: str,
    given: Mapping[str, Any],
    *,
    token: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Send a mutation, and return the whole answer."""
    selection, arguments = _MUTATIONS[name]
    declared = ", ".join(f"$given_{argument}: {kind}" for argument, kind in arguments.items())
    passed = ", ".join(f"{argument}: $given_{argument}" for argument in arguments)
    head, call = (f"({declared})", f"({passed})") if arguments else ("", "")
    query = f"mutation{head} {{ {name}{call} {{ {selection} }} }}"
    variables = {f"given_{argument}": value for argument, value in given.items()}
    return await api.run(query, token=token, headers=headers, **variables)


async def do(
    api: Api,
    name: str,
    /,
    *,
    token: str | None = None,
    headers: Mapping[str, str] | None = None,
    **given: object,
) -> dict[str, Any]:
    """Send a mutation, and return its payload."""
    answer = await send(api, name, given, token=token, headers=headers)
    payload: dict[str, Any] = answer.data[name]
    return payload


def faults(payload: Mapping[str, Any]) -> list[CodeAndField]:
    """Return the code and the field of each fault; the payload must be consistent."""
    told = [(error["code"], error["field"]) for error in payload["errors"]]
    assert payload["status"] == ("ERROR" if told else "SUCCESS")
    assert payload["message"]
    assert bool(payload["retryAfter"]) == (told == [("TOO_MANY_ATTEMPTS", None)])
    return told


async def token_reason(api: Api, token: str) -> str | None:
    """Return the reason why an access token is refused, None if it is valid."""
    report = (await api.run("{ token { valid reason } }", token=token)).data["token"]
    assert report["valid"] == (report["reason"] is None)
    reason: str | None = report["reason"]
    return reason


async def refresh(api: Api, token: str) -> str:
    """Refresh, and return the new refresh token."""
    payload = await do(api, "refresh", refreshToken=token)
    assert faults(payload) == SUCCESS
    successor: str = payload["refreshToken"]
    return successor


async def refused(api: Api, token: str) -> list[CodeAndField]:
    """Try to refresh, and return the faults; the payload must have nothing else."""
    payload = await do(api, "refresh", refreshToken=token)
    answered = ("token", "expiresAt", "refreshToken", "refreshExpiresAt", "customer")
    assert [payload[name] for name in answered] == [None] * 5
    return faults(payload)


async def reset(api: Api, token: str, password: str) -> list[CodeAndField]:
    """Set a new password with a link's token, and return the faults."""
    answer = await send(api, "resetPassword", {"token": token, "newPassword": password})
    return faults(answer.data["resetPassword"])
