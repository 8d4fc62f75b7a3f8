"""The bus over RabbitMQ."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace

import pytest

from otd.bus import seal
from otd.bus.amqp import AmqpBus, AmqpRelayBus
from otd.bus.broker import connect, drop
from otd.bus.identity import Identity
from otd.errors import Unreachable
from otd.lab import rabbit
from otd.lab.link import Link
from otd.pairing import Keys, Member
from otd.wiring import SystemClock
from tests.contracts.bus import BusContract
from tests.values import T0

pytestmark = pytest.mark.cluster
CENTRE = seal.new_key()


class AmqpNet:
    """Relays with users of their own, each behind a link of its own."""

    def __init__(self, vhost: str, cleaning: contextlib.ExitStack, node: rabbit.Node = rabbit.MACHINE) -> None:
        self.vhost, self._cleaning, self._node = vhost, cleaning, node
        self.registered: dict[str, Member] = {}
        self.identities: dict[str, Identity] = {}
        self.links: dict[str, Link] = {}
        self.bus = self.centre()
        cleaning.callback(self.bus.close)

    def centre(self) -> AmqpBus:
        """A bus of the centre; whoever asks for it closes it."""
        return AmqpBus(
            rabbit.centre(self.vhost, self._node),
            signing=CENTRE,
            registry=lambda: tuple(self.registered.values()),
            pools=("hq", "branch"),
            clock=SystemClock(),
        )

    def identity(self, name: str, pool: str = "hq") -> Identity:
        """This relay, registered; made when it is first asked for."""
        if name not in self.identities:
            broker = self._cleaning.enter_context(rabbit.relay_user(self.vhost, name, pool, self._node))
            link = self.links[name] = Link("127.0.0.1", broker.port)
            self._cleaning.callback(link.close)
            identity = Identity(
                relay=name,
                pool=pool,
                broker=replace(broker, port=link.port),
                centre=seal.public_signing(CENTRE),
                signing=seal.new_key(),
                sealing=seal.new_key(),
            )
            self.identities[name] = identity
            self.registered[name] = Member(
                relay=name,
                pool=pool,
                keys=Keys(signing=seal.public_signing(identity.signing), sealing=seal.public_sealing(identity.sealing)),
                admitted_at=T0,
                admitted_by="tests",
            )
            self.bus._registry._until = 0.0
            self.bus.admit(name, pool)
        return self.identities[name]

    def relay(self, name: str, pool: str = "hq") -> AmqpRelayBus:
        side = AmqpRelayBus(self.identity(name, pool), concurrency=4)
        self._cleaning.callback(_closed_once(side))
        return side

    def lose_power(self, name: str) -> None:
        self.links[name].break_off()


def _closed_once(side: AmqpRelayBus):  # type: ignore[no-untyped-def]
    return lambda: None if side._closing else side.close()


@pytest.fixture
def net() -> Iterator[AmqpNet]:
    with rabbit.vhost() as vhost, contextlib.ExitStack() as cleaning:
        yield AmqpNet(vhost, cleaning)


class TestAmqpBus(BusContract):
    pass


def test_where_there_is_no_way_to_the_brokers_port_its_other_port_is_taken() -> None:
    with rabbit.vhost() as vhost:
        broker = rabbit.centre(vhost)
        closed = replace(broker, port=1, other_port=broker.port)
        drop(connect(closed))
        with pytest.raises(Unreachable) as refused:
            connect(replace(closed, other_port=2))
        assert ":1" in str(refused.value)  # the one that is in the settings is named
