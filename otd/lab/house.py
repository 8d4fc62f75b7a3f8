"""OTD from the desired list down, on simulated Cisco endpoints: the store, the executor, the bus, relays and drivers
that an installation has, without calendars: lists are stored as a refresh would store them.

    with House(folder) as house:
        codec = house.add("board-codec", "roomos11")
        house.want("board-codec", bookings)
        ...  # codec.faults, house.state("board-codec"), house.wrong()

What an installation would wait minutes for can be made shorter: `speed` divides every span of the delivery's timing,
of the drivers' pace and of the endpoints' rate limits alike.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from otd import bookings
from otd.bus.local import LocalBus, LocalRelayBus
from otd.deliveries import Timing
from otd.dialplan.ruling import Ruling
from otd.endpoints.cisco import CiscoDriver
from otd.endpoints.cisco_line import SPACING, STALE
from otd.errors import BadSetting
from otd.executor import LocalExecutor
from otd.inbound import Server, serve
from otd.lab.codec import Codec
from otd.lab.codec_bookings import Held
from otd.lab.defaults import CODEC_PASSWORD, CODEC_USER
from otd.lab.server import LOOPBACK
from otd.model import HOUSE, Booking, BookingList, Endpoint, EndpointState, Hello, Mode, Policy, Window
from otd.pipeline import Pipeline, Rulebook
from otd.relay.feedback import QUIET, Feedback, FeedbackApp
from otd.relay.memory import Memory
from otd.relay.service import Relay
from otd.store.sql import SqlStore
from otd.wiring import SystemClock

UNSCALED = frozenset({"valid", "backoff", "answer"})
"""Spans that stay as they are: a list's life, and those that the machine's own work has to fit into."""
_LOOK = timedelta(milliseconds=50)


class NamedSecrets(dict[str, str]):
    """Secrets in memory (the Secrets port); they may be changed while all runs."""

    def get(self, name: str, default: Any = None) -> Any:
        if name not in self:
            raise BadSetting(f"secret {name}", "it was not found in the lab")
        return self[name]


class House:
    """The running parts. Endpoints may be added, changed and removed at any time; `adopt` makes it known."""

    def __init__(
        self,
        folder: Path,
        *,
        speed: float = 1.0,
        paced: bool = True,
        timing: Timing | None = None,
        relays: Mapping[str, str] | None = None,
        threads: int = 8,
        at_once: int = 64,
        feedback: bool = False,
    ) -> None:
        """`relays` are pools by relay. With `feedback` endpoints are asked to tell them of restarts. Without `paced`
        endpoints have no rate limits and drivers keep no pace."""
        self.speed, self.paced, self.at_once = speed, paced, at_once
        self.timing = sped_up(timing or Timing(), speed)
        self.secrets = NamedSecrets(codec=f"{CODEC_USER}:{CODEC_PASSWORD}")
        self.codecs: dict[str, Codec] = {}
        self.endpoints: dict[str, Endpoint] = {}
        self.wanted: dict[str, tuple[Booking, ...]] = {}
        self.store = SqlStore(f"sqlite:///{folder / 'house.db'}", os.urandom(32))
        self.bus = LocalBus(concurrency=at_once)
        self.pipeline = Pipeline(
            store=self.store, calendars={}, bus=self.bus, rooms={}, endpoints={}, rules=self._rules()
        )
        self.executor = LocalExecutor(self.store, self.pipeline.carry_out, threads=threads, owner="house")
        self.memories: dict[str, Memory] = {}
        self._relays: dict[str, tuple[Relay, LocalRelayBus]] = {}
        self.listeners: dict[str, Server] = {}
        self._feedback = feedback
        self._pools = dict(relays or {"relay-a": "hq", "relay-b": "hq"})
        self._settings, self._stopped = 0, False

    def _rules(self) -> Rulebook:
        ruling = Ruling(version="lab")
        return Rulebook(plan=ruling.plan, site=ruling.site, policy=Policy(), timing=self.timing)

    def __enter__(self) -> House:
        self.bus.listen(self._receipt, self._hello)
        for name in self._pools:
            self.start_relay(name)
        self.adopt()
        self.executor.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        for codec in self.codecs.values():
            codec.stop()

    def stop(self) -> None:
        """Stop OTD; the endpoints stay as they are."""
        if self._stopped:
            return
        self._stopped = True
        self.executor.stop(within=timedelta(seconds=20))
        for relay, _ in self._relays.values():
            relay.stop()
        for listener in self.listeners.values():
            listener.stop()
        self._relays.clear()
        self.bus.close()
        for memory in self.memories.values():
            memory.close()
        self.store.close()

    # relays -------------------------------------------------------------------------------------------------------

    def start_relay(self, name: str) -> None:
        """Start it, or start it anew: it remembers what a relay remembers on its disk."""
        memory = self.memories.setdefault(name, Memory())
        pace = SPACING / self.speed if self.paced else timedelta(0)
        quiet = QUIET / self.speed if self.paced else timedelta(milliseconds=300)
        told = Feedback(key=name.encode(), shared=b"h", pool=self._pools[name], registered=memory, quiet=quiet)
        if self._feedback:
            self._listen(name, told)
        driver = CiscoDriver(secrets=self.secrets, pins=memory, hooks=told, spacing=pace, stale=STALE / self.speed)
        side = self.bus.relay(name, self._pools[name])
        relay = Relay(
            name=name,
            pool=self._pools[name],
            bus=side,
            drivers={"cisco": driver},
            memory=memory,
            clock=SystemClock(),
            feedback=told,
            hello_every=timedelta(seconds=1),
        )
        self._relays[name] = (relay, side)
        relay.start()

    def _listen(self, name: str, told: Feedback) -> None:
        server = serve(FeedbackApp(told), name="feedback", address=LOOPBACK, port=0, certificate=None)
        told.listening(server.url)
        self.listeners[name] = server

    def cut_relay(self, name: str) -> None:
        """Stop it as a power failure would."""
        relay, side = self._relays.pop(name)
        if name in self.listeners:
            self.listeners.pop(name).stop()
        side.cut()
        relay.abandon()

    # endpoints ----------------------------------------------------------------------------------------------------

    def add(self, name: str, profile: str, *, settings: Mapping[str, Any] | None = None, **codec: Any) -> Codec:
        """A running simulated endpoint, configured in OTD from the next `adopt` on (which this does once it runs)."""
        limits = self.speed if self.paced else None
        unit = Codec(profile=profile, name=name, **{"users": {CODEC_USER: CODEC_PASSWORD}, "speed": limits} | codec)
        unit.start()
        self.codecs[name] = unit
        self.endpoints[name] = replace(
            Endpoint(name=name, kind="cisco", address=unit.address, pool="hq", rooms=(name,), credential="codec"),
            **(settings or {}),
        )
        return unit

    def adopt(self, *, changed: bool = True) -> None:
        """Make OTD know the endpoints as they are configured now, as after a restart with other settings; not
        `changed`: with others only for endpoints, so that what is parked stays so."""
        self._settings += changed
        lanes = dict.fromkeys((*self._pools.values(), HOUSE), self.at_once)
        self.store.adopt((), tuple(self.endpoints.values()), lanes, f"settings {self._settings}")
        self.executor.wake()

    def want(self, endpoint: str, wanted: Iterable[Booking]) -> None:
        """The list that the endpoint should hold from now on."""
        rows = tuple(sorted(wanted, key=lambda booking: (booking.start, booking.end, booking.id)))
        now = datetime.now(UTC)
        listed = BookingList(endpoint=endpoint, window=Window(start=now, end=now + timedelta(days=7)), bookings=rows)
        self.wanted[endpoint] = rows
        self.store.put_desired(listed, bookings.digest(listed))
        self.executor.wake()

    def retry(self, endpoint: str) -> None:
        """As `otd endpoints retry` does."""
        self.store.unpark("deliver", endpoint)
        self.executor.wake()

    def pin(self, endpoint: str) -> None:
        """As `otd endpoints pin` does: accept the certificate that it shows now."""
        self.store.pin(endpoint, self.codecs[endpoint].fingerprint)
        self.executor.wake()

    def cut_over(self, pool: str, mode: Mode) -> None:
        self.store.cut_over(pool, mode)
        self.executor.wake()

    # looking ------------------------------------------------------------------------------------------------------

    def state(self, endpoint: str) -> EndpointState:
        return self.store.endpoint(endpoint)

    def is_right(self, endpoint: str) -> bool:
        """Whether the endpoint holds exactly the list that it should; asked of the endpoint itself, not of OTD."""
        wanted = {_wanted(booking) for booking in self.wanted.get(endpoint, ())}
        return {_held(booking) for booking in self.codecs[endpoint].bookings} == wanted

    def wrong(self) -> tuple[str, ...]:
        """The endpoints that do not hold their list."""
        return tuple(name for name in self.endpoints if not self.is_right(name))

    def _receipt(self, receipt: Any) -> None:
        self.pipeline.apply_receipt(receipt)
        self.executor.wake()

    def _hello(self, hello: Hello) -> None:
        self.pipeline.apply_hello(hello)
        self.executor.wake()


def sped_up(timing: Timing, speed: float) -> Timing:
    """The same timing for a lab that runs so many times as fast."""
    spans = {key.name: getattr(timing, key.name) / speed for key in fields(timing) if key.name not in UNSCALED}
    return replace(timing, **spans)


def until(reached: Callable[[], bool], within: timedelta, *, every: timedelta = _LOOK) -> bool:
    """Whether it came true in time; asked every so often."""
    end = time.monotonic() + within.total_seconds()
    while not reached():
        if time.monotonic() > end:
            return False
        time.sleep(every.total_seconds())
    return True


def _wanted(booking: Booking) -> tuple[str, str, datetime, datetime, str]:
    return booking.id, booking.title, booking.start, booking.end, booking.dial.uri if booking.dial else ""


def _held(booking: Held) -> tuple[str, str, datetime, datetime, str]:
    return booking.id, booking.title, booking.start, booking.end, booking.number
