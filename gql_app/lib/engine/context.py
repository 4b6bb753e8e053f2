"""What the engine asks of an application's context, which every resolver is given."""

from typing import Protocol

from gql_app.lib.engine.documents import Document


class ExecutionContext(Protocol):
    """One request. The engine sets these before anything of it is executed."""

    operation: str
    """The operation's name; empty if it has none."""
    kind: str
    """Whether it is a query or a mutation."""
    document: Document
    """The document that the operation is of."""
