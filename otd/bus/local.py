"""The bus inside one process: queues for pools and relays, as the broker would have them.

What crosses it is the same document that crosses a broker. A delivery stays with the bus until the relay that took it
has handled it; when that relay goes, it returns to its queue. A delivery that nobody took before its `act_by` is
dropped: the centre sends what is still wanted again.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import structlog

from otd import wire
from otd.errors import OtdError, Unreachable
from otd.model import Delivery, Duty, Fill, Hello, Order, Receipt

_AT_ONCE = timedelta(0)
FILL_LIVES = 60.0  # seconds; a relay that was not told says so with its next hello
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class _Message:
    queue: str
    document: bytes
    dropped_at: float  # monotonic


class LocalBus:
    """The centre's side (Bus), and where a relay gets its own (`relay`)."""

    def __init__(self, *, concurrency: int = 16) -> None:
        self._concurrency = concurrency
        self._changed = threading.Condition()
        self._queues: dict[str, deque[_Message]] = {}
        self._relays: dict[str, LocalRelayBus] = {}
        self._inbound: deque[bytes] = deque()
        self._closed = False
        self._listener: threading.Thread | None = None

    def relay(self, name: str, pool: str) -> LocalRelayBus:
        """This relay's side. Taking the same name again means that the relay was started anew."""
        with self._changed:
            old = self._relays.get(name)
        if old is not None:
            old.cut()
        side = LocalRelayBus(self, name, pool, self._concurrency)
        with self._changed:
            self._relays[name] = side
        return side

    def send(self, delivery: Delivery, *, relay: str = "") -> None:
        pool = delivery.endpoint.pool
        document = wire.write(delivery)
        with self._changed:
            takers = [side for side in self._relays.values() if side.pool == pool and (not relay or side.name == relay)]
            if self._closed or not takers:
                raise Unreachable(f"relay {relay}" if relay else f"pool {pool}", "no relay takes deliveries")
            queue = f"relay.{relay}" if relay else f"pool.{pool}"
            to_live = (delivery.act_by - delivery.sent_at).total_seconds()
            message = _Message(queue, document, time.monotonic() + to_live)
            self._queues.setdefault(queue, deque()).append(message)
            self._changed.notify_all()

    def tell(self, order: Fill | Duty) -> None:
        with self._changed:
            if order.relay in self._relays:
                message = _Message(f"relay.{order.relay}", wire.write(order), time.monotonic() + FILL_LIVES)
                self._queues.setdefault(message.queue, deque()).append(message)
                self._changed.notify_all()

    def listen(self, receipt: Callable[[Receipt], None], hello: Callable[[Hello], None]) -> None:
        if self._listener is not None:
            raise RuntimeError("the bus is listened to already")
        self._listener = threading.Thread(target=self._pass_on, args=(receipt, hello), name="otd-receipts", daemon=True)
        self._listener.start()

    def close(self) -> None:
        with self._changed:
            sides = tuple(self._relays.values())
        for side in sides:
            side.cut()
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._listener is not None and self._listener is not threading.current_thread():
            self._listener.join()

    def _pass_on(self, receipt: Callable[[Receipt], None], hello: Callable[[Hello], None]) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._inbound or self._closed)
                if not self._inbound:
                    return
                data = self._inbound.popleft()
            try:
                document = wire.read(data, "message from a relay")
                if isinstance(document, Receipt):
                    receipt(document)
                elif isinstance(document, Hello):
                    hello(document)
            except OtdError as error:
                log.warning("message refused", why=error.why)
            except Exception as error:  # the next message must still be heard
                log.error("receipt not applied", error=type(error).__name__)

    def _take(self, side: LocalRelayBus) -> _Message | None:
        """The next message for this relay; None when it is to stop."""
        with self._changed:
            while True:
                if side.stopped:
                    return None
                for name in (f"relay.{side.name}", f"pool.{side.pool}")[: 1 if side.resting else 2]:
                    queue = self._queues.get(name)
                    while queue:
                        message = queue.popleft()
                        if message.dropped_at > time.monotonic():
                            side.held.add(message)
                            return message
                self._changed.wait()

    def _done(self, side: LocalRelayBus, message: _Message) -> None:
        with self._changed:
            side.held.discard(message)

    def _leave(self, side: LocalRelayBus) -> None:
        """Stop taking; what is held returns to the head of its queue, for the next relay."""
        with self._changed:
            side.stopped = True
            if self._relays.get(side.name) is side:
                del self._relays[side.name]
            for message in side.held:
                self._queues.setdefault(message.queue, deque()).appendleft(message)
            side.held.clear()
            self._changed.notify_all()

    def _publish(self, side: LocalRelayBus, document: bytes) -> None:
        with self._changed:
            if not self._closed and not side.is_cut:
                self._inbound.append(document)
                self._changed.notify_all()


class LocalRelayBus:
    """A relay's side (RelayBus)."""

    def __init__(self, bus: LocalBus, name: str, pool: str, concurrency: int) -> None:
        self.name, self.pool = name, pool
        self.held: set[_Message] = set()
        self.stopped = False
        self.resting = False
        self.is_cut = False
        self._bus = bus
        self._concurrency = concurrency
        self._threads: list[threading.Thread] = []

    def listen(self, handle: Callable[[Order, timedelta], None]) -> None:
        for number in range(self._concurrency):
            thread = threading.Thread(target=self._work, args=(handle,), name=f"otd-{self.name}-{number}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def rest(self, resting: bool) -> None:
        with self._bus._changed:
            self.resting = resting
            self._bus._changed.notify_all()

    def receipt(self, receipt: Receipt) -> None:
        self._bus._publish(self, wire.write(receipt))

    def hello(self, hello: Hello) -> None:
        self._bus._publish(self, wire.write(hello))

    def close(self) -> None:
        with self._bus._changed:
            self.stopped = True
            self._bus._changed.notify_all()
        for thread in self._threads:
            thread.join()
        self._bus._leave(self)

    def cut(self) -> None:
        """The relay is gone at once, as when its machine lost power: nothing more from it arrives."""
        self.is_cut = True
        self._bus._leave(self)

    def _work(self, handle: Callable[[Order, timedelta], None]) -> None:
        while (message := self._bus._take(self)) is not None:
            try:
                document = wire.read(message.document, "delivery")
                if isinstance(document, Delivery | Fill | Duty):
                    handle(document, _AT_ONCE)
            except OtdError as error:
                log.warning("delivery refused", relay=self.name, why=error.why)
            except Exception as error:  # one broken delivery must not end the thread
                log.error("delivery not handled", relay=self.name, error=type(error).__name__)
            finally:
                self._bus._done(self, message)
