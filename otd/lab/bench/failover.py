"""How long a Join button is late when a relay dies: two relays, a broker, 500 endpoints under a steady load.

Everything is real and on this machine: RabbitMQ (a virtual host and users of its own, made with rabbitmqctl), relays
and codecs in processes of their own, each codec an HTTPS server that takes its time as real ones do. The centre's part
runs in this process, on SQLite. What a relay held is read from its own log: what it had begun and not answered when it
was killed.
"""

from __future__ import annotations

import json
import os
import random
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from otd.errors import Unreachable
from otd.lab.bench import Ratio, Result, whole

if TYPE_CHECKING:
    from otd.lab.link import Link
    from otd.model import Hello, Receipt
    from otd.store.sql import SqlStore

SENTENCE = (
    "Two relays, 500 endpoints, 20 deliveries a second: one relay is killed, or its network goes silent; time until "
    "what it held is confirmed through the other, and how many are lost."
)
OPTIONS = {
    "endpoints": "How many endpoints there are (default 500).",
    "rate": "Deliveries a second (default 20).",
    "kills": "How often a relay is killed (default 4).",
    "cuts": "How often a relay's network goes silent (default 1).",
}
POOL = "hq"
RELAYS = ("relay-a", "relay-b")
SLOW = timedelta(milliseconds=400)  # each answer of a codec; a delivery takes at least two
FIRST = 300.0  # seconds, at most, until everything is confirmed for the first time
SETTLE = 90.0  # and later
KILL_LIMIT, CUT_LIMIT = 5.0, 30.0  # seconds


def run(options: Mapping[str, str]) -> Result:
    """See SENTENCE."""
    count, rate = whole(options, "endpoints", 500), whole(options, "rate", 20)
    kills, cuts = whole(options, "kills", 4), whole(options, "cuts", 1)
    figures: dict[str, float] = {}
    with field(count) as house:
        house.change(range(count))
        if left := house.settle(FIRST):
            why = f"{left} of {count} endpoints were not confirmed within {FIRST:g} s"
            raise Unreachable("the lab", why, "the machine is too busy for so many: --endpoints 100")
        house.until_looked_at(SETTLE)  # each is, soon after its first list, to learn what it is
        with house.load(rate):
            house.forget()
            time.sleep(10)
            usual = house.usual()
            figures |= _described("kill", [late for turn in range(kills) for late in house.kill(RELAYS[turn % 2])])
            figures |= _described("cut", [late for turn in range(cuts) for late in house.cut(RELAYS[turn % 2])])
        lost = house.settle()
        began = time.monotonic()
        house.change(range(count))
        lost += house.settle()
        figures |= {"burst_s": round(time.monotonic() - began, 2), "lost_count": lost, "usual_p50_s": usual}
    ratios = {
        "kill_p99_s": Ratio(value=figures["kill_p99_s"], limit=KILL_LIMIT),
        "cut_p99_s": Ratio(value=figures["cut_p99_s"], limit=CUT_LIMIT),
        "lost": Ratio(value=lost, limit=0),
    }
    notes = (
        f"{count} endpoints, {rate} deliveries a second, each answer of a codec takes {SLOW.total_seconds():g} s.",
        f"{figures['kill_held_count']:g} deliveries were held at {kills} kills, {figures['cut_held_count']:g} at {cuts}"
        " silent cuts; seconds are from then to the confirmed list.",
        "usual_p50_s: from a change to its confirmation while nothing is wrong; burst_s: all of them changed at once.",
    )
    return Result(figures=figures, ratios=ratios, notes=notes)


def _described(name: str, late: list[float]) -> dict[str, float]:
    ordered = sorted(late)
    if not ordered:
        return {f"{name}_held_count": 0, f"{name}_p50_s": 0, f"{name}_p99_s": 0}
    return {
        f"{name}_held_count": len(ordered),
        f"{name}_p50_s": round(ordered[len(ordered) // 2], 2),
        f"{name}_p99_s": round(ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))], 2),
    }


