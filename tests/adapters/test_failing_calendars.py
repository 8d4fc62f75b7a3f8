"""A calendar that fails, in every way that the lab's Exchange knows: screens stay as they are, and it is said why.

Over both servers' sockets and through the whole use case, the brake included.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from otd.bus.local import LocalBus
from otd.calendars.access import EwsAccess, GraphAccess
from otd.calendars.ews import EwsCalendar
from otd.calendars.graph import GraphCalendar
from otd.dialplan import for_site
from otd.invites import Site
from otd.lab import faults
from otd.lab.ews import Ews
from otd.lab.faults import Fault
from otd.lab.graph import Graph
from otd.lab.mailboxes import Mailboxes
from otd.lab.server import Server
from otd.model import Endpoint, Meeting, Policy, Room, RoomState, Work
from otd.pipeline import Pipeline, Rulebook
from otd.ports import Calendar
from otd.store.sql import SqlStore
from tests.adapters.mailboxes import SecretsOf
from tests.values import HOUR, FixedClock

NOW = datetime.now(UTC).replace(microsecond=0)
SITE = Site(own_domains=("example.com",))
KEY = b"k" * 32
SHARED = [
    faults.status(401),
    faults.status(403),
    faults.status(404),
    faults.status(429, retry_after=30),
    faults.status(500),
    faults.status(503, retry_after=30),
    faults.html(),
    faults.login(),
    faults.cut(),
    faults.silent(),
    faults.drip(0.2),
    faults.halved(),
    faults.swapped("room1@contoso.example"),
]
OF_EWS = [
    faults.busy(back_off=30),
    faults.code("ErrorNonExistentMailbox"),
    faults.code("ErrorImpersonateUserDenied"),
    faults.message("ErrorMailboxMoveInProgress"),
    faults.truncated(),
    faults.mixed("room1@contoso.example"),
]
ENDLESS = ("silent", "drip")  # what ends with the time for the reading only
OF_GRAPH = [faults.status(410), faults.repeat(), faults.elsewhere("https://evil.example")]


class Watched:
    """Rooms on one simulated Exchange, each with an endpoint, and a list on each endpoint."""

    def __init__(self, kind: str, folder: Path, rooms: int) -> None:
        self.exchange: Ews | Graph = Ews(Mailboxes()) if kind == "ews" else Graph(Mailboxes())
        if isinstance(self.exchange, Graph):
            self.exchange.tenant.register("an-app", secret="pw")
        else:
            self.exchange.account("svc", "pw")
        self.server = Server(self.exchange, tls=True)
        self.server.start()
        ca_file = folder / "ca.pem"
        ca_file.write_text(self.server.certificate)
        self.clock = FixedClock(NOW)
        self.calendar = _calendar(kind, self.server.url, str(ca_file), self.clock)
        self.rooms = {f"room{n}": Room(name=f"room{n}", calendar="x", mailbox=_address(n)) for n in range(rooms)}
        self.endpoints = {
            f"codec{n}": Endpoint(name=f"codec{n}", kind="memory", address="192.0.2.1", pool="hq", rooms=(f"room{n}",))
            for n in range(rooms)
        }
        for n in range(rooms):
            self.exchange.mailboxes.add(_address(n)).add(_meeting(n))
        self.store = SqlStore(f"sqlite:///{folder / 'otd.db'}", KEY, clock=self.clock, rng=random.Random(1))  # noqa: S311
        self.store.adopt(self.rooms.values(), self.endpoints.values(), {"x": 9, "hq": 99, "house": 9}, "settings")
        self.read(*self.rooms)

    def read(self, *names: str, within: timedelta = timedelta(seconds=20)) -> None:
        """As a worker does it: what goes wrong becomes a settled piece of work, never an exception."""
        policy = Policy(own_domains=SITE.own_domains)
        pipeline = Pipeline(
            store=self.store,
            calendars={"x": self.calendar},
            bus=LocalBus(),
            rooms=self.rooms,
            endpoints=self.endpoints,
            rules=Rulebook(plan=for_site((), SITE), site=SITE, policy=policy, read_within=within),
        )
        now = self.clock.time
        for name in names:
            work = Work(kind="refresh", name=name, lane="x", token=1, attempt=0, due=now, lease_until=now)
            self.settled = pipeline.carry_out(work)

    def shown(self, n: int) -> tuple[int, list[str]]:
        """The revision of the endpoint's list, and what it dials."""
        desired = self.store.desired(f"codec{n}")
        assert desired is not None
        return desired.revision, [booking.dial.uri if booking.dial else "-" for booking in desired.list.bookings]

    def state(self, n: int) -> RoomState:
        return next(state for state in self.store.rooms() if state.room.name == f"room{n}")

    def close(self) -> None:
        self.calendar.close()
        self.store.close()
        self.server.stop()


