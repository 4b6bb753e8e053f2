"""Tallies: the first at once, a flood by its number, bounded, and nothing lost."""

from gql_app.lib.throttling import Counted, Tally


def test_first_is_due_at_once_and_the_others_once_in_an_interval() -> None:
    now = [0.0]
    tally = Tally[str, int](interval=60, size=10, now=lambda: now[0])
    for detail in range(3):
        tally.add("a", detail)
    assert tally.first.is_set()
    assert tally.take_due() == [Counted("a", 2, 3)]
    tally.add("a", 7)
    now[0] = 59
    assert tally.take_due() == []
    now[0] = 61
    assert tally.take_due() == [Counted("a", 7, 1)]
    now[0] = 122
    assert tally.take_due() == []
    tally.add("a", 8)
    assert tally.take_due() == [Counted("a", 8, 1)]


def test_what_is_put_back_is_due_at_once() -> None:
    tally = Tally[str, int](interval=60, size=10, now=lambda: 0.0)
    tally.add("a", 1)
    taken = tally.take_due()
    tally.add("a", 2)
    tally.put_back(taken)
    assert tally.take_due() == [Counted("a", 2, 2)]


def test_at_last_everything_is_due_and_kinds_are_bounded() -> None:
    tally = Tally[str, int](interval=60, size=1, now=lambda: 0.0)
    tally.add("a", 1)
    tally.take_due()
    tally.add("a", 2)
    assert tally.is_full("b")
    assert not tally.is_full("a")
    assert tally.take_due(last=True) == [Counted("a", 2, 1)]
