"""The calendar in memory keeps the contract."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from otd.calendars.memory import MemoryCalendar
from otd.errors import Busy, Unreachable
from otd.model import Failed, Meeting, Person
from tests.contracts.calendar import DAY, T0, WINDOW, CalendarContract, FixedClock, Planned, a_room


def as_meetings(plan: Planned) -> tuple[Meeting, ...]:
    one = Meeting(
        id=plan.key,
        uid=f"{plan.key}@example.com",
        start=plan.start,
        end=plan.end,
        subject=plan.subject,
        body=plan.body,
        body_type="html",
        location=plan.location,
        organizer=Person(address=plan.organizer),
        all_day=plan.all_day,
        cancelled=plan.cancelled,
        sensitivity="private" if plan.private else "normal",
        show_as="tentative" if plan.tentative else "busy",
        response="declined" if plan.declined else "accepted",
    )
    return tuple(_occurrence(one, plan, day) for day in range(plan.daily)) or (one,)


def _occurrence(one: Meeting, plan: Planned, day: int) -> Meeting:
    original = plan.start + day * DAY
    moved = plan.moved if day == 1 else None
    start = moved or original
    return replace(
        one,
        id=f"{plan.key}/{day}",
        kind="exception" if moved else "occurrence",
        start=start,
        end=start + (plan.end - plan.start),
        original_start=original,
    )


class TestMemoryCalendar(CalendarContract):
    def make(self) -> MemoryCalendar:
        self.calendar_ = MemoryCalendar("contract", clock=FixedClock())
        return self.calendar_

    def lay(self, mailbox: str, *meetings: Planned) -> None:
        self.calendar_.put(mailbox, *(m for plan in meetings for m in as_meetings(plan)))

    def break_down(self, mailbox: str) -> None:
        self.calendar_.fail(Unreachable("contract", "switched off"), mailbox=mailbox)


def test_an_error_for_all_mailboxes_holds_until_it_is_healed() -> None:
    calendar = MemoryCalendar("memory", clock=FixedClock(), mailboxes={"room1@example.com": ()})
    error = Busy("memory", "asked to wait", timedelta(seconds=30))
    calendar.fail(error)
    failed = calendar.read(a_room(), WINDOW, within=timedelta(seconds=1))
    assert failed == Failed(room="room1", taken_at=T0, error=error)
    calendar.heal()
    assert not isinstance(calendar.read(a_room(), WINDOW, within=timedelta(seconds=1)), Failed)
