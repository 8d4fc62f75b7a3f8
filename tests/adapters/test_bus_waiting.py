"""What a relay begins first of what it has taken."""

from __future__ import annotations

import threading

from otd.bus.consuming import Taken
from otd.bus.waiting import Waiting
from otd.model import Fill

ORDER = Fill(relay="relay1", pool="hq", lists=())  # which one it is does not matter here


def a_message(name: str) -> Taken:
    return Taken(body=name.encode(), key="", queue="", user_id="", message_id="", at=0.0, tag=0, connection=1)


def taken(waiting: Waiting) -> str:
    found = waiting.get()
    assert found is not None
    return found[0].body.decode()


def test_what_came_by_the_own_queue_goes_first_then_the_pools_then_looks() -> None:
    waiting = Waiting(looks=1)
    waiting.put(a_message("look"), own=True)
    assert taken(waiting) == "look"
    waiting.postpone(a_message("look"), ORDER)
    waiting.put(a_message("pool"), own=False)
    waiting.put(a_message("own"), own=True)
    assert [taken(waiting) for _ in range(3)] == ["own", "pool", "look"]


def test_looks_leave_threads_to_lists() -> None:
    waiting = Waiting(looks=1)
    waiting.postpone(a_message("one"), ORDER)
    waiting.postpone(a_message("other"), ORDER)
    assert taken(waiting) == "one"
    got: list[str] = []
    thread = threading.Thread(target=lambda: got.extend(taken(waiting) for _ in range(2)), daemon=True)
    thread.start()
    waiting.put(a_message("list"), own=False)  # it waits for no look
    thread.join(0.3)
    assert got == ["list"]  # and the second look waits for the first
    waiting.looked()
    thread.join(5)
    assert got == ["list", "other"]


def test_when_it_is_over_nobody_gets_anything() -> None:
    waiting = Waiting(looks=1)
    got: list[object] = []
    thread = threading.Thread(target=lambda: got.append(waiting.get()))
    thread.start()
    waiting.close()
    thread.join(5)
    waiting.put(a_message("late"), own=True)
    assert (got, waiting.get()) == ([None], None)
