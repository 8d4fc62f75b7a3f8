"""The installation that `otd bench cluster` measures: a campus, workers, a relay, a broker and a database."""

from __future__ import annotations

import base64
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from otd import settings as otd_settings
from otd import wire, wiring
from otd.bus import identity, seal
from otd.bus.checking import queue
from otd.bus.identity import Identity
from otd.bus.local import LocalBus
from otd.errors import BadSetting, Missing, Unreachable
from otd.lab import rabbit
from otd.lab.campus_process import CampusProcess
from otd.model import EPOCH, Work
from otd.pairing import Keys
from otd.pipeline import Pipeline
from otd.quoting import toml_string
from otd.settings import Settings

LATENCY = 0.15  # seconds, of each answer of Graph
TICKS = os.sysconf("SC_CLK_TCK")
UNDER_WAY = 2  # times its threads: as many rows has a worker claimed at the most
RELAY = "relay-a"
SAY_EVERY = 10.0  # seconds
_said_at = 0.0


@contextmanager
def database(server: str) -> Iterator[str]:
    """The url of a new database on this server, which is gone afterwards."""
    try:
        import psycopg
    except ImportError:
        raise BadSetting("PostgreSQL", "psycopg is not installed", "pip install 'one-touch-dial[postgres]'") from None
    name = f"otd_bench_{secrets.token_hex(6)}"
    try:
        with psycopg.connect(f"{server}/postgres", autocommit=True, connect_timeout=5) as connection:
            connection.execute(f'CREATE DATABASE "{name}"'.encode())
            try:
                yield f"{server}/{name}"
            finally:
                connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())
    except psycopg.OperationalError as error:
        raise Unreachable("PostgreSQL", str(error).splitlines()[0][:200], "name one with --database") from None


