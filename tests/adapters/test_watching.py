"""Streaming notifications of an Exchange Server: hints that come at once, and are missed without harm."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from otd import wiring
from otd.calendars.access import EwsAccess
from otd.calendars.ews_stream import ROOMS, EwsStream
from otd.errors import Denied, Garbled, Missing, OtdError, Unreachable
from otd.lab import faults
from otd.lab.ews import Ews
from otd.lab.mailboxes import Mailboxes
from otd.lab.ntlm import Ntlm
from otd.lab.server import Server
from otd.model import Room
from otd.settings import load
from otd.store import SqlStore
from otd.watching import Stream, Watching, groups
from tests.adapters.cli import an_installation
from tests.adapters.mailboxes import SecretsOf, as_meeting
from tests.contracts.calendar import FixedClock, planned
from tests.contracts.store_case import KEY

ROOM_NAMES = [Room(name=f"room{n}", calendar="server", mailbox=f"room{n}@example.com") for n in range(3)]
SOON = 10.0  # seconds for what takes milliseconds


class Told:
    """The rooms that were named, and a way to wait for them."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._changed = threading.Condition()

    def __call__(self, name: str) -> None:
        with self._changed:
            self.names.append(name)
            self._changed.notify_all()

    def until(self, wanted: Callable[[list[str]], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: wanted(self.names), timeout=SOON), self.names


class Lab:
    """An Exchange Server by NTLM, and connections to it, each in a thread."""

    def __init__(self, folder: Path) -> None:
        self.exchange = Ews(Mailboxes())
        self.exchange.account("CONTOSO\\svc", "pw")
        for room in ROOM_NAMES:
            self.exchange.mailboxes.add(room.mailbox)
        self.server = Server(self.exchange, tls=True)
        self.server.start()
        self.ca_file = folder / "ca.pem"
        self.ca_file.write_text(self.server.certificate)
        self.told = Told()
        self._threads: list[threading.Thread] = []

    def access(self, **overrides: Any) -> EwsAccess:
        usual: dict[str, Any] = {"username": "CONTOSO\\svc", "password": "lab", "auth": "basic"}
        return EwsAccess(
            url=f"{self.server.url}/EWS/Exchange.asmx", ca_file=str(self.ca_file), connections=1, **(usual | overrides)
        )

    def stream(self, **overrides: Any) -> EwsStream:
        secrets = SecretsOf({"lab": "pw"})
        return EwsStream("server", self.access(**overrides), ROOM_NAMES, secrets=secrets, clock=FixedClock())

    def follow(self, **how: Any) -> list[OtdError | None]:
        """Follow in a thread; what comes of it is put into the list when it ends."""
        ended: list[OtdError | None] = []

        def run() -> None:
            stream = self.stream()
            try:
                stream.follow(self.told, **how)
                ended.append(None)
            except OtdError as error:
                ended.append(error)
            finally:
                stream.close()

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        self._threads.append(thread)
        return ended

    def change(self, number: int) -> None:
        self.exchange.mailboxes[ROOM_NAMES[number].mailbox].add(as_meeting(planned()))

    def join(self) -> None:
        for thread in self._threads:
            thread.join(SOON)
            assert not thread.is_alive()

    def close(self) -> None:
        self.server.stop()
        self.join()


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    made = Lab(tmp_path)
    yield made
    made.close()


def test_every_room_is_named_once_at_the_beginning_and_then_those_that_change(lab: Lab) -> None:
    lab.follow()
    lab.told.until(lambda names: len(names) == 3)
    lab.change(1)
    lab.told.until(lambda names: names[3:] == ["room1"])
    lab.change(0)
    lab.change(2)
    lab.told.until(lambda names: sorted(names[4:]) == ["room0", "room2"])


def test_a_connection_that_the_server_ends_in_its_time_is_no_failure(lab: Lab) -> None:
    lab.exchange.seconds_a_minute = 0.1
    ended = lab.follow(lasts=timedelta(minutes=1))
    lab.join()
    assert ended == [None]


def test_it_signs_in_by_ntlm(lab: Lab) -> None:
    lab.server.stop()
    door = Ntlm(lab.exchange, {"CONTOSO\\svc": "pw"}, "")
    lab.exchange.seconds_a_minute = 0.1
    told: list[str] = []
    with Server(door) as server:
        access = EwsAccess(
            url=f"{server.url}/EWS/Exchange.asmx", username="CONTOSO\\svc", password="lab", connections=1
        )
        stream = EwsStream("server", access, ROOM_NAMES, secrets=SecretsOf({"lab": "pw"}), clock=FixedClock())
        stream.follow(told.append, lasts=timedelta(minutes=1))
        stream.close()
    assert told == ["room0", "room1", "room2"]


def test_a_server_that_forgot_the_subscriptions_ends_it(lab: Lab) -> None:
    lab.exchange.faults.put(faults.slow(0.5), operation="GetStreamingEvents")
    ended = lab.follow()
    lab.told.until(lambda names: len(names) == 3)
    lab.exchange.subscriptions.forget()
    lab.join()
    assert isinstance(ended[0], Garbled)


def test_a_server_that_goes_away_ends_it(lab: Lab) -> None:
    ended = lab.follow()
    lab.told.until(lambda names: len(names) == 3)
    while not lab.exchange.streams:
        threading.Event().wait(0.01)
    lab.server.stop()
    lab.join()
    assert isinstance(ended[0], Unreachable | Garbled) or ended == [None]


def test_a_connection_on_which_nothing_comes_is_down(lab: Lab) -> None:
    lab.exchange.faults.put(faults.silent(), operation="GetStreamingEvents")
    ended = lab.follow(quiet=timedelta(seconds=0.5))
    lab.join()
    assert isinstance(ended[0], Unreachable)


def test_a_room_that_cannot_be_watched_is_left_to_its_refreshes(lab: Lab) -> None:
    lab.exchange.mailboxes[ROOM_NAMES[1].mailbox].here = False
    lab.follow()
    lab.told.until(lambda names: names == ["room0", "room2"])
    lab.change(2)
    lab.told.until(lambda names: names[2:] == ["room2"])


def test_when_no_room_can_be_watched_it_says_so(lab: Lab) -> None:
    for room in ROOM_NAMES:
        lab.exchange.mailboxes[room.mailbox].here = False
    ended = lab.follow()
    lab.join()
    assert isinstance(ended[0], Missing)


def test_a_refused_account_is_a_failure(lab: Lab) -> None:
    lab.exchange.account("CONTOSO\\svc", "another")
    stream = lab.stream()
    with pytest.raises(Denied):
        stream.follow(lab.told)
    stream.close()


# --- in a process of their own ----------------------------------------------------------------------------------------


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    made = SqlStore(f"sqlite:///{tmp_path / 'otd.db'}", KEY)
    made.adopt(ROOM_NAMES, (), {"server": 4}, "settings")
    for work in made.claim("me", limit=9, lease=timedelta(minutes=1)):
        made.begin(work)
        made.finish(work, _later())
    yield made
    made.close()


def _later() -> Any:
    from otd.model import Settled

    return Settled(after=timedelta(hours=1))


def test_a_room_in_which_something_happened_is_due_at_once(lab: Lab, store: SqlStore) -> None:
    watching = Watching(store, {"server-1": lab.stream})
    watching.start()
    _until(lambda: len(store.claim("me", limit=9, lease=timedelta(hours=1))) > 0)
    watching.stop()


def test_a_connection_that_fails_is_made_again(store: SqlStore) -> None:
    made = []
    again = threading.Event()

    class Failing:
        def follow(self, told: Callable[[str], None]) -> None:
            if len(made) < 2:
                raise Unreachable("server", "it is gone")
            told("room1")
            again.set()

        def close(self) -> None:
            pass

    def make() -> Stream:
        made.append(1)
        return Failing()

    watching = Watching(store, {"server-1": make})
    watching.start()
    assert again.wait(30)
    watching.stop()


def test_rooms_are_put_on_few_connections(lab: Lab) -> None:
    many = [Room(name=f"r{n}", calendar="server", mailbox=f"r{n}@example.com") for n in range(3 * ROOMS + 50)]
    found = list(groups(many, ROOMS, 3))
    assert [len(group) for group in found] == [ROOMS, ROOMS, ROOMS]


def _until(happened: Callable[[], bool]) -> None:
    for _ in range(500):
        if happened():
            return
        threading.Event().wait(0.02)
    raise AssertionError("it did not happen")


@pytest.mark.parametrize(("streams", "connections", "left_out"), [(3, 3, 50), (4, 4, 0)])
def test_as_many_rooms_are_watched_as_the_streams_of_their_calendar_carry(
    tmp_path: Path, streams: int, connections: int, left_out: int
) -> None:
    rooms = "".join(
        f'[rooms.r{n}]\ncalendar = "server"\nmailbox = "r{n}@contoso.example"\n' for n in range(3 * ROOMS + 50)
    )
    calendar = '[calendars.server]\nkind = "ews"\nurl = "https://mail.contoso.example/EWS/Exchange.asmx"\n'
    calendar += f'username = "svc"\npassword = "exchange"\nstreams = {streams}\n'
    an_installation(tmp_path, calendar + rooms)
    settings = load(tmp_path / "otd.toml", {})
    store = wiring.store(settings)
    store.adopt(settings.rooms.values(), (), {"server": 4}, "settings")
    found, over = wiring.streams(settings, store)
    assert (len(found), over) == (connections, {"server": left_out} if left_out else {})
    store.close()
