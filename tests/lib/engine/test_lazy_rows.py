"""Lazy rows: objects that are built only when somebody looks at them."""

from collections.abc import Sequence

from gql_app.lib.engine import Columns, LazyRows


def test_objects_are_built_when_they_are_looked_at() -> None:
    built: list[object] = []

    def build(row: Sequence[object]) -> object:
        built.append(row[0])
        return row[0]

    values = [("a", -500), ("b", -500)]
    rows = LazyRows(("label", "grams"), values, build, frozenset({"label"}))
    assert (rows.columns, rows.values) == (("label", "grams"), [("a", -500), ("b", -500)])
    assert (len(rows), built) == (2, [])
    assert list(rows) == ["a", "b"] == built
    assert (rows[1], rows[:1]) == ("b", ["a"])


def test_rows_by_column_are_a_sequence_of_rows() -> None:
    rows = Columns([("a", "b", "c"), [1, 2, 3]], 3)
    assert (len(rows), [*rows]) == (3, [("a", 1), ("b", 2), ("c", 3)])
    assert ([*rows[1]], [*rows[-1]]) == (["b", 2], ["c", 3])
    assert (len(rows[1:]), [*rows[1:]]) == (2, [("b", 2), ("c", 3)])
    assert (len(rows[2:1]), [*rows[2:1]]) == (0, [])
    assert [*Columns([], 3)[1:]] == [(), ()]