class House:
    """`with House(...) as house:` and everything runs."""

    def __init__(self, folder: Path, url: str, *, rooms: int, workers: int, threads: int) -> None:
        self._folder, self._url, self._rooms, self._threads = folder, url, rooms, threads
        self._workers_count = workers
        self._workers: list[subprocess.Popen[Any]] = []
        self._title = "subject"
        self._stack = ExitStack()

    @property
    def most_under_way(self) -> int:
        """How many rows the claimers may have claimed at any time."""
        return UNDER_WAY * self._threads * max(self._workers_count, 1)

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._campus = stack.enter_context(CampusProcess(rooms=self._rooms, latency=LATENCY))
            self._vhosts = stack.enter_context(rabbit.vhost()), stack.enter_context(rabbit.vhost())
            (self._folder / "lab.pem").write_text(self._campus.certificate)
            key = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
            self._environment = {
                **os.environ,
                "OTD_CONFIG": str(self._folder / "otd.toml"),
                "OTD_LOG": "json",
                "OTD_SECRET_DATABASE_KEY": key,
                "OTD_SECRET_GRAPH": self._campus.secret,
                "OTD_SECRET_BROKER": "amqp://guest:guest@127.0.0.1:5672",
            }
            self._write()
            self._settings: Settings = otd_settings.load(self._folder / "otd.toml", self._environment)
            former = {name: os.environ.get(name) for name in self._environment}
            os.environ.update(self._environment)
            stack.callback(_put_back, former)
            self._store = wiring.store(self._settings)
            stack.callback(self._store.close)
            stack.callback(self.stop_workers)
            self._relay = self._start_relay(stack)
            self.start_workers()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stack.close()

    # processes ----------------------------------------------------------------------------------------------------

    def started(self, arguments: list[str]) -> subprocess.Popen[Any]:
        """A process of this installation."""
        with (self._folder / "processes.log").open("ab") as log:
            return subprocess.Popen(arguments, stdout=log, stderr=log, env=self._environment)  # noqa: S603 - ourselves

    def start_workers(self) -> None:
        self._workers = [self.started([sys.executable, "-m", "otd", "worker"]) for _ in range(self._workers_count)]

    def stop_workers(self) -> None:
        for worker in self._workers:
            worker.send_signal(signal.SIGTERM)
        for worker in self._workers:
            try:
                worker.wait(timeout=60)
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()
        self._workers = []

    def _start_relay(self, stack: ExitStack) -> subprocess.Popen[Any]:
        broker = stack.enter_context(rabbit.relay_user(self._vhosts[1], RELAY, "hq"))
        centre = seal.public_signing(wiring.signing_key(self._store))
        me = Identity(
            relay=RELAY, pool="hq", broker=broker, centre=centre, signing=seal.new_key(), sealing=seal.new_key()
        )
        identity.save(me, self._folder / "relay.json")
        keys = Keys(signing=seal.public_signing(me.signing), sealing=seal.public_sealing(me.sealing))
        self._store.members.adopt(RELAY, "hq", keys, administrator="bench")
        arguments = ["-m", "otd.lab.relay_process", str(self._folder / "relay.json"), str(self._folder / "state")]
        relay = self.started([sys.executable, *arguments])

        def end() -> None:
            relay.kill()
            relay.wait()

        stack.callback(end)
        return relay

    # what is seen of it -------------------------------------------------------------------------------------------

    def readings(self) -> int:
        """How many answers with a room's calendar Graph has given."""
        return self._campus.asked().get("calendarView", 0)

    def claims(self) -> int:
        """How many times a room was claimed."""
        return sum(self.tokens().values())

    def tokens(self) -> dict[str, int]:
        """How many times each room was claimed."""
        return dict(self._rows("SELECT name, token FROM work WHERE kind = 'refresh'"))

    def _read_at(self) -> dict[str, float]:
        return {name: at / 1000 for name, at in self._rows("SELECT name, read_at FROM rooms WHERE read_at > 0")}

    def _rows(self, query: str) -> list[tuple[str, int]]:
        """Looked up past the store: what is watched must not cost what is measured."""
        import psycopg

        with psycopg.connect(self._url, connect_timeout=5) as connection:
            return connection.execute(query.encode()).fetchall()

    def until_all_read(self, since: float, patience: float) -> None:
        """Each room was read after this time. Raises Unreachable when that takes too long."""
        end = time.monotonic() + patience
        while True:
            read = self._read_at()
            if len(read) == self._rooms and min(read.values()) > since:
                return
            say(f"{len(read)} of {self._rooms} rooms were read")
            if time.monotonic() > end or any(worker.poll() is not None for worker in self._workers):
                tail = (self._folder / "processes.log").read_text()[-800:]
                raise Unreachable("the workers", f"{len(read)} of {self._rooms} rooms were read; they said: {tail}")
            time.sleep(1)

    def until_calm(self, patience: float) -> None:
        """Wait until every endpoint has its list and was looked at, so that only refreshing is left to do; or no
        longer."""
        end = time.monotonic() + patience
        soon = "extract(epoch FROM now()) * 1000 + 60000"
        query = f"SELECT 'left', count(*) FROM work WHERE kind = 'deliver' AND due < {soon}"  # noqa: S608 - ours
        while (left := dict(self._rows(query))["left"]) and time.monotonic() < end:
            say(f"{left} endpoints are still to be seen to")
            time.sleep(2)

    def watch(self, seconds: int) -> list[float]:
        """The seconds between two readings of a room, for all that were read again meanwhile."""
        last, intervals = self._read_at(), []
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(5)
            now = self._read_at()
            intervals += [at - last[name] for name, at in now.items() if name in last and at > last[name]]
            last = now
        return intervals

    def change_settings(self) -> None:
        """Every title becomes another, so every list does; the workers start anew and adopt it."""
        self.stop_workers()
        self._title = "organizer"
        self._write()
        self._settings = otd_settings.load(self._folder / "otd.toml", self._environment)
        self._changed_at = self._store.now().timestamp()
        self.start_workers()

    def until_all_listed_anew(self, before: dict[str, int], patience: float) -> int:
        """Wait until each room was read after the change. How often a lease lapsed on the way, of the row of which it
        did most often: it is claimed once for its reading, and again when its lease ran out."""
        end, most, waiting = time.monotonic() + patience, 0, set(before)
        while waiting and time.monotonic() < end:
            read, tokens = self._read_at(), self.tokens()
            done = {name for name in waiting if read.get(name, 0.0) > self._changed_at}
            most = max([most, *(tokens[name] - before[name] - 1 for name in done)])
            waiting -= done
            say(f"{len(waiting)} rooms are still to be read after the change")
            time.sleep(1)
        if waiting:
            raise Unreachable("the workers", f"{len(waiting)} rooms were not read within {patience:g} s of a change")
        return most

    def processor_times(self) -> dict[str, float]:
        """Seconds that each part has used so far."""
        return {
            "workers": sum(self.spent(worker.pid) for worker in self._workers),
            "relay": self.spent(self._relay.pid),
            "broker": sum(self.spent(pid) for pid in _named("beam.smp")),
            "database": sum(self.spent(pid) for pid in _named("postgres")),
            "graph": self._campus.processor_time(),
        }

    def memory(self) -> dict[str, int]:
        """What each process holds of the machine's memory for itself (PSS)."""
        sizes = {f"worker{n}": _pss(worker.pid) for n, worker in enumerate(self._workers, 1)}
        broker = sum(_pss(pid) for pid in _named("beam.smp"))
        return sizes | {"relay": _pss(self._relay.pid), "broker": broker}

    @staticmethod
    def spent(pid: int) -> float:
        """Seconds of processor time, of the process and of its threads; of PostgreSQL's also of its former children."""
        try:
            text = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return 0.0
        return sum(int(field) for field in text[11:15]) / TICKS

    # tasks without work -------------------------------------------------------------------------------------------

    def publish_nothing(self, count: int) -> None:
        """Tasks whose claims hold no longer, as Celery writes them (its message protocol 2)."""
        from otd.bus.broker import connect

        claim = Work(kind="tidy", name="nobody", lane="house", token=0, attempt=0, due=EPOCH, lease_until=EPOCH)
        arguments = [{"v": 1, "claim": wire.plain(claim)}]
        with connect(wiring.work_broker(self._settings)) as connection:
            producer: Any = connection.Producer()
            for _ in range(count):
                id = secrets.token_hex(16)
                headers = {"lang": "py", "task": "otd.other", "id": id, "root_id": id, "parent_id": None, "group": None}
                producer.publish(
                    json.dumps([arguments, {}, {}]),
                    exchange="otd.work",
                    routing_key="otd.other",
                    headers=headers,
                    correlation_id=id,
                    content_type="application/json",
                    content_encoding="utf-8",
                )

    def until_consumed_from(self, name: str) -> None:
        self._until(name, lambda waiting, takers: takers > 0)

    def until_empty(self, name: str) -> None:
        self._until(name, lambda waiting, takers: waiting == 0)

    def _until(self, name: str, reached: Any) -> None:
        end = time.monotonic() + 120
        while time.monotonic() < end:
            try:
                if reached(*queue(wiring.work_broker(self._settings), name)):
                    return
            except Missing:
                pass
            time.sleep(0.2)
        raise Unreachable(f"queue {name}", "nobody took from it", (self._folder / "processes.log").read_text()[-500:])

    # costs apart --------------------------------------------------------------------------------------------------

    def costs_apart(self, rooms: int) -> dict[str, float]:
        """Milliseconds of processor time for a room, on one thread without Celery: reading the calendar, the store's
        part, and the rest (invitations, dial strings, lists)."""
        from otd.lab.bench.cluster_parts import Timed

        self._campus.latency(0)  # processor time is what counts
        calendars = {name: wiring.calendar(self._settings, name) for name in self._settings.calendars}
        timed_store: Any = Timed(self._store)
        timed_calendars: dict[str, Any] = {name: Timed(one) for name, one in calendars.items()}
        pipeline = Pipeline(
            store=timed_store,
            calendars=timed_calendars,
            bus=LocalBus(),
            rooms=self._settings.rooms,
            endpoints=self._settings.endpoints,
            rules=wiring.rulebook(self._settings),
        )
        names = list(self._settings.rooms)[:rooms]
        for name in names:
            pipeline.refresh_room(name)  # so that what follows finds what an earlier one has kept
        for one in (timed_store, *timed_calendars.values()):
            one.spent = 0.0
        began = time.thread_time()
        for name in names:
            pipeline.refresh_room(name)
        total = time.thread_time() - began
        reading = sum(one.spent for one in timed_calendars.values())
        for calendar in calendars.values():
            calendar.close()
        each = 1000 / len(names)
        return {
            "part_calendar_ms": round(reading * each, 2),
            "part_store_ms": round(timed_store.spent * each, 2),
            "part_parse_ms": round((total - reading - timed_store.spent) * each, 2),
        }

    # settings -----------------------------------------------------------------------------------------------------

    def _write(self) -> None:
        campus = self._campus
        lines = [
            "[run]",
            f"database = {toml_string(self._url)}",
            'refresh = "60s"',
            'refresh_idle = "60s"',
            'verify = "24h"',
            f"threads = {self._threads}",
            "[bus]",
            'broker = "broker"',
            f"work_vhost = {toml_string(self._vhosts[0])}",
            f"relays_vhost = {toml_string(self._vhosts[1])}",
            "[calendars.online]",
            'kind = "graph"',
            f"tenant = {toml_string(campus.tenant)}",
            f"client_id = {toml_string(campus.client_id)}",
            'secret = "graph"',
            f"authority = {toml_string(campus.graph_url)}",
            f"root = {toml_string(campus.graph_url)}",
            'ca = "lab"',
            "at_once = 64",
            "[cas]",
            'lab = "lab.pem"',
            "[pools.hq]",
            "at_once = 256",
            "[policy]",
            f"title = {toml_string(self._title)}",
            "[dialplan]",
            'own_domains = ["example.com"]',
        ]
        for number in range(1, self._rooms + 1):
            name = f"room-{number:05}"
            lines += [
                f"[rooms.{name}]",
                'calendar = "online"',
                f'mailbox = "{name}@{_domain()}"',
                f"[endpoints.{name}-codec]",
                'kind = "memory"',
                'pool = "hq"',
                f'rooms = ["{name}"]',
            ]
        (self._folder / "otd.toml").write_text("\n".join(lines) + "\n")


def say(what: str) -> None:
    """How far it is, on standard error: no more than a line every ten seconds."""
    global _said_at
    if time.monotonic() - _said_at >= SAY_EVERY:
        _said_at = time.monotonic()
        sys.stderr.write(f"{what}\n")


def _domain() -> str:
    from otd.lab.campus import DOMAIN

    return DOMAIN


def _put_back(former: dict[str, str | None]) -> None:
    for name, value in former.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def _named(command: str) -> list[int]:
    """The processes that run this command."""
    found = []
    for path in Path("/proc").glob("[0-9]*/comm"):
        try:
            if path.read_text().strip() == command:
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def _pss(pid: int) -> int:
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0
