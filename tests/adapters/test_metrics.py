"""Metrics: what the rows say and what was counted, by HTTP, in names and forms that Prometheus takes."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from importlib import resources
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from otd.inbound import serve
from otd.metrics import Metrics
from otd.model import Alert
from otd.ports import Store
from otd.serve.app import application
from otd.serve.metrics import RelayCollector, StoreCollector, metrics, registry, text
from otd.settings.relay import load as load_relay
from otd.store.sql import SqlStore
from tests.adapters.cli import SETTINGS, Otd, an_installation
from tests.adapters.cli import otd as otd  # a fixture
from tests.contracts.store_case import CAPS, KEY, a_hello, a_list, a_reading, a_room
from tests.values import MINUTE, SECOND, FixedClock, a_booking, a_receipt, an_endpoint

PROMTOOL = shutil.which("promtool")
STARTER = resources.files("otd.cli") / "starter"
HOW_IT_IS = {
    "orders": {"confirmed": 7, "unreachable": 1},
    "broker": {"connected": True},
    "clock_offset": 0.25,
    "face": {"lists": 3, "missing": 1, "certificate_until": "2026-06-01T00:00:00+00:00"},
}


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def store(tmp_path: Path, clock: FixedClock) -> Iterator[SqlStore]:
    store = SqlStore(f"sqlite:///{tmp_path / 'otd.db'}", KEY, clock=clock)
    endpoints = [an_endpoint(), an_endpoint(name="codec2", rooms=("room2",)), an_endpoint(name="codec3")]
    store.adopt([a_room(1), a_room(2)], endpoints, CAPS, "d")
    store.save_reading(a_reading())
    without = a_booking(id="b2", dial=None, platform="teams", reason="link_only")
    store.put_part("codec1", "room1", (a_booking(), without))
    for name, outcome in (("codec1", "confirmed"), ("codec2", "unreachable")):
        revision = store.put_desired(a_list("b1", endpoint=name), "d")
        sequence = store.sending(name, "put", revision, "relay1")
        store.apply(a_receipt(endpoint=name, revision=revision, sequence=sequence, outcome=outcome))
    store.heard(a_hello(clock_offset=2 * SECOND))
    store.settle_alerts([Alert(cause="no_relay", thing="pool:hq")], ["mail"], {})
    yield store
    store.close()


def samples(store: Store) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text(registry(StoreCollector(store))).decode())
        for sample in family.samples
    }


def labels(**values: str) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(values.items()))


def test_the_rows_are_counted_by_their_state(store: SqlStore) -> None:
    found = samples(store)
    assert found["otd_endpoints", labels(pool="hq", state="confirmed")] == 1
    assert found["otd_endpoints", labels(pool="hq", state="failing")] == 1
    assert found["otd_endpoints", labels(pool="hq", state="unread")] == 1
    assert found["otd_rooms", labels(calendar="office", state="read")] == 1
    assert found["otd_rooms", labels(calendar="office", state="unread")] == 1
    assert found["otd_bookings", labels(platform="teams", reason="none")] == 1
    assert found["otd_bookings", labels(platform="teams", reason="link_only")] == 1
    assert found["otd_alerts", labels(cause="no_relay")] == 1
    assert found["otd_alerts_untold", labels(channel="mail")] == 1
    assert found["otd_relay_up", labels(relay="relay1", pool="hq")] == 1
    assert found["otd_relay_clock_offset_seconds", labels(relay="relay1", pool="hq")] == 2


def test_work_that_waits_is_late(store: SqlStore, clock: FixedClock) -> None:
    clock.time += 3 * MINUTE
    found = samples(store)
    assert found["otd_lane_lateness_seconds", labels(lane="office")] == 180
    assert found["otd_lane_due", labels(lane="office")] == 2
    assert found["otd_relay_up", labels(relay="relay1", pool="hq")] == 0
    store.claim("me", limit=100, lease=MINUTE, kinds=("refresh",))
    found = samples(store)
    assert found["otd_lane_lateness_seconds", labels(lane="office")] == 0
    assert found["otd_lane_running", labels(lane="office")] == 2


def test_a_list_is_timed_until_it_is_seen() -> None:
    counted = Metrics()
    counted.confirmed(timedelta(seconds=3), timedelta(seconds=25))
    counted.confirmed(timedelta(seconds=4), None)
    said = text(counted.registry).decode()
    assert "otd_list_confirmed_seconds_count 2.0" in said
    assert "otd_invitation_confirmed_seconds_sum 25.0" in said


def test_nothing_of_a_booking_is_in_them(store: SqlStore) -> None:
    booking = replace(a_booking(), title="canary", organizer="canary")
    store.put_part("codec1", "room1", (booking,))
    said = text(registry(StoreCollector(store)))
    assert b"canary" not in said
    assert b"plcm.vc" not in said
    assert b"example.com" not in said


@pytest.mark.parametrize(
    ("token", "shown", "status"),
    [("", "", 200), ("hush", "", 403), ("hush", "Bearer wrong", 403), ("hush", "Bearer hush", 200)],
)
def test_they_are_given_to_whoever_may_ask(store: SqlStore, token: str, shown: str, status: int) -> None:
    app = application(metrics(registry(StoreCollector(store)), token=token))
    with serve(app, name="metrics", address="127.0.0.1", port=0, certificate=None) as server:
        headers = {"Authorization": shown} if shown else {}
        answer = httpx.get(f"{server.url}/metrics", headers=headers, trust_env=False)
    assert answer.status_code == status
    assert ("otd_build_info" in answer.text) == (status == 200)
    assert "hush" not in answer.text


def test_from_elsewhere_nobody_may_ask_without_a_token(store: SqlStore) -> None:
    app = application(metrics(registry(StoreCollector(store))), proxies=["127.0.0.1"])
    with serve(app, name="metrics", address="127.0.0.1", port=0, certificate=None) as server:
        answer = httpx.get(f"{server.url}/metrics", headers={"X-Forwarded-For": "192.0.2.7"}, trust_env=False)
    assert answer.status_code == 403


def test_a_relay_says_how_it_is() -> None:
    said = text(registry(RelayCollector(lambda: HOW_IT_IS))).decode()
    assert 'otd_relay_orders_total{outcome="confirmed"} 7.0' in said
    assert "otd_relay_connected 1.0" in said
    assert "otd_relay_lists_missing 1.0" in said


def test_a_relay_listens_where_its_settings_say(tmp_path: Path) -> None:
    path = tmp_path / "relay.toml"
    mentioned = re.search(r"^#(metrics = .*)$", (STARTER / "relay.toml").read_text(), re.M)
    assert mentioned
    path.write_text(f"[relay]\n{mentioned[1]}\n")
    assert load_relay(path).metrics == ("127.0.0.1", 9464)
    path.write_text("")
    assert load_relay(path).metrics is None


def test_the_command_prints_them_and_the_files(otd: Otd, tmp_path: Path) -> None:
    an_installation(tmp_path)
    assert otd("metrics", "show").code == 1  # there is no database yet
    assert otd("metrics", "rules").out == (STARTER / "prometheus-rules.yml").read_text()
    assert json.loads(otd("metrics", "dashboard").out)["title"] == "One Touch Dial"


@pytest.mark.parametrize("wrong", ['listen = "0.0.0.0:9464"', 'listen = "192.0.2.1"'])
def test_the_network_may_not_ask_without_a_token(otd: Otd, tmp_path: Path, wrong: str) -> None:
    an_installation(tmp_path, f"{SETTINGS}\n[metrics]\n{wrong}\n")
    said = otd("metrics", "show")
    assert said.code == 2
    assert "without a token only this machine may ask" in said.err


def test_rules_and_dashboard_name_only_metrics_that_there_are(store: SqlStore) -> None:
    counted = Metrics()
    counted.reading("c", "complete", SECOND)
    counted.receipt("put", "confirmed")
    there = {
        name
        for family in text_string_to_metric_families(
            (text(registry(StoreCollector(store))) + text(counted.registry)).decode()
        )
        for name in (family.name, *(sample.name for sample in family.samples))
    }
    for file in ("prometheus-rules.yml", "grafana-dashboard.json"):
        named = set(re.findall(r"\botd_[a-z_]+", (STARTER / file).read_text()))
        assert named
        assert named <= there, f"{file} names what there is not"


if PROMTOOL:  # where it is not installed, there is nothing to ask

    def test_promtool_takes_the_rules() -> None:
        command = [str(PROMTOOL), "check", "rules", str(STARTER / "prometheus-rules.yml")]
        done = subprocess.run(command, capture_output=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    def test_promtool_finds_nothing_wrong_with_names_and_forms(store: SqlStore) -> None:
        counted = Metrics()
        counted.reading("office", "complete", SECOND)
        said = text(counted.registry, registry(StoreCollector(store), RelayCollector(lambda: HOW_IT_IS)))
        done = subprocess.run([str(PROMTOOL), "check", "metrics"], input=said, capture_output=True, check=False)
        assert (done.returncode, done.stdout + done.stderr) == (0, b"")
