"""`otd run` may be killed at any moment: after the next start every endpoint shows what its calendar says."""

from __future__ import annotations

import random
import threading
from datetime import timedelta

from otd.lab.scene import PLACES, Scene
from tests.scenarios.conftest import Run, everything_shown, until

KILLS = 20
SOON = timedelta(seconds=30)


def test_a_kill_at_twenty_random_moments_loses_nothing(scene: Scene, run: Run, chance: random.Random) -> None:
    run.start()
    until(lambda: everything_shown(scene), SOON, "the first lists")
    for number in range(KILLS):
        for room in (place.name for place in PLACES if place.calendar != "files"):
            _change_something(scene, room, chance)
        threading.Event().wait(chance.uniform(0, 2))
        run.kill()
        run.start()
        until(lambda: everything_shown(scene), SOON, f"the lists after kill {number + 1}")
    assert run.stop() == 0
    assert "Traceback" not in run.log


def _change_something(scene: Scene, room: str, chance: random.Random) -> None:
    """Move one of the room's single meetings by some minutes."""
    subjects = [
        s for s, id in scene.ids.items() if (item := scene.mailbox(room).item(id)) and not item.appointment.rule
    ]
    subject = chance.choice(subjects)
    item = scene.mailbox(room).item(scene.ids[subject])
    assert item is not None
    scene.mailbox(room).move(scene.ids[subject], item.meeting.start + timedelta(minutes=chance.randint(1, 5)))
