"""Workers and relays as processes of their own, on a real broker: the lists arrive, and kills lose nothing."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.adapters import postgresql
from tests.cluster.house import House, house

pytestmark = pytest.mark.cluster


@pytest.fixture(params=["sqlite", "postgresql"])
def installation(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    if request.param == "sqlite":
        with house(tmp_path) as found:
            yield found
    else:
        with postgresql.database() as url, house(tmp_path, database=url) as found:
            yield found


def test_workers_put_the_lists_on_the_endpoints_and_stop_cleanly(installation: House) -> None:
    workers = [installation.worker("one"), installation.worker("two")]
    relays = [installation.relay("relay-a"), installation.relay("relay-b")]
    installation.until_everything_is_shown("the lists")
    assert [process.end() for process in (*workers, *relays)] == [0, 0, 0, 0]
    for process in (*workers, *relays):
        assert "Traceback" not in process.log, process.log[-3000:]


def test_workers_that_are_killed_in_the_middle_lose_nothing(installation: House) -> None:
    scene = installation.scene
    installation.worker("one")
    installation.worker("two")
    installation.relay("relay-a")
    installation.until_everything_is_shown("the first lists")
    for minutes, name in ((7, "one"), (13, "two"), (22, "one")):
        start = scene.now + timedelta(minutes=minutes)
        scene.mailbox("boardroom").move(scene.ids["Quarterly numbers"], start)
        scene.mailbox("atrium").move(scene.ids["Projekt Nordlicht"], start)
        installation.workers[name].end(signal.SIGKILL)
        installation.until_everything_is_shown("the lists after a kill")
        installation.workers[name].start()
