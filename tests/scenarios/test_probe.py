"""`otd probe`: a meeting there and back, and nothing left behind, however it ends."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta

import pytest

from otd import cli
from otd.calendars.files_booking import NAME
from otd.lab.faults import slow
from otd.lab.scene import Scene
from otd.model import Window
from otd.probing import SUBJECT
from otd.settings import load
from otd.wiring import Centre
from tests.waiting import until

SOON = timedelta(seconds=120)
STEPS = [
    "booked in the calendar",
    "read, and in the list of its endpoints",
    "confirmed on its endpoints",
    "taken back from the calendar",
    "read, and out of the list",
    "confirmed to be gone from its endpoints",
]


@pytest.fixture
def centre(scene: Scene) -> Iterator[Centre]:
    centre = Centre(load(scene.config, {}))
    centre.start()
    until(lambda: all(e.confirmed_at for e in centre.store.endpoints()), SOON, "the first lists")
    yield centre
    centre.stop()


def probe(scene: Scene, *arguments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "otd", "probe", *arguments, "--config", str(scene.config)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def in_mailbox(scene: Scene) -> bool:
    window = Window(start=scene.now, end=scene.now + timedelta(days=8))
    return any(item.meeting.subject == SUBJECT for item in scene.mailbox("boardroom").view(window))


def on_screen(scene: Scene, endpoint: str) -> bool:
    return any(booking.title == SUBJECT for booking in scene.codecs[endpoint].bookings)


@pytest.mark.parametrize("room", ["library", "boardroom"], ids=["files", "graph"])
def test_a_meeting_goes_there_and_back(scene: Scene, centre: Centre, room: str) -> None:
    out, said = probe(scene, room, "--json").communicate(timeout=90)
    assert said.strip() == b""
    found = json.loads(out)
    assert found["endpoints"] == [f"{room}-codec"]
    assert [step["step"] for step in found["steps"]] == STEPS
    assert all(step["took"] >= 0 for step in found["steps"])
    assert not on_screen(scene, f"{room}-codec")
    assert not in_mailbox(scene)
    assert not (scene.room_folder("library") / NAME).exists()


def test_an_interrupted_probe_leaves_nothing_behind(scene: Scene, centre: Centre) -> None:
    codec = scene.codecs["library-codec"]
    codec.faults.slow = timedelta(seconds=3)  # so that there is a middle
    process = probe(scene, "library")
    until((scene.room_folder("library") / NAME).exists, SOON, "the booking")
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.strip() == b""
    assert not (scene.room_folder("library") / NAME).exists()
    codec.faults.clear()
    until(lambda: not on_screen(scene, "library-codec"), SOON, "its end on the screen")


def test_one_that_is_interrupted_while_it_books_leaves_nothing_behind(scene: Scene, centre: Centre) -> None:
    scene.graph.faults.put(slow(3), operation="events", times=1)
    process = probe(scene, "boardroom")
    until(lambda: in_mailbox(scene), SOON, "the booking")
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.strip() == b""
    assert not in_mailbox(scene)


def test_what_is_not_reached_is_said_with_its_cause(scene: Scene, centre: Centre) -> None:
    scene.codecs["library-codec"].stop()
    out, said = probe(scene, "library", "--within", "4s").communicate(timeout=90)
    assert b"read, and in the list" in out
    assert b"not confirmed on its endpoints within 4 s: No relay reaches the endpoint." in said
    assert not (scene.room_folder("library") / NAME).exists()
    scene.codecs["library-codec"].start()


def test_what_cannot_be_booked_is_said_before(scene: Scene, centre: Centre, capfd: pytest.CaptureFixture[str]) -> None:
    for room, words in (
        ("atrium", "by ews: there OTD has no right but to read"),
        ("bordroom", "did you mean boardroom?"),
    ):
        assert cli.call(["probe", room, "--config", str(scene.config)]) != 0
        assert words in capfd.readouterr().err
    scene.graph.may_write = False
    _, said = probe(scene, "boardroom").communicate(timeout=60)
    assert b"needs Calendars.ReadWrite" in said


def test_an_endpoint_that_is_only_observed_is_said_before(
    scene: Scene, centre: Centre, capfd: pytest.CaptureFixture[str]
) -> None:
    centre.store.cut_over("hq", "observe")
    assert cli.call(["probe", "library", "--config", str(scene.config)]) != 0
    assert "only observed" in capfd.readouterr().err


def test_before_anything_runs_nothing_is_said_to_have_arrived(scene: Scene, capfd: pytest.CaptureFixture[str]) -> None:
    Centre(load(scene.config, {})).store.close()
    assert cli.call(["probe", "library", "--config", str(scene.config)]) != 0
    said = capfd.readouterr()
    assert (said.out, "Start `otd run`" in said.err) == ("", True)
    assert not (scene.room_folder("library") / NAME).exists()
