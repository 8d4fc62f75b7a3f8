"""The lab's campus: very many rooms from one seed."""

from __future__ import annotations

import itertools
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from otd.calendars.access import EwsAccess, GraphAccess
from otd.calendars.ews import EwsCalendar
from otd.calendars.graph import GraphCalendar
from otd.lab.campus import PER_DAY, WEEKS, Campus
from otd.lab.campus_process import CampusProcess
from otd.lab.identities import mailbox_guid
from otd.model import Complete, Empty, Room, Window
from otd.ports import Calendar
from tests.adapters.mailboxes import SecretsOf
from tests.contracts.calendar import FixedClock

NOW = datetime(2026, 11, 25, 9, tzinfo=UTC)  # a Wednesday
MONDAY = datetime(2026, 11, 23, tzinfo=UTC)
WEEK = Window(start=MONDAY, end=MONDAY + timedelta(days=7))


def a_campus(seed: int = 7, **overrides: int) -> Campus:
    return Campus(rooms=10_000, seed=seed, now=NOW, **overrides)


def test_what_a_room_holds_is_decided_by_the_seed_and_its_number() -> None:
    one, other = a_campus(), a_campus()
    for number in (1, 41, 10_000):
        assert one.meetings(number) == other.meetings(number)
        address = one.room(number).address
        assert one[address].view(WEEK) == other[address].view(WEEK)
    assert [one.meetings(n) for n in range(1, 20)] != [a_campus(seed=8).meetings(n) for n in range(1, 20)]


def test_rooms_are_quiet_normal_and_busy_and_their_days_look_like_it() -> None:
    campus = a_campus()
    rooms = [campus.room(number) for number in range(1, 201)]
    assert set(Counter(room.habit for room in rooms)) == {"quiet", "normal", "busy"}
    for room in rooms:
        days = Counter(one.meeting.start.date() for one in campus.meetings(room.number) if not one.rule)
        assert len(days) <= 5 * WEEKS + 2  # in UTC a day in Sydney may be two
        assert sum(days.values()) <= 5 * WEEKS * PER_DAY[room.habit][1]


def test_meetings_of_a_room_do_not_overlap() -> None:
    campus = a_campus()
    for number in range(1, 100):
        window = Window(start=MONDAY, end=MONDAY + timedelta(weeks=WEEKS))
        kept = [item.meeting for item in campus[campus.room(number).address].view(window)]
        singles = sorted((m.start, m.end) for m in kept)
        assert all(end <= start for (_, end), (start, _) in itertools.pairwise(singles))


def test_a_room_that_nobody_changed_is_forgotten_and_comes_back_the_same() -> None:
    campus = a_campus(kept=10)
    first = campus["room-00001@campus.example"].view(WEEK)
    for number in range(2, 50):
        campus[campus.room(number).address]
    assert len(campus._made) == 10
    assert campus["room-00001@campus.example"].view(WEEK) == first


def test_a_room_that_somebody_changed_is_kept() -> None:
    campus = a_campus(kept=10)
    mailbox = campus["Room-00001@campus.example"]
    mailbox.clear()
    for number in range(2, 50):
        campus[campus.room(number).address]
    assert campus["room-00001@campus.example"] is mailbox


def test_rooms_are_found_by_address_by_id_and_not_beyond_the_last() -> None:
    campus = a_campus()
    assert campus.get("room-10001@campus.example") is None
    assert campus.get("room-00000@campus.example") is None
    assert campus.get("elsewhere@campus.example") is None
    found = campus.get(str(mailbox_guid("room-00042@campus.example")))
    assert found is not None
    assert found.address == "room-00042@campus.example"
    assert campus.add("aula@campus.example") is campus["aula@campus.example"]
    assert len(campus) == 10_001
    with pytest.raises(IndexError):
        campus.room(10_001)


def test_a_room_that_accepts_nothing_keeps_its_meetings_tentative() -> None:
    campus = a_campus()
    rooms = (campus.room(number) for number in range(1, 400))
    room = next(r for r in rooms if not r.processing.accepts and r.habit == "busy")
    kept = [item.meeting for item in campus[room.address].view(WEEK)]
    assert {(m.show_as, m.response) for m in kept} == {("tentative", "unanswered")}


def test_the_campus_in_a_process_of_its_own_is_read_by_both_calendars(tmp_path: Path) -> None:
    with CampusProcess(rooms=10_000, seed=7) as campus:
        ca_file = tmp_path / "ca.pem"
        ca_file.write_text(campus.certificate)
        secrets, clock = SecretsOf({"lab": campus.secret}), FixedClock()
        graph = GraphAccess(
            tenant=campus.tenant,
            client_id=campus.client_id,
            secret="lab",
            authority=campus.graph_url,
            root=campus.graph_url,
            ca_file=str(ca_file),
        )
        ews = EwsAccess(url=campus.ews_url, username=campus.account, password="lab", auth="basic", ca_file=str(ca_file))
        room = Room(name="room-00041", calendar="campus", mailbox="room-00041@campus.example")
        both: tuple[Calendar, ...] = (
            GraphCalendar("campus", graph, secrets=secrets, clock=clock),
            EwsCalendar("campus", ews, secrets=secrets, clock=clock),
        )
        here = datetime.now(UTC).replace(microsecond=0)
        window = Window(start=here - timedelta(days=1), end=here + timedelta(days=7))
        before = [_seen(calendar, room, window) for calendar in both]
        assert before[0] == before[1]
        identity = campus.book(41, "All hands", here, here + timedelta(hours=1))
        after = [_seen(calendar, room, window) for calendar in both]
        assert after[0] == after[1] == sorted([*before[0], ("All hands", here)])
        campus.remove(41, identity)
        assert [_seen(calendar, room, window) for calendar in both] == before
        counted = campus.asked()
        assert (counted["calendarView"], counted["FindItem"]) == (3, 3)
        assert campus.processor_time() > 0
        for calendar in both:
            calendar.close()


def _seen(calendar: Calendar, room: Room, window: Window) -> list[tuple[str, datetime]]:
    reading = calendar.read(room, window, within=timedelta(seconds=20))
    assert isinstance(reading, Complete | Empty), reading
    return sorted((m.subject, m.start) for m in reading.meetings)