class House:
    """The centre's part, and the relays' processes."""

    def __init__(self, folder: Path, store: SqlStore, names: tuple[str, ...], links: Mapping[str, Link]) -> None:
        self._folder, self._store, self._names, self._links = folder, store, names, links
        self._relays: dict[str, subprocess.Popen[bytes]] = {}
        self._lock = threading.Lock()
        self._wanted: dict[str, tuple[int, float]] = {}  # revision, and when it was changed
        self._seen: dict[str, tuple[int, float]] = {}  # the highest revision that was confirmed, and when
        self._took: list[float] = []
        self._looked_at: set[str] = set()
        self.secret = {"OTD_SECRET_CODEC": ""}
        self.wake: Callable[[], None] = lambda: None  # look at once for what is due

    # the centre ---------------------------------------------------------------------------------------------------

    def change(self, which: range | list[int]) -> None:
        """These endpoints are to show another list."""
        from otd.model import Booking, BookingList, DialString, Window

        for number in which:
            name = self._names[number]
            start = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=random.randrange(10, 600))
            booking = Booking(
                id=f"b{number}",
                room=f"room{number}",
                title=f"Review {secrets.token_hex(4)}",
                start=start,
                end=start + timedelta(minutes=30),
                organizer="Ann Example",
                dial=DialString(protocol="sip", uri=f"{number:010}@example.com"),
                platform="teams",
            )
            window = Window(start=start - timedelta(hours=1), end=start + timedelta(hours=2))
            wanted = BookingList(endpoint=name, window=window, bookings=(booking,))
            revision = self._store.put_desired(wanted, booking.title)
            with self._lock:
                self._wanted[name] = (revision, time.monotonic())
            self.wake()

    def confirmed(self, receipt: Receipt) -> None:
        """Called with each receipt once it was applied."""
        if receipt.verb == "read":
            self._looked_at.add(receipt.endpoint)
        if receipt.outcome != "confirmed":
            return
        with self._lock:
            if receipt.revision > self._seen.get(receipt.endpoint, (0, 0.0))[0]:
                self._seen[receipt.endpoint] = (receipt.revision, time.monotonic())
                revision, changed = self._wanted[receipt.endpoint]
                if revision == receipt.revision:
                    self._took.append(time.monotonic() - changed)

    def forget(self) -> None:
        """What took how long is counted from now on."""
        with self._lock:
            self._took.clear()

    def usual(self) -> float:
        """Seconds from a change to its confirmation since `forget`, p50."""
        with self._lock:
            return round(sorted(self._took)[len(self._took) // 2], 2) if self._took else SETTLE

    def settle(self, within: float = SETTLE) -> int:
        """Wait until everything is confirmed; how many were not."""
        end = time.monotonic() + within
        while (left := self._unconfirmed()) and time.monotonic() < end:
            time.sleep(0.02)
        return left

    def until_looked_at(self, within: float) -> None:
        """Wait until each endpoint was read back once, or no longer."""
        end = time.monotonic() + within
        while len(self._looked_at) < len(self._names) and time.monotonic() < end:
            time.sleep(0.1)

    def _unconfirmed(self) -> int:
        with self._lock:
            return sum(self._seen.get(name, (0, 0.0))[0] < wanted for name, (wanted, _) in self._wanted.items())

    @contextmanager
    def load(self, rate: int) -> Iterator[None]:
        """So many changes a second, meanwhile."""
        stop = threading.Event()

        def steadily() -> None:
            due = time.monotonic()
            while not stop.is_set():
                self.change([random.randrange(len(self._names))])
                due += 1 / rate
                stop.wait(max(0.0, due - time.monotonic()))

        thread = threading.Thread(target=steadily, name="load")
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    # the relays ---------------------------------------------------------------------------------------------------

    def start(self, relay: str) -> None:
        arguments = [str(self._folder / f"{relay}.json"), str(self._folder / "state")]
        with self._log(relay).open("ab") as log:
            self._relays[relay] = subprocess.Popen(  # noqa: S603 - ourselves
                [sys.executable, "-m", "otd.lab.relay_process", *arguments],
                stdout=log,
                stderr=log,
                env={**os.environ, **self.secret},
            )

    def kill(self, relay: str) -> list[float]:
        """Kill it, and start it again later: for each delivery that it held, the seconds until it was confirmed."""
        self._relays[relay].send_signal(signal.SIGKILL)
        at = time.monotonic()
        self._relays[relay].wait()
        held = self._held(relay)
        late = self._until_confirmed(held, at)
        self.start(relay)
        time.sleep(8)
        return late

    def cut(self, relay: str) -> list[float]:
        """The same for a network that goes silent, without a word to anybody."""
        self._links[relay].silence()
        at = time.monotonic()
        time.sleep(0.2)  # what the relay had written into its socket is not part of its log
        late = self._until_confirmed(self._held(relay), at)
        self._links[relay].heal()
        time.sleep(8)
        return late

    def stop(self) -> None:
        for process in self._relays.values():
            process.kill()
            process.wait()

    def _held(self, relay: str) -> dict[str, int]:
        """What it had begun and not answered: endpoint -> revision."""
        held: dict[str, int] = {}
        for line in self._log(relay).read_text().splitlines():
            try:
                said = json.loads(line)
            except ValueError:
                continue  # the line in which it was killed
            if said.get("event") == "order begun":
                held[said["endpoint"]] = said["revision"]
            elif said.get("event") == "order done":
                held.pop(said["endpoint"], None)
        with self._lock:
            return {name: revision for name, revision in held.items() if self._seen.get(name, (0, 0))[0] < revision}

    def _until_confirmed(self, held: dict[str, int], at: float) -> list[float]:
        end = time.monotonic() + SETTLE
        late: dict[str, float] = {}
        while len(late) < len(held) and time.monotonic() < end:
            with self._lock:
                for name, revision in held.items():
                    seen, when = self._seen.get(name, (0, 0.0))
                    if seen >= revision and name not in late:
                        late[name] = when - at
            time.sleep(0.02)
        return [late.get(name, SETTLE) for name in held]

    def _log(self, relay: str) -> Path:
        return self._folder / f"{relay}.log"


@contextmanager
def field(count: int) -> Iterator[House]:
    """The broker's part, the codecs, the centre and both relays, all of it running."""
    from otd import wiring
    from otd.bus import identity, seal
    from otd.bus.amqp import AmqpBus
    from otd.dialplan import plan
    from otd.executor import LocalExecutor
    from otd.invites.site import Site
    from otd.lab import rabbit
    from otd.lab.codec_fleet import fleet
    from otd.lab.defaults import CODEC_USER
    from otd.lab.link import Link
    from otd.model import Endpoint, Policy, Room
    from otd.pairing import Keys
    from otd.pipeline import Pipeline, Rulebook
    from otd.store.sql import SqlStore

    password = secrets.token_urlsafe(12)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="otd-bench-")))
        addresses = stack.enter_context(fleet(count, password, SLOW))
        vhost = stack.enter_context(rabbit.vhost())
        store = SqlStore(f"sqlite:///{folder / 'otd.db'}", secrets.token_bytes(32))
        stack.callback(store.close)
        rooms = {f"room{n}": Room(name=f"room{n}", calendar="none", mailbox=f"room{n}") for n in range(count)}
        endpoints = {
            f"codec{n}": Endpoint(
                name=f"codec{n}", kind="cisco", address=address, pool=POOL, rooms=(f"room{n}",), credential="codec"
            )
            for n, address in enumerate(addresses)
        }
        store.adopt(rooms.values(), endpoints.values(), {"none": 1, POOL: 4 * count}, "bench")
        signing = wiring.signing_key(store)
        links: dict[str, Link] = {}
        for name in RELAYS:
            broker = stack.enter_context(rabbit.relay_user(vhost, name, POOL))
            links[name] = Link("127.0.0.1", broker.port)
            stack.callback(links[name].close)
            me = identity.Identity(
                relay=name,
                pool=POOL,
                broker=replace(broker, port=links[name].port),
                centre=seal.public_signing(signing),
                signing=seal.new_key(),
                sealing=seal.new_key(),
            )
            identity.save(me, folder / f"{name}.json")
            keys = Keys(signing=seal.public_signing(me.signing), sealing=seal.public_sealing(me.sealing))
            store.members.adopt(name, POOL, keys, administrator="bench")
        bus = AmqpBus(
            rabbit.centre(vhost),
            signing=signing,
            registry=store.members.all,
            pools=(POOL,),
            clock=wiring.SystemClock(),
        )
        stack.callback(bus.close)
        rules = Rulebook(plan=plan((), (), ()), site=Site(), policy=Policy())
        pipeline = Pipeline(
            store=store,
            calendars={},
            bus=bus,
            rooms=rooms,
            endpoints=endpoints,
            rules=rules,
        )
        executor = LocalExecutor(store, pipeline.carry_out, threads=16, owner="bench", kinds=("deliver",))
        house = House(folder, store, tuple(endpoints), links)
        house.wake = executor.wake
        house.secret["OTD_SECRET_CODEC"] = f"{CODEC_USER}:{password}"

        def receipt(found: Receipt) -> None:
            pipeline.apply_receipt(found)
            house.confirmed(found)
            executor.wake()

        def hello(found: Hello) -> None:
            pipeline.apply_hello(found)
            executor.wake()

        bus.listen(receipt, hello)
        stack.callback(house.stop)
        for name in RELAYS:
            house.start(name)
        executor.start()
        stack.callback(executor.stop, within=timedelta(seconds=10))
        yield house
