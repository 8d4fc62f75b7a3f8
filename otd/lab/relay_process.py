"""A relay of the lab in a process of its own, which reaches the lab's endpoints on the loopback.

    python -m otd.lab.relay_process IDENTITY STATE [AHEAD]

IDENTITY is the file of otd.bus.identity, STATE a folder for what it must remember, AHEAD how many seconds its clock is
ahead of the machine's. The endpoints' password is the secret `codec` (OTD_SECRET_CODEC). It runs until SIGTERM.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog

from otd.bus import identity
from otd.bus.amqp import AmqpRelayBus
from otd.cli.logs import configure
from otd.endpoints.cisco import CiscoDriver
from otd.endpoints.memory import MemoryDriver
from otd.model import Delivery, Receipt
from otd.relay.memory import Memory
from otd.relay.service import Relay
from otd.settings import NamedSecrets

log = structlog.get_logger(__name__)


class Witness(Relay):
    """Says, before it carries out an order, until when that may write, by the machine's clock; and when it is done."""

    def carry_out(self, delivery: Delivery) -> Receipt:
        log.info(
            "order begun",
            relay=self.name,
            endpoint=delivery.endpoint.name,
            verb=delivery.verb,
            revision=delivery.revision,
            act_by=delivery.act_by.timestamp(),
            begun=datetime.now(UTC).timestamp(),
        )
        receipt = super().carry_out(delivery)
        log.info("order done", relay=self.name, endpoint=delivery.endpoint.name)
        return receipt


class WrongClock:
    """The machine's clock, moved."""

    def __init__(self, ahead: timedelta) -> None:
        self._ahead = ahead

    def now(self) -> datetime:
        return datetime.now(UTC) + self._ahead


def main(file: str, state: str, ahead: str = "0") -> None:
    configure("json")
    me = identity.load(Path(file))
    Path(state).mkdir(parents=True, exist_ok=True)
    memory = Memory(Path(state) / f"{me.relay}.db")
    driver = CiscoDriver(secrets=NamedSecrets(environment=os.environ, file=None, folder=None), pins=memory)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    relay = Witness(
        name=me.relay,
        pool=me.pool,
        bus=AmqpRelayBus(me),
        drivers={"cisco": driver, "memory": MemoryDriver()},
        memory=memory,
        clock=WrongClock(timedelta(seconds=float(ahead))),
    )
    relay.start()
    stopping.wait()
    relay.stop()
    driver.close()
    memory.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
