"""`otd lab codec`, `otd lab polycom` and `otd lab fleet`."""

from __future__ import annotations

import json
import os
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from otd.cli.lab_endpoints import switch
from otd.errors import BadSetting
from otd.lab.codec_faults import Faults
from otd.lab.polycom import Habits
from otd.lab.server import Server
from otd.model import Meeting
from tests.adapters.cli import Otd, otd
from tests.adapters.polycom_lab import ALIAS, ROOM, ByHand, a_meeting, an_item, exchange

__all__ = ["otd"]


@contextmanager
def running(*arguments: str, password: str = "") -> Iterator[subprocess.Popen[str]]:
    """A command that runs until it is stopped, and stops cleanly."""
    process = subprocess.Popen(
        [sys.executable, "-m", "otd", "lab", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OTD_LAB_PASSWORD": password, "PYTHONUNBUFFERED": "1"},
    )
    try:
        yield process
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=20)
        assert (process.returncode, said) == (0, "")
    finally:
        process.kill()
        process.communicate()


def until(process: subprocess.Popen[str], wanted: str) -> list[str]:
    """The lines up to the one that has this in it."""
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line.rstrip("\n"))
        if wanted in line:
            return lines
    raise AssertionError(f"it ended after {lines}")


def test_a_simulated_codec_answers_and_shows_its_list() -> None:
    with running("codec", "--profile", "ce9.15", "--fault", "status=503", "--fault", "times=1") as process:
        lines = until(process, "0 bookings")
        url = next(line.split()[1] for line in lines if line.startswith("url"))
        user, password = next(line.split()[1:] for line in lines if line.startswith("user"))
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with httpx.Client(base_url=url, auth=(user, password), verify=context, trust_env=False) as http:
            assert [http.get("/getxml?location=/Status/SystemUnit").status_code for _ in range(2)] == [503, 200]


def test_a_simulated_polycom_endpoint_polls_and_says_what_it_shows() -> None:
    with exchange(a_meeting_soon()) as (server, _):
        arguments = ("--url", server.url, "--user", "huddle", "--email", ROOM, "--habit", "folder=mailbox")
        with running("polycom", *arguments, password="kmw4-xq7r") as process:
            lines = until(process, ALIAS)
            assert any(line.endswith("ok, 1 meetings, 1 fetched") for line in lines)
            assert "Weekly" in lines[-1]
            assert not any("kmw4" in line for line in lines)


def a_meeting_soon() -> Meeting:
    start = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    return a_meeting(start=start, end=start + timedelta(hours=1))


def test_a_fleet_polls_and_gives_figures(otd: Otd, tmp_path: Path) -> None:
    logins = tmp_path / "logins.txt"
    logins.write_text("huddle:kmw4-xq7r\n" * 3)
    with Server(ByHand(an_item()), tls=True) as server:
        arguments = ("lab", "fleet", "--url", server.url, "--logins", logins, "--interval", "100ms", "--for", "150ms")
        said = otd(*arguments, "--json")
        assert said.code == 0
        figures = json.loads(said.out)
        assert (figures["failed"], figures["items"]) == (0, 3)
        logins.write_text("huddle:wrong\n")
        said = otd(*arguments)
        assert said.code == 1
        assert "HTTP 401" in said.out
        assert "wrong" not in said.out + said.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("codec", "--profile", "ce12"), "roomos11"),
        (("codec", "--fault", "broken"), "drip_body"),
        (("codec", "--fault", "slow=soon"), "500ms"),
        (("codec", "--habit", "duplicates=all"), "keep-first"),
        (("polycom", "--url", "https://localhost", "--user", "a", "--profile", "gs7"), "videoos"),
        (("polycom", "--url", "https://localhost", "--user", "a", "--interval", "soon"), "500ms"),
        (("polycom", "--url", "https://localhost", "--user", "a", "--zone", "Paris"), "Europe/Berlin"),
        (("polycom", "--url", "https://localhost", "--user", "a", "--ca", "none.pem"), "cannot be read"),
        (("polycom", "--url", "https://localhost", "--user", "a", "--habit", "reads=mind"), "conflink"),
        (("fleet", "--url", "https://localhost", "--logins", "none.txt"), "cannot be read"),
        (("robot",), "there is no command"),
    ],
)
def test_a_mistake_is_said_with_what_there_is(
    arguments: tuple[str, ...], said: str, otd: Otd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTD_LAB_PASSWORD", "kmw4-xq7r")
    answer = otd("lab", *arguments)
    assert answer.code == 2
    assert said in answer.err
    assert "kmw4" not in answer.err


def test_logins_that_are_none_are_refused_without_repeating_them(otd: Otd, tmp_path: Path) -> None:
    (tmp_path / "logins.txt").write_text("kmw4-xq7r\n")
    said = otd("lab", "fleet", "--url", "https://localhost", "--logins", tmp_path / "logins.txt")
    assert said.code == 2
    assert "kmw4" not in said.err


def test_faults_and_habits_are_set_by_name_and_value() -> None:
    faults, habits = Faults(), Habits()
    switch("fault", faults, ["slow=1m30s", "silent", "times=3", "only=/putxml,/getxml", "mutate=Title:Other"])
    assert (faults.slow, faults.silent, faults.times) == (timedelta(seconds=90), True, 3)
    assert (faults.only, faults.mutate) == (("/putxml", "/getxml"), {"Title": "Other"})
    switch("fault", faults, ["times=none", "mutate=Number"])
    assert (faults.times, faults.mutate) == (None, {"Title": "Other", "Number": None})
    switch("habit", habits, ["tls-versions=TLSv1,TLSv1_2", "reads=token,sip", "dates=bare", "keep_on_error=no"])
    assert habits.tls_versions == (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_2)
    assert (habits.reads, habits.dates, habits.keep_on_error) == (("token", "sip"), "bare", False)


@pytest.mark.parametrize("wrong", ["times=-1", "slow=5", "silent=perhaps", "nothing=1"])
def test_what_a_field_cannot_hold_is_refused(wrong: str) -> None:
    with pytest.raises(BadSetting):
        switch("fault", Faults(), [wrong])


# --- otd lab ----------------------------------------------------------------------------------------------------------


def test_very_many_rooms_stand_in_the_settings_that_the_lab_writes(otd: Otd, tmp_path: Path) -> None:
    from otd.lab.campus import Campus
    from otd.lab.scene import Scene

    with Scene(tmp_path / "lab", campus=Campus(rooms=300)) as scene:
        rooms = json.loads(otd("rooms", "list", "--json", "--config", str(scene.config)).out)
    assert len(rooms) == 304
    assert {room["calendar"] for room in rooms if room["name"].startswith("room-")} == {"online", "server"}


def test_a_latency_that_is_no_span_is_refused(otd: Otd) -> None:
    said = otd("lab", "--latency", "soon")
    assert said.code != 0
    assert "--latency soon" in said.err
