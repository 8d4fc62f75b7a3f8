"""What is worth an alert: a decision on what is known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from otd import alerts
from otd.alerts import Concern, Picture
from otd.causes import CAUSES
from otd.model import Alert, Brake, EndpointState, Expiry, Facts, Joinless, Placement, RoomState
from tests.contracts.store_case import a_room
from tests.values import (
    HOUR,
    MINUTE,
    SECOND,
    T0,
    a_booking,
    a_desired,
    a_receipt,
    a_relay,
    a_sent,
    a_state,
    an_endpoint,
)

LONG_AGO = T0 - HOUR
ROOMS = (RoomState(room=a_room(timezone="Europe/Berlin"), read_at=T0),)


def found(*, concern: Concern | None = None, **seen: Any) -> list[tuple[str, str]]:
    return [(alert.cause, alert.thing) for alert in all_of(concern=concern, **seen)]


def all_of(*, concern: Concern | None = None, **seen: Any) -> tuple[Alert, ...]:
    usual = Picture(now=T0, rooms=ROOMS, relays=(a_relay(),), pools={"hq": 1}, things=frozenset({"endpoint:codec1"}))
    return alerts.of(replace(usual, **seen), concern or Concern())


def unreachable(start: Any = T0 + 10 * MINUTE, **state: Any) -> EndpointState:
    """An endpoint that cannot be reached since long, with a meeting at that time."""
    bookings = (a_booking(start=start, end=start + HOUR),)
    listed = replace(a_desired().list, bookings=bookings)
    usual: dict[str, Any] = {
        "desired": a_desired(list=listed, since=LONG_AGO),
        "receipt": a_receipt(outcome="unreachable", detail="no answer"),
        "failing_since": LONG_AGO,
    }
    return a_state(**usual | state)


def test_when_all_is_well_there_is_no_alert() -> None:
    assert found(watched=(unreachable(receipt=a_receipt(), failing_since=None),)) == []


def test_a_list_that_is_in_place_is_no_missing_button_whatever_the_endpoint_hides() -> None:
    hides = Facts(hides=("TentativeMeetings",))
    assert found(watched=(unreachable(receipt=a_receipt(), failing_since=None, facts=hides),)) == []


def test_a_button_that_is_not_confirmed_before_its_meeting_is_alerted_with_its_cause_and_when() -> None:
    (alert,) = all_of(watched=(unreachable(),))
    assert (alert.cause, alert.thing) == ("endpoint_unreachable", "endpoint:codec1")
    assert "10:10 (UTC)" in alert.detail or "10:10 (Europe/Berlin)" in alert.detail
    assert "no answer" in alert.detail
    assert alert.mend == CAUSES["endpoint_unreachable"].mend


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        (T0 + 15 * MINUTE, True),
        (T0 + 15 * MINUTE + SECOND, False),
        (T0, True),
        (T0 - 10 * MINUTE, True),
        (T0 - 11 * MINUTE, False),
    ],
)
def test_it_is_about_the_quarter_of_an_hour_before_a_meeting_and_the_minutes_when_people_look_for_join(
    start: Any, expected: bool
) -> None:
    assert bool(found(watched=(unreachable(start),))) is expected


def test_a_meeting_without_join_needs_no_button() -> None:
    listed = replace(a_desired().list, bookings=(a_booking(start=T0 + MINUTE, dial=None, reason="no_link"),))
    assert found(watched=(unreachable(desired=a_desired(list=listed, since=LONG_AGO)),)) == []


def test_what_has_just_begun_is_nobodys_concern_yet() -> None:
    assert found(watched=(unreachable(failing_since=T0 - 59 * SECOND),)) == []
    assert found(watched=(unreachable(failing_since=T0 - 60 * SECOND),)) != []
    new = unreachable()
    new = replace(new, receipt=None, failing_since=None, sent=a_sent(at=T0))
    assert new.desired is not None
    assert found(watched=(new,)) == [("delivery_unanswered", "endpoint:codec1")]
    assert found(watched=(replace(new, desired=replace(new.desired, since=T0 - 30 * SECOND)),)) == []


def test_an_endpoint_that_fetches_is_given_the_time_to_ask() -> None:
    def placed(since: Any) -> EndpointState:
        held = (Placement(relay="relay1", revision=10, at=T0),)
        state = unreachable(endpoint=an_endpoint(kind="polycom"), placements=held, receipt=None, failing_since=None)
        assert state.desired is not None
        return replace(state, desired=replace(state.desired, since=since))

    assert found(watched=(placed(T0 - 4 * MINUTE),)) == []
    assert found(watched=(placed(T0 - 6 * MINUTE),)) == [("list_not_fetched", "endpoint:codec1")]


def test_an_endpoint_that_needs_a_person_is_alerted_without_any_meeting() -> None:
    far = unreachable(T0 + 5 * HOUR, receipt=a_receipt(outcome="denied", reason="password"))
    assert found(watched=(far,)) == [("password_refused", "endpoint:codec1")]
    assert found(watched=(unreachable(T0 + 5 * HOUR),)) == []


def test_an_observed_endpoint_is_the_other_systems_business() -> None:
    assert found(watched=(unreachable(mode="observe", receipt=a_receipt(outcome="differs")),)) == []


def test_a_pool_without_a_living_relay_is_one_alert_however_many_endpoints_it_has() -> None:
    dead = (a_relay(last_seen=T0 - 2 * MINUTE),)
    many = tuple(unreachable(endpoint=an_endpoint(name=f"codec{n}")) for n in range(50))
    assert found(watched=many, relays=dead, pools={"hq": 50}) == [("no_relay", "pool:hq")]
    assert found(relays=(), pools={"hq": 1}) == [("no_relay", "pool:hq")]
    assert found(relays=(), pools={"hq": 0}) == []
    assert found(relays=(a_relay(last_seen=T0 - 30 * SECOND),)) == []


def test_a_relay_that_is_gone_while_others_stand_in() -> None:
    gone = a_relay("relay2", last_seen=T0 - 5 * MINUTE)
    assert found(relays=(a_relay(), gone)) == [("relay_gone", "relay:relay2")]
    assert found(relays=(a_relay(), replace(gone, leaving=True))) == []
    assert found(relays=(a_relay(), replace(gone, last_seen=T0 - 8 * 24 * HOUR))) == []


def test_a_relay_whose_clock_is_wrong() -> None:
    (alert,) = all_of(relays=(a_relay(clock_offset=-12 * SECOND),))
    assert (alert.cause, alert.thing) == ("relay_clock", "relay:relay1")
    assert "12 s slow" in alert.detail


def failing(number: int, since: Any, code: str = "denied") -> RoomState:
    return RoomState(room=a_room(number), read_at=LONG_AGO, failing_since=since, code=code, error="403")


def test_a_room_that_cannot_be_read_for_long() -> None:
    rooms = (*ROOMS, failing(2, T0 - 20 * MINUTE))
    assert found(rooms=rooms) == [("calendar_denied", "room:room2")]
    assert found(rooms=(*ROOMS, failing(2, T0 - 10 * MINUTE))) == []


def test_a_calendar_none_of_whose_rooms_can_be_read_is_one_alert() -> None:
    rooms = (failing(1, T0 - 20 * MINUTE), failing(2, T0 - 14 * MINUTE), failing(3, T0 - MINUTE))
    (alert,) = all_of(rooms=rooms)
    assert (alert.cause, alert.thing) == ("calendar_denied", "calendar:office")
    assert "none of its 3 rooms" in alert.detail


def test_a_meeting_that_should_have_had_a_button() -> None:
    stripped = Joinless(room="room1", start=T0 + 5 * MINUTE, reason="body_stripped")
    later = replace(stripped, start=T0 + 12 * MINUTE)
    (alert,) = all_of(joinless=(stripped, later))
    assert (alert.cause, alert.thing) == ("body_stripped", "room:room1")
    assert "10:05 (Europe/Berlin)" in alert.detail
    assert found(joinless=(replace(stripped, reason="no_link"), replace(stripped, reason="link_only"))) == []


def test_what_the_brake_holds() -> None:
    brakes = tuple(Brake(name=name, since=T0, things=30, why="much") for name in ("office", "rules"))
    assert found(brakes=brakes) == [("brake_calendar", "calendar:office"), ("brake_rules", "rules")]


def test_what_runs_out_soon_of_what_is_configured() -> None:
    soon = Expiry(cause="endpoint_expires", thing="endpoint:codec1", at=T0 + 29 * 24 * HOUR)
    (alert,) = all_of(expiries=(soon,))
    assert "2026-02-03" in alert.detail
    assert found(expiries=(replace(soon, at=T0 + 31 * 24 * HOUR),)) == []
    assert found(expiries=(replace(soon, thing="endpoint:gone"),)) == []


def test_a_channel_that_cannot_be_told() -> None:
    assert found(failing=(("mail", "refused", LONG_AGO),)) == [("alert_unsent", "channel:mail")]
    assert found(failing=(("mail", "refused", T0),)) == []


@pytest.mark.parametrize("mute", ["endpoint_unreachable", "endpoint:codec1"])
def test_causes_and_things_can_be_muted(mute: str) -> None:
    assert found(watched=(unreachable(),), concern=Concern(mute=frozenset({mute}))) == []


def test_what_is_over_says_why() -> None:
    alert = Alert(cause="endpoint_unreachable", thing="endpoint:codec1")
    other = Alert(cause="password_refused", thing="endpoint:codec1")
    assert alerts.note(alert, (other,), None) == "instead: The endpoint refuses the password."
    assert alerts.note(alert, (), a_state(receipt=a_receipt())) == "its list is confirmed"
    assert alerts.note(alert, (), unreachable()) == "no meeting with Join starts soon"
    assert alerts.note(Alert(cause="no_relay", thing="pool:hq"), (), None) == "it is so no longer"
