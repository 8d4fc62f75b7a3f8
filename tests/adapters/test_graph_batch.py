"""The first look at many rooms: joined into batches that save round trips, in which every room stands for itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from otd.calendars.graph import GraphCalendar
from otd.errors import Busy, Garbled, Missing, Truncated, Unreachable
from otd.lab import faults
from otd.lab.bench import first_fill
from otd.lab.graph import Graph
from otd.lab.mailboxes import Mailboxes
from otd.lab.server import Server
from otd.model import Complete, Failed, Reading
from tests.adapters.graph_lab import APP, SECRET, Lab
from tests.adapters.recorder import Asked, Instead, Recorder
from tests.contracts.calendar import WINDOW, a_room, planned
from tests.values import SECOND

FOUR = range(4)  # as many as one batch holds
ROOMS = tuple(a_room(f"room{n}@example.com", name=f"room{n}") for n in range(8))


class Office:
    """Eight rooms that were never read, with a meeting each that is called like its room."""

    def __init__(self, lab: Lab, recorder: Recorder) -> None:
        self.lab, self.recorder = lab, recorder
        self.calendar: GraphCalendar = lab.calendar(gather=SECOND)  # so that they come together on any machine
        for room in ROOMS:
            lab.lay(planned(key=room.name, subject=room.name), mailbox=room.mailbox)
        lab.graph.latency = 0.05  # so that others come while one is being answered

    def read(self, *rooms: int) -> dict[str, Reading]:
        """These rooms at once; all of them when none is named."""
        chosen = [ROOMS[n] for n in rooms] or list(ROOMS)
        with ThreadPoolExecutor(8) as threads:
            readings = threads.map(lambda room: self.calendar.read(room, WINDOW, within=10 * SECOND), chosen)
            return {room.name: reading for room, reading in zip(chosen, readings, strict=True)}

    def batches(self) -> int:
        return self.lab.graph.requests.count(operation="batch")

    def answer_batches(self, *, swapped: bool = False, without: str = "") -> None:
        """Answer every batch with empty calendars: under each other's ids, or without one of them."""

        def instead(asked: Asked) -> Instead | None:
            if "$batch" not in asked.url:
                return None
            steps = json.loads(asked.body)["requests"]
            names = [step["id"] for step in steps]
            answers = []
            for name, step in zip(reversed(names) if swapped else names, steps, strict=True):
                mailbox = step["url"].split("/")[2]
                context = f"https://graph.microsoft.com/v1.0/$metadata#users('{mailbox}')/calendarView"
                if mailbox != without:
                    answers.append({"id": name, "status": 200, "body": {"@odata.context": context, "value": []}})
            return Instead(json.dumps({"responses": answers}).encode())

        self.recorder.instead = instead


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    graph = Graph(Mailboxes())
    graph.tenant.register(APP, secret=SECRET)
    recorder = Recorder(graph)
    with Server(recorder, tls=True) as server:
        ca_file = tmp_path / "ca.pem"
        ca_file.write_text(server.certificate)
        made = Office(Lab(graph, server, str(ca_file)), recorder)
        yield made
        made.calendar.close()


def subjects(reading: Reading) -> list[str]:
    assert isinstance(reading, Complete), reading
    return [meeting.subject for meeting in reading.meetings]


def test_rooms_that_are_first_read_together_are_asked_for_together_and_each_gets_its_own(office: Office) -> None:
    found = office.read()
    assert {name: subjects(reading) for name, reading in found.items()} == {room.name: [room.name] for room in ROOMS}
    assert 0 < office.batches() < len(ROOMS)
    assert office.lab.graph.requests.count(operation="calendarView") == len(ROOMS)


def test_each_request_of_a_batch_counts_as_one(office: Office) -> None:
    found = office.read()
    assert all(isinstance(reading, Complete) and reading.requests == 1 for reading in found.values())


def test_a_room_alone_and_a_room_that_is_known_are_asked_for_without_a_batch(office: Office) -> None:
    office.read(0)
    assert office.batches() == 0
    office.read()
    before = office.batches()
    office.read()
    assert office.batches() == before


def test_a_room_that_is_refused_in_a_batch_is_the_only_one(office: Office) -> None:
    office.lab.fault(faults.status(429, retry_after=33), mailbox=ROOMS[1].mailbox)
    office.lab.fault(faults.status(404), mailbox=ROOMS[2].mailbox)
    found = office.read()
    assert office.batches() > 0
    busy, missing = found["room1"], found["room2"]
    assert isinstance(busy, Failed)
    assert isinstance(busy.error, Busy)
    assert busy.error.retry_after == 33 * SECOND
    assert isinstance(missing, Failed)
    assert isinstance(missing.error, Missing)
    assert sum(isinstance(reading, Complete) for reading in found.values()) == 6


def test_answers_under_each_others_names_are_found_out(office: Office) -> None:
    office.answer_batches(swapped=True)
    found = office.read(*FOUR)
    assert all(isinstance(reading, Failed) and isinstance(reading.error, Garbled) for reading in found.values())
    assert all("another mailbox" in reading.error.why for reading in found.values() if isinstance(reading, Failed))


def test_a_request_that_a_batch_leaves_unanswered_is_not_an_empty_room(office: Office) -> None:
    office.answer_batches(without=ROOMS[1].mailbox)
    found = office.read(*FOUR)
    left_out = found["room1"]
    assert isinstance(left_out, Failed)
    assert isinstance(left_out.error, Truncated)


def test_an_answer_that_stops_in_the_middle_of_a_batch_fails_its_room_alone(office: Office) -> None:
    office.lab.fault(faults.halved(), mailbox=ROOMS[1].mailbox)
    found = office.read(*FOUR)
    cut = found.pop("room1")
    assert isinstance(cut, Failed)
    assert isinstance(cut.error, Truncated)
    assert all(isinstance(reading, Complete) for reading in found.values())


@pytest.mark.parametrize("content", [b"{}", b'{"responses": 7}', b'{"responses": [7, {"id": 1}]}', b"[]", b"<html>"])
def test_a_batch_that_cannot_be_read_empties_no_room(office: Office, content: bytes) -> None:
    office.recorder.instead = lambda asked: Instead(content) if "$batch" in asked.url else None
    found = office.read(*FOUR)
    assert all(isinstance(reading, Failed) for reading in found.values())
    office.recorder.instead = lambda _: None
    assert all(isinstance(reading, Complete) for reading in office.read(*FOUR).values())


def test_a_batch_that_is_not_answered_fails_all_its_rooms(office: Office) -> None:
    office.recorder.instead = lambda asked: Instead(b"", 503) if "$batch" in asked.url else None
    found = office.read(*FOUR)
    assert all(isinstance(r, Failed) and isinstance(r.error, Unreachable) for r in found.values())


def test_the_first_fill_is_measured_beside_what_the_limits_allow() -> None:
    result = first_fill.run({"rooms": "16", "latency": "100"})
    assert {name: ratio.limit for name, ratio in result.ratios.items()} == {"first_fill": 1.3, "needless_requests": 0}
    assert result.figures["requests_count"] == 16
    assert result.figures["meetings_count"] > 0
