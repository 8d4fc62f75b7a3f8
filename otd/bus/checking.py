"""What can be seen of a broker from outside: whether it lets us in, takes messages, and holds the queues it must."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from amqp import exceptions as amqp_errors
from kombu.messaging import Producer

from otd.bus.broker import BROKEN, Broker, connect, drop, meaning
from otd.errors import Missing, Unreachable

_WITHIN = 5.0  # seconds, for a message to be confirmed


@contextmanager
def _entered(broker: Broker) -> Iterator[Any]:
    connection = connect(broker)
    try:
        yield connection
    except BROKEN as error:
        raise meaning(error, broker) from None
    finally:
        drop(connection)


def version(broker: Broker) -> str:
    """Such as "RabbitMQ 3.10.8". Raises Unreachable, Denied, Untrusted."""
    with _entered(broker) as connection:
        said = connection.connection.server_properties
        return f"{said.get('product', 'a broker')} {said.get('version', '')}".strip()


def may_everything(broker: Broker) -> None:
    """Make a queue and an exchange, bind them, send a message through and take it. Raises Denied for what is refused,
    Unreachable when messages are not taken, as under a memory or disk alarm."""
    name = f"otd.check.{secrets.token_hex(4)}"
    with _entered(broker) as connection:
        channel = connection.default_channel
        channel.exchange_declare(name, "topic", durable=False, auto_delete=False)
        channel.queue_declare(name, durable=False, auto_delete=True, exclusive=True)
        channel.queue_bind(name, name, name)
        try:
            Producer(channel).publish(b"", exchange=name, routing_key=name, confirm_timeout=_WITHIN)
        except TimeoutError:
            mend = "look at `rabbitmq-diagnostics alarms`: it has no memory or no disk left"
            raise Unreachable(broker.where, "it lets us in, but takes no messages", mend) from None
        channel.basic_get(name, no_ack=True)
        channel.queue_delete(name)
        channel.exchange_delete(name)


def queue(broker: Broker, name: str, declare: Callable[[Any], None] | None = None) -> tuple[int, int]:
    """How many messages wait in it, and how many take from it. With `declare` it is tried whether it is as it must be.

    Raises Missing when it is not there, BadSetting when it is otherwise."""
    with _entered(broker) as connection:
        try:
            found = connection.default_channel.queue_declare(name, passive=True)
        except amqp_errors.NotFound:
            raise Missing(f"queue {name}", "it is not there", "start a worker or `otd run`, which makes it") from None
        if declare is not None:
            declare(connection.channel())
        return int(found.message_count), int(found.consumer_count)
