"""The cache of adapters: bounded, and no credential in its keys."""

from __future__ import annotations

import pytest

from app.services.provider_access.cache import BoundedCache


def test_the_least_recently_used_value_is_dropped() -> None:
    cache = BoundedCache[str](2)
    one, two, three = (cache.key(name) for name in ("one", "two", "three"))
    cache.get(one, lambda: "1")
    cache.get(two, lambda: "2")
    assert cache.get(one, lambda: "made again") == "1"
    cache.get(three, lambda: "3")
    assert len(cache) == 2
    assert cache.get(one, lambda: "made again") == "1"
    assert cache.get(two, lambda: "made again") == "made again"


def test_a_failed_make_keeps_nothing() -> None:
    cache = BoundedCache[str](2)
    with pytest.raises(ZeroDivisionError):
        cache.get(cache.key("one"), lambda: str(1 // 0))
    assert len(cache) == 0


def test_keys_hide_what_they_are_made_of() -> None:
    cache, other = BoundedCache[str](2), BoundedCache[str](2)
    assert b"sk_live" not in cache.key("stripe", "sk_live_51")
    assert cache.key("stripe", "sk_live_51") != other.key("stripe", "sk_live_51"), "a digest could be guessed"
    assert cache.key("ab", "c") != cache.key("a", "bc")
