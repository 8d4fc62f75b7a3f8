"""A replay beside a working installation loses nothing, reorders nothing, and the second time has nothing to do."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from otd.deliveries import condition
from otd.lab.scene import BOOKED, Scene
from otd.settings import load
from otd.wiring import Centre
from tests.adapters.cli import Otd
from tests.adapters.cli import otd as otd  # a fixture
from tests.scenarios.conftest import everything_shown
from tests.waiting import until

SOON = timedelta(seconds=120)


@pytest.fixture
def centre(scene: Scene):  # type: ignore[no-untyped-def]
    centre = Centre(load(scene.config, {}))
    centre.start()
    until(lambda: all(condition(state) == "confirmed" for state in centre.store.endpoints()), SOON, "the first lists")
    yield centre
    centre.stop()


def test_replays_with_deliver_beside_a_live_load(scene: Scene, centre: Centre, otd: Otd) -> None:
    subject = "Quarterly numbers"
    start = next(scene.meeting(booked).start for booked in BOOKED if booked.subject == subject)
    for step in range(1, 4):
        scene.mailbox("boardroom").move(scene.ids[subject], start + step * timedelta(minutes=5))
        centre.store.hint("refresh", "boardroom")
        centre.executor.wake()
        said = otd("replay", "--all", "--deliver", "--json", "--config", scene.config)
        assert said.code in (0, 1), said.err
        json.loads(said.out)
    until(lambda: everything_shown(scene), SOON, "the last list")
    revisions = [line.revision for line in centre.store.audit(("endpoint:boardroom-codec",), kinds=("list", "sent"))]
    assert revisions == sorted(revisions), "nothing older was ever sent after something newer"
    said = otd("replay", "--all", "--deliver", "--json", "--config", scene.config)
    found = json.loads(said.out)
    assert (said.code, found["delivered"]) == (0, [])
    assert found["counts"]["same"] > 0
