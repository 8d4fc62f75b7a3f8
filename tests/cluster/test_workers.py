"""A Celery worker on a real broker does the centre's work, and goes on after it was killed in the middle."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from otd.lab.scene import Scene
from tests.scenarios.conftest import everything_shown
from tests.waiting import until

pytestmark = pytest.mark.cluster
SOON = timedelta(seconds=40)


@pytest.fixture
def broker() -> Iterator[str]:
    """A virtual host of its own on this machine's RabbitMQ."""
    name = f"otd-{uuid4().hex[:8]}"
    _rabbit("add_vhost", name)
    _rabbit("set_permissions", "-p", name, "guest", ".*", ".*", ".*")
    yield f"amqp://guest:guest@127.0.0.1:5672/{name}"
    _rabbit("delete_vhost", name)


def _rabbit(*arguments: str) -> None:
    subprocess.run(["rabbitmqctl", "-q", *arguments], check=True, capture_output=True, timeout=60)


class Worker:
    """`celery worker` in a process of its own."""

    def __init__(self, broker: str, config: Path) -> None:
        self._environment = {**os.environ, "CELERY_BROKER_URL": broker, "OTD_CONFIG": str(config), "OTD_LOG": "json"}
        self._log = config.parent / "worker.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        celery = ["celery", "-A", "workers.app", "worker", "-P", "threads", "-c", "8"]
        quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat", "-l", "WARNING"]
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *celery, *quiet], stdout=log, stderr=log, env=self._environment
            )

    def end(self, how: signal.Signals) -> None:
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(timeout=60)
            self.process = None

    @property
    def log(self) -> str:
        return self._log.read_text()


@pytest.fixture
def worker(broker: str, tmp_path: Path) -> Iterator[tuple[Scene, Worker]]:
    with Scene(tmp_path / "lab") as scene:
        worker = Worker(broker, scene.config)
        yield scene, worker
        worker.end(signal.SIGKILL)


def test_a_worker_puts_the_lists_on_the_endpoints_and_stops_cleanly(worker: tuple[Scene, Worker]) -> None:
    scene, celery = worker
    celery.start()
    until(lambda: everything_shown(scene), SOON, "the lists")
    celery.end(signal.SIGTERM)
    assert "Traceback" not in celery.log, celery.log[-3000:]


def test_a_worker_that_is_killed_in_the_middle_loses_nothing(worker: tuple[Scene, Worker]) -> None:
    scene, celery = worker
    celery.start()
    until(lambda: everything_shown(scene), SOON, "the first lists")
    for minutes in (7, 13, 22):
        start = scene.now + timedelta(minutes=minutes)
        scene.mailbox("boardroom").move(scene.ids["Quarterly numbers"], start)
        scene.mailbox("atrium").move(scene.ids["Projekt Nordlicht"], start)
        celery.end(signal.SIGKILL)
        celery.start()
        until(lambda: everything_shown(scene), SOON, "the lists after a kill")
