"""A FastAPI service that accepts tokens for "orders" with an open session.

ACCOUNTS_URL=https://accounts.example.com uvicorn orders_fastapi:app
"""

import os
from typing import Annotated

from fastapi import Depends, FastAPI, Header, HTTPException

from gql_app.verify import (
    TokenMissing,
    TokenVerifier,
    Unauthenticated,
    Unavailable,
    VerifiedToken,
    bearer_token,
)

verifier = TokenVerifier(
    os.environ["ACCOUNTS_URL"],
    issuer="gql_app",
    audience="orders",
    liveness=5,  # seconds after which a sign-out is noticed at the latest
)
app = FastAPI()


async def signed_in(authorization: Annotated[str | None, Header()] = None) -> VerifiedToken:
    """Return the caller's verified token; answer 401 if it is refused, 503 if unverifiable."""
    try:
        return await verifier.verify(bearer_token(authorization))
    except Unauthenticated as why:
        challenge = "Bearer" if isinstance(why, TokenMissing) else 'Bearer error="invalid_token"'
        raise HTTPException(401, why.extensions, {"WWW-Authenticate": challenge}) from why
    except Unavailable as why:
        raise HTTPException(503, why.message, {"Retry-After": str(why.wait)}) from why


@app.get("/orders")
async def orders(caller: Annotated[VerifiedToken, Depends(signed_in)]) -> dict[str, object]:
    """Return the caller's orders."""
    return {"customer": caller.customer_id, "roles": caller.roles, "orders": []}
