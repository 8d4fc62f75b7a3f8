"""`otd relays list`, `reach`, `maintenance`, `adopt` and `revoke`, as an administrator types them."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from otd import settings as otd_settings
from otd.bus import seal
from otd.model import HOUSE, BookingList, Hello
from otd.pairing import Keys
from otd.store import SqlStore
from otd.wiring import store as open_store
from tests.adapters.cli import SETTINGS, Otd, an_installation, otd
from tests.values import WINDOW, a_receipt

__all__ = ["otd"]
BUS = '\n[bus]\nbroker = "broker"\nrelays_address = "bus.example.com:443"\n'
PAIRED = SETTINGS.replace('[relays.hq-1]\npool = "hq"\n', "").replace(
    'kind = "memory"', 'kind = "cisco"\ncredential = "codec"'
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    an_installation(tmp_path, PAIRED + BUS)
    secrets = tmp_path / "secrets.toml"
    secrets.write_text(secrets.read_text() + 'broker = "amqps://otd:the-centres@bus.example.com"\ncodec = "admin:x"\n')
    settings = otd_settings.load(tmp_path / "otd.toml", {})
    with closing(open_store(settings)) as found:
        found.adopt(settings.rooms.values(), settings.endpoints.values(), {HOUSE: 4, "post": 4, "hq": 4}, "d")
        yield found


def keys() -> Keys:
    return Keys(signing=seal.public_signing(seal.new_key()), sealing=seal.public_sealing(seal.new_key()))


def member(store: SqlStore, name: str) -> None:
    store.members.adopt(name, "hq", keys(), administrator="anna")


def hello(store: SqlStore, name: str, **more: Any) -> None:
    now = store.now()
    store.heard(replace(Hello(relay=name, pool="hq", version="0.1.0", started_at=now, at=now), **more))


def listed(otd: Otd) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in json.loads(otd("relays", "list", "--json").out)}


def test_a_relay_is_grey_then_green_then_red(store: SqlStore, otd: Otd) -> None:
    assert "There are no relays" in otd("relays", "list").out
    for name in ("fresh", "good", "late", "gone"):
        member(store, name)
    hello(store, "good")
    hello(store, "late", clock_offset=timedelta(minutes=10))
    hello(store, "gone", leaving=True)
    rows = listed(otd)
    assert {name: row["status"] for name, row in rows.items()} == {
        "fresh": "grey",
        "good": "green",
        "late": "red",
        "gone": "red",
    }
    assert "its clock is 600 s ahead" in rows["late"]["why"]
    said = otd("relays", "list")
    assert said.code == 1
    assert "it was stopped" in said.out


def test_maintenance_is_shown_with_its_reason_until_it_is_over(store: SqlStore, otd: Otd) -> None:
    member(store, "relay1")
    hello(store, "relay1")
    assert otd("relays", "maintenance", "relay1", "on", "--why", "new disk").code == 0
    assert listed(otd)["relay1"]["why"] == "in maintenance: new disk"
    assert otd("relays", "maintenance", "relay1", "off").code == 0
    assert listed(otd)["relay1"]["status"] == "green"
    assert "no relay of this name" in otd("relays", "maintenance", "relay9", "on").err


def test_two_machines_under_one_identity_are_an_alarm(store: SqlStore, otd: Otd) -> None:
    member(store, "relay1")
    now = store.now()
    hello(store, "relay1", started_at=now - timedelta(seconds=60))
    hello(store, "relay1", started_at=now - timedelta(seconds=30))
    hello(store, "relay1", started_at=now - timedelta(seconds=60))
    row = listed(otd)["relay1"]
    assert (row["status"], "second machine" in row["why"]) == ("red", True)


def test_who_reaches_what_is_a_grid(store: SqlStore, otd: Otd) -> None:
    assert "No relay has reported" in otd("relays", "reach").out
    for name in ("relay1", "relay2"):
        member(store, name)
        hello(store, name)
    revision = store.put_desired(BookingList(endpoint="board-codec", window=WINDOW), "d1")
    for relay, outcome in (("relay1", "confirmed"), ("relay2", "unreachable")):
        sequence = store.sending("board-codec", "put", revision, relay)
        said = {"revision": revision, "sequence": sequence, "relay": relay, "outcome": outcome, "detail": "no answer"}
        assert store.apply(a_receipt(endpoint="board-codec", **said))
    said = otd("relays", "reach")
    assert said.code == 1
    assert "it never did" in said.out
    rows = listed(otd)
    assert (rows["relay1"]["reaches"], rows["relay2"]["does_not_reach"]) == (["board-codec"], ["board-codec"])


def test_a_relay_set_up_by_hand_gets_commands_and_a_grant_that_work(
    store: SqlStore, otd: Otd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (site / "relay.toml").write_text('[relay]\nstate = "state"\n')
    shown = otd("relay", "keys", "--config", site / "relay.toml").out.strip()
    assert otd("relay", "keys", "--config", site / "relay.toml").out.strip() == shown
    said = otd("relays", "adopt", "relay1", "--pool", "hq", "--keys", shown)
    assert said.code == 0, said.err
    assert "rabbitmqctl add_user otd-relays.relay1 PASSWORD" in said.out
    assert r"'^(pool\.hq|relay\.relay1)$'" in said.out
    grant = said.out.split("otd relay accept ")[1].strip()
    (site / "password").write_text("hunter2\n")
    with (site / "password").open() as typed:
        monkeypatch.setattr("sys.stdin", typed)
        accepted = otd("relay", "accept", grant, "--config", site / "relay.toml")
    assert accepted.code == 0, accepted.err
    identity = json.loads((site / "state" / "identity.json").read_text())
    broker = identity["broker"]
    assert (broker["host"], broker["port"], broker["user"], broker["password"]) == (
        "bus.example.com",
        443,
        "otd-relays.relay1",
        "hunter2",
    )
    assert "the-centres" not in urlsafe_b64decode(grant).decode()
    assert store.members.get("relay1").by_hand


@pytest.mark.parametrize("shown", ["", "abc", "a.b", "x" * 43 + "." + "y" * 44])
def test_what_are_no_keys_are_refused(store: SqlStore, otd: Otd, shown: str) -> None:
    said = otd("relays", "adopt", "relay1", "--pool", "hq", "--keys", shown)
    assert (said.code, "these are not two public keys" in said.err) == (2, True)


def test_who_is_shut_out_could_have_known_passwords_that_are_named(store: SqlStore, otd: Otd) -> None:
    member(store, "relay1")
    said = otd("relays", "revoke", "relay1", "--yes")
    assert said.code == 0
    assert "it could have known the secret codec: of board-codec" in said.out
    assert "rabbitmqctl delete_user otd-relays.relay1" in said.out
    assert listed(otd)["relay1"]["why"] == "shut out"
    assert "no relay of this name" in otd("relays", "revoke", "relay9", "--yes").err
