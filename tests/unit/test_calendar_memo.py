"""What a calendar remembers between two readings, and how it finds out that an answer is for another room."""

from __future__ import annotations

import pytest

from otd.calendars.memo import Memo
from otd.calendars.owners import Owners
from otd.errors import Garbled


def test_what_was_put_is_remembered_until_it_is_put_anew() -> None:
    memo: Memo[str] = Memo(limit=100)
    memo.put("room1", "old", 10)
    memo.put("room1", "new", 20)
    assert (memo.get("room1"), memo.get("room2"), memo.size) == ("new", None, 20)


def test_the_least_recently_used_makes_room() -> None:
    memo: Memo[str] = Memo(limit=100)
    for name in ("room1", "room2", "room3"):
        memo.put(name, name, 33)
    memo.get("room1")
    memo.put("room4", "room4", 33)
    assert [memo.get(f"room{n}") for n in range(1, 5)] == ["room1", None, "room3", "room4"]
    assert memo.size == 99


def test_what_is_larger_than_all_the_room_there_is_is_not_kept_and_pushes_nothing_out() -> None:
    memo: Memo[str] = Memo(limit=100)
    memo.put("room1", "small", 10)
    memo.put("room2", "large", 101)
    assert (memo.get("room1"), memo.get("room2")) == ("small", None)


def test_nothing_is_left_after_clear() -> None:
    memo: Memo[str] = Memo(limit=100)
    memo.put("room1", "x", 10)
    memo.clear()
    assert (memo.get("room1"), memo.size) == (None, 0)


def test_an_item_belongs_to_one_mailbox() -> None:
    owners = Owners()
    owners.claim("room1@example.com", ["a", "b"], "here")
    with pytest.raises(Garbled, match=r"room1@example\.com"):
        owners.claim("room2@example.com", ["c", "b"], "here")
    owners.claim("ROOM1@example.com", ["b"], "here")  # capitals of an address make no difference
    owners.claim("room2@example.com", ["a"], "here")  # room1 no longer holds it
    with pytest.raises(Garbled):
        owners.claim("room1@example.com", ["a"], "here")


def test_a_refused_claim_changes_nothing() -> None:
    owners = Owners()
    owners.claim("room1@example.com", ["a"], "here")
    with pytest.raises(Garbled):
        owners.claim("room2@example.com", ["a", "b"], "here")
    owners.claim("room3@example.com", ["b"], "here")
