"""A mailbox says the same by Graph and by EWS, so that a room that moves to Exchange Online keeps its bookings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from otd.calendars.access import EwsAccess, GraphAccess
from otd.calendars.ews import EwsCalendar
from otd.calendars.graph import GraphCalendar
from otd.lab.ews import Ews
from otd.lab.graph import Graph
from otd.lab.mailboxes import Mailboxes
from otd.lab.server import Server
from otd.model import Complete, Meeting
from otd.ports import Calendar
from tests.adapters.mailboxes import SecretsOf, as_meeting, lay
from tests.contracts.calendar import DAY, HOUR, T0, WINDOW, FixedClock, Planned, a_room, planned

SECRETS = SecretsOf({"one": "secret"})


@pytest.fixture
def both(tmp_path: Path) -> Iterator[tuple[Mailboxes, GraphCalendar, EwsCalendar]]:
    mailboxes = Mailboxes()
    graph, exchange = Graph(mailboxes), Ews(mailboxes)
    graph.tenant.register("app", secret="secret")
    exchange.account("svc", "secret")
    with Server(graph, tls=True) as online, Server(exchange, tls=True) as here:
        for name, server in (("online", online), ("here", here)):
            (tmp_path / name).write_text(server.certificate)
        cloud = GraphAccess(
            tenant=graph.tenant.domain,
            client_id="app",
            secret="one",
            authority=online.url,
            root=online.url,
            ca_file=str(tmp_path / "online"),
        )
        access = EwsAccess(
            url=f"{here.url}/EWS/Exchange.asmx",
            username="svc",
            password="one",
            auth="basic",
            ca_file=str(tmp_path / "here"),
        )
        by_graph = GraphCalendar("online", cloud, secrets=SECRETS, clock=FixedClock())
        by_ews = EwsCalendar("here", access, secrets=SECRETS, clock=FixedClock())
        yield mailboxes, by_graph, by_ews
        by_graph.close()
        by_ews.close()


def told(calendar: Calendar, timezone: str) -> list[Meeting]:
    """What it tells, without what each system makes up for itself; XML knows one kind of line end only."""
    reading = calendar.read(a_room(timezone=timezone), WINDOW, within=timedelta(seconds=10))
    assert isinstance(reading, Complete), reading
    blank = {"id": "", "change_key": "", "attendees": (), "properties": ()}
    bare = (replace(m, body=m.body.replace("\r\n", "\n"), **blank) for m in reading.meetings)
    return sorted(bare, key=lambda m: (m.start, m.uid))


def all_day(zone: str, days: int) -> Planned:
    start = datetime(2026, 11, 24, tzinfo=ZoneInfo(zone))
    return planned(all_day=True, zone=zone, start=start.astimezone(UTC), end=(start + DAY).astimezone(UTC), daily=days)


@pytest.mark.parametrize(
    "plan",
    [
        planned(),
        planned(daily=3),
        planned(daily=3, moved=T0 + DAY + HOUR),
        planned(daily=3, zone="America/New_York"),
        planned(cancelled=True),
        planned(private=True),
        planned(tentative=True),
        planned(declined=True),
        all_day("UTC", 0),
        all_day("America/Los_Angeles", 0),
        all_day("Asia/Tokyo", 3),
    ],
)
def test_both_ways_tell_the_same(both: tuple[Mailboxes, GraphCalendar, EwsCalendar], plan: Planned) -> None:
    mailboxes, by_graph, by_ews = both
    lay(mailboxes, "room1@example.com", plan)
    assert told(by_graph, plan.zone) == told(by_ews, plan.zone)


def test_a_uid_of_another_program_is_the_same_both_ways(both: tuple[Mailboxes, GraphCalendar, EwsCalendar]) -> None:
    mailboxes, by_graph, by_ews = both
    meeting = replace(as_meeting(planned()), uid="a1B2c3@calendar.example.org")
    mailboxes.add("room1@example.com").add(meeting, rule="FREQ=DAILY;COUNT=3")
    found = told(by_graph, "UTC")
    assert found == told(by_ews, "UTC")
    assert {m.uid for m in found} == {"a1B2c3@calendar.example.org"}
