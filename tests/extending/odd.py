"""Invalid tables of a feature."""

from datetime import time, timedelta
from decimal import Decimal
from uuid import UUID, uuid4

from sqlalchemy import Interval, Numeric, Time
from sqlalchemy.orm import Mapped, mapped_column

from gql_app import Table


class LastingRow(Table):
    """A row with a column of an unsupported type."""

    __tablename__ = "odd_lasting"

    id: Mapped[int] = mapped_column(primary_key=True)
    lasts: Mapped[timedelta] = mapped_column(Interval())


class ComputedRow(Table):
    """A row with a default that is computed in Python."""

    __tablename__ = "odd_computed"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    price: Mapped[Decimal] = mapped_column(Numeric(), default=Decimal)
    at: Mapped[time] = mapped_column(Time())


class LetterRow(Table):
    """A row of a table whose name is taken by ours."""

    __tablename__ = "letters"

    id: Mapped[int] = mapped_column(primary_key=True, default=int)
