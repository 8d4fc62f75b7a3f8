"""Confirmed publishing over one connection, from any thread, with a time-out; it reconnects when it is next needed."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from kombu.messaging import Producer

from otd.bus.broker import BROKEN, Broker, connect, drop, meaning
from otd.errors import OtdError, Unreachable

WITHIN = timedelta(seconds=10)  # a message that was not confirmed by then counts as lost, which is harmless
_TICK = 1.0  # seconds between two looks at an idle connection: heartbeats are sent, and their absence is noticed
_REST = 1.0  # seconds after a failed connection during which nobody tries again, and all are told at once
Declare = Callable[[Any], None]


class Publisher:
    """`publish` returns when the broker has the message safe."""

    def __init__(self, broker: Broker, *, name: str) -> None:
        """Connects when it is first used."""
        self._broker = broker
        self._lock = threading.Lock()
        self._connection: Any = None
        self._producer: Any = None
        self._returned: list[str] = []
        self._declared: set[str] = set()
        self._failed: tuple[float, OtdError] | None = None
        self._closing = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name=f"otd-{name}-publish", daemon=True)
        self._keeper.start()

    def publish(
        self,
        body: bytes,
        *,
        exchange: str,
        key: str,
        declare: Declare | None = None,
        within: timedelta = WITHIN,
        **properties: Any,
    ) -> None:
        """Publish it; `declare` makes the queue of this key, once for each connection.

        Raises Unreachable (also when there is no such queue), Denied, Untrusted or BadSetting.
        """
        end = time.monotonic() + within.total_seconds()
        if not self._lock.acquire(timeout=within.total_seconds()):
            raise Unreachable(self._broker.where, "others have waited too long for it", "has it an alarm?")
        try:
            may_be_stale = self._connection is not None
            for again in (may_be_stale, False):
                try:
                    self._once(body, exchange, key, declare, end, properties)
                    return
                except BROKEN as error:
                    self._drop()
                    if not again or isinstance(error, TimeoutError):
                        raise meaning(error, self._broker) from None
        finally:
            self._lock.release()

    def declare(self, key: str, declare: Declare) -> None:
        """Make the queue of this key, if this connection has not yet."""
        if key in self._declared:
            return
        with self._lock:
            try:
                self._declare(key, declare)
            except BROKEN as error:
                self._drop()
                raise meaning(error, self._broker) from None

    def close(self) -> None:
        self._closing.set()
        self._keeper.join()
        with self._lock:
            self._drop()

    def _once(
        self, body: bytes, exchange: str, key: str, declare: Declare | None, end: float, properties: dict[str, Any]
    ) -> None:
        if declare is not None:
            self._declare(key, declare)
        self._returned.clear()
        self._open().publish(
            body,
            exchange=exchange,
            routing_key=key,
            mandatory=True,
            content_type="application/jose",
            content_encoding="binary",
            confirm_timeout=max(0.1, end - time.monotonic()),
            **properties,
        )
        if self._returned:
            self._declared.discard(key)
            raise Unreachable(self._broker.where, f"no queue takes {key}")

    def _declare(self, key: str, declare: Declare) -> None:
        producer = self._open()
        if key not in self._declared:
            declare(producer.channel)
            self._declared.add(key)

    def _open(self) -> Any:
        if self._producer is not None:
            return self._producer
        if self._failed is not None and time.monotonic() < self._failed[0]:
            raise self._failed[1]
        try:
            self._connection = connect(self._broker)
        except OtdError as error:
            self._failed = (time.monotonic() + _REST, error)
            raise
        self._failed = None
        self._producer = Producer(self._connection.default_channel, on_return=self._on_return)
        return self._producer

    def _on_return(self, error: object, exchange: str, key: str, message: object) -> None:
        self._returned.append(key)

    def _drop(self) -> None:
        self._declared.clear()
        connection, self._connection, self._producer = self._connection, None, None
        if connection is not None:
            drop(connection)

    def _keep(self) -> None:
        while not self._closing.wait(_TICK):
            if not self._lock.acquire(blocking=False):
                continue  # in use, which keeps it alive
            try:
                if self._connection is not None:
                    with contextlib.suppress(TimeoutError):
                        while True:
                            self._connection.drain_events(timeout=0.001)
                    self._connection.heartbeat_check()
            except BROKEN:
                self._drop()
            finally:
                self._lock.release()
