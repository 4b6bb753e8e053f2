"""Transaction: what a feature's rule reads and writes with, all of it or nothing."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, Concatenate, Final, ParamSpec, TypeVar, overload
from uuid import UUID

from gql_app.accounts import audit, letters, sessions
from gql_app.accounts.audit import Origin
from gql_app.accounts.sessions import Caller
from gql_app.errors import TokenMissing
from gql_app.extending.letters import Letter
from gql_app.lib import database
from gql_app.lib.database import Query, Statement
from gql_app.resources import Resources
from gql_app.schema.context import CALLER_KEY, Context
from gql_app.security.tokens import Identity

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class Transaction:
    """What a rule reads and writes with; it is committed when the rule returns.

    Nothing is done if the rule raises, so that Refused undoes all that was done before. A rule may
    run several times, for what the database undoes is tried again: it leaves no trace but by this.
    """

    def __init__(
        self, db: database.Transaction, resources: Resources, caller: Caller | None, origin: Origin
    ) -> None:
        """Take the transaction that has begun; rules are given one, and make none."""
        self._db: Final = db
        self._extensions: Final = resources.extensions
        self._origin: Final = origin
        self.caller: Final = caller
        """The caller, judged within this transaction; None if nobody is signed in."""

    @property
    def me(self) -> Caller:
        """The caller. Raises TokenMissing if nobody is signed in."""
        if self.caller is None:
            raise TokenMissing
        return self.caller

    def settings_of(self, kind: type[T]) -> T:
        """Return the settings of a feature. Raises LookupError if no feature has such ones."""
        return self._extensions.settings_of(kind)

    @overload
    async def fetch_all(self, query: Query[T], /, **values: object) -> list[T]: ...
    @overload
    async def fetch_all(self, query: Statement, /, **values: object) -> list[Any]: ...
    async def fetch_all(self, query: Query[Any] | Statement, /, **values: object) -> list[Any]:
        """Return what is built of each row: named tuples, unless a Query says otherwise.

        The statement is SQLAlchemy's, and values are those of its bindparam()s by their names.
        Raises Unavailable.
        """
        return await self._db.fetch_all(query, **values)

    @overload
    async def fetch_one(self, query: Query[T], /, **values: object) -> T | None: ...
    @overload
    async def fetch_one(self, query: Statement, /, **values: object) -> Any: ...  # noqa: ANN401 — a named tuple
    async def fetch_one(self, query: Query[Any] | Statement, /, **values: object) -> Any:
        """Return what is built of the first row, None if there is none. Raises Unavailable."""
        return await self._db.fetch_one(query, **values)

    async def execute(self, query: Query[Any] | Statement, /, **values: object) -> int:
        """Return the number of rows that were inserted, changed or deleted.

        Raises Unavailable, and IntegrityViolation where a constraint refuses it: the rule may
        raise Refused then, and do nothing else with this transaction.
        """
        return await self._db.execute(query, **values)

    async def audit(
        self, action: str, *, customer_id: UUID | None = None, fields: Sequence[str] = ()
    ) -> None:
        """Record that the caller did something, and whom it concerns.

        The action is one of `Feature.actions`. Of what was changed name the fields, and never
        values. Raises LookupError for an action that no feature has declared.
        """
        if action not in self._extensions.actions:
            message = f"{action} is no feature's action: name it in Feature.actions"
            raise LookupError(message)
        await audit.record(
            self._db, action, self._origin, customer_id=customer_id, fields=list(fields)
        )

    async def post(self, letter: Letter, customer_id: UUID, /, **data: object) -> None:
        """Write down that a customer is to get a letter, which leaves after the commit.

        The data is JSON that the letter is written of when it is sent. It stays in the database
        until then, so that no secret belongs there. Raises LookupError for a letter that is not
        among `Feature.letters`.
        """
        if letter.name not in self._extensions.letters:
            message = f"{letter.name} is no feature's letter: name it in Feature.letters"
            raise LookupError(message)
        await letters.post(self._db, letter.name, customer_id=customer_id, data=data)

    async def open_session(self, customer_id: UUID, until: datetime) -> Identity:
        """Return a new session for other credentials than tokens, such as an API key.

        An authenticator returns it for the credentials, which are the feature's to keep. They are
        refused when the session has ended: at the moment given, by endSession, or with the
        account. It gives way to no newer one, so how many there may be is for the feature to say.
        """
        session = await sessions.open_lasting_session(self._db, customer_id, self._origin, until)
        return Identity(customer_id, session.id)


def transaction(db: database.Transaction, context: Context) -> Transaction:
    """Return what a rule is given in a request's transaction, with the caller judged in it."""
    caller, origin = db.info.get(CALLER_KEY), context.origin
    if not isinstance(caller, Caller):
        return Transaction(db, context.resources, None, origin)
    origin = origin._replace(actor_id=caller.customer_id)
    return Transaction(db, context.resources, caller, origin)


async def transact(
    resources: Resources,
    rule: Callable[Concatenate[Transaction, P], Awaitable[R]],
    *args: P.args,
    **kwargs: P.kwargs,
) -> R:
    """Return what a rule returns, run in a transaction that no request has asked for."""

    async def run(db: database.Transaction) -> R:
        result = await rule(Transaction(db, resources, None, Origin()), *args, **kwargs)
        if letters.POSTED in db.info:
            db.after_commit(resources.posted.set)
        return result

    return await resources.database.transact(run)
