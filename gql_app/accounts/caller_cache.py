"""Callers who are presumed to be who they were, and proven by the statement that reads for them.

To judge a caller and then to read is two round trips. The first tells nothing new but when a
session has ended or its customer has changed, so that one round trip does, most of the time:
it reads as for the caller who is presumed, on the condition that this is who it is. If it isn't,
nothing is read. Whether it is stands in a column of its own beside whatever is read: no row and
no count proves anybody, only what this column says.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Exists, bindparam, exists, select, true
from sqlalchemy.orm import InstrumentedAttribute

from gql_app import clock
from gql_app.accounts.callers import USE_PRECISION, Caller
from gql_app.accounts.sessions import lives
from gql_app.db.questions import Question, Reader, T, as_it_is
from gql_app.db.tables import CustomerRow, Moment, SessionRow
from gql_app.lib.pagination.list_query import SHAPES
from gql_app.security.tokens import Claims

PROVEN_BY: Final[Mapping[str, InstrumentedAttribute[Any]]] = {
    "customer_id": CustomerRow.id,
    "session_id": SessionRow.id,
    "is_admin": CustomerRow.is_admin,
}
"""The column that tells each field of a caller; another field needs another one."""
MOST: Final = 2_048
"""Callers who are remembered; those that nobody has heard of longest go."""


class Unproven(Exception):
    """Somebody isn't who they are presumed to be, or nothing was read that would tell."""


class Presumed:
    """Whoever bore a session last, by the session."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._callers: OrderedDict[UUID, Caller] = OrderedDict()

    def remember(self, caller: Caller) -> None:
        """Remember a caller who was judged."""
        if self._callers.get(caller.session_id) == caller:
            return
        self._callers[caller.session_id] = caller
        if len(self._callers) > self._most:
            self._callers.popitem(last=False)

    def bearer(self, claims: Claims) -> Caller | None:
        """Tell who bore a token last, if anybody did."""
        caller = self._callers.get(claims.session_id)
        if caller is None or caller.customer_id != claims.customer_id:
            return None
        self._callers.move_to_end(caller.session_id)
        return caller


class Proving:
    """A handle to read with, whose first question proves who it is asked for."""

    def __init__(self, db: Reader, caller: Caller) -> None:
        self._db: Final = db
        self._caller: Final = caller
        self.proven = False
        """Whether the session lives and is in use, and its customer is an admin still, or none."""

    async def ask(self, question: Question[T], /, **values: object) -> list[T]:
        """Ask a question. Raises Unproven, and answers nothing, if the caller is another.

        Where nothing is found, nobody is proven either.
        """
        if self.proven:
            return await self._db.ask(question, **values)
        now = clock.now()
        presumed = {f"bearer_{name}": value for name, value in self._caller._asdict().items()}
        found = await self._db.ask(
            _proving(question, self._caller._fields),
            **values,
            **presumed,
            bearer_now=now,
            bearer_lately=now - USE_PRECISION,
        )
        if not found or not all(row[-1] for row in found):
            raise Unproven
        self.proven = True
        return question.built(row[:-1] for row in found)


@lru_cache(2 * SHAPES)
def _proving(question: Question[T], fields: tuple[str, ...]) -> Question[Sequence[Any]]:
    """Write a question anew: on the condition that its caller is proven, which it tells last."""
    proof = _proof(fields)
    return Question(question.statement.where(proof).add_columns(proof.label("proof")), as_it_is)


def _proof(fields: Iterable[str]) -> Exists:
    """Say that a session lives and is in use, and that every field of its caller is as presumed.

    It depends on no row, so that the database finds it out once for a statement. A field that
    has no column here can't be proven, so that nobody is: KeyError.
    """
    presumed = (
        PROVEN_BY[name] == bindparam(f"bearer_{name}", type_=PROVEN_BY[name].type)
        for name in fields
    )
    bearer = (
        select(true())
        .select_from(SessionRow)
        .join(CustomerRow, SessionRow.customer_id == CustomerRow.id)
        .where(
            *presumed,
            SessionRow.last_used_at > bindparam("bearer_lately", type_=Moment()),
            lives(bindparam("bearer_now", type_=Moment())),
            CustomerRow.is_active,
        )
    )
    return exists(bearer.correlate(None))
