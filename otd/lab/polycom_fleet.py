"""Very many Polycom endpoints that only poll, for load: a thousand in one process.

    with Running.start(Load(url=server.url, logins=(("poly1", "secret"), ...), lasts=timedelta(minutes=5))) as running:
        figures = running.figures()

Each poll is a new TLS connection with a FindItem, and on the same connection a GetItem when a change key is not the one
of the poll before. Polls are spread evenly over the interval. A list is what a literal endpoint finds in it; for
all else that an endpoint checks there is `otd.lab.polycom`.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from otd.lab.polycom_profiles import HDX, Habits, Registration
from otd.lab.polycom_requests import EWS_PATH, Requests, midnight
from otd.lab.polycom_wire import client_context

AHEAD = timedelta(days=7)
_ITEM = re.compile(rb'<t:ItemId Id="([^"]+)" ChangeKey="([^"]+)"')
_LENGTH = re.compile(rb"^content-length:[ \t]*(\d+)", re.I | re.M)
_GOOD = b"<m:ResponseCode>NoError</m:ResponseCode>"
_GRACE = timedelta(seconds=60)
_SPANS = ("interval", "lasts", "patience")


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Who polls what, how often and for how long; one endpoint for each login (user, password)."""

    url: str
    logins: tuple[tuple[str, str], ...] = field(repr=False)
    interval: timedelta = timedelta(seconds=30)
    lasts: timedelta = timedelta(minutes=1)
    patience: timedelta = timedelta(seconds=10)  # with one poll
    ca: str = ""  # PEM; "" takes any certificate

    def as_json(self) -> str:
        return json.dumps(asdict(self) | {name: getattr(self, name).total_seconds() for name in _SPANS})

    @classmethod
    def from_json(cls, text: str) -> Load:
        values = json.loads(text)
        spans = {name: timedelta(seconds=values[name]) for name in _SPANS}
        return cls(**(values | spans | {"logins": tuple((user, password) for user, password in values["logins"])}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What came of it. Milliseconds are of one good poll, connecting included."""

    polls: int
    failed: int
    get_items: int
    items: int  # in all lists as they were seen last
    most_at_once: int
    seconds: float
    processor_seconds: float  # of the pollers
    median_ms: float
    p99_ms: float
    worst_ms: float
    failures: Mapping[str, int] = field(default_factory=dict)  # by cause


class _NotGood(Exception):
    """An answer that is no list."""


class Fleet:
    """The endpoints of one load."""

    def __init__(self, load: Load) -> None:
        parts = urlsplit(load.url)
        secure = parts.scheme == "https"
        self._load = load
        self._host, self._port = parts.hostname or "", parts.port or (443 if secure else 80)
        self._tls = client_context(load.ca, None) if secure else None
        self._path = parts.path if parts.path.strip("/") else EWS_PATH
        self._requests = Requests(
            profile=HDX, registration=Registration(urls=(), user=""), habits=Habits(folder="name")
        )
        self._logins = [base64.b64encode(f"{user}:{password}".encode()).decode() for user, password in load.logins]
        self._known: list[frozenset[tuple[bytes, bytes]]] = [frozenset()] * len(load.logins)
        self._took: list[float] = []
        self._failures: dict[str, int] = {}
        self._get_items = self._open = self._most = 0

    def run(self) -> Figures:
        """Poll for as long as the load lasts, and come back with the figures."""
        began, processor = time.perf_counter(), time.process_time()
        asyncio.run(self._all())
        took = sorted(self._took) or [0.0]
        failed = sum(self._failures.values())
        return Figures(
            polls=len(self._took) + failed,
            failed=failed,
            get_items=self._get_items,
            items=sum(map(len, self._known)),
            most_at_once=self._most,
            seconds=round(time.perf_counter() - began, 3),
            processor_seconds=round(time.process_time() - processor, 3),
            median_ms=round(took[len(took) // 2] * 1000, 2),
            p99_ms=round(took[len(took) * 99 // 100] * 1000, 2),
            worst_ms=round(took[-1] * 1000, 2),
            failures=dict(self._failures),
        )

    async def _all(self) -> None:
        began = time.monotonic()
        await asyncio.gather(*(self._endpoint(number, began) for number in range(len(self._logins))))

    async def _endpoint(self, number: int, began: float) -> None:
        every = self._load.interval.total_seconds()
        due, ends = began + every * number / len(self._logins), began + self._load.lasts.total_seconds()
        while due < ends:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            await self._poll(number)
            due = max(due + every, time.monotonic())  # one that took longer than the interval is not made up for

    async def _poll(self, number: int) -> None:
        began = time.perf_counter()
        self._open += 1
        self._most = max(self._most, self._open)
        try:
            async with asyncio.timeout(self._load.patience.total_seconds()):
                await self._look(number)
        except TimeoutError:
            self._failed("no whole answer in time")
        except _NotGood as error:
            self._failed(str(error))
        except (OSError, EOFError, ValueError, asyncio.LimitOverrunError):
            self._failed("the connection failed")
        else:
            self._took.append(time.perf_counter() - began)
        finally:
            self._open -= 1

    def _failed(self, why: str) -> None:
        self._failures[why] = self._failures.get(why, 0) + 1

    async def _look(self, number: int) -> None:
        start = midnight(datetime.now(UTC), ZoneInfo("UTC"))
        reader, writer = await asyncio.open_connection(
            self._host, self._port, ssl=self._tls, server_hostname=self._host if self._tls else None
        )
        try:
            find = self._requests.find_item(start, start + AHEAD, "")
            items = frozenset(_ITEM.findall(await self._ask(reader, writer, number, find)))
            changed = [(id.decode(), key.decode()) for id, key in items - self._known[number]]
            if changed:
                await self._ask(reader, writer, number, self._requests.get_item(changed))
                self._get_items += 1
            self._known[number] = items
        finally:
            writer.transport.abort()

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int, body: str) -> bytes:
        data = body.encode()
        head = (
            f"POST {self._path} HTTP/1.1\r\nHost: {self._host}\r\nAuthorization: Basic {self._logins[number]}\r\n"
            f"Content-Type: text/xml; charset=utf-8\r\nContent-Length: {len(data)}\r\n\r\n"
        )
        writer.write(head.encode() + data)
        answer = await reader.readuntil(b"\r\n\r\n")
        length, status = _LENGTH.search(answer), answer[9:12].decode("ascii", "replace")
        if status != "200" or length is None:
            raise _NotGood(f"HTTP {status}")
        found = await reader.readexactly(int(length[1]))
        if _GOOD not in found:
            raise _NotGood("an error in the response")
        return found


class Running:
    """A fleet in a process of its own, so that what it costs is not mixed up with what it measures."""

    def __init__(self, process: subprocess.Popen[str], load: Load) -> None:
        self._process, self._load = process, load

    @classmethod
    def start(cls, load: Load) -> Running:
        process = subprocess.Popen(
            [sys.executable, "-m", "otd.lab.polycom_fleet"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        if process.stdin is not None:  # passwords go this way: a command line can be read by everyone
            process.stdin.write(load.as_json())
            process.stdin.close()
            process.stdin = None
        return cls(process, load)

    def figures(self) -> Figures:
        """Wait for the end. Raises RuntimeError when there are no figures in it."""
        within = self._load.lasts + self._load.patience + _GRACE
        try:
            said, _ = self._process.communicate(timeout=within.total_seconds())
        except subprocess.TimeoutExpired as error:
            raise RuntimeError("the fleet does not come to an end") from error
        if self._process.returncode != 0:
            raise RuntimeError(f"the fleet ended with code {self._process.returncode}")
        return Figures(**json.loads(said))

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *exc: object) -> None:
        self._process.kill()
        self._process.communicate()


def main() -> None:
    """Read a Load from standard input, write Figures to standard output."""
    sys.stdout.write(json.dumps(asdict(Fleet(Load.from_json(sys.stdin.read())).run())) + "\n")


if __name__ == "__main__":
    main()
