"""Change notifications from the lab's Graph to `otd serve`: hints that make a reading come sooner, and nothing else."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from otd import dialplan
from otd.bus.local import LocalBus
from otd.cli.status_report import report
from otd.errors import BadSetting, Unreachable
from otd.inbound import Server as Listening
from otd.inbound import serve
from otd.invites import Site
from otd.lab import faults
from otd.model import Policy, Room
from otd.outbound import Answer, Http
from otd.pipeline import Pipeline, Rulebook
from otd.serve.app import application
from otd.serve.notifications import notifications
from otd.store.sql import SqlStore
from otd.subscribing import CHANGES, LIFECYCLE, Subscribing, hook
from tests.adapters.graph_lab import Lab, lab
from tests.contracts.calendar import a_room, planned
from tests.contracts.store_case import NoJitter
from tests.values import HOUR, MINUTE, SECOND, FixedClock

__all__ = ["lab"]
ROOM: Room = a_room()


class Centre:
    """One room of the lab's Graph, the centre's rows, and the process that Graph calls."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        lab.lay(planned())
        self.lab, self.graph = lab, lab.graph
        self.clock = FixedClock()
        self.clock.time = datetime.now(UTC).replace(microsecond=0)  # which the lab goes by, too
        self.store = SqlStore(f"sqlite:///{folder / 'otd.db'}", b"k" * 32, clock=self.clock, rng=NoJitter())
        self.server: Listening = serve(
            application(notifications(self.store.notified)),
            name="centre",
            address="127.0.0.1",
            port=0,
            certificate=None,
        )
        self.calendar = lab.calendar(clock=self.clock)
        self.store.adopt((ROOM,), (), {ROOM.calendar: 4, "house": 1}, "digest", subscribed=(ROOM.name,))
        self.pipeline = self.with_hook(self.server.url)

    def with_hook(self, url: str, *, told: tuple[str, ...] = (ROOM.name,)) -> Pipeline:
        subscribing = Subscribing(
            store=self.store,
            calendars={ROOM.calendar: self.calendar},
            rooms={ROOM.name: ROOM},
            told=told,
            hook=hook(url),
        )
        return Pipeline(
            store=self.store,
            calendars={ROOM.calendar: self.calendar},
            bus=LocalBus(),
            rooms={ROOM.name: ROOM},
            endpoints={},
            rules=Rulebook(plan=dialplan.plan((), (), ()), site=Site(), policy=Policy()),
            more={"subscribe": subscribing.room},
        )

    def work(self) -> list[str]:
        """Carry out what is due now; what it was."""
        claimed = [item for item in self.store.claim("me", limit=10, lease=90 * SECOND) if self.store.begin(item)]
        for item in claimed:
            self.store.finish(item, self.pipeline.carry_out(item))
        return sorted(item.kind for item in claimed)

    def switch_off(self) -> None:
        """Notifications, in the settings: this is the next start."""
        self.store.adopt((ROOM,), (), {ROOM.calendar: 4, "house": 1}, "other")
        self.pipeline = self.with_hook("", told=())

    def settle(self) -> None:
        while self.work():
            pass

    def held(self) -> tuple[str, ...]:
        return self.graph.subscriptions.of(ROOM.mailbox)

    def is_due(self) -> bool:
        return any(row.kind == "refresh" and row.due <= self.clock.time for row in self.store.work())

    def until(self, reached: Callable[[], bool]) -> None:
        end = time.monotonic() + 60
        while not reached():
            assert time.monotonic() < end, "it did not come to that in time"
            threading.Event().wait(0.01)

    def change(self) -> None:
        self.graph.mailboxes[ROOM.mailbox].clear()

    def close(self) -> None:
        self.graph.subscriptions.close()
        self.server.stop()
        self.calendar.close()
        self.store.close()


@pytest.fixture
def centre(lab: Lab, tmp_path: Path) -> Iterator[Centre]:
    made = Centre(lab, tmp_path)
    yield made
    made.close()


def post(centre: Centre, path: str, document: Any, *, raw: bytes | None = None) -> Answer:
    content = json.dumps(document).encode() if raw is None else raw
    with Http() as http:
        return http.request("POST", f"{centre.server.url}{path}", where="serve", within=10 * SECOND, content=content)


# --- the life of a subscription -----------------------------------------------------------------------------------


