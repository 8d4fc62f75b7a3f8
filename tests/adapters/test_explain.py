"""What `otd explain` tells from the rows alone: of now, and of a time in the past."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from otd import dialplan
from otd.dialplan.ruling import Ruling
from otd.errors import Denied, Missing
from otd.explain import Explain
from otd.model import Facts, Failed
from otd.store import SqlStore
from tests.adapters.one_room import ROOM, SITE, TEN, OneRoom, a_meeting
from tests.contracts.store_case import CAPS, KEY
from tests.values import HOUR, MINUTE, SECOND, T0, a_receipt


@pytest.fixture
def path(tmp_path: Path, empty: Path) -> Path:
    return Path(shutil.copy(empty, tmp_path / "otd.db"))


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("empty") / "otd.db"
    SqlStore(f"sqlite:///{path}", KEY).close()
    return path


@pytest.fixture
def house(path: Path) -> Iterator[OneRoom]:
    house = OneRoom(path)
    yield house
    house.store.close()


def test_a_confirmed_booking_with_join_is_no_trouble(house: OneRoom) -> None:
    house.read(a_meeting())
    house.answer()
    found = house.explained(TEN)
    assert found.found.code == "nothing_wrong"
    (meeting,) = found.meetings
    assert meeting.on[0].shows == "join"
    assert [step.mark for step in (*meeting.steps, *meeting.on[0].steps)] == ["ok"] * 9
    assert house.cause() == "join_later"
    assert house.cause(TEN - MINUTE) == "nothing_wrong"


@pytest.mark.parametrize(
    ("meeting", "expected"),
    [
        ({"body": "See you there"}, "no_link"),
        ({"body": "", "location": "Microsoft Teams-Besprechung"}, "body_stripped"),
        ({"body": "Join by video: sip:x@video.elsewhere.example"}, "domain_not_allowed"),
        ({"cancelled": True}, "cancelled"),
        ({"response": "declined"}, "meeting_declined"),
        ({"show_as": "free"}, "meeting_hidden"),
        ({"start": T0 + 26 * HOUR, "end": T0 + 27 * HOUR}, "meeting_not_found"),
    ],
)
def test_what_is_wrong_with_the_meeting_itself(house: OneRoom, meeting: dict[str, Any], expected: str) -> None:
    house.read(a_meeting(**meeting), a_meeting(id="m2", uid="m2", start=T0 - HOUR, end=T0))
    house.answer()
    assert house.cause(TEN) == expected


def test_the_mend_names_the_domain_to_add(house: OneRoom) -> None:
    house.read(a_meeting(body="Join by video: sip:x@video.elsewhere.example"))
    assert '"video.elsewhere.example"' in house.explained(TEN).found.mend


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"outcome": "unreachable"}, "endpoint_unreachable"),
        ({"outcome": "denied", "reason": "password"}, "password_refused"),
        ({"outcome": "denied", "reason": "role"}, "role_missing"),
        ({"outcome": "untrusted"}, "certificate_changed"),
        ({"outcome": "unsupported", "reason": "teams"}, "teams_mode"),
        ({"outcome": "differs"}, "list_differs"),
        ({"outcome": "not_for_me"}, "credential_unknown"),
        ({"facts": Facts(clock_offset=5 * MINUTE)}, "clock_wrong"),
        ({"facts": Facts(hides=("AnythingNew",))}, "hidden"),
        ({"facts": Facts(hides=("NonJoinableMeetings",))}, "nothing_wrong"),
        ({"facts": Facts(hides=("Title",))}, "nothing_wrong"),  # its Join is there
        ({"facts": Facts(hides=("TentativeMeetings",))}, "nothing_wrong"),  # this one is not tentative
    ],
)
def test_what_is_wrong_at_the_endpoint_is_known_now_and_later(
    house: OneRoom, answer: dict[str, Any], expected: str
) -> None:
    house.read(a_meeting())
    house.wait(10 * SECOND)
    house.answer(**answer)
    house.wait(HOUR)
    assert house.cause(TEN) == expected
    house.wait(10 * SECOND)
    house.store.unpark("deliver", "codec1")
    house.answer("confirmed", facts=Facts())
    house.wait(HOUR / 2)
    assert house.cause(TEN + 5 * SECOND) == expected
    assert house.cause(house.clock.time) == "nothing_wrong"


def test_a_tentative_meeting_that_the_endpoint_hides(house: OneRoom) -> None:
    house.read(a_meeting(show_as="tentative"))
    house.answer(facts=Facts(hides=("TentativeMeetings",)))
    assert house.cause(TEN) == "hidden"


def test_the_past_is_explained_by_what_was_known_then(house: OneRoom) -> None:
    house.read(a_meeting(body="See you there"))
    house.answer()
    house.wait(70 * MINUTE)
    house.read(a_meeting())
    house.wait(10 * SECOND)
    house.answer()
    assert house.cause(TEN + 5 * MINUTE) == "no_link"
    assert house.cause(TEN + 11 * MINUTE) == "nothing_wrong"
    assert house.cause(TEN + 10 * MINUTE + SECOND) == "no_relay", "the new list was not sent yet"
    assert house.cause(T0 - HOUR) == "not_kept"


def test_a_meeting_that_was_removed_is_gone_and_one_that_never_was_is_not_found(house: OneRoom) -> None:
    house.read(a_meeting())
    house.answer()
    house.wait(MINUTE)
    house.read()
    house.answer()
    house.work()
    assert house.cause(TEN) == "meeting_gone"
    assert house.cause(TEN + 8 * HOUR) == "meeting_not_found"
    assert house.cause(TEN + timedelta(days=30)) == "meeting_outside"


def test_a_calendar_that_cannot_be_read_explains_a_meeting_that_is_missing(house: OneRoom) -> None:
    house.read()
    house.wait(MINUTE)
    error = Denied("office", "the account was refused", "give it its right back")
    house.store.save_reading(Failed(room="room1", taken_at=house.clock.time, error=error))
    house.work()
    found = house.explained(TEN).found
    assert (found.code, found.mend) == ("calendar_denied", "give it its right back")
    house.wait(2 * HOUR)
    house.read(a_meeting(start=TEN + 3 * HOUR, end=TEN + 4 * HOUR))
    assert house.cause(TEN) == "calendar_denied"


def test_a_booking_that_the_calendar_does_not_hold_any_more_is_explained_too(house: OneRoom) -> None:
    house.read(a_meeting())
    house.answer()
    house.wait(HOUR)
    house.read()
    house.answer("unreachable")
    found = house.explained()
    assert found.found.code == "endpoint_unreachable"
    assert found.meetings[0].booking is not None


def test_when_nobody_works_that_is_the_cause(house: OneRoom) -> None:
    house.wait(10 * MINUTE)
    assert house.cause(TEN) == "work_stopped"
    house.store.pause("office", house.clock.time + HOUR, "asked to wait")
    assert house.cause(TEN) == "lane_paused"


def test_when_no_relay_is_alive_that_is_the_cause(house: OneRoom) -> None:
    house.read(a_meeting())
    house.clock.time += 30 * SECOND
    assert house.cause(TEN) == "no_relay"


def test_a_room_that_no_endpoint_shows(house: OneRoom) -> None:
    by = Explain(store=house.store, rooms={"room1": ROOM}, endpoints={}, rules=house.rules)
    assert by.room("room1").found.code == "room_without_endpoint"
    with pytest.raises(Missing):
        by.room("room2")


def test_rules_that_the_brake_holds(house: OneRoom) -> None:
    strict = Ruling(version="0", site=SITE, rules=(), base=replace(dialplan.shipped(), rules=()))
    house.store.put_ruling(strict.saved)
    assert house.rules.ruling is not None
    house.store.put_ruling(house.rules.ruling.saved, held_for=(30, "too many"))
    plan, house.rules = house.rules.plan, replace(house.rules, plan=strict.plan)
    house.read(a_meeting())
    house.rules = replace(house.rules, plan=plan)
    assert house.cause(TEN) == "brake_rules"


def test_a_pool_that_was_cut_over_is_explained_by_how_it_was_run_then(house: OneRoom) -> None:
    house.store.cut_over("hq", "observe")
    house.read(a_meeting())
    house.answer(verb="read")
    assert house.cause(TEN) == "observed"
    house.wait(70 * MINUTE)
    house.store.cut_over("hq", "deliver")
    house.answer()
    assert house.cause(TEN + MINUTE) == "observed"
    assert house.cause(TEN + 10 * MINUTE) == "nothing_wrong"


def test_an_endpoint_that_fetches_is_explained_by_what_it_was_given(house: OneRoom) -> None:
    house.endpoint = replace(house.endpoint, kind="polycom", password_hash="sha256:x:y")
    house.store.adopt([ROOM], [house.endpoint], CAPS, "other settings")
    house.read(a_meeting())
    revision = house.store.endpoint("codec1").revision
    sequence = house.store.placing("codec1", revision, "relay1")
    receipt = a_receipt(revision=revision, sequence=sequence, outcome="placed")
    house.wait(MINUTE)
    assert house.store.apply(receipt)
    house.wait(MINUTE)
    assert house.cause(TEN) == "list_not_fetched"
    assert house.store.apply(replace(receipt, outcome="fetched"))
    house.wait(HOUR)
    assert house.cause(T0 + 90 * SECOND) == "meeting_not_found"
    assert house.cause(TEN + MINUTE) == "nothing_wrong"
