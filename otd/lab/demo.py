"""The story that `otd demo` tells: the whole of OTD at work on the lab, with a relay that dies, a meeting that moves
and one that is called off."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from otd.deliveries import condition
from otd.errors import Unreachable
from otd.lab.scene import BOOKED, Scene
from otd.model import EndpointState
from otd.settings import load
from otd.wiring import Centre

LOOK = 0.05  # seconds between two looks at the state
PATIENCE = timedelta(seconds=25)  # for any one step


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One booking as the table shows it."""

    room: str
    start: datetime
    meeting: str
    platform: str
    dial: str
    endpoint: str
    relay: str
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Failover:
    """Which relay was stopped in the middle of a delivery, and how long until the list was confirmed all the same."""

    relay: str
    took_over: str
    seconds: float


class Demo:
    """The running demo. `say` is called with a sentence whenever something happens."""

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        self.scene = Scene(folder)
        self.say = say
        self._centre: Centre | None = None
        self._tick = threading.Event()
        self.failover: Failover | None = None

    @property
    def centre(self) -> Centre:
        if self._centre is None:
            raise RuntimeError("the demo is not running")
        return self._centre

    @contextmanager
    def running(self) -> Iterator[None]:
        """The lab and OTD on it, up; down again at the end."""
        with self.scene as scene:
            self._centre = Centre(load(scene.config, {}))
            try:
                self._centre.start()
                yield
            finally:
                self._centre.stop()

    def play(self) -> None:
        """The whole story. Raises Unreachable, with the step, when one of them does not come to its end."""
        self.say("Four rooms, on Exchange Online, on an Exchange Server and in a folder of invitations; two relays.")
        self._until("the first lists", lambda: self._all_confirmed(after=0))
        self.say(f"{len(self.rows())} bookings are on the endpoints, each read back and confirmed.")
        self._lose_a_relay()
        self._move_and_cancel()
        self._until("the end", self._endpoints_hold_what_they_should)
        self.say("Every endpoint holds exactly the list that it should.")

    def _lose_a_relay(self) -> None:
        """A meeting moves; in the middle of the delivery the relay that has it is stopped; the other one does it."""
        name = "boardroom-codec"
        codec, before = self.scene.codecs[name], self._state(name)
        codec.faults.slow = timedelta(seconds=1)  # so that the delivery has a middle
        self._move("boardroom", "Quarterly numbers", timedelta(minutes=30))
        self.say("“Quarterly numbers” moves by half an hour; the delivery is on its way …")
        holding: list[str] = []

        def somebody_is_at_it() -> bool:
            holding[:] = [relay for relay, (_, side, _) in self.centre.relays.items() if side.held]
            newer = self._state(name).desired
            return bool(holding) and newer is not None and newer.revision > _revision(before)

        self._until("a relay at work", somebody_is_at_it)
        stopped = holding[0]
        self.centre.cut_relay(stopped)
        began = time.monotonic()
        codec.faults.clear()
        self.say(f"… and {stopped} is stopped in the middle of it.")
        self._until("the other relay", lambda: self._confirmed(name, after=_revision(before)))
        receipt = self._state(name).receipt
        self.failover = Failover(
            relay=stopped, took_over=receipt.relay if receipt else "", seconds=round(time.monotonic() - began, 2)
        )
        self.say(f"{self.failover.took_over} took over; confirmed {self.failover.seconds:g} s after the stop.")

    def _move_and_cancel(self) -> None:
        before = {name: _revision(self._state(name)) for name in ("atrium-codec", "workshop-codec")}
        self.scene.mailbox("atrium").cancel(self.scene.ids["Design review"])
        self._move("workshop", "Stand-up of the team abroad", timedelta(minutes=45))
        self.say("“Design review” is called off; “Stand-up of the team abroad” moves.")
        for name, revision in before.items():
            self._until(name, lambda name=name, revision=revision: self._confirmed(name, after=revision))  # type: ignore[misc]

    def _move(self, room: str, subject: str, by: timedelta) -> None:
        start = next(self.scene.meeting(b).start for b in BOOKED if b.subject == subject)
        self.scene.mailbox(room).move(self.scene.ids[subject], start + by)

    # looking ------------------------------------------------------------------------------------------------------

    def rows(self) -> tuple[Row, ...]:
        """The bookings of all endpoints, by room and start."""
        labels = {name: room.label or name for name, room in self.centre.settings.rooms.items()}
        rows = []
        for state in self.centre.store.endpoints():
            for booking in state.desired.list.bookings if state.desired else ():
                rows.append(
                    Row(
                        room=labels[booking.room],
                        start=booking.start,
                        meeting=booking.title,
                        platform=booking.platform or "-",
                        dial=booking.dial.uri if booking.dial else f"no Join: {booking.reason}",
                        endpoint=state.endpoint.name,
                        relay=state.receipt.relay if state.receipt else "-",
                        state=condition(state),
                    )
                )
        return tuple(sorted(rows, key=lambda row: (row.room, row.start)))

    def result(self) -> dict[str, Any]:
        """The final state, for machines."""
        return {
            "endpoints": [self._result(state) for state in self.centre.store.endpoints()],
            "failover": {"relay": self.failover.relay, "seconds": self.failover.seconds} if self.failover else None,
        }

    def _result(self, state: EndpointState) -> dict[str, Any]:
        return {
            "name": state.endpoint.name,
            "kind": state.endpoint.kind,
            "room": " ".join(state.endpoint.rooms),
            "relay": state.receipt.relay if state.receipt else "",
            "state": condition(state),
            "revision": _revision(state),
            "bookings": [
                {
                    "id": booking.id,
                    "title": booking.title,
                    "start": booking.start.isoformat(),
                    "end": booking.end.isoformat(),
                    "platform": booking.platform,
                    "dial": {"protocol": booking.dial.protocol, "uri": booking.dial.uri} if booking.dial else None,
                    "reason": booking.reason,
                }
                for booking in (state.desired.list.bookings if state.desired else ())
            ],
        }

    def _state(self, endpoint: str) -> EndpointState:
        return self.centre.store.endpoint(endpoint)

    def _confirmed(self, endpoint: str, *, after: int) -> bool:
        state = self._state(endpoint)
        return condition(state) == "confirmed" and _revision(state) > after

    def _all_confirmed(self, *, after: int) -> bool:
        return all(self._confirmed(name, after=after) for name in self.scene.codecs)

    def _endpoints_hold_what_they_should(self) -> bool:
        """Asked of the codecs themselves, past all that the centre believes."""
        now = self.centre.store.now()
        for state in self.centre.store.endpoints():
            if state.desired is None or condition(state) != "confirmed":
                return False
            wanted = {booking.id for booking in state.desired.list.current(now).bookings}
            if {held.id for held in self.scene.codecs[state.endpoint.name].bookings if held.end > now} != wanted:
                return False
        return True

    def _until(self, step: str, reached: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE.total_seconds()
        while not reached():
            if time.monotonic() > end:
                raise Unreachable("demo", f"{step} did not come within {PATIENCE.total_seconds():g} s")
            self._tick.wait(LOOK)


def _revision(state: EndpointState) -> int:
    return state.desired.revision if state.desired else 0