def test_a_room_is_subscribed_once_and_then_left_alone_until_half_its_life_is_over(centre: Centre) -> None:
    centre.settle()
    assert len(centre.held()) == 1
    lane = next(lane for lane in report(centre.store)["lanes"] if lane["name"] == ROOM.calendar)
    assert (lane["rooms_told"], lane["rooms_to_tell"], lane["telling_error"]) == (1, 1, "")
    row = next(row for row in centre.store.work() if row.kind == "subscribe")
    assert row.error == ""
    assert row.due - centre.clock.time > 20 * HOUR


def test_it_is_renewed_at_half_its_life_and_stays_the_same(centre: Centre) -> None:
    centre.settle()
    before, known = centre.held(), centre.store.subscription(ROOM.name)
    assert known is not None
    centre.clock.time += (known.expires_at - centre.clock.time) / 2
    assert "subscribe" in centre.work()
    after = centre.store.subscription(ROOM.name)
    assert centre.held() == before
    assert after is not None
    assert after.id == known.id


def test_one_that_ran_out_while_nobody_worked_is_begun_anew(centre: Centre) -> None:
    centre.settle()
    known = centre.store.subscription(ROOM.name)
    assert known is not None
    centre.clock.time = known.expires_at
    centre.settle()
    after = centre.store.subscription(ROOM.name)
    assert after is not None
    assert after.id != known.id


def test_one_that_was_taken_away_without_a_word_is_begun_anew_at_the_renewal(centre: Centre) -> None:
    centre.settle()
    (before,) = centre.held()
    centre.graph.subscriptions.forget(ROOM.mailbox)
    centre.clock.time += 40 * HOUR
    centre.settle()
    (after,) = centre.held()
    assert after != before


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ("missed", ["refresh"]),
        ("reauthorizationRequired", ["refresh", "subscribe"]),
        ("subscriptionRemoved", ["refresh", "subscribe"]),
    ],
)
def test_what_graph_says_of_a_subscription_is_acted_on_at_once(centre: Centre, event: str, expected: list[str]) -> None:
    centre.settle()
    centre.graph.subscriptions.tell(ROOM.mailbox, event)
    centre.until(centre.is_due)
    assert centre.work() == expected
    assert len(centre.held()) == 1
    found = centre.store.subscription(ROOM.name)
    assert found is not None
    assert not found.renew


def test_a_graph_that_cannot_call_us_is_a_wrong_setting_and_reading_goes_on(centre: Centre) -> None:
    centre.pipeline = centre.with_hook("https://127.0.0.1:1")
    centre.settle()
    row = next(row for row in centre.store.work() if row.kind == "subscribe")
    assert (row.code, row.parked, row.due - centre.clock.time) == (BadSetting.code, True, 10 * MINUTE)
    assert "public_url" in row.mend
    lane = next(lane for lane in report(centre.store)["lanes"] if lane["name"] == ROOM.calendar)
    assert (lane["rooms_told"], lane["rooms_to_tell"]) == (0, 1)
    assert "Graph gives no notifications" in lane["telling_error"]
    assert centre.store.rooms()[0].read_at is not None
    assert all(lane.paused_until is None for lane in centre.store.lanes())


@pytest.mark.parametrize("status", [403, 429, 500, 503])
def test_without_notifications_rooms_are_read_all_the_same(centre: Centre, status: int) -> None:
    centre.lab.fault(faults.status(status), operation="subscriptions")
    centre.settle()
    assert centre.held() == ()
    assert centre.store.rooms()[0].read_at is not None


def test_notifications_that_are_switched_off_are_taken_back(centre: Centre) -> None:
    centre.settle()
    assert len(centre.held()) == 1
    centre.switch_off()
    centre.settle()
    assert centre.held() == ()
    assert centre.store.subscription(ROOM.name) is None
    assert {row.kind for row in centre.store.work()} == {"refresh"}


def test_one_that_cannot_be_taken_back_just_now_is_taken_back_later(centre: Centre) -> None:
    centre.settle()
    centre.lab.fault(faults.status(503), operation="subscriptions", times=1)
    centre.switch_off()
    centre.settle()
    assert len(centre.held()) == 1
    centre.clock.time += HOUR
    centre.settle()
    assert centre.held() == ()


