"""A virtual authenticator, which stores passkeys for a page of Chromium."""

from dataclasses import dataclass
from typing import Any, Final, Self

from playwright.async_api import CDPSession, Page

INTERNAL: Final = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}
"""The options of an internal authenticator with user verification, as in a laptop or a phone."""


@dataclass(frozen=True, slots=True)
class Authenticator:
    """The virtual authenticator of a page."""

    devtools: CDPSession
    id: str

    @classmethod
    async def of(cls, page: Page) -> Self:
        """Add an authenticator to a page, and return it."""
        devtools = await page.context.new_cdp_session(page)
        await devtools.send("WebAuthn.enable")
        added = await devtools.send("WebAuthn.addVirtualAuthenticator", {"options": INTERNAL})
        return cls(devtools, added["authenticatorId"])

    async def credentials(self) -> list[dict[str, Any]]:
        """Return its stored credentials."""
        kept = await self.devtools.send("WebAuthn.getCredentials", {"authenticatorId": self.id})
        return list(kept["credentials"])

    async def verify_nobody(self) -> None:
        """Make user verification fail."""
        its = {"authenticatorId": self.id, "isUserVerified": False}
        await self.devtools.send("WebAuthn.setUserVerified", its)
