"""Room mailboxes that move between Exchange Server and Exchange Online, over both servers' sockets."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from otd.bus.local import LocalBus
from otd.calendars.access import EwsAccess, GraphAccess
from otd.calendars.ews import EwsCalendar
from otd.calendars.graph import GraphCalendar
from otd.dialplan import for_site
from otd.errors import ELSEWHERE, Missing, OtdError, Unreachable
from otd.invites import Site
from otd.lab import faults
from otd.lab.ews import Ews
from otd.lab.graph import Graph
from otd.lab.mailboxes import Mailboxes
from otd.lab.server import Server
from otd.model import Booking, Endpoint, Meeting, Policy, Room
from otd.pipeline import Pipeline, Rulebook
from otd.store.sql import SqlStore
from tests.adapters.mailboxes import SecretsOf
from tests.adapters.recorder import Instead, Recorder
from tests.values import HOUR, SECOND, FixedClock

SITE = Site(own_domains=("example.com",))
NOW = datetime.now(UTC).replace(microsecond=0)
ROOM = Room(name="atrium", calendar="server", mailbox="atrium@contoso.example")
ENDPOINT = Endpoint(name="codec", kind="memory", address="192.0.2.1", pool="hq", rooms=("atrium",))
BOTH = {"server": ("online",), "online": ("server",)}


class Hybrid:
    """An organisation with an Exchange Server and Exchange Online, and OTD on both."""

    def __init__(self, folder: Path) -> None:
        self.ews, self.graph = Ews(Mailboxes()), Graph(Mailboxes())
        self.ews.account("svc", "a secret of the lab")
        self.graph.tenant.register("an-app", secret="a secret of the lab")
        for exchange in (self.ews, self.graph):
            mailbox = exchange.mailboxes.add(ROOM.mailbox)
            mailbox.add(_meeting())
        self.recorder = Recorder(self.ews)
        self.servers = (Server(self.recorder, tls=True), Server(self.graph, tls=True))
        self.folder, self.clock = folder, FixedClock(NOW)
        self.is_on("server")

    def start(self) -> None:
        for server in self.servers:
            server.start()
        ca_file = self.folder / "ca.pem"
        ca_file.write_text("".join(server.certificate for server in self.servers))
        secrets, (server, online) = SecretsOf({"lab": "a secret of the lab"}), self.servers
        ews = EwsAccess(
            url=f"{server.url}/EWS/Exchange.asmx", username="svc", password="lab", auth="basic", ca_file=str(ca_file)
        )
        graph = GraphAccess(
            tenant="contoso.example",
            client_id="an-app",
            secret="lab",
            authority=online.url,
            root=online.url,
            ca_file=str(ca_file),
        )
        self.calendars = {
            "server": EwsCalendar("server", ews, secrets=secrets, clock=self.clock),
            "online": GraphCalendar("online", graph, secrets=secrets, clock=self.clock),
        }
        self.store = SqlStore(
            f"sqlite:///{self.folder / 'otd.db'}",
            b"k" * 32,
            clock=self.clock,
            rng=random.Random(1),  # noqa: S311
        )
        self.adopt(ROOM)

    def adopt(self, room: Room, *, elsewhere: dict[str, tuple[str, ...]] = BOTH, digest: str = "settings") -> None:
        """As after a restart with these settings."""
        self.store.adopt([room], [ENDPOINT], {"server": 9, "online": 9, "hq": 9, "house": 9}, digest)
        self.pipeline = Pipeline(
            store=self.store,
            calendars=self.calendars,
            bus=LocalBus(),
            rooms={room.name: room},
            endpoints={ENDPOINT.name: ENDPOINT},
            rules=Rulebook(plan=for_site((), SITE), site=SITE, policy=Policy(own_domains=SITE.own_domains)),
            elsewhere=elsewhere,
        )

    def is_on(self, which: str) -> None:
        """From now on the mailbox is there, and only there."""
        self.ews.mailboxes[ROOM.mailbox].here = which == "server"
        self.graph.mailboxes[ROOM.mailbox].here = which == "online"

    def read(self) -> None:
        self.pipeline.refresh_room("atrium")

    def error(self) -> OtdError:
        with pytest.raises(OtdError) as failed:
            self.read()
        return failed.value

    def shown(self) -> tuple[int, tuple[Booking, ...]]:
        """The revision of the endpoint's list, and what is in it."""
        desired = self.store.desired("codec")
        assert desired is not None
        return desired.revision, desired.list.bookings

    def read_on(self) -> str:
        (state,) = self.store.rooms()
        return state.read_on

    def asked(self) -> tuple[int, int]:
        """How often the server, and Exchange Online, were asked to look."""
        return self.ews.requests.count(operation="FindItem"), self.graph.requests.count(operation="calendarView")

    def close(self) -> None:
        for calendar in self.calendars.values():
            calendar.close()
        self.store.close()
        for server in self.servers:
            server.stop()


def _meeting() -> Meeting:
    return Meeting(
        id="",
        uid="weekly@contoso.example",
        start=NOW + HOUR,
        end=NOW + 2 * HOUR,
        subject="Weekly",
        body="Join: sip:weekly@video.example.com",
    )


