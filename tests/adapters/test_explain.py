"""What `otd explain` tells from the rows alone: of now, and of a time in the past."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from otd import bookings, dialplan
from otd.dialplan.ruling import Ruling
from otd.errors import Denied, Missing
from otd.explain import Explain, Explanation
from otd.invites import Site
from otd.model import Booking, Complete, Empty, Facts, Failed, Meeting, Policy, Settled, Window
from otd.refresh import Rulebook
from otd.store import SqlStore
from tests.contracts.store_case import CAPS, KEY, NoJitter, a_hello, a_room
from tests.values import HOUR, MINUTE, SECOND, T0, FixedClock, a_receipt, an_endpoint

SITE = Site()
ROOM = a_room(timezone="Europe/Berlin")
TEN = T0 + HOUR
BODY = "Join by video: sip:weekly@video.webex.com"


def a_meeting(**overrides: Any) -> Meeting:
    usual = Meeting(id="m1", uid="m1@example.com", start=TEN, end=TEN + HOUR, subject="Budget", body=BODY)
    return replace(usual, **overrides)


class House:
    """One room with one endpoint, and short words for what happens to them."""

    def __init__(self, path: Path, **policy: Any) -> None:
        self.clock = FixedClock()
        self.store = SqlStore(f"sqlite:///{path}", KEY, clock=self.clock, rng=NoJitter())
        self.endpoint = an_endpoint(kind="cisco")
        self.policy = Policy(**policy)
        self.rules = Rulebook(
            plan=dialplan.for_site((), SITE), site=SITE, policy=self.policy, ruling=Ruling(version="1", site=SITE)
        )
        self.store.adopt([ROOM], [self.endpoint], CAPS, "settings")
        self.store.heard(a_hello(at=T0))

    def read(self, *meetings: Meeting) -> tuple[Booking, ...]:
        """A refresh, as the pipeline does it: the reading, the part, the list."""
        now = self.store.now()
        window = Window(start=now - HOUR, end=now + self.policy.ahead)
        facts: dict[str, Any] = {"room": "room1", "window": window, "taken_at": now}
        reading = Complete(meetings=meetings, **facts) if meetings else Empty(**facts)
        self.store.save_reading(reading)
        part = bookings.of_room(ROOM, self.endpoint, meetings, self.rules.plan, SITE, self.policy, window)
        self.store.put_part("codec1", "room1", part)
        wanted = bookings.union("codec1", window, [part])
        self.store.put_desired(wanted, bookings.digest(wanted))
        self.store.keep_reading(reading)
        return part

    def answer(self, outcome: Any = "confirmed", **more: Any) -> None:
        revision = self.store.endpoint("codec1").revision
        sequence = self.store.sending("codec1", more.get("verb", "put"), revision, "relay1")
        receipt = a_receipt(revision=revision, sequence=sequence, outcome=outcome, at=self.clock.time, **more)
        assert self.store.apply(receipt)

    def work(self) -> None:
        """Whoever works is at it: nothing is overdue."""
        for work in self.store.claim("worker", limit=10, lease=MINUTE):
            assert self.store.begin(work)
            self.store.finish(work, Settled(after=10 * HOUR))

    def wait(self, span: timedelta) -> None:
        self.clock.time += span
        self.store.heard(a_hello(at=self.clock.time))

    def explained(self, at: datetime | None = None) -> Explanation:
        by = Explain(store=self.store, rooms={"room1": ROOM}, endpoints={"codec1": self.endpoint}, rules=self.rules)
        return by.room("room1", at)

    def cause(self, at: datetime | None = None) -> str:
        return self.explained(at).found.code


@pytest.fixture
def path(tmp_path: Path, empty: Path) -> Path:
    return Path(shutil.copy(empty, tmp_path / "otd.db"))


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("empty") / "otd.db"
    SqlStore(f"sqlite:///{path}", KEY).close()
    return path


@pytest.fixture
def house(path: Path) -> Iterator[House]:
    house = House(path)
    yield house
    house.store.close()


def test_a_confirmed_booking_with_join_is_no_trouble(house: House) -> None:
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
def test_what_is_wrong_with_the_meeting_itself(house: House, meeting: dict[str, Any], expected: str) -> None:
    house.read(a_meeting(**meeting), a_meeting(id="m2", uid="m2", start=T0 - HOUR, end=T0))
    house.answer()
    assert house.cause(TEN) == expected


def test_the_mend_names_the_domain_to_add(house: House) -> None:
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
    ],
)
def test_what_is_wrong_at_the_endpoint_is_known_now_and_later(
    house: House, answer: dict[str, Any], expected: str
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


def test_the_past_is_explained_by_what_was_known_then(house: House) -> None:
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


def test_a_meeting_that_was_removed_is_gone_and_one_that_never_was_is_not_found(house: House) -> None:
    house.read(a_meeting())
    house.answer()
    house.wait(MINUTE)
    house.read()
    house.answer()
    house.work()
    assert house.cause(TEN) == "meeting_gone"
    assert house.cause(TEN + 8 * HOUR) == "meeting_not_found"
    assert house.cause(TEN + timedelta(days=30)) == "meeting_outside"


def test_a_calendar_that_cannot_be_read_explains_a_meeting_that_is_missing(house: House) -> None:
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


def test_a_booking_that_the_calendar_does_not_hold_any_more_is_explained_too(house: House) -> None:
    house.read(a_meeting())
    house.answer()
    house.wait(HOUR)
    house.read()
    house.answer("unreachable")
    found = house.explained()
    assert found.found.code == "endpoint_unreachable"
    assert found.meetings[0].booking is not None


def test_when_nobody_works_that_is_the_cause(house: House) -> None:
    house.wait(10 * MINUTE)
    assert house.cause(TEN) == "work_stopped"
    house.store.pause("office", house.clock.time + HOUR, "asked to wait")
    assert house.cause(TEN) == "lane_paused"


def test_when_no_relay_is_alive_that_is_the_cause(house: House) -> None:
    house.read(a_meeting())
    house.clock.time += 30 * SECOND
    assert house.cause(TEN) == "no_relay"


def test_a_room_that_no_endpoint_shows(house: House) -> None:
    by = Explain(store=house.store, rooms={"room1": ROOM}, endpoints={}, rules=house.rules)
    assert by.room("room1").found.code == "room_without_endpoint"
    with pytest.raises(Missing):
        by.room("room2")


def test_rules_that_the_brake_holds(house: House) -> None:
    strict = Ruling(version="0", site=SITE, rules=(), base=replace(dialplan.shipped(), rules=()))
    house.store.put_ruling(strict.saved)
    assert house.rules.ruling is not None
    house.store.put_ruling(house.rules.ruling.saved, held_for=(30, "too many"))
    plan, house.rules = house.rules.plan, replace(house.rules, plan=strict.plan)
    house.read(a_meeting())
    house.rules = replace(house.rules, plan=plan)
    assert house.cause(TEN) == "brake_rules"
