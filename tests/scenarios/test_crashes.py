"""`otd run` may be killed at any moment: after the next start every endpoint shows what its calendar says."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

from otd.lab.scene import PLACES, Scene
from tests.scenarios.conftest import Run, everything_shown
from tests.waiting import until

HOUSES = 4  # installations beside each other, to spare the time of waiting
KILLS = 5  # of each
SOON = timedelta(seconds=120)


def test_a_kill_at_twenty_random_moments_loses_nothing(tmp_path: Path, chance: random.Random) -> None:
    with ThreadPoolExecutor(HOUSES) as threads:
        seeds = [chance.random() for _ in range(HOUSES)]
        list(threads.map(_killed_again_and_again, [tmp_path / str(n) for n in range(HOUSES)], seeds))


def _killed_again_and_again(folder: Path, seed: float) -> None:
    chance = random.Random(seed)  # noqa: S311
    with Scene(folder) as scene:
        run = Run(scene.config)
        run.start()
        try:
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
        finally:
            run.kill()


def _change_something(scene: Scene, room: str, chance: random.Random) -> None:
    """Move one of the room's single meetings by some minutes."""
    subjects = [
        s for s, id in scene.ids.items() if (item := scene.mailbox(room).item(id)) and not item.appointment.rule
    ]
    subject = chance.choice(subjects)
    item = scene.mailbox(room).item(scene.ids[subject])
    assert item is not None
    scene.mailbox(room).move(scene.ids[subject], item.meeting.start + timedelta(minutes=chance.randint(1, 5)))
