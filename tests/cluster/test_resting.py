"""Relays that take nothing from their pool: one in maintenance, and the later of two under one identity."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from otd.model import RelayState
from tests.cluster.house import House, Process, house
from tests.waiting import until

pytestmark = pytest.mark.cluster
SOON = timedelta(seconds=60)


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[House]:
    with house(tmp_path) as found:
        found.worker("one")
        found.relay("relay-a")
        found.until_everything_is_shown("the first lists")
        yield found


def state(house: House, name: str = "relay-a") -> RelayState:
    return next(relay for relay in house.store.relays() if relay.name == name)


def move_a_meeting(house: House, minutes: int) -> None:
    scene = house.scene
    scene.mailbox("boardroom").move(scene.ids["Quarterly numbers"], scene.now + timedelta(minutes=minutes))
    house.until_everything_is_shown(f"the lists with a meeting moved by {minutes} minutes")


def test_of_two_processes_under_one_identity_the_later_one_rests_and_it_is_said(installation: House) -> None:
    first = installation.relays["relay-a"]
    arguments = ["-m", "otd.lab.relay_process", str(installation.folder / "relay-a.json")]
    log = installation.folder / "clone.log"
    clone = Process([sys.executable, *arguments, str(installation.folder / "other")], log, installation.environment)
    installation.relays["clone"] = clone  # which ends it
    clone.start()
    until(lambda: state(installation).cloned, SOON, "the clone being known")
    until(lambda: '"relay rests"' in clone.log, SOON, f"the clone resting, which says {clone.log[-1500:]}")
    done = clone.log.count("order begun")
    move_a_meeting(installation, 7)
    assert clone.log.count("order begun") == done
    assert '"relay rests"' not in first.log
    assert clone.end() == 0
    until(lambda: not state(installation).cloned, SOON, "the clone being gone")


def test_a_relay_in_maintenance_takes_nothing_from_its_pool_until_it_is_over(installation: House) -> None:
    installation.relay("relay-b")
    until(lambda: len(installation.store.relays()) == 2, SOON, "both relays")
    installation.store.members.rest("relay-a", True)
    rests = installation.relays["relay-a"]
    until(lambda: '"relay rests"' in rests.log, SOON, "relay-a resting")
    done = rests.log.count('"verb": "put"')
    move_a_meeting(installation, 9)
    assert rests.log.count('"verb": "put"') == done
    installation.store.members.rest("relay-a", False)
    until(lambda: '"relay is back at work"' in rests.log, SOON, "relay-a at work again")
    move_a_meeting(installation, 11)
