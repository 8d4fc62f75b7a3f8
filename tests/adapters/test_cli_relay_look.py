"""`otd relay status`, `logs` and `bundle`: how a relay is, without anything private in it."""

from __future__ import annotations

import json
import threading
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import structlog

from otd.bus import seal
from otd.bus.broker import Broker
from otd.bus.identity import Identity, save
from otd.cli.log_file import FILES, LARGEST, LogFile, events
from otd.cli.logs import configure
from otd.model import Endpoint
from otd.relay.memory import Memory
from otd.site import write_note
from tests.adapters.cli import Otd, otd

__all__ = ["otd"]
PASSWORD, PROXY = "hunter2-broker", "s3cret-proxy"  # of the broker's user, and of the proxy's


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Path]:
    """A relay that has run, and cannot reach anything now."""
    (tmp_path / "relay.toml").write_text(
        f'# {PROXY} noted here by a careless person\n[relay]\ncentre = "https://localhost:1"\n'
        '[proxy]\nurl = "http://127.0.0.1:1"\nusername = "relay"\npassword = "proxy-password"\n'
    )
    secrets = tmp_path / "secrets.toml"
    secrets.write_text(f'proxy-password = "{PROXY}"\ncodec = "admin:codec-pass"\n')
    secrets.chmod(0o600)
    state = tmp_path / "state"
    state.mkdir()
    broker = Broker(host="bus.example.com", port=5671, vhost="otd-relays", user="otd-relays.r1", password=PASSWORD)
    keys = {"signing": seal.new_key(), "sealing": seal.new_key()}
    centre = seal.public_signing(seal.new_key())
    save(Identity(relay="r1", pool="hq", broker=broker, centre=centre, **keys), state / "identity.json")
    memory = Memory(state / "relay.db")
    memory.met(Endpoint(name="board", kind="cisco", address="127.0.0.1:1", pool="hq", rooms=("b",), credential="codec"))
    memory.close()
    yield tmp_path
    structlog.reset_defaults()


def note(site: Path, **changed: object) -> None:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    how: dict[str, object] = {
        "relay": "r1",
        "pool": "hq",
        "version": "0.1.0",
        "pid": 1,
        "started_at": now,
        "at": now,
        "stopped": False,
        "broker": {"where": "bus.example.com:5671", "connected": True},
        "resting": False,
        "orders": {"confirmed": 7},
        "clock_offset": 0.0,
        "face": None,
    }
    write_note(site / "state", how | changed)


@pytest.mark.parametrize(
    ("changed", "state", "code"),
    [
        ({}, "at work", 0),
        ({"resting": True}, "rests", 1),
        ({"broker": {"where": "bus.example.com:5671", "connected": False}}, "away", 1),
        ({"stopped": True}, "stopped", 1),
        ({"at": (datetime.now(UTC) - timedelta(minutes=5)).isoformat()}, "stopped", 1),
    ],
)
def test_how_a_relay_is(site: Path, otd: Otd, changed: dict[str, object], state: str, code: int) -> None:
    note(site, **changed)
    said = otd("relay", "status", "--json")
    assert (json.loads(said.out)["state"], said.code) == (state, code)


def test_before_it_ever_ran_that_is_said(site: Path, otd: Otd) -> None:
    said = otd("relay", "status")
    assert said.code == 1
    assert "no relay has run here yet" in said.err


def test_the_last_error_is_shown_and_logs_by_level(site: Path, otd: Otd) -> None:
    configure("json", site / "state" / "relay.log")
    log = structlog.get_logger("otd")
    log.info("delivery handled", endpoint="board", outcome="confirmed")
    log.warning("the broker is away", why="no answer", password="hunter2")
    note(site)
    assert "the broker is away no answer" in otd("relay", "status").out
    said = otd("relay", "logs", "--level", "warning").out
    assert "the broker is away" in said
    assert "delivery handled" not in said
    assert "hunter2" not in said
    assert "delivery handled endpoint=board outcome=confirmed" in otd("relay", "logs").out


def test_the_log_is_turned_over_and_lines_of_many_threads_stay_whole(tmp_path: Path) -> None:
    written = LogFile(tmp_path / "relay.log")

    def write(number: int) -> None:
        for count in range(200):
            written(None, "info", {"event": "x" * 4000, "number": number * 1000 + count})

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    files = sorted(tmp_path.glob("relay.log*"))
    assert len(files) == FILES
    assert all(file.stat().st_size < LARGEST + 5000 for file in files)
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in files)
    lines = sum(len(file.read_bytes().splitlines()) for file in files)
    assert len(list(events(tmp_path / "relay.log"))) == lines


def test_a_bundle_helps_and_holds_nothing_secret(site: Path, otd: Otd) -> None:
    note(site)
    configure("json", site / "state" / "relay.log")
    structlog.get_logger("otd").info("delivery handled", endpoint="board", title="Layoffs", dial="sip:1234@example.com")
    said = otd("relay", "bundle", "support.zip")
    assert said.code == 0, said.err
    with zipfile.ZipFile(site / "support.zip") as archive:
        found = {name: archive.read(name).decode() for name in archive.namelist()}
    assert set(found) == {
        "versions.json",
        "settings.json",
        "identity.json",
        "status.json",
        "checks.json",
        "endpoints.json",
        "log.json",
    }
    identity = json.loads((site / "state" / "identity.json").read_text())
    secret = (PASSWORD, PROXY, "codec-pass", identity["signing"], identity["sealing"], "Layoffs", "1234")
    everything = "".join(found.values())
    assert [one for one in secret if one in everything] == []
    assert json.loads(found["identity.json"])["relay"] == "r1"
    assert any(line["result"] == "FAIL" for line in json.loads(found["checks.json"]))
    assert json.loads(found["endpoints.json"])[0]["address"] == "127.0.0.1:1"
    again = otd("relay", "bundle", "support.zip")
    assert again.code == 2
    assert "File exists" in again.err
