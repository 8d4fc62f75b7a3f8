"""`otd status`: a fleet at a glance."""

from __future__ import annotations

import base64
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from otd.cli.status_report import idle_since
from otd.errors import Denied
from otd.model import Alert, Endpoint, Failed, Room
from otd.store.sql import SqlStore
from tests.adapters.cli import KEY, Otd, an_installation
from tests.adapters.cli import otd as otd  # a fixture
from tests.contracts.store_case import a_hello, a_list, a_reading
from tests.values import a_receipt

MANY = 40


@pytest.fixture
def store(otd: Otd, tmp_path: Path) -> Iterator[SqlStore]:
    an_installation(tmp_path)
    store = SqlStore(f"sqlite:///{tmp_path / 'otd.db'}", base64.urlsafe_b64decode(KEY))
    yield store
    store.close()


def fleet(store: SqlStore, many: int) -> None:
    """So many rooms and endpoints, all confirmed but the first, whose room cannot be read either."""
    rooms = [Room(name=f"r{n}", calendar="post", mailbox=f"r{n}") for n in range(many)]
    endpoints = [
        Endpoint(name=f"e{n}", kind="memory", address="192.0.2.1", pool="hq", rooms=(f"r{n}",)) for n in range(many)
    ]
    store.adopt(rooms, endpoints, {"post": 4, "hq": 4, "house": 4}, "d")
    store.heard(a_hello(relay="hq-1", started_at=store.now(), at=store.now()))
    for n in range(many):
        store.save_reading(replace(a_reading(), room=f"r{n}"))
        revision = store.put_desired(a_list(f"b{n}", endpoint=f"e{n}"), "d")
        sequence = store.sending(f"e{n}", "put", revision, "hq-1")
        outcome = "denied" if n == 0 else "confirmed"
        said: dict[str, str] = (
            {"detail": "the password was refused", "mend": "Set it.", "reason": "password"} if n == 0 else {}
        )
        receipt = a_receipt(endpoint=f"e{n}", revision=revision, sequence=sequence, outcome=outcome, relay="hq-1")
        store.apply(replace(receipt, at=store.now(), **said))
    error = Denied("r0", "the account may not read it", "Give it the right.")
    store.save_reading(Failed(room="r0", taken_at=store.now(), error=error))


def test_a_small_fleet_is_shown_whole(otd: Otd, store: SqlStore) -> None:
    fleet(store, 3)
    said = otd("status")
    assert said.code == 1
    for name in ("r0", "r1", "r2", "e0", "e1", "e2", "hq-1"):
        assert name in said.out
    assert "that need a look" not in said.out
    assert "the password was refused" in said.out
    assert "e0: Set it." in said.out


def test_before_anything_ran_that_is_said(otd: Otd, tmp_path: Path) -> None:
    an_installation(tmp_path)
    said = otd("status")
    assert (said.code, said.out) == (1, "")
    assert "there is no database yet (start `otd run` once)" in said.err
    assert not (tmp_path / "otd.db").exists()


def test_that_nobody_works_is_said(otd: Otd, store: SqlStore) -> None:
    fleet(store, 1)
    assert "Nobody has taken" not in otd("status").out
    now = store.now()
    rows = tuple(replace(row, due=now - timedelta(minutes=3)) for row in store.work())
    assert idle_since(rows, (), now) == now - timedelta(minutes=3)
    assert idle_since(rows, {row.lane for row in rows}, now) is None
    assert idle_since((*rows, replace(rows[0], leased=True)), (), now) is None
    assert idle_since([replace(row, due=now) for row in rows], (), now) is None


def test_of_a_big_fleet_numbers_come_first_and_then_what_needs_a_look(otd: Otd, store: SqlStore) -> None:
    fleet(store, MANY)
    said = otd("status")
    assert said.code == 1
    lines = said.out.splitlines()
    assert lines[0].split(maxsplit=2) == ["rooms", "40", "1 failing, 39 read"]
    assert lines[1].split(maxsplit=2) == ["endpoints", "40", "39 confirmed, 1 failing"]
    assert lines[2].split(maxsplit=2) == ["relays", "1", "1 alive"]
    assert "Endpoints that need a look, 1 of 40; --all shows all" in said.out
    assert "e0" in said.out
    assert "e7" not in said.out
    everything = otd("status", "--all").out
    assert all(f"e{n} " in everything for n in range(MANY))
    assert "Lanes" in everything


def test_for_machines_it_is_always_whole_and_names_causes(otd: Otd, store: SqlStore) -> None:
    fleet(store, MANY)
    store.settle_alerts([Alert(cause="no_relay", thing="pool:hq")], [], {})
    found = json.loads(otd("status", "--json").out)
    assert len(found["endpoints"]) == len(found["rooms"]) == MANY
    first = next(e for e in found["endpoints"] if e["name"] == "e0")
    assert (first["cause"], first["state"]) == ("password_refused", "denied")
    assert next(r for r in found["rooms"] if r["name"] == "r0")["cause"] == "calendar_denied"
    assert [alert["cause"] for alert in found["alerts"]] == ["no_relay"]
    assert found["counts"]["endpoints"] == {"confirmed": 39, "failing": 1}
    assert found["counts"]["next_due"]


def test_a_paused_lane_says_why_and_until_when(otd: Otd, store: SqlStore) -> None:
    fleet(store, 2)
    store.pause("post", store.now() + timedelta(minutes=90), "Exchange asks to wait")
    said = otd("status").out
    assert "Lanes" in said
    assert "in 1 h: Exchange asks to wait" in said


def test_it_watches_until_it_is_interrupted(store: SqlStore, tmp_path: Path) -> None:
    fleet(store, 2)
    watching = subprocess.Popen(
        [sys.executable, "-m", "otd", "status", "--watch"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    looks = 0
    assert watching.stdout is not None
    while looks < 2:
        line = watching.stdout.readline()
        assert line, "it ended by itself"
        looks += b"Ctrl-C ends it" in line
    watching.send_signal(signal.SIGINT)
    _, said = watching.communicate(timeout=20)
    assert (watching.returncode, said) == (1, b"")


def test_it_does_not_watch_for_machines(otd: Otd, store: SqlStore) -> None:
    said = otd("status", "--watch", "--json")
    assert said.code == 2
    assert "choose one" in said.err
