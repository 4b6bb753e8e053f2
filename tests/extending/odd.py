"""Tables that no feature may have."""

from datetime import timedelta
from uuid import UUID, uuid4

from sqlalchemy import Interval
from sqlalchemy.orm import Mapped, mapped_column

from gql_app import Table


class LastingRow(Table):
    """A row of a type that is not known."""

    __tablename__ = "odd_lasting"

    id: Mapped[int] = mapped_column(primary_key=True)
    lasts: Mapped[timedelta] = mapped_column(Interval())


class ComputedRow(Table):
    """A row of which a default is computed in Python."""

    __tablename__ = "odd_computed"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)


class LetterRow(Table):
    """A row of a table of ours."""

    __tablename__ = "letters"

    id: Mapped[int] = mapped_column(primary_key=True)
