"""Publishes claims as tasks over a connection of its own: confirmed, and never waiting for longer than its time-out."""

from __future__ import annotations

from typing import Any

from celery import Celery

from otd.bus.broker import BROKEN, drop
from otd.errors import Unreachable
from otd.model import Work
from workers import messages
from workers.app import QUEUES, declare_dead_letters

WITHIN = 10.0  # seconds; a task that was not confirmed by then counts as lost, which is harmless


class TaskPublisher:
    """Used by the claimer's thread alone; connects when it is first used, and anew after whatever went wrong."""

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._connection: Any = None
        self._producer: Any = None

    def publish(self, work: Work) -> None:
        """Raises Unreachable."""
        name = QUEUES.get(work.kind, QUEUES["other"])
        try:
            producer = self._open()
            arguments = [messages.write(work)]
            self._app.send_task(
                name,
                args=arguments,
                queue=name,
                routing_key=name,
                producer=producer,
                retry=False,
                confirm_timeout=WITHIN,
            )
        except BROKEN as error:
            self.close()
            raise Unreachable("the broker", f"a task was not taken: {type(error).__name__}") from None

    def waiting(self, queues: tuple[str, ...]) -> int:
        """How many tasks wait in these queues. Raises Unreachable."""
        try:
            channel = self._open().channel
            return sum(channel.queue_declare(name, passive=True).message_count for name in queues)
        except BROKEN as error:
            self.close()
            raise Unreachable("the broker", f"its queues could not be looked at: {type(error).__name__}") from None

    def close(self) -> None:
        connection, self._connection, self._producer = self._connection, None, None
        if connection is not None:
            drop(connection)

    def _open(self) -> Any:
        if self._producer is None:
            self._connection = self._app.connection_for_write()
            self._connection.connect()
            channel = self._connection.default_channel
            for queue in self._app.amqp.queues.values():
                queue(channel).declare()
            declare_dead_letters(channel)
            self._producer = self._app.amqp.Producer(channel, auto_declare=False)
        return self._producer