def _address(n: int) -> str:
    return f"room{n}@contoso.example"


def _calendar(kind: str, url: str, ca_file: str, clock: FixedClock) -> Calendar:
    secrets = SecretsOf({"lab": "pw"})
    if kind == "ews":
        ews = EwsAccess(url=f"{url}/EWS/Exchange.asmx", username="svc", password="lab", auth="basic", ca_file=ca_file)
        return EwsCalendar("x", ews, secrets=secrets, clock=clock)
    graph = GraphAccess(
        tenant="contoso.example",
        client_id="an-app",
        secret="lab",
        authority=url,
        root=url,
        ca_file=ca_file,
        page_size=1,
    )
    return GraphCalendar("x", graph, secrets=secrets, clock=clock)


def _meeting(n: int) -> Meeting:
    return Meeting(
        id="",
        uid=f"m{n}@contoso.example",
        start=NOW + HOUR,
        end=NOW + 2 * HOUR,
        subject="Very private",
        body=f"Join: sip:meeting{n}@video.example.com",
    )


@pytest.fixture(scope="module")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("empty") / "otd.db"
    SqlStore(f"sqlite:///{path}", KEY).close()
    return path


@pytest.fixture(params=["ews", "graph"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def folder(tmp_path: Path, empty_database: Path) -> Path:
    shutil.copy(empty_database, tmp_path / "otd.db")
    return tmp_path


@pytest.fixture
def watched(kind: str, folder: Path) -> Iterator[Watched]:
    made = Watched(kind, folder, rooms=2)
    yield made
    made.close()


def _of(kind: str) -> list[Fault]:
    return [*SHARED, *(OF_EWS if kind == "ews" else OF_GRAPH)]


def test_whatever_goes_wrong_the_screen_stays_and_it_is_said_why(watched: Watched, kind: str) -> None:
    before = watched.shown(0)
    for fault in _of(kind):
        watched.exchange.mailboxes[_address(0)].add(_meeting(7))  # so that there is something new to fetch
        watched.exchange.faults.put(fault, mailbox=_address(0))
        watched.read("room0", within=timedelta(seconds=0.5 if fault.kind in ENDLESS else 20))
        assert watched.settled.error, fault
        assert watched.shown(0) == before, fault
        state = watched.state(0)
        assert (state.failing_since, state.error != "") == (NOW, True), fault
        assert "private" not in f"{state.error} {state.mend} {watched.settled.error}", fault
        assert watched.state(1).failing_since is None  # its neighbour goes on
        watched.exchange.faults.clear()
        watched.exchange.mailboxes[_address(0)].clear()
        watched.exchange.mailboxes[_address(0)].add(_meeting(0))
    watched.read("room0")
    assert watched.state(0).failing_since is None
    assert watched.shown(0)[1] == before[1]


@pytest.mark.parametrize("asked", [faults.status(503, retry_after=37), faults.status(429, retry_after=37)])
def test_who_is_asked_to_wait_waits_outside_the_worker_with_the_whole_lane(watched: Watched, asked: Fault) -> None:
    watched.exchange.faults.put(asked, mailbox=_address(0))
    began = datetime.now(UTC)
    watched.read("room0")
    assert watched.settled.pause_lane == timedelta(seconds=37)
    assert datetime.now(UTC) - began < timedelta(seconds=10)  # nobody slept


def test_a_back_off_of_exchange_server_rests_the_lane_too(folder: Path) -> None:
    watched = Watched("ews", folder, rooms=1)
    watched.exchange.faults.put(faults.busy(back_off=297))
    watched.read("room0")
    assert watched.settled.pause_lane == timedelta(seconds=297)
    watched.close()


def test_a_right_half_granted_that_answers_with_nothing_clears_no_floor(kind: str, folder: Path) -> None:
    watched = Watched(kind, folder, rooms=21)
    before = [watched.shown(n)[1] for n in range(21)]
    for n in range(21):
        watched.exchange.mailboxes[_address(n)].clear()  # what the account may not see is not there: 200, and nothing
    watched.clock.time += timedelta(minutes=1)
    watched.read(*watched.rooms)
    assert [watched.shown(n)[1] for n in range(21)] == before
    (held,) = watched.store.brakes()
    assert (held.name, held.things) == ("x", 21)
    watched.close()