@pytest.fixture(scope="module")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with its tables: making it is most of what a test would take."""
    path = tmp_path_factory.mktemp("empty") / "otd.db"
    SqlStore(f"sqlite:///{path}", b"k" * 32).close()
    return path


@pytest.fixture
def hybrid(tmp_path: Path, empty_database: Path) -> Iterator[Hybrid]:
    shutil.copy(empty_database, tmp_path / "otd.db")
    made = Hybrid(tmp_path)
    made.start()
    yield made
    made.close()


def test_a_mailbox_that_moved_is_followed_and_its_endpoint_notices_nothing(hybrid: Hybrid) -> None:
    hybrid.read()
    before = hybrid.shown()
    assert [booking.dial is not None for booking in before[1]] == [True]
    hybrid.is_on("online")
    hybrid.read()
    assert hybrid.shown() == before  # same ids, same list, same revision: nothing is delivered
    assert hybrid.read_on() == "online"


def test_once_it_is_found_only_its_new_calendar_is_asked(hybrid: Hybrid) -> None:
    hybrid.is_on("online")
    hybrid.read()
    before = hybrid.asked()
    hybrid.read()
    assert hybrid.asked() == (before[0], before[1] + 1)
    (work,) = (row for row in hybrid.store.work() if row.kind == "refresh")
    assert work.lane == "online"  # pauses and budgets of its new calendar hold for it


def test_a_mailbox_may_move_back(hybrid: Hybrid) -> None:
    hybrid.is_on("online")
    hybrid.read()
    hybrid.is_on("server")
    hybrid.read()
    assert hybrid.read_on() == "server"


def test_a_room_on_exchange_online_may_move_to_the_server(hybrid: Hybrid) -> None:
    hybrid.adopt(replace(ROOM, calendar="online"), digest="other settings")
    hybrid.read()
    assert hybrid.read_on() == "server"


def test_where_it_was_found_is_remembered_over_a_restart_and_forgotten_with_new_settings(hybrid: Hybrid) -> None:
    hybrid.is_on("online")
    hybrid.read()
    hybrid.adopt(ROOM)
    before = hybrid.asked()
    hybrid.read()
    assert hybrid.asked() == (before[0], before[1] + 1)
    hybrid.adopt(replace(ROOM, label="Atrium"), digest="other settings")
    assert hybrid.read_on() == "server"


def test_it_is_not_looked_for_where_the_settings_do_not_say_so(hybrid: Hybrid) -> None:
    hybrid.read()
    before = hybrid.shown()
    hybrid.adopt(ROOM, elsewhere={})
    hybrid.is_on("online")
    failed = hybrid.error()
    assert isinstance(failed, Missing)
    assert failed.reason == ELSEWHERE
    assert "calendar of kind graph" in failed.mend
    assert hybrid.shown() == before
    assert hybrid.asked()[1] == 0


def test_a_mailbox_that_is_nowhere_changes_no_screen_and_keeps_the_first_error(hybrid: Hybrid) -> None:
    hybrid.read()
    before = hybrid.shown()
    hybrid.is_on("nowhere")
    failed = hybrid.error()
    assert (type(failed), failed.where) == (Missing, "server: atrium@contoso.example")
    assert (hybrid.shown(), hybrid.read_on()) == (before, "server")


def test_a_new_calendar_that_refuses_is_named_with_its_mend(hybrid: Hybrid) -> None:
    hybrid.graph.permitted = frozenset()
    hybrid.is_on("online")
    failed = hybrid.error()
    assert isinstance(failed, Missing)
    assert "calendar online, asked too: Graph answered 403" in failed.why
    assert "RBAC" in failed.mend
    assert failed.rest == timedelta(minutes=30)


def test_a_new_calendar_that_does_not_answer_is_asked_again_soon(hybrid: Hybrid) -> None:
    hybrid.is_on("online")
    hybrid.graph.faults.put(faults.status(503), mailbox=ROOM.mailbox)
    failed = hybrid.error()
    assert isinstance(failed, Unreachable)
    assert not failed.everywhere  # the server's other rooms go on
    hybrid.graph.faults.clear()
    hybrid.read()
    assert hybrid.read_on() == "online"


def test_a_server_that_redirects_to_exchange_online_says_that_the_mailbox_is_there(hybrid: Hybrid) -> None:
    hybrid.is_on("online")
    location = ("location", "https://outlook.office365.com/EWS/Exchange.asmx")
    hybrid.recorder.instead = lambda _: Instead(status=302, headers=(location,))
    hybrid.read()
    assert hybrid.read_on() == "online"


@pytest.mark.parametrize(
    "location", ["https://login.contoso.example/", "https://evil-office365.com/", "/owa", "https://[", ""]
)
def test_any_other_redirect_says_nothing_of_the_mailbox(hybrid: Hybrid, location: str) -> None:
    hybrid.recorder.instead = lambda _: Instead(status=302, headers=(("location", location),))
    assert hybrid.error().reason == ""
    assert hybrid.asked()[1] == 0


def test_a_failure_that_says_nothing_of_the_mailbox_is_not_looked_into_elsewhere(hybrid: Hybrid) -> None:
    hybrid.ews.faults.put(faults.message("ErrorMailboxMoveInProgress"))
    assert isinstance(hybrid.error(), Unreachable)
    assert hybrid.asked()[1] == 0


def test_the_other_calendar_is_not_asked_while_its_lane_is_paused(hybrid: Hybrid) -> None:
    hybrid.is_on("online")
    hybrid.store.pause("online", NOW + HOUR, "too many requests")
    before = hybrid.asked()
    error = hybrid.error()
    assert hybrid.asked() == (before[0] + 1, before[1])
    assert isinstance(error, Unreachable)
    assert "too many requests" in error.why
    assert error.rest == HOUR
    hybrid.clock.time += HOUR
    hybrid.read()
    assert hybrid.read_on() == "online"


def test_what_the_other_calendar_asks_for_is_its_own_lanes_pause(hybrid: Hybrid) -> None:
    hybrid.is_on("online")
    hybrid.graph.faults.put(faults.status(429, retry_after=600), times=1)
    hybrid.error()
    paused = {lane.name: lane.paused_until for lane in hybrid.store.lanes()}
    assert paused["online"] == hybrid.clock.time + 600 * SECOND
    assert paused["server"] is None
