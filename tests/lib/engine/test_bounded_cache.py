"""A cache is bounded by what its values take; the least recently used give way."""

from gql_app.lib.engine import BoundedCache


def test_value_that_is_asked_for_stays_and_the_least_recently_used_goes() -> None:
    cache: BoundedCache[str] = BoundedCache(30)
    for key in "abc":
        cache.add(key, key.upper(), 10)
    assert cache.get("a") == "A"
    cache.add("d", "D", 10)
    assert {key: cache.get(key) is not None for key in "abcd"} == {
        "a": True, "b": False, "c": True, "d": True,
    }  # fmt: skip
    assert (len(cache), cache.bytes) == (3, 30)


def test_a_large_value_takes_the_place_of_several() -> None:
    cache: BoundedCache[str] = BoundedCache(30)
    for key in "abc":
        cache.add(key, key.upper(), 10)
    cache.add("d", "D", 25)
    assert [key for key in "abcd" if cache.get(key)] == ["d"]


def test_value_larger_than_the_bound_is_not_kept() -> None:
    cache: BoundedCache[str] = BoundedCache(9)
    cache.add("a", "A", 10)
    assert (cache.get("a"), len(cache), cache.bytes) == (None, 0, 0)


def test_value_that_grows_takes_the_place_of_others_and_at_last_its_own() -> None:
    cache: BoundedCache[str] = BoundedCache(30)
    for key in "abc":
        cache.add(key, key.upper(), 10)
    cache.add("a", "A", 11)
    assert ([key for key in "abc" if cache.get(key)], cache.bytes) == ([*"ac"], 21)
    cache.add("a", "A", 31)
    assert ([key for key in "abc" if cache.get(key)], cache.bytes) == (["c"], 10)
