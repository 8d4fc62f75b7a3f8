"""`otd relay run` as a process without a broker: what it says, what it serves from disk, and how it stops."""

from __future__ import annotations

import base64
import hmac
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from otd.bus import seal
from otd.bus.broker import Broker
from otd.bus.identity import Identity, save
from otd.outbound import Http
from otd.relay.lists import Lists
from tests.adapters.face_client import PASSWORD, a_list, envelope, find_item
from tests.adapters.test_serve import WITHIN, environment, free_port
from tests.values import HOUR, a_booking

PATIENCE = 60.0  # seconds, on a busy machine


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A paired relay whose broker is away."""
    (tmp_path / "relay.toml").write_text("[relay]\n")
    broker = Broker(host="127.0.0.1", port=1, vhost="otd-relays", user="otd-relays.r1", password="pw")
    keys = {"signing": seal.new_key(), "sealing": seal.new_key()}
    centre = seal.public_signing(seal.new_key())
    save(Identity(relay="r1", pool="hq", broker=broker, centre=centre, **keys), tmp_path / "state" / "identity.json")
    return tmp_path


class Running:
    def __init__(self, site: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "otd", "relay", "run"],
            cwd=site,
            env=environment(),
            stderr=subprocess.PIPE,
            text=True,
        )
        self.said = ""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as lines:
            for line in lines:
                self.said += line

    def until(self, part: str) -> None:
        end = time.monotonic() + PATIENCE
        while part not in self.said:
            assert time.monotonic() < end, self.said
            time.sleep(0.05)

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(how)
        code = self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        return code


@pytest.fixture
def running(site: Path) -> Iterator[type[Running]]:
    started: list[Running] = []

    class Started(Running):
        def __init__(self, at: Path) -> None:
            super().__init__(at)
            started.append(self)

    yield Started
    for one in started:
        if one.process.poll() is None:
            one.end(signal.SIGKILL)


def test_while_the_broker_is_away_it_says_so_once_and_stops_cleanly(site: Path, running: type[Running]) -> None:
    relay = running(site)
    relay.until("the broker is away")
    note = json.loads((site / "state" / "status.json").read_text())
    assert (note["relay"], note["broker"]["connected"], note["stopped"]) == ("r1", False, False)
    assert relay.end() == 0
    assert json.loads((site / "state" / "status.json").read_text())["stopped"]
    assert "Traceback" not in relay.said
    assert relay.said.count("the broker is away") == 1
    assert "pw" not in (site / "state" / "relay.log").read_text().split()


def test_polycom_endpoints_are_served_from_disk_while_the_centre_is_away(site: Path, running: type[Running]) -> None:
    port = free_port()
    (site / "relay.toml").write_text(f'[face]\naddress = "127.0.0.1:{port}"\n')
    sealing = json.loads((site / "state" / "identity.json").read_text())["sealing"]
    lists = Lists(site / "state" / "lists.db", hmac.digest(sealing.encode(), b"lists", "sha256"))
    now = datetime.now(UTC)
    start = now.replace(minute=0, second=0, microsecond=0) + HOUR
    booking = a_booking(id="b1", start=start, end=start + HOUR, title="Standup")
    lists.put(a_list(bookings=(booking,), valid_until=now + HOUR))
    lists.close()
    relay = running(site)
    relay.until("the broker is away")
    signed = "Basic " + base64.b64encode(f"poly1:{PASSWORD}".encode()).decode()
    with Http() as http:
        answer = http.request(
            "POST",
            f"http://127.0.0.1:{port}/EWS/Exchange.asmx",
            where="face",
            within=WITHIN,
            headers={"authorization": signed, "content-type": "text/xml; charset=utf-8"},
            content=envelope(find_item(_zulu(start - HOUR), _zulu(start + 4 * HOUR))),
        )
    assert answer.status == 200
    assert b"NoError" in answer.body
    assert b"CalendarItem" in answer.body
    assert relay.end() == 0


def test_where_endpoints_call_it_stands_in_its_note(site: Path, running: type[Running]) -> None:
    port = free_port()
    (site / "relay.toml").write_text(f'[feedback]\naddress = "127.0.0.1:{port}"\n')
    relay = running(site)
    relay.until("the broker is away")
    note = json.loads((site / "state" / "status.json").read_text())
    assert note["feedback"] == {"url": f"http://127.0.0.1:{port}", "certificate_until": None}
    assert note["face"] is None
    assert relay.end() == 0


def _zulu(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ('[face]\naddress = "192.0.2.1:8443"\n', "it cannot be listened on"),
        ('[face]\naddress = "127.0.0.1:0"\n', "is not a host or host:port"),
        ('[face]\naddress = "127.0.0.1:8443"\ncertificate = "none.pem"\n', "there is no file"),
        ('[feedback]\naddress = "192.0.2.1:8444"\n', "it cannot be listened on"),
    ],
)
def test_a_face_or_an_address_that_cannot_be_served_is_said_and_nothing_is_left_running(
    site: Path, running: type[Running], settings: str, said: str
) -> None:
    (site / "relay.toml").write_text(settings)
    relay = running(site)
    relay.process.wait(PATIENCE)
    relay._reader.join(PATIENCE)
    assert relay.process.returncode == 2
    assert said in relay.said
    assert "Traceback" not in relay.said


def test_an_identity_that_others_may_read_is_not_used(site: Path, running: type[Running]) -> None:
    os.chmod(site / "state" / "identity.json", 0o644)
    relay = running(site)
    relay.process.wait(PATIENCE)
    relay._reader.join(PATIENCE)
    assert relay.process.returncode == 2
    assert "chmod 600" in relay.said
