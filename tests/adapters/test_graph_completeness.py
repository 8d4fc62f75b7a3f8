"""What Graph gives is taken for a whole calendar only when it is one."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from otd.calendars.graph import GraphCalendar
from otd.errors import Denied, Truncated
from otd.lab import faults
from otd.lab.graph import Graph
from otd.lab.mailboxes import Mailboxes
from otd.lab.server import Server
from otd.model import Complete, Failed, Reading
from tests.adapters.graph_lab import APP, SECRET, Lab, calendar, lab
from tests.adapters.reading import ROOM
from tests.adapters.recorder import Asked, Recorder
from tests.contracts.calendar import HOUR, T0, WINDOW, Planned, planned

__all__ = ["calendar", "lab"]
PREFERENCES = ("outlook.timezone", "body-content-type", "ImmutableId")


def day_of(count: int) -> list[Planned]:
    return [
        planned(key=f"m{n}", subject=f"Meeting {n}", start=T0 + n * HOUR, end=T0 + (n + 1) * HOUR) for n in range(count)
    ]


def read(calendar: GraphCalendar) -> Reading:
    return calendar.read(ROOM, WINDOW, within=timedelta(seconds=10))


def subjects(reading: Reading) -> list[str]:
    assert isinstance(reading, Complete), reading
    return sorted(meeting.subject for meeting in reading.meetings)


@pytest.fixture
def tapped(tmp_path: Path) -> tuple[Recorder, Lab]:
    graph = Graph(Mailboxes())
    graph.tenant.register(APP, secret=SECRET)
    recorder = Recorder(graph)
    server = Server(recorder, tls=True)
    (tmp_path / "ca.pem").write_text(server.certificate)
    return recorder, Lab(graph, server, str(tmp_path / "ca.pem"))


def between_pages(recorder: Recorder, do: Callable[[], object]) -> None:
    """Something happens in the mailbox after the first page was asked for."""
    done: list[bool] = []

    def instead(asked: Asked) -> None:
        if "skip" in asked.url and not done:
            done.append(True)
            do()

    recorder.instead = instead


def test_a_meeting_that_moves_up_because_another_was_deleted_is_not_lost(tapped: tuple[Recorder, Lab]) -> None:
    recorder, lab = tapped
    lab.lay(*day_of(4))
    mailbox = lab.graph.mailboxes[ROOM.mailbox]
    first = mailbox.view(WINDOW)[0].meeting.id
    between_pages(recorder, lambda: mailbox.remove(first))
    with lab.server:
        reader = lab.calendar(page_size=2)
        reading = read(reader)
        assert isinstance(reading, Failed)
        assert isinstance(reading.error, Truncated)
        assert "changed while" in reading.error.why
        assert subjects(read(reader)) == ["Meeting 1", "Meeting 2", "Meeting 3"]
        reader.close()


def test_a_meeting_that_is_booked_between_two_pages_comes_now_or_with_the_next_reading(
    tapped: tuple[Recorder, Lab],
) -> None:
    recorder, lab = tapped
    lab.lay(*day_of(4))
    mailbox = lab.graph.mailboxes[ROOM.mailbox]
    new = replace(mailbox.view(WINDOW)[0].meeting, uid="", subject="New")
    between_pages(recorder, lambda: mailbox.add(new))
    with lab.server:
        reader = lab.calendar(page_size=2)
        if isinstance(read(reader), Complete):
            read(reader)
        assert "New" in subjects(read(reader))
        reader.close()


def test_pages_that_did_not_change_are_read_once_and_not_twice(lab: Lab) -> None:
    lab.lay(*day_of(6))
    reader = lab.calendar(page_size=2)
    assert len(subjects(read(reader))) == 6
    lab.graph.requests.reset()
    assert len(subjects(read(reader))) == 6
    assert lab.graph.requests.count(operation="calendarView") == 3
    reader.close()


@pytest.mark.parametrize("largest", [1, 2, 5, 6, 7])
def test_graph_may_give_smaller_pages_than_were_asked_for(lab: Lab, calendar: GraphCalendar, largest: int) -> None:
    lab.lay(*day_of(6))
    lab.graph.largest_page = largest
    assert len(subjects(read(calendar))) == 6


def test_every_page_is_asked_for_in_utc_with_immutable_ids(tapped: tuple[Recorder, Lab]) -> None:
    recorder, lab = tapped
    lab.lay(*day_of(5))
    with lab.server:
        reader = lab.calendar(page_size=2)
        read(reader)
        reader.close()
    views = [asked for asked in recorder.asked if "calendarView" in asked.url]
    assert len(views) > 3
    assert all(wish in asked.headers["prefer"] for asked in views for wish in PREFERENCES)


@pytest.mark.parametrize("status", [410, 429, 503, 403, 500])
def test_a_page_that_fails_after_others_came_makes_the_reading_fail(lab: Lab, status: int) -> None:
    lab.lay(*day_of(5))
    reader = lab.calendar(page_size=2)
    lab.fault(faults.slow(0), times=1)  # the first page comes
    lab.fault(faults.status(status))
    assert isinstance(read(reader), Failed)
    lab.graph.faults.clear()
    assert len(subjects(read(reader))) == 5
    reader.close()


def test_a_right_that_was_just_given_is_seen_late_and_later_the_more_it_is_asked_for(
    lab: Lab, calendar: GraphCalendar
) -> None:
    lab.lay(*day_of(1))
    lab.graph.permitted = frozenset()
    lab.graph.permit(ROOM.mailbox, lag=0.4)
    refused = read(calendar)
    assert isinstance(refused, Failed)
    assert isinstance(refused.error, Denied)
    assert refused.error.rest is not None
    assert refused.error.rest >= timedelta(minutes=30)
    time.sleep(0.25)
    assert isinstance(read(calendar), Failed)  # which begins the wait anew
    time.sleep(0.25)
    assert isinstance(read(calendar), Failed)
    time.sleep(0.5)
    assert isinstance(read(calendar), Complete)
