"""`otd release`, `otd rules revert` and what `otd status` says of the brake."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from otd import __version__
from otd.dialplan.ruling import Ruling
from otd.model import Room
from otd.store.sql import SqlStore
from tests.adapters.cli import KEY, SETTINGS, Otd, an_installation
from tests.adapters.cli import otd as otd  # a fixture
from tests.values import a_booking

ROOMS = "".join(f'\n[rooms.r{n}]\ncalendar = "post"\n' for n in range(25))


@pytest.fixture
def store(otd: Otd, tmp_path: Path) -> SqlStore:
    """A database in which the brake holds the rooms of a calendar, and rules."""
    an_installation(tmp_path, SETTINGS + ROOMS)
    found = SqlStore(f"sqlite:///{tmp_path / 'otd.db'}", base64.urlsafe_b64decode(KEY))
    found.adopt([Room(name=f"r{n}", calendar="post", mailbox=f"r{n}") for n in range(25)], [], {"post": 4}, "d")
    now = found.now()
    booking = a_booking(start=now, end=now.replace(year=now.year + 1))
    for number in range(20):
        found.emptying(f"r{number}", "post", (("codec", (booking,)),))
    found.put_ruling(Ruling(version="before").saved)
    found.put_ruling(Ruling(version=__version__).saved, held_for=(7, "the rules would change 7 of 9 dial strings"))
    return found


def test_what_is_held_is_said_with_since_when_and_why(otd: Otd, store: SqlStore) -> None:
    said = otd("status")
    assert said.code == 1
    assert "20 rooms of post are held by the brake" in said.out
    assert "20 of 25 rooms would go from bookings to none" in said.out
    assert "`otd release post`" in said.out
    assert "The rules are held by the brake" in said.out
    held = json.loads(otd("status", "--json").out)["held"]
    assert [(one["name"], one["things"]) for one in held] == [("post", 20), ("rules", 7)]
    assert otd("release").code == 1


def test_rooms_are_let_go(otd: Otd, store: SqlStore) -> None:
    said = otd("release", "post")
    assert (said.code, said.out) == (0, "20 rooms of post are read anew, and shown as the calendar says\n")
    assert [one.name for one in store.brakes()] == ["rules"]
    assert otd("release", "post").code == 2


def test_rules_are_let_go(otd: Otd, store: SqlStore) -> None:
    assert otd("release", "rules").code == 0
    ruling = store.ruling("force")
    assert ruling is not None
    assert ruling == Ruling(version=__version__).saved


def test_rules_are_gone_back_from(otd: Otd, store: SqlStore) -> None:
    assert otd("rules", "revert").code == 0
    assert store.ruling("force") == Ruling(version="before").saved
    assert [one.name for one in store.brakes()] == ["post"]
    assert otd("rules", "revert").code == 1


def test_nothing_is_held_of_a_name_that_is_not_there(otd: Otd, store: SqlStore) -> None:
    said = otd("release", "elsewhere")
    assert said.code == 2
    assert "it holds: post, rules" in said.err
