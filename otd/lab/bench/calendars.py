"""What it costs to read rooms from Exchange, beside the barest way to take the same answers apart.

The lab's servers run in this process, so the costs are the processor time of the reading thread, without theirs.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from otd.lab.bench import Result, in_turns, ratio, whole

if TYPE_CHECKING:
    from otd.lab.mailboxes import Mailboxes
    from otd.lab.server import App, Receive, Scope, Send
    from otd.model import Meeting, Window
    from otd.ports import Calendar

SENTENCE = (
    "Reading 500 meetings of 16 kB by EWS against lxml on the same answers, and an unchanged room by Graph against "
    "httpx and json.loads."
)
OPTIONS = {
    "meetings": "How many meetings the room on Exchange Server has (default 500).",
    "rounds": "How often each is read (default 7).",
}
ROOM = "room1@example.com"
SECRET = "a secret of the lab"  # noqa: S105
NAME_OF_SECRET = "lab"  # noqa: S105
SIZE = 16_000  # characters of a body
START = datetime(2026, 11, 2, tzinfo=UTC)
WITHIN = timedelta(minutes=1)


def run(options: Mapping[str, str]) -> Result:
    """The least processor time of each."""
    rounds = whole(options, "rounds", 7)
    figures = _ews(whole(options, "meetings", 500), rounds) | _graph(rounds)
    figures = {name: round(value, 6) for name, value in figures.items()}
    return Result(
        figures=figures,
        ratios={
            "ews_read": ratio(figures, "ews_read_s", "lxml_parse_s", limit=20),
            "graph_unchanged": ratio(figures, "graph_unchanged_s", "httpx_json_s", limit=4),
        },
        notes=(
            f"{figures['ews_answers_bytes'] / 1e6:.1f} MB came by EWS, {figures['graph_answer_bytes'] / 1e3:.0f} kB "
            "by Graph.",
        ),
    )


def _ews(count: int, rounds: int) -> dict[str, float]:
    """A room on Exchange Server that is read for the first time, and one in which nothing changed."""
    from lxml import etree

    from otd.calendars.access import EwsAccess
    from otd.calendars.ews import EwsCalendar
    from otd.lab.ews import Ews

    exchange = Ews(_mailboxes(count))
    exchange.account("LAB\\otd", SECRET)
    with _served(exchange) as (tap, url, ca_file), ExitStack() as open_ones:
        access = EwsAccess(
            url=f"{url}/EWS/Exchange.asmx",
            username="LAB\\otd",
            password=NAME_OF_SECRET,
            auth="basic",
            ca_file=ca_file,
        )

        def made() -> Calendar:
            calendar = EwsCalendar("lab", access, secrets=TheSecret(), clock=StillClock())
            open_ones.callback(calendar.close)
            return calendar

        calendar = made()
        _read(calendar, count)
        answers = [body for _, body in tap.answers]
        fresh = iter([made() for _ in range(rounds)])
        seconds = in_turns(
            {
                "ews_read_s": lambda: _read(next(fresh), count),
                "lxml_parse_s": lambda: [etree.fromstring(body) for body in answers],
                "ews_unchanged_s": lambda: _read(calendar, count),
            },
            rounds=rounds,
            clock=time.thread_time,
        )
    return seconds | {"ews_answers_bytes": sum(map(len, answers))}


def _graph(rounds: int) -> dict[str, float]:
    """A room in Exchange Online with ten meetings, in which nothing changed."""
    import ssl

    import httpx

    from otd.calendars.access import GraphAccess
    from otd.calendars.graph import GraphCalendar
    from otd.lab.graph import Graph

    graph = Graph(_mailboxes(10))
    graph.tenant.register("an-application", secret=SECRET)
    with _served(graph) as (tap, url, ca_file):
        access = GraphAccess(
            tenant=graph.tenant.domain,
            client_id="an-application",
            secret=NAME_OF_SECRET,
            authority=url,
            root=url,
            ca_file=ca_file,
        )
        calendar = GraphCalendar("lab", access, secrets=TheSecret(), clock=StillClock())
        trusted = ssl.create_default_context(cafile=ca_file)
        with closing(calendar), httpx.Client(verify=trusted) as client:
            _read(calendar, 10)
            (path, headers), body = tap.answers[-1]
            asked = {name: headers[name] for name in ("authorization", "prefer", "accept")}

            def bare() -> Any:
                return json.loads(client.get(url + path, headers=asked).content)

            if bare() != json.loads(body):
                raise RuntimeError("the floor does not read what we read")
            calls = {"graph_unchanged_s": lambda: _read(calendar, 10), "httpx_json_s": bare}
            seconds = in_turns(calls, rounds=10 * rounds, clock=time.thread_time)
    return seconds | {"graph_answer_bytes": len(body)}


def _read(calendar: Calendar, count: int) -> None:
    from otd.model import Failed, Room

    reading = calendar.read(Room(name="room1", calendar="lab", mailbox=ROOM), _window(count), within=WITHIN)
    if isinstance(reading, Failed):
        raise reading.error
    if len(reading.meetings) != count:
        raise RuntimeError(f"{len(reading.meetings)} meetings came, and not {count}")


def _window(count: int) -> Window:
    from otd.model import Window

    return Window(start=START, end=START + count * timedelta(hours=1))


def _mailboxes(count: int) -> Mailboxes:
    from otd.lab.mailboxes import Mailboxes

    mailboxes = Mailboxes()
    mailbox = mailboxes.add(ROOM)
    for number in range(count):
        mailbox.add(a_meeting(number))
    return mailboxes


def a_meeting(number: int) -> Meeting:
    """An invitation with a body as Outlook writes them: much markup, many links, little text."""
    from otd.model import Meeting, Person

    row = '<p class="MsoNormal"><span style="font-size:11.0pt">Item {} &amp; <a href="https://example.com/{}">more</a></span></p>\n'
    body = "".join(row.format(n, n * number) for n in range(SIZE // len(row)))
    start = START + number * timedelta(hours=1)
    return Meeting(
        id="",
        uid="",
        start=start,
        end=start + timedelta(minutes=50),
        subject=f"Review {number}",
        body=f"<html><body>{body}</body></html>",
        body_type="html",
        location="Room 1",
        organizer=Person(name="Ann Example", address="ann@example.com"),
        attendees=tuple(Person(name=f"Guest {n}", address=f"guest{n}@example.com") for n in range(5)),
        properties=(("SkypeTeamsMeetingUrl", f"https://teams.example.com/l/meetup-join/{number}"),),
    )


class TheSecret:
    """The same one, whatever its name."""

    def __init__(self, value: str = SECRET) -> None:
        self._value = value

    def get(self, name: str) -> str:
        return self._value


class StillClock:
    """Every reading looks at the same window."""

    def now(self) -> datetime:
        return START


@dataclass
class _Tap:
    """Keeps what passes between a client and an app: (path, headers) of each request, and the body it got."""

    app: App
    answers: list[tuple[tuple[str, dict[str, str]], bytes]] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = bytearray()
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        query = scope["query_string"].decode()
        asked = (scope["path"] + ("?" + query if query else ""), headers)

        async def through(message: Any) -> None:
            body.extend(message.get("body", b""))
            if message["type"] == "http.response.body" and not message.get("more_body"):
                self.answers.append((asked, bytes(body)))  # before the client has it all and goes on
            await send(message)

        await self.app(scope, receive, through)


@contextmanager
def _served(app: App) -> Iterator[tuple[_Tap, str, str]]:
    """The app over TLS: its tap, its address, and the file of the CA to trust."""
    from otd.lab.server import Server

    tap = _Tap(app)
    with tempfile.TemporaryDirectory() as folder, Server(tap, tls=True) as server:
        ca_file = Path(folder) / "ca.pem"
        ca_file.write_text(server.certificate, encoding="ascii")
        yield tap, server.url, str(ca_file)
