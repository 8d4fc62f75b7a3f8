"""With feedback a restart that loses the list is healed at once; without its word for it, at the next look."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from otd.lab.codec import Codec
from otd.lab.codec_state import Slot
from otd.lab.house import House, until
from tests.scenarios.test_endpoint_faults import QUICK, bookings

SOON = timedelta(seconds=60)
A_WHILE = timedelta(seconds=2)
HOURLY = replace(
    QUICK,
    answer=timedelta(seconds=20),
    act=timedelta(seconds=20),
    verify=timedelta(hours=1),
    learn=timedelta(milliseconds=300),
)
OFTEN = replace(HOURLY, verify=timedelta(seconds=4))
TWO = {"relay-a": "hq", "relay-b": "hq"}


def a_house(folder: Path, *, hourly: bool = True, feedback: bool = True) -> House:
    timing = HOURLY if hourly else OFTEN
    return House(folder, paced=False, timing=timing, relays=TWO, at_once=8, threads=4, feedback=feedback)


def comes(reached: Callable[[], bool], what: str) -> None:
    assert until(reached, SOON), f"{what} did not come"


def settled(house: House, profile: str = "roomos11") -> Codec:
    """An endpoint whose list is confirmed, and which was looked at."""
    codec = house.add("board", profile)
    house.adopt()
    house.want("board", bookings(1, 2, 3))
    comes(lambda: house.state("board").facts is not None, "the facts")
    assert house.is_right("board")
    return codec


def listener(house: House, codec: Codec) -> str:
    """The relay that the endpoint tells."""
    urls = [slot.url for slot in codec.state.slots.values()]
    return next(name for name, server in house.listeners.items() if any(url.startswith(server.url) for url in urls))


@pytest.mark.parametrize("profile", ["tc7", "ce9.15", "roomos11", "roomos26"])
def test_a_restart_that_loses_the_list_is_healed_long_before_the_next_look(tmp_path: Path, profile: str) -> None:
    with a_house(tmp_path) as house:
        codec = settled(house, profile)
        assert tuple(codec.state.slots) == (4,)
        for _ in range(2):
            codec.reboot()
            assert not house.is_right("board")
            comes(lambda: house.is_right("board"), "the list")
            comes(lambda: house.state("board").found == "rebooted", "the word for it")
        codec.reboot(takes=timedelta(seconds=1))  # it tells before it answers
        comes(lambda: house.is_right("board"), "the list")


def test_without_the_setting_nothing_is_registered_and_the_list_waits_for_the_next_look(tmp_path: Path) -> None:
    with a_house(tmp_path, feedback=False) as house:
        codec = settled(house)
        assert codec.state.slots == {}
        codec.reboot()
        assert not until(lambda: house.is_right("board"), A_WHILE)


def test_a_post_that_is_lost_changes_nothing_but_time(tmp_path: Path) -> None:
    with a_house(tmp_path, hourly=False) as house:
        codec = settled(house)
        codec.state.slots[4].failed = True  # silent
        codec.reboot()
        comes(lambda: house.is_right("board"), "the list")
        comes(lambda: not codec.state.slots[4].failed, "the slot")


def test_when_the_relay_that_is_told_dies_the_other_heals_and_takes_over(tmp_path: Path) -> None:
    with a_house(tmp_path, hourly=False) as house:
        codec = settled(house)
        dead = listener(house, codec)
        house.cut_relay(dead)
        codec.reboot()
        comes(lambda: house.is_right("board"), "the list")
        comes(
            lambda: any(
                slot.url.startswith(server.url)
                for slot in codec.state.slots.values()
                for server in house.listeners.values()
            ),
            "the other",
        )
        assert tuple(codec.state.slots) == (4,)


def test_an_endpoint_that_is_observed_is_never_registered(tmp_path: Path) -> None:
    with a_house(tmp_path, hourly=False) as house:
        house.cut_over("hq", "observe")
        codec = house.add("board", "roomos11")
        house.adopt()
        house.want("board", bookings(1))
        comes(lambda: house.state("board").facts is not None, "the facts")
        assert codec.state.slots == {}
        assert codec.puts == ()
        house.cut_over("hq", "deliver")
        comes(lambda: tuple(codec.state.slots) == (4,), "the registration")


def test_an_endpoint_that_is_removed_tells_nobody_and_others_slots_stay(tmp_path: Path) -> None:
    with a_house(tmp_path) as house:
        codec = house.add("board", "roomos11")
        others = {n: Slot(url=f"http://127.0.0.1:9/{n}", format="XML", expressions=("/Event",)) for n in (2, 3, 4)}
        codec.state.slots.update(others)
        house.adopt()
        house.want("board", bookings(1))
        comes(lambda: 1 in codec.state.slots, "the registration")
        comes(lambda: house.state("board").facts is not None, "the facts")
        del house.endpoints["board"]
        house.adopt()
        comes(lambda: house.store.endpoints() == (), "the end of its row")
        assert {number: slot.url for number, slot in codec.state.slots.items()} == {
            number: slot.url for number, slot in others.items()
        }
