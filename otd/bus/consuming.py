"""One connection that consumes for ever: it reconnects with growing pauses, sends heartbeats, and acknowledges what any
thread says is done."""

from __future__ import annotations

import contextlib
import os
import random
import selectors
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import structlog

from otd.bus.broker import BROKEN, HEARTBEAT, Broker, connect, drop, meaning
from otd.errors import OtdError

_TICK = 1.0  # seconds at the most between two looks at the heartbeat
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 30.0  # seconds between two attempts to connect
STOOD_STILL = 2.0 * HEARTBEAT
"""Seconds after which this process was frozen: the broker has dropped the connection, and what still lies in its buffer
has been given to somebody else."""
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A message that is to be acknowledged."""

    body: bytes = field(repr=False)
    key: str
    queue: str
    user_id: str
    message_id: str
    at: float  # when it came, monotonic
    tag: int
    connection: int  # tags count for each connection anew


class Consumer:
    """`take` is called in this consumer's thread for each message, and must not block for long; `ack` and `give_back`
    may be called from any thread, and do nothing for a message of a connection that is gone: it comes again."""

    def __init__(
        self,
        broker: Broker,
        queues: tuple[str, ...],
        take: Callable[[Taken], None],
        *,
        name: str,
        prefetch: int,
        declare: Callable[[Any], None] | None = None,
    ) -> None:
        """`declare` makes what is consumed from, on each new connection."""
        self._broker, self._queues, self._take, self._name = broker, queues, take, name
        self._prefetch, self._declare = prefetch, declare
        self._settled: deque[tuple[int, int, bool]] = deque()  # connection, tag, done or to be given back
        self._generation = 0
        self._looked_at = 0.0
        self._stopping = threading.Event()
        self._cancelled = threading.Event()
        self._left_out: frozenset[str] = frozenset()
        self._consumed: set[str] = set()  # on this connection
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        self._connected = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"otd-{name}-consume", daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def is_connected(self) -> bool:
        return self._connected.is_set()

    def ack(self, taken: Taken) -> None:
        self._settle(taken, done=True)

    def give_back(self, taken: Taken) -> None:
        """Somebody else shall have it."""
        self._settle(taken, done=False)

    def cancel(self) -> None:
        """Take nothing more; what was taken can still be acknowledged."""
        self._cancelled.set()
        self._wake()

    def leave_out(self, queues: Iterable[str]) -> None:
        """Consume from all queues but these, from now on."""
        self._left_out = frozenset(queues)
        self._wake()

    def stop(self) -> None:
        """Acknowledge what is done and leave; what is not goes back to its queue."""
        self._stopping.set()
        self._wake()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join()
        os.close(self._wake_read)
        os.close(self._wake_write)

    def _settle(self, taken: Taken, *, done: bool) -> None:
        self._settled.append((taken.connection, taken.tag, done))
        self._wake()

    def _wake(self) -> None:
        with contextlib.suppress(OSError):
            os.write(self._wake_write, b".")

    def _run(self) -> None:
        pause, away = _FIRST_PAUSE, False
        while not self._stopping.is_set():
            connection = None
            try:
                connection = connect(self._broker)
                self._generation += 1
                channel = self._begin(connection)
                if away:
                    log.info("the broker answers again", who=self._name)
                pause, away = _FIRST_PAUSE, False
                self._connected.set()
                self._drain(connection, channel)
            except (*BROKEN, OtdError) as error:
                said = error if isinstance(error, OtdError) else meaning(error, self._broker)
                if not away:
                    log.warning("the broker is away", who=self._name, why=said.why, mend=said.mend)
                away = True
            except Exception as error:  # a fault of ours must not end the thread for ever
                log.error("consuming failed in an unexpected way", who=self._name, error=type(error).__name__)
                away = True
            finally:
                self._connected.clear()
                if connection is not None:
                    drop(connection)
            if away:
                self._stopping.wait(pause * random.uniform(0.5, 1))  # noqa: S311 - spreads load, protects nothing
                pause = min(2 * pause, _LONGEST_PAUSE)

    def _begin(self, connection: Any) -> Any:
        channel = connection.channel()
        if self._declare is not None:
            self._declare(channel)
        channel.basic_qos(0, self._prefetch, False)  # for each consumer: quorum queues know no other way
        self._consumed.clear()
        self._follow(channel)
        return channel

    def _follow(self, channel: Any) -> None:
        """Consume from what is wanted now, and from nothing else."""
        wanted = set() if self._cancelled.is_set() else set(self._queues) - self._left_out
        for queue in self._consumed - wanted:
            channel.basic_cancel(queue)
        for queue in sorted(wanted - self._consumed):
            channel.basic_consume(queue, consumer_tag=queue, callback=self._receiver(queue))
        self._consumed = wanted

    def _receiver(self, queue: str) -> Callable[[Any], None]:
        generation = self._generation

        def receive(message: Any) -> None:
            body = message.body
            taken = Taken(
                body=body if isinstance(body, bytes) else str(body).encode(),
                key=str(message.delivery_info.get("routing_key", "")),
                queue=queue,
                user_id=str(message.properties.get("user_id", "")),
                message_id=str(message.properties.get("message_id", "")),
                at=time.monotonic(),
                tag=int(message.delivery_info["delivery_tag"]),
                connection=generation,
            )
            if self._cancelled.is_set() or queue in self._left_out:
                self.give_back(taken)
            else:
                self._take(taken)

        return receive

    def _drain(self, connection: Any, channel: Any) -> None:
        self._looked_at = time.monotonic()
        with selectors.DefaultSelector() as selector:
            selector.register(connection.connection.sock, selectors.EVENT_READ)
            selector.register(self._wake_read, selectors.EVENT_READ)
            while True:
                selector.select(_TICK)
                self._look()
                self._acknowledge(channel)
                if self._stopping.is_set():
                    self._leave(connection)
                    return
                self._follow(channel)
                with contextlib.suppress(TimeoutError):
                    while not self._stopping.is_set():
                        self._look()
                        connection.drain_events(timeout=0.001)
                        self._acknowledge(channel)
                connection.heartbeat_check()

    def _look(self) -> None:
        now, before = time.monotonic(), self._looked_at
        self._looked_at = now
        if now - before > STOOD_STILL:
            raise ConnectionError("this process stood still for too long")

    def _acknowledge(self, channel: Any) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake_read, 65536)
        while self._settled:
            generation, tag, done = self._settled.popleft()
            if generation != self._generation:
                continue
            if done:
                channel.basic_ack(tag)
            else:
                channel.basic_reject(tag, True)

    def _leave(self, connection: Any) -> None:
        """Close in the proper way, so that the broker has read every acknowledgement."""
        with contextlib.suppress(*BROKEN):
            connection.connection.sock.settimeout(2.0)
            connection.close()
