"""What an unchanged room costs, beside the barest way to take the same answers apart; and whether memory stays flat.

The answers are the lab's, recorded at the first round and given again by the same server, so that the rounds measure
the reading and not the lab. Costs are the processor time of the reading thread.
"""

from __future__ import annotations

import gc
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from otd.lab.bench import Ratio, Result, ratio, whole
from otd.lab.bench.calendars import NAME_OF_SECRET, SECRET, StillClock, TheSecret, a_meeting

if TYPE_CHECKING:
    from otd.lab.mailboxes import Mailboxes
    from otd.lab.server import App, Receive, Scope, Send
    from otd.pipeline import Pipeline
    from otd.ports import Calendar

SENTENCE = (
    "Refreshing 1,000 unchanged rooms with 10 meetings of 16 kB against httpx with json.loads or lxml on the same "
    "answers, the store's part apart, and memory over 20 rounds."
)
OPTIONS = {
    "rooms": "How many rooms there are on each calendar (default 1000).",
    "rounds": "How often each is read (default 20, at least 4).",
}
MEETINGS = 10
FLOORS = (1, 2)  # the rounds in which the floor is measured, too: before memory is looked at
GROWTH = 1.02  # what memory may be after the last round, beside after the third


def run(options: Mapping[str, str]) -> Result:
    """The least processor time of each over the rounds."""
    rooms, rounds = whole(options, "rooms", 1000), max(whole(options, "rounds", 20), 4)
    figures: dict[str, float] = {}
    ratios: dict[str, Ratio] = {}
    for kind, served, limit in (("graph", _graph, 4), ("ews", _ews, 8)):
        with ExitStack() as stack:
            figures |= _measured(kind, stack.enter_context(served(rooms)), rooms, rounds)
        ratios[f"{kind}_room"] = ratio(figures, f"{kind}_room_us", f"{kind}_floor_us", limit=limit)
        ratios[f"{kind}_memory"] = ratio(figures, f"{kind}_last_bytes", f"{kind}_third_bytes", limit=GROWTH)
    return Result(figures=figures, ratios=ratios, notes=(f"{rooms} rooms on each calendar, {rounds} rounds.",))


@dataclass
class _Served:
    """A calendar, and how its answers are fetched and taken apart without it."""

    calendar: Calendar
    tape: _Tape
    bare: Callable[[_Asked], object]


def _measured(kind: str, served: _Served, rooms: int, rounds: int) -> dict[str, float]:
    room_s, store_s, floor_s, memory = [], [], [], []
    with tempfile.TemporaryDirectory() as folder, _pipeline(served.calendar, rooms, Path(folder)) as (pipeline, store):
        for number in range(rounds):
            store.seconds, began = 0.0, time.thread_time()
            for room in range(rooms):
                pipeline.refresh_room(f"room{room}")
            if number:  # the first time everything was new
                store_s.append(store.seconds)
                room_s.append(time.thread_time() - began - store.seconds)
            if number in FLOORS:
                unchanged = served.tape.of_the_last(rooms)
                began = time.thread_time()
                for asked in unchanged:
                    served.bare(asked)
                floor_s.append(time.thread_time() - began)
            gc.collect()
            memory.append(_resident())
    per_room = {"room": min(room_s), "store": min(store_s), "floor": min(floor_s)}
    return {f"{kind}_{name}_us": round(seconds / rooms * 1e6, 1) for name, seconds in per_room.items()} | {
        f"{kind}_third_bytes": float(memory[2]),
        f"{kind}_last_bytes": float(max(memory[3:])),
    }


def _resident() -> int:
    """The memory of this process, in bytes."""
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def _pipeline(calendar: Calendar, rooms: int, folder: Path) -> Iterator[tuple[Pipeline, _Timed]]:
    """The use cases over a real store, each room on an endpoint of its own."""
    from otd import dialplan
    from otd.bus.local import LocalBus
    from otd.invites import Site
    from otd.model import Endpoint, Policy, Room
    from otd.pipeline import Pipeline, Rulebook
    from otd.store.sql import SqlStore

    named = {f"room{n}": Room(name=f"room{n}", calendar="lab", mailbox=_address(n)) for n in range(rooms)}
    endpoints = {
        f"codec{n}": Endpoint(name=f"codec{n}", kind="memory", address="127.0.0.1:1", pool="hq", rooms=(f"room{n}",))
        for n in range(rooms)
    }
    store = SqlStore(f"sqlite:///{folder / 'otd.db'}", b"k" * 32, clock=StillClock())
    store.adopt(named.values(), endpoints.values(), {"lab": 8, "hq": 8, "house": 1}, "bench")
    timed = _Timed(store)
    own = ("example.com",)
    yield (
        Pipeline(
            store=timed,
            calendars={"lab": calendar},
            bus=LocalBus(),
            rooms=named,
            endpoints=endpoints,
            rules=Rulebook(plan=dialplan.plan((), own, ()), site=Site(own_domains=own), policy=Policy(own_domains=own)),
        ),
        timed,
    )
    store.close()


