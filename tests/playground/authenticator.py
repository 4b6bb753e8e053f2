"""An authenticator without hardware, which keeps passkeys for a page of Chromium's."""

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
"""One of a laptop or a phone, which verifies who uses it."""


@dataclass(frozen=True, slots=True)
class Authenticator:
    """An authenticator that a page has."""

    devtools: CDPSession
    id: str

    @classmethod
    async def of(cls, page: Page) -> Self:
        """Give a page an authenticator."""
        devtools = await page.context.new_cdp_session(page)
        await devtools.send("WebAuthn.enable")
        added = await devtools.send("WebAuthn.addVirtualAuthenticator", {"options": INTERNAL})
        return cls(devtools, added["authenticatorId"])

    async def credentials(self) -> list[dict[str, Any]]:
        """Return what it has kept."""
        kept = await self.devtools.send("WebAuthn.getCredentials", {"authenticatorId": self.id})
        return list(kept["credentials"])

    async def verify_nobody(self) -> None:
        """Forget who uses it."""
        its = {"authenticatorId": self.id, "isUserVerified": False}
        await self.devtools.send("WebAuthn.setUserVerified", its)