@pytest.mark.parametrize("gone", [True, False])
def test_one_that_is_gone_or_may_not_be_taken_back_is_left_to_end_by_itself(centre: Centre, gone: bool) -> None:
    centre.settle()
    if gone:
        centre.graph.subscriptions.forget(ROOM.mailbox)
    else:
        centre.lab.fault(faults.status(403), operation="subscriptions")
    centre.switch_off()
    centre.settle()
    assert centre.store.subscription(ROOM.name) is None
    assert {row.kind for row in centre.store.work()} == {"refresh"}


# --- notifications ------------------------------------------------------------------------------------------------


def test_a_change_makes_the_room_due_at_once(centre: Centre) -> None:
    centre.settle()
    assert not centre.is_due()
    centre.change()
    centre.until(centre.is_due)
    assert centre.work() == ["refresh"]
    assert centre.store.rooms()[0].meetings == 0


def test_what_comes_three_times_is_read_twice_at_the_most(centre: Centre) -> None:
    centre.settle()
    centre.graph.requests.reset()
    centre.graph.subscriptions.copies = 3
    centre.change()
    centre.until(lambda: centre.graph.subscriptions.sent == 3)
    for _ in range(3):
        centre.settle()
        centre.clock.time += 5 * SECOND
    assert 1 <= centre.graph.requests.count(operation="calendarView") <= 2


def test_a_lost_notification_changes_nothing_but_time(centre: Centre) -> None:
    centre.settle()
    centre.graph.subscriptions.losses = 1.0
    centre.change()
    assert not centre.is_due()
    centre.clock.time += 2 * MINUTE
    assert centre.work() == ["refresh"]
    assert centre.store.rooms()[0].meetings == 0


# --- what anybody may send ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [CHANGES, LIFECYCLE])
def test_the_handshake_gives_the_token_back_as_plain_text_and_nothing_else(centre: Centre, path: str) -> None:
    answer = post(centre, f"{path}?validationToken=%3Cscript%3E%20x", {})
    assert (answer.status, answer.body) == (200, b"<script> x")
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert post(centre, f"{path}?validationToken={'x' * 3000}", {}).status == 400


@pytest.mark.parametrize(
    "value",
    [
        {"subscriptionId": "unknown", "clientState": "x", "changeType": "updated"},
        {"subscriptionId": "{id}", "clientState": "guessed", "changeType": "updated"},
        {"subscriptionId": "{id}", "changeType": "updated"},
        {"subscriptionId": "{id}", "clientState": "guessed", "lifecycleEvent": "subscriptionRemoved"},
        {"subscriptionId": "{id}", "clientState": None},
        {"subscriptionId": 7, "clientState": "x"},
        "nonsense",
        None,
    ],
)
def test_whoever_does_not_know_the_client_state_changes_nothing(centre: Centre, value: Any) -> None:
    centre.settle()
    if isinstance(value, dict) and value.get("subscriptionId") == "{id}":
        value = {**value, "subscriptionId": centre.held()[0]}
    assert post(centre, CHANGES, {"value": [value]}).status == 202
    assert post(centre, LIFECYCLE, {"value": [value]}).status == 202
    assert not centre.is_due()
    assert centre.store.subscription(ROOM.name) is not None


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b'{"value": 1}', b"[" * 100_000])
def test_what_is_no_notification_is_refused(centre: Centre, raw: bytes) -> None:
    assert post(centre, CHANGES, None, raw=raw).status == 400


def test_a_body_without_end_is_cut_off(centre: Centre) -> None:
    assert post(centre, CHANGES, None, raw=b" " * (1024 * 1024 + 1)).status == 413


def test_a_database_that_is_away_makes_graph_send_it_again() -> None:
    def away(_: object) -> int:
        raise Unreachable("the database", "no answer")

    value = {"subscriptionId": "x", "clientState": "x", "changeType": "updated"}
    content = json.dumps({"value": [value]}).encode()
    app = application(notifications(away))
    with serve(app, name="centre", address="127.0.0.1", port=0, certificate=None) as server, Http() as http:
        url = f"{server.url}{CHANGES}"
        answer = http.request("POST", url, where="serve", within=10 * SECOND, content=content)
    assert (answer.status, answer.headers["retry-after"]) == (503, "5")


def test_a_get_is_no_notification(centre: Centre) -> None:
    with Http() as http:
        url = f"{centre.server.url}{CHANGES}"
        assert http.request("GET", url, where="serve", within=timedelta(seconds=5)).status == 405
