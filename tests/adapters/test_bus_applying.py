"""What relays say is applied by a few threads at once, and in order for each endpoint."""

from __future__ import annotations

import threading

from otd.bus.applying import Appliers


def test_what_is_about_one_thing_is_applied_in_order_and_other_things_do_not_wait_for_it() -> None:
    begun, go_on, others = threading.Event(), threading.Event(), threading.Event()
    applied: list[tuple[str, int]] = []

    def apply(what: tuple[str, int]) -> None:
        if what == ("slow", 0):
            begun.set()
            go_on.wait(10)
        applied.append(what)
        if sum(thing != "slow" for thing, _ in applied) == 8:
            others.set()

    appliers = Appliers(apply, name="test", threads=2)
    slow = [("slow", number) for number in range(3)]
    for what in slow:
        appliers.put(what[0], what)
    for number in range(8):
        appliers.put("prompt", ("prompt", number))
    assert others.wait(10)
    assert begun.wait(10)
    assert applied == [("prompt", number) for number in range(8)]
    go_on.set()
    appliers.close()
    assert applied[8:9] == slow[:1]  # what was begun was done


def test_closing_leaves_what_was_not_begun() -> None:
    begun, go_on = threading.Event(), threading.Event()
    applied: list[int] = []

    def apply(what: int) -> None:
        begun.set()
        go_on.wait(10)
        applied.append(what)

    appliers = Appliers(apply, name="test", threads=1)
    for number in range(3):
        appliers.put("one", number)
    assert begun.wait(10)
    threading.Timer(0.2, go_on.set).start()
    appliers.close()
    assert applied == [0]
