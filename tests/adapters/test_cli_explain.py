"""`otd explain` at a terminal: a room that works, and the mistakes people make."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from otd.causes import CAUSES
from otd.cli.options import settings_of
from otd.wiring import store
from tests.adapters.cli import Otd, an_installation
from tests.adapters.cli import otd as otd  # a fixture


@pytest.fixture
def installed(otd: Otd, tmp_path: Path) -> Otd:
    """A room whose calendar nobody has read yet."""
    an_installation(tmp_path)
    settings = settings_of("otd.toml")
    database = store(settings)
    database.adopt(settings.rooms.values(), settings.endpoints.values(), {"post": 1, "hq": 1, "house": 1}, "x")
    database.close()
    return otd


def test_a_room_that_was_never_read(installed: Otd) -> None:
    said = installed("explain", "board")
    assert said.code == 1
    assert "Board room (board)" in said.out
    assert "[calendar_unread]" in said.out
    assert CAUSES["calendar_unread"].mend in said.out


def test_machines_get_the_same(installed: Otd) -> None:
    said = installed("explain", "board", "--json")
    found = json.loads(said.out)
    assert (said.code, found["cause"], found["stage"], found["room"]) == (1, "calendar_unread", "calendar", "board")


def test_every_cause_is_listed_with_its_mend(otd: Otd) -> None:
    said = otd("explain", "--causes")
    assert said.code == 0
    for cause in CAUSES.values():
        assert cause.code in said.out
        assert cause.mend in said.out
    assert {one["code"] for one in json.loads(otd("explain", "--causes", "--json").out)} == set(CAUSES)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("bord",), "did you mean board?"),
        (("board-codec",), "it is an endpoint; what is explained is a room that it shows (`otd explain board`)"),
        ((), "name a room"),
        (("board", "--at", "teatime"), "write it like"),
        (("board", "--at", ""), "calendar_unread"),
    ],
)
def test_mistakes_are_said_with_the_mend(installed: Otd, arguments: tuple[str, ...], said: str) -> None:
    found = installed("explain", *arguments)
    assert found.code != 0
    assert said in found.out + found.err
    assert "Traceback" not in found.err


def test_a_time_of_which_nothing_is_kept(installed: Otd) -> None:
    assert "[not_kept]" in installed("explain", "board", "--at", "2020-01-01 10:00").out


def test_a_time_ahead_is_said_as_things_stand_now(installed: Otd) -> None:
    assert "as things stand now" in installed("explain", "board", "--at", "tomorrow 10:00").out


def test_without_a_database_it_says_what_to_do(otd: Otd, tmp_path: Path) -> None:
    an_installation(tmp_path)
    said = otd("explain", "board")
    assert said.code == 1
    assert "otd run" in said.err