class _Timed:
    """A store that sums up the processor time that its calls take."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self.seconds = 0.0

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)

        def timed(*arguments: Any, **named: Any) -> Any:
            began = time.thread_time()
            try:
                return method(*arguments, **named)
            finally:
                self.seconds += time.thread_time() - began

        self.__dict__[name] = timed
        return timed


# --- the calendars, and their floors ------------------------------------------------------------------------------


@contextmanager
def _graph(rooms: int) -> Iterator[_Served]:
    import json

    from otd.calendars.access import GraphAccess
    from otd.calendars.graph import GraphCalendar
    from otd.lab.graph import Graph

    graph = Graph(_mailboxes(rooms))
    graph.tenant.register("an-application", secret=SECRET)
    with _served(graph) as (tape, url, ca_file), _client(ca_file) as client:
        access = GraphAccess(
            tenant=graph.tenant.domain,
            client_id="an-application",
            secret=NAME_OF_SECRET,
            authority=url,
            root=url,
            ca_file=ca_file,
        )
        calendar = GraphCalendar("lab", access, secrets=TheSecret(), clock=StillClock())
        yield _Served(calendar, tape, lambda asked: json.loads(_fetch(client, url, asked)))
        calendar.close()


@contextmanager
def _ews(rooms: int) -> Iterator[_Served]:
    from lxml import etree

    from otd.calendars.access import EwsAccess
    from otd.calendars.ews import EwsCalendar
    from otd.lab.ews import Ews

    exchange = Ews(_mailboxes(rooms))
    exchange.account("LAB\\otd", SECRET)
    with _served(exchange) as (tape, url, ca_file), _client(ca_file) as client:
        access = EwsAccess(
            url=f"{url}/EWS/Exchange.asmx",
            username="LAB\\otd",
            password=NAME_OF_SECRET,
            auth="basic",
            ca_file=ca_file,
        )
        calendar = EwsCalendar("lab", access, secrets=TheSecret(), clock=StillClock())
        yield _Served(calendar, tape, lambda asked: etree.fromstring(_fetch(client, url, asked)))
        calendar.close()


def _mailboxes(rooms: int) -> Mailboxes:
    from otd.lab.mailboxes import Mailboxes

    mailboxes = Mailboxes()
    meetings = [a_meeting(number) for number in range(MEETINGS)]  # their bodies are held once
    for number in range(rooms):
        mailbox = mailboxes.add(_address(number))
        for meeting in meetings:
            mailbox.add(meeting)
    return mailboxes


def _address(number: int) -> str:
    return f"room{number}@example.com"


def _fetch(client: Any, url: str, asked: _Asked) -> bytes:
    content: bytes = client.request(asked.method, url + asked.path, headers=asked.headers, content=asked.body).content
    return content


@contextmanager
def _client(ca_file: str) -> Iterator[Any]:
    import ssl

    import httpx

    with httpx.Client(verify=ssl.create_default_context(cafile=ca_file)) as client:
        yield client


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request as it came."""

    method: str
    path: str
    headers: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)


class _Tape:
    """Before an app: the first time it answers, and is recorded; when the same is asked again, the tape answers."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._recorded: dict[tuple[str, bytes], list[Any]] = {}
        self._asked: dict[tuple[str, bytes], _Asked] = {}

    def of_the_last(self, count: int) -> list[_Asked]:
        """The last so many different requests."""
        return list(self._asked.values())[-count:]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        query = scope["query_string"].decode()
        path = scope["path"] + ("?" + query if query else "")
        key = (path, body)
        if (known := self._recorded.get(key)) is not None:
            for answer in known:
                await send(answer)
            return
        said: list[Any] = []

        async def through(answer: Any) -> None:
            said.append(answer)
            if answer["type"] == "http.response.body" and not answer.get("more_body"):
                self._keep(key, scope, said)
            await send(answer)

        async def again() -> Any:
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, again, through)

    def _keep(self, key: tuple[str, bytes], scope: Scope, said: list[Any]) -> None:
        if said[0]["status"] == 200 and "oauth2" not in key[0]:
            headers = {name.decode(): value.decode() for name, value in scope["headers"]}
            del headers["host"]
            headers.pop("content-length", None)
            self._recorded[key] = said
            self._asked[key] = _Asked(scope["method"], key[0], headers, key[1])


@contextmanager
def _served(app: App) -> Iterator[tuple[_Tape, str, str]]:
    """The app behind a tape over TLS: the tape, its address, and the file of the CA to trust."""
    from otd.lab.server import Server

    tape = _Tape(app)
    with tempfile.TemporaryDirectory() as folder, Server(tape, tls=True) as server:
        ca_file = Path(folder) / "ca.pem"
        ca_file.write_text(server.certificate, encoding="ascii")
        yield tape, server.url, str(ca_file)
