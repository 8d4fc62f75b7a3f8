"""The lists that a relay holds: the newest one, sealed on disk, and complete or not."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest

from otd import bookings
from otd.errors import BadSetting
from otd.model import BookingList
from otd.relay.lists import Lists
from tests.adapters.face_client import KEY, THREE, a_list, a_polycom
from tests.values import HOUR, T0, WINDOW


@pytest.fixture
def lists() -> Lists:
    return Lists(None, KEY)


def test_the_newest_list_holds_whatever_the_order_it_came_in(lists: Lists) -> None:
    lists.put(a_list(revision=11, bookings=THREE[:1]))
    held = lists.put(a_list(revision=10, bookings=THREE))
    assert (held.revision, held.bookings) == (11, THREE[:1])
    assert lists.get("poly1") == held


def test_the_same_list_again_stays_valid_longer_and_never_shorter(lists: Lists) -> None:
    lists.put(a_list())
    assert lists.put(a_list(valid_until=T0 + 20 * HOUR)).valid_until == T0 + 20 * HOUR
    assert lists.put(a_list(valid_until=T0 + 2 * HOUR)).valid_until == T0 + 20 * HOUR


def test_the_digest_is_the_centres(lists: Lists) -> None:
    wanted = BookingList(endpoint="poly1", window=WINDOW, bookings=THREE)
    assert lists.put(a_list()).digest == bookings.digest(wanted)


def test_lists_are_there_after_a_restart_and_cannot_be_read_without_the_key(tmp_path: Path) -> None:
    path = tmp_path / "lists.db"
    lists = Lists(path, KEY)
    held = lists.put(a_list())
    lists.close()
    for file in tmp_path.iterdir():
        assert b"plcm" not in file.read_bytes()
        assert b"Standup" not in file.read_bytes()
    again = Lists(path, KEY)
    assert again.all() == (held,)
    again.close()
    other = Lists(path, KEY[::-1])
    assert other.all() == ()
    other.close()


def test_a_list_copied_to_another_endpoints_row_does_not_open(tmp_path: Path) -> None:
    path = tmp_path / "lists.db"
    lists = Lists(path, KEY)
    lists.put(a_list())
    lists.close()
    base = sqlite3.connect(path)
    base.execute("UPDATE lists SET endpoint = 'poly2'")
    base.commit()
    base.close()
    again = Lists(path, KEY)
    assert again.all() == ()
    again.close()


def test_what_was_forgotten_does_not_come_back(tmp_path: Path) -> None:
    lists = Lists(tmp_path / "lists.db", KEY)
    lists.put(a_list())
    lists.forget("poly1")
    lists.forget("never there")
    lists.close()
    again = Lists(tmp_path / "lists.db", KEY)
    assert again.all() == ()
    again.close()


def test_a_relay_is_complete_when_every_list_that_the_centre_named_is_there_and_new_enough(lists: Lists) -> None:
    assert not lists.is_complete(T0)
    lists.put(a_list())
    assert lists.is_complete(T0), "the centre has not been heard yet; what is held counts"
    lists.begin_fill({"poly1": 11, "poly2": 0})
    assert lists.missing(T0) == ("poly1", "poly2")
    assert lists.get("poly1") is None, "the centre has a newer one"
    lists.put(a_list(revision=11))
    lists.put(a_list(endpoint=a_polycom(name="poly2"), revision=1))
    assert lists.is_complete(T0)
    assert not lists.is_complete(T0 + 12 * HOUR), "no longer valid"
    lists.forget("poly2")
    assert lists.is_complete(T0)


def test_a_pool_without_polycom_endpoints_is_complete(lists: Lists) -> None:
    lists.begin_fill({})
    assert lists.is_complete(T0)


def test_lists_of_endpoints_that_left_meanwhile_are_dropped(tmp_path: Path) -> None:
    lists = Lists(tmp_path / "lists.db", KEY)
    lists.put(a_list())
    lists.begin_fill({"poly2": 1})
    lists.close()
    again = Lists(tmp_path / "lists.db", KEY)
    assert again.all() == ()
    again.close()


def test_lists_may_come_from_several_threads_at_once(lists: Lists) -> None:
    def put(first: int) -> None:
        for number in range(first, first + 20):
            lists.put(a_list(endpoint=a_polycom(name=f"poly{number % 10}"), revision=number))

    threads = [threading.Thread(target=put, args=(20 * index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(held.revision for held in lists.all()) == list(range(70, 80))


def test_a_file_that_cannot_be_opened_or_a_short_key_is_a_setting_to_mend(tmp_path: Path) -> None:
    with pytest.raises(BadSetting, match="relay's lists"):
        Lists(tmp_path / "no" / "such" / "folder" / "lists.db", KEY)
    with pytest.raises(BadSetting, match="relay's key"):
        Lists(None, b"short")
