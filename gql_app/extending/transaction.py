"""Transaction: the database access of a feature's rule, committed or rolled back as a whole."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, Concatenate, Final, ParamSpec, TypeVar, overload
from uuid import UUID

from gql_app.accounts import audit, sessions
from gql_app.accounts.audit import Origin
from gql_app.accounts.mail import letters
from gql_app.accounts.sessions import Caller
from gql_app.errors import TokenMissing, Undeclared
from gql_app.extending.letters import Letter
from gql_app.lib import database
from gql_app.lib.database import Query, Statement
from gql_app.resources import Resources
from gql_app.schema.context import CALLER_KEY
from gql_app.security.tokens import Identity

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class Transaction:
    """The database access of a rule; it is committed when the rule returns.

    It is rolled back if the rule raises, Refused included. A rule may run several times, as a
    transaction that the database rolls back is retried: it should have no other effects than this.
    """

    def __init__(
        self, db: database.Transaction, resources: Resources, caller: Caller | None, origin: Origin
    ) -> None:
        """Wrap a transaction that has begun; rules are passed one, and make none."""
        self._db: Final = db
        self._extensions: Final = resources.extensions
        self._origin: Final = origin
        self.caller: Final = caller
        """The caller, authorised within this transaction; None without a signed-in caller."""

    @property
    def me(self) -> Caller:
        """The caller. Raises TokenMissing without a signed-in caller."""
        if self.caller is None:
            raise TokenMissing
        return self.caller

    def settings_of(self, kind: type[T]) -> T:
        """Return the settings of a feature by their class. Raises LookupError if none has it."""
        return self._extensions.settings_of(kind)

    @overload
    async def fetch_all(self, query: Query[T], /, **values: object) -> list[T]: ...
    @overload
    async def fetch_all(self, query: Statement, /, **values: object) -> list[Any]: ...
    async def fetch_all(self, query: Query[Any] | Statement, /, **values: object) -> list[Any]:
        """Return all rows: named tuples, or what a Query builds of them.

        The statement is SQLAlchemy's; `values` are those of its bindparam()s by name. Raises
        Unavailable.
        """
        return await self._db.fetch_all(query, **values)

    @overload
    async def fetch_one(self, query: Query[T], /, **values: object) -> T | None: ...
    @overload
    async def fetch_one(self, query: Statement, /, **values: object) -> Any: ...  # noqa: ANN401 — a named tuple
    async def fetch_one(self, query: Query[Any] | Statement, /, **values: object) -> Any:
        """Return the first row as in fetch_all(), None if there is none. Raises Unavailable."""
        return await self._db.fetch_one(query, **values)

    async def execute(self, query: Query[Any] | Statement, /, **values: object) -> int:
        """Run a statement, and return the number of rows inserted, changed or deleted.

        Raises Unavailable, and IntegrityViolation if a constraint is violated: the rule may then
        raise Refused, and do nothing else with this transaction.
        """
        return await self._db.execute(query, **values)

    async def audit(
        self, action: str, *, customer_id: UUID | None = None, fields: Sequence[str] = ()
    ) -> None:
        """Record an action of the caller in the audit log, and the customer that it concerns.

        The action is one of `Feature.actions`. `fields` has the names of the changed fields, never
        their values. Raises LookupError for an action that no feature declares, and TypeError for
        names that are no texts or no list.
        """
        if action not in self._extensions.actions:
            message = f"{action} is no feature's action: name it in Feature.actions"
            raise Undeclared(message)
        names = list(fields)
        if isinstance(fields, str) or not all(isinstance(each, str) for each in names):
            message = f"the fields of {action} are no list of names, each a text"
            raise TypeError(message)
        await audit.record(self._db, action, self._origin, customer_id=customer_id, fields=names)

    async def post(self, letter: Letter, customer_id: UUID, /, **data: object) -> None:
        """Queue a letter to a customer, which is sent after the commit.

        `data` is JSON from which the letter is written when it is sent. It is stored in the
        database until then, so it must hold no secret. Raises LookupError for a letter that is not
        in any `Feature.letters`, and TypeError for data that is no JSON.
        """
        if letter.name not in self._extensions.letters:
            message = f"{letter.name} is no feature's letter: name it in Feature.letters"
            raise Undeclared(message)
        await letters.post(self._db, letter.name, customer_id=customer_id, data=data)

    async def open_session(self, customer_id: UUID, until: datetime) -> Identity:
        """Return a new session for other credentials than tokens, such as an API key.

        The feature stores the credentials, and its authenticator returns the session for them. They
        are refused once the session has ended: at `until`, by endSession, or with the account. The
        limit of sessions per account doesn't apply, so the feature has to limit their number.
        Raises TypeError for a time without a time zone.
        """
        session = await sessions.open_lasting_session(self._db, customer_id, self._origin, until)
        return Identity(customer_id, session.id)


def transaction(db: database.Transaction, resources: Resources, origin: Origin) -> Transaction:
    """Return a rule's view of a request's transaction, with the caller authorised in it."""
    caller = db.info.get(CALLER_KEY)
    if not isinstance(caller, Caller):
        return Transaction(db, resources, None, origin)
    return Transaction(db, resources, caller, origin.by(caller.customer_id))


async def transact(
    resources: Resources,
    rule: Callable[Concatenate[Transaction, P], Awaitable[R]],
    *args: P.args,
    **kwargs: P.kwargs,
) -> R:
    """Run a rule in a transaction outside of any request, and return its result."""

    async def run(db: database.Transaction) -> R:
        result = await rule(Transaction(db, resources, None, Origin()), *args, **kwargs)
        if letters.POSTED in db.info:
            db.after_commit(resources.posted.set)
        return result

    return await resources.database.transact(run)
