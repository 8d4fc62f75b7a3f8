"""What kept readings tell of mailbox settings: every folder under fixtures/lint, through the store."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import pytest

from otd import lint
from otd.calendars.access import EwsAccess, GraphAccess
from otd.calendars.ews import EwsCalendar
from otd.calendars.graph import GraphCalendar
from otd.lab.ews import Ews
from otd.lab.graph import Graph
from otd.lab.mailboxes import EXCHANGE_DEFAULTS, Mailboxes, Processing
from otd.lab.server import Server
from otd.model import Complete, Empty, Meeting, Person, Room, Window
from otd.ports import Calendar
from otd.store import SqlStore
from tests.adapters.mailboxes import SecretsOf
from tests.contracts.store_case import KEY
from tests.values import HOUR, T0, FixedClock

HERE = Path(__file__).parents[2] / "fixtures" / "lint"
CASES = sorted(path.parent for path in HERE.glob("*/readings.json"))


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _meeting(name: str, stated: dict[str, Any]) -> Meeting:
    stated = dict(stated)
    who, address = stated.pop("organizer")
    times = {key: _time(stated.pop(key)) for key in ("start", "end")}
    properties = tuple((key, value) for key, value in stated.pop("properties", []))
    return Meeting(
        id=stated["uid"], organizer=Person(name=who, address=address), properties=properties, **times, **stated
    )


class Installation:
    """A store that holds the readings of a case."""

    def __init__(self, store: SqlStore, clock: FixedClock, case: Path, *, bodies: bool = True) -> None:
        stated = json.loads((case / "readings.json").read_text(encoding="utf-8"))
        self.rooms = {
            name: Room(name=name, calendar="online", mailbox=mailbox) for name, mailbox in stated["rooms"].items()
        }
        store.adopt(self.rooms.values(), (), {"online": 4}, "settings")
        for one in stated["readings"]:
            clock.time = _time(one["at"])
            window = Window(start=clock.time - timedelta(hours=1), end=clock.time + timedelta(days=7))
            meetings = tuple(_meeting(name, stated["invitations"][name]) for name in one["holds"])
            reading = Complete(room=one["room"], window=window, taken_at=clock.time, meetings=meetings)
            assert store.keep_reading(reading, bodies=bodies)
        clock.time = _time(stated["now"])
        self._store, self._own = store, stated["own_domains"]

    def found(self) -> tuple[lint.Linted, ...]:
        now = self._store.now()
        return lint.judge(
            [lint.observed(room, self._store.sightings(room.name), self._own, now) for room in self.rooms.values()],
            now,
        )


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def store(tmp_path: Path, clock: FixedClock) -> Iterator[SqlStore]:
    made = SqlStore(f"sqlite:///{tmp_path / 'otd.db'}", KEY, clock=clock)
    yield made
    made.close()


def _iso(time: datetime | None) -> str | None:
    return time.isoformat().replace("+00:00", "Z") if time else None


def _plain(found: tuple[lint.Linted, ...]) -> dict[str, Any]:
    return {
        one.room.name: {
            "invitations": one.invitations,
            "last": _iso(one.last),
            "findings": [
                {
                    "settings": list(finding.settings),
                    "state": finding.state,
                    "sure": finding.sure,
                    "evidence": finding.evidence,
                    "line": finding.line,
                    "since": _iso(finding.since),
                    "stripped": [meeting.uid for meeting in finding.stripped],
                }
                for finding in one.findings
            ],
        }
        for one in found
    }


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_readings_show_is_what_is_found(case: Path, store: SqlStore, clock: FixedClock) -> None:
    expected = json.loads((case / "expected.json").read_text(encoding="utf-8"))
    assert _plain(Installation(store, clock, case).found()) == expected["rooms"]


def test_where_bodies_are_not_kept_it_is_still_known_which_were_empty(store: SqlStore, clock: FixedClock) -> None:
    (found,) = Installation(store, clock, HERE / "bodies-deleted", bodies=False).found()
    assert found.settings == ("DeleteComments",)


def test_a_body_that_was_not_kept_is_no_empty_one(store: SqlStore, clock: FixedClock) -> None:
    (found,) = Installation(store, clock, HERE / "all-is-well", bodies=False).found()
    assert found.findings == ()


# --- from the mailbox to the finding, over sockets --------------------------------------------------------------------


@pytest.fixture(params=["graph", "ews"])
def kind(request: pytest.FixtureRequest) -> Literal["graph", "ews"]:
    found: Literal["graph", "ews"] = request.param
    return found


class Watched:
    """A room on a simulated Exchange, read into a store."""

    room = Room(name="atrium", calendar="exchange", mailbox="atrium@contoso.example")

    def __init__(self, kind: str, server: Server, ca_file: Path, store: SqlStore, clock: FixedClock) -> None:
        secrets = SecretsOf({"lab": "a secret of the lab"})
        ca_file.write_text(server.certificate)
        self.calendar: Calendar
        if kind == "graph":
            graph = GraphAccess(
                tenant="contoso.example",
                client_id="an-app",
                secret="lab",
                authority=server.url,
                root=server.url,
                ca_file=str(ca_file),
            )
            self.calendar = GraphCalendar("exchange", graph, secrets=secrets, clock=clock)
        else:
            ews = EwsAccess(
                url=f"{server.url}/EWS/Exchange.asmx",
                username="svc",
                password="lab",
                auth="basic",
                ca_file=str(ca_file),
            )
            self.calendar = EwsCalendar("exchange", ews, secrets=secrets, clock=clock)
        self.store, self.clock = store, clock
        store.adopt([self.room], (), {"exchange": 4}, "settings")

    def read(self) -> lint.Linted:
        """Read the mailbox an hour later, and judge it another hour later."""
        self.clock.time += HOUR
        window = Window(start=self.clock.time - HOUR, end=self.clock.time + timedelta(days=7))
        reading = self.calendar.read(self.room, window, within=timedelta(seconds=20))
        assert isinstance(reading, Complete | Empty), reading
        self.store.keep_reading(reading)
        self.clock.time += HOUR
        seen = lint.observed(self.room, self.store.sightings("atrium"), ["contoso.example"], self.clock.time)
        return lint.judge([seen], self.clock.time)[0]


@pytest.mark.parametrize(
    ("processing", "settings"),
    [
        (Processing(delete_comments=True), ("DeleteComments",)),
        (Processing(delete_subject=True), ("DeleteSubject",)),
        (Processing(add_organizer_to_subject=True), ("AddOrganizerToSubject",)),
        (Processing(accepts=False), ("AutomateProcessing",)),
        (EXCHANGE_DEFAULTS, ("DeleteComments", "DeleteSubject", "AddOrganizerToSubject")),
    ],
)
def test_what_a_setting_does_to_a_mailbox_is_found_and_so_is_its_mend(
    kind: str,
    processing: Processing,
    settings: tuple[str, ...],
    store: SqlStore,
    clock: FixedClock,
    tmp_path: Path,
) -> None:
    rooms = Mailboxes()
    graph, ews = Graph(rooms), Ews(rooms)
    graph.tenant.register("an-app", secret="a secret of the lab")
    ews.account("svc", "a secret of the lab")
    mailbox = rooms.add("atrium@contoso.example")
    mailbox.processing = processing
    for n in range(3):
        mailbox.add(_sent(f"Review {n}", T0 + timedelta(days=1, hours=2 * n)))
    with Server(graph if kind == "graph" else ews, tls=True) as server:
        watched = Watched(kind, server, tmp_path / "ca.pem", store, clock)
        assert watched.read().settings == settings
        mailbox.processing = Processing()
        mailbox.add(_sent("After the change", T0 + timedelta(days=2)))
        healed = watched.read()
        watched.calendar.close()
    assert healed.settings == ()
    assert {finding.state for finding in healed.findings} == {"healed"}
    assert [len(finding.stripped) for finding in healed.findings] == [3] * len(healed.findings)


def _sent(subject: str, start: datetime) -> Meeting:
    return Meeting(
        id="",
        uid="",
        subject=subject,
        start=start,
        end=start + HOUR,
        organizer=Person(name="Ann Example", address="ann@contoso.example"),
        body="Join: 123456789@t.plcm.vc",
    )
