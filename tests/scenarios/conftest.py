"""The lab's organisation, and `otd run` on it as a process of its own."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from otd.lab.scene import PLACES, Scene
from otd.model import Window
from tests.waiting import until

SOON = timedelta(seconds=60)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with Scene(tmp_path / "lab") as scene:
        yield scene


@pytest.fixture
def chance() -> random.Random:
    """Seeded by TEST_SEED; the seed is printed, so that a failure can be repeated."""
    seed = int(os.environ.get("TEST_SEED", time.time_ns() % 1_000_000))
    print(f"TEST_SEED={seed}")  # noqa: T201
    return random.Random(seed)  # noqa: S311


class Run:
    """`otd run` in a process of its own."""

    def __init__(self, config: Path) -> None:
        self._config, self._log = config, config.parent / "run.log"
        self.process: subprocess.Popen[bytes] | None = None
        self._begin = 0  # where in the log this start begins

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._begin = log.tell()
            self.process = subprocess.Popen(
                [sys.executable, "-m", "otd", "run", "--config", str(self._config)],
                stdout=subprocess.DEVNULL,
                stderr=log,
                env={**os.environ, "OTD_LOG": "json"},
            )

    def kill(self) -> None:
        """From one moment to the next, as when the machine lost power."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """Cleanly, once it runs; returns the exit code."""
        if self.process is not None:
            until(lambda: b"running with" in self._log.read_bytes()[self._begin :], SOON, "the start of otd run")
        return self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> int:
        if self.process is None:
            return 0
        self.process.send_signal(how)
        code = self.process.wait(timeout=30)
        self.process = None
        return code

    @property
    def log(self) -> str:
        return self._log.read_text()


@pytest.fixture
def run(scene: Scene) -> Iterator[Run]:
    run = Run(scene.config)
    yield run
    run.kill()


def wanted(scene: Scene, room: str) -> set[datetime]:
    """When the meetings of a room on Exchange begin that its endpoint should show; asked of the mailbox itself."""
    window = Window(start=scene.now - timedelta(hours=1), end=scene.now + timedelta(days=6))
    view = scene.mailbox(room).view(window)
    return {item.meeting.start for item in view if not item.meeting.cancelled}


def shown(scene: Scene, endpoint: str) -> set[datetime]:
    """When the bookings begin that the endpoint holds; asked of the endpoint itself."""
    return {booking.start for booking in scene.codecs[endpoint].bookings}


def everything_shown(scene: Scene) -> bool:
    """Whether every endpoint of a room on Exchange shows exactly what its mailbox holds."""
    return all(
        shown(scene, place.endpoint) == wanted(scene, place.name) for place in PLACES if place.calendar != "files"
    )


@contextmanager
def running(run: Run) -> Iterator[None]:
    run.start()
    try:
        yield
    finally:
        run.stop()
