"""OTD in one process on the lab: what is booked is shown, what cannot be read stays, and the demo tells the truth."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from otd.deliveries import condition
from otd.lab import faults
from otd.lab.faults import Fault
from otd.lab.scene import BOOKED, Scene, as_ics
from otd.settings import load
from otd.wiring import Centre
from tests.scenarios.conftest import Run, everything_shown, running, shown
from tests.waiting import until

SOON = timedelta(seconds=40)


@pytest.fixture
def centre(scene: Scene) -> Iterator[Centre]:
    centre = Centre(load(scene.config, {}))
    centre.start()
    until(lambda: all_confirmed(centre), SOON, "the first lists")
    yield centre
    centre.stop()


def all_confirmed(centre: Centre) -> bool:
    return all(condition(state) == "confirmed" for state in centre.store.endpoints())


def test_an_invitation_dropped_into_a_folder_is_on_the_endpoint_within_three_seconds(
    scene: Scene, centre: Centre
) -> None:
    booked = next(b for b in BOOKED if b.room == "library")
    meeting = scene.meeting(booked)
    start = meeting.start + timedelta(days=1)
    path = scene.room_folder("library") / "new.ics"
    path.write_bytes(as_ics(replace(meeting, uid="new@example.com", start=start, end=start + timedelta(hours=1))))
    took = until(lambda: start in shown(scene, "library-codec"), SOON, "the booking")
    path.unlink()
    gone = until(lambda: start not in shown(scene, "library-codec"), SOON, "its removal")
    assert took < 3
    assert gone < 3


def test_a_relay_of_this_process_reaches_its_own_networks_alone(scene: Scene) -> None:
    reach = 'reach = ["10.20.0.0/16"]'
    scene.config.write_text(re.sub(r"(?m)^\[relays\..*\]$", rf"\g<0>\n{reach}", scene.config.read_text()))
    centre = Centre(load(scene.config, {}))
    centre.start()
    try:
        until(lambda: {condition(state) for state in centre.store.endpoints()} == {"denied"}, SOON, "refusals")
    finally:
        centre.stop()


FAULTS: list[tuple[str, str, Fault]] = [
    ("graph", "a server error", faults.status(500)),
    ("graph", "a refusal to serve", faults.status(503)),
    ("graph", "throttling", faults.status(429, retry_after=1)),
    ("graph", "a refused token", faults.status(401)),
    ("graph", "a refused permission", faults.status(403)),
    ("graph", "half a page", faults.halved()),
    ("graph", "a connection that breaks off", faults.cut()),
    ("graph", "HTML instead of JSON", faults.html()),
    ("graph", "a redirect to a sign-in page", faults.login()),
    ("graph", "the same page for ever", faults.repeat()),
    ("ews", "a server error", faults.status(500)),
    ("ews", "a refusal to serve", faults.status(503)),
    ("ews", "back-off", faults.busy(back_off=1)),
    ("ews", "a refused password", faults.status(401)),
    ("ews", "EWS switched off", faults.status(403)),
    ("ews", "half an answer", faults.halved()),
    ("ews", "a window that is not whole", faults.truncated()),
    ("ews", "a connection that breaks off", faults.cut()),
    ("ews", "HTML instead of SOAP", faults.html()),
    ("ews", "a redirect to a sign-in page", faults.login()),
]


@pytest.fixture(scope="module")
def steady(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Scene, Centre]]:
    """One running house for all faults: each must leave it as it was."""
    with Scene(tmp_path_factory.mktemp("steady") / "lab") as scene:
        centre = Centre(load(scene.config, {}))
        centre.start()
        until(lambda: all_confirmed(centre), SOON, "the first lists")
        yield scene, centre
        centre.stop()


@pytest.mark.parametrize(
    ("side", "fault"), [(s, f) for s, _, f in FAULTS], ids=[f"{s}-{what}" for s, what, _ in FAULTS]
)
def test_a_calendar_that_cannot_be_read_takes_nothing_off_a_screen(
    steady: tuple[Scene, Centre], side: str, fault: Fault
) -> None:
    scene, centre = steady
    room, endpoint = {"graph": ("boardroom", "boardroom-codec"), "ews": ("atrium", "atrium-codec")}[side]
    before = shown(scene, endpoint)
    lab = scene.graph if side == "graph" else scene.ews
    lab.faults.put(fault, mailbox=scene.address(room))
    centre.store.unpark("refresh", room)
    centre.executor.wake()
    until(lambda: failing(centre, room), SOON, "the failure")
    assert shown(scene, endpoint) == before
    assert before, "there was something to lose"
    lab.faults.clear()
    mend(centre)
    until(lambda: not failing(centre, room), SOON, "a good reading")
    assert shown(scene, endpoint) == before


def failing(centre: Centre, room: str) -> bool:
    return next(state for state in centre.store.rooms() if state.room.name == room).failing_since is not None


def mend(centre: Centre) -> None:
    """Do what a person does about it: change the settings, which ends pauses and un-parks."""
    settings = centre.settings
    lanes = {calendar.name: calendar.lane for calendar in settings.calendars.values()}
    centre.store.adopt(settings.rooms.values(), settings.endpoints.values(), lanes, f"mended at {time.monotonic()}")
    centre.executor.wake()


def test_otd_run_starts_delivers_and_stops_cleanly(scene: Scene, run: Run) -> None:
    with running(run):
        until(lambda: everything_shown(scene), SOON, "the lists")
    assert "Traceback" not in run.log
    lines = [json.loads(line) for line in run.log.splitlines() if line.startswith("{")]
    assert {line["event"] for line in lines} >= {"relay is there", "list changed", "receipt applied"}
    for secret in (*scene.passwords.values(), "Quarterly", "447120053"):
        assert secret not in run.log


def test_the_demo_ends_with_everything_confirmed_although_a_relay_was_stopped(tmp_path: Path) -> None:
    began = datetime.now(UTC)
    done = subprocess.run(
        [sys.executable, "-m", "otd", "demo", "--json"], capture_output=True, timeout=100, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr.decode()
    found = json.loads(done.stdout)
    assert {endpoint["state"] for endpoint in found["endpoints"]} == {"confirmed"}
    assert len(found["endpoints"]) == 4
    assert all(endpoint["kind"] == "cisco" and endpoint["bookings"] for endpoint in found["endpoints"])
    assert found["failover"]["relay"] in ("relay-a", "relay-b")
    assert found["failover"]["seconds"] < 15
    assert {endpoint["relay"] for endpoint in found["endpoints"]} != {found["failover"]["relay"]}
    assert datetime.now(UTC) - began < timedelta(seconds=60)
    assert list(tmp_path.iterdir()) == [], "nothing is left behind"
