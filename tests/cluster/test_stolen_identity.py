"""What somebody can do who stole a relay's identity: no more than that relay may, and nothing that he forges counts.

The rows are those of the table in reference/celery.md, section 3.1, with the names of DESIGN section 4.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import structlog
from amqp import exceptions as amqp_errors
from kombu import Producer
from structlog.testing import capture_logs
from structlog.typing import EventDict

from otd import wire
from otd.bus import seal
from otd.bus.amqp import AmqpRelayBus
from otd.bus.broker import connect
from otd.bus.identity import Identity
from otd.endpoints.memory import MemoryDriver
from otd.lab import rabbit
from otd.model import Delivery, Fill, Hello, Receipt
from otd.relay.memory import Memory
from otd.relay.service import Relay
from otd.wiring import SystemClock
from tests.cluster.test_bus_amqp import CENTRE, AmqpNet
from tests.contracts.bus import fresh
from tests.values import MINUTE, a_receipt, an_endpoint
from tests.waiting import until

pytestmark = pytest.mark.cluster
SOON = timedelta(seconds=15)
REFUSED = (amqp_errors.AccessRefused, amqp_errors.NotAllowed, amqp_errors.PreconditionFailed)


@pytest.fixture(scope="module")
def net() -> Iterator[AmqpNet]:
    with rabbit.vhost() as vhost, contextlib.ExitStack() as cleaning:
        net = AmqpNet(vhost, cleaning)
        for name, pool in (("stolen", "hq"), ("sibling", "hq"), ("distant", "branch")):
            net.identity(name, pool)
        yield net


@pytest.fixture
def thief(net: AmqpNet) -> Iterator[Any]:
    """A channel of who holds the stolen identity."""
    with connect(net.identity("stolen").broker) as connection:
        yield connection.default_channel


@contextlib.contextmanager
def heard() -> Iterator[list[EventDict]]:
    """What the software under test logs meanwhile."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.INFO))
    with capture_logs() as said:
        yield said


def publish(channel: Any, exchange: str, key: str, body: bytes = b"x", **properties: Any) -> None:
    Producer(channel).publish(
        body,
        exchange=exchange,
        routing_key=key,
        content_type="application/jose",
        content_encoding="binary",
        confirm_timeout=5,
        **properties,
    )


def consume(channel: Any, queue: str) -> None:
    channel.basic_consume(queue, callback=lambda message: None)


ALLOWED: dict[str, Callable[[Any, str], Any]] = {
    "take from its pool's queue": lambda channel, user: consume(channel, "pool.hq"),
    "take from its own queue": lambda channel, user: consume(channel, "relay.stolen"),
    "report under its own key as itself": lambda channel, user: publish(
        channel, "otd.receipts", "hq.stolen", user_id=user
    ),
    "purge its pool's queue, which the next sweep fills again": lambda channel, user: channel.queue_purge("pool.hq"),
    "see how long another queue is": lambda channel, user: channel.queue_declare("pool.branch", passive=True),
}
FORBIDDEN: dict[str, Callable[[Any, str], Any]] = {
    "report under the key of another relay": lambda channel, user: publish(channel, "otd.receipts", "hq.sibling"),
    "report under the key of another pool": lambda channel, user: publish(channel, "otd.receipts", "branch.stolen"),
    "report as somebody else": lambda channel, user: publish(channel, "otd.receipts", "hq.stolen", user_id="guest"),
    "take from another pool's queue": lambda channel, user: consume(channel, "pool.branch"),
    "take from another relay's own queue": lambda channel, user: consume(channel, "relay.sibling"),
    "take the reports": lambda channel, user: consume(channel, "otd.receipts"),
    "send an order to its pool": lambda channel, user: publish(channel, "otd.deliveries", "pool.hq"),
    "send an order to another relay": lambda channel, user: publish(channel, "otd.deliveries", "relay.sibling"),
    "send an order past the exchange": lambda channel, user: publish(channel, "", "pool.hq"),
    "make a queue": lambda channel, user: channel.queue_declare("mine"),
    "make a queue without a name": lambda channel, user: channel.queue_declare(""),
    "make its own queue otherwise": lambda channel, user: channel.queue_declare("relay.stolen", durable=False),
    "bind its queue to the reports": lambda channel, user: channel.queue_bind("relay.stolen", "otd.receipts", "#"),
    "bind its queue to all orders": lambda channel, user: channel.queue_bind("relay.stolen", "otd.deliveries", "#"),
    "delete its own queue": lambda channel, user: channel.queue_delete("relay.stolen"),
    "delete its pool's queue": lambda channel, user: channel.queue_delete("pool.hq"),
    "delete an exchange": lambda channel, user: channel.exchange_delete("otd.receipts"),
}


@pytest.mark.parametrize("what", ALLOWED)
def test_it_may(net: AmqpNet, thief: Any, what: str) -> None:
    ALLOWED[what](thief, net.identity("stolen").broker.user)


@pytest.mark.parametrize("what", FORBIDDEN)
def test_it_may_not(net: AmqpNet, thief: Any, what: str) -> None:
    with pytest.raises(REFUSED):
        FORBIDDEN[what](thief, net.identity("stolen").broker.user)


# --- orders, by whoever owns the broker itself ----------------------------------------------------------------------


@contextlib.contextmanager
def listening(net: AmqpNet) -> Iterator[tuple[list[Receipt], list[Hello]]]:
    """What relays say from now on, as a centre takes it; what was said before is dropped."""
    receipts: list[Receipt] = []
    hellos: list[Hello] = []
    with connect(rabbit.centre(net.vhost)) as owner:
        owner.default_channel.queue_purge("otd.receipts")
    centre = net.centre()
    centre.listen(receipts.append, hellos.append)
    try:
        yield receipts, hellos
    finally:
        centre.close()


class Victim:
    """The sibling at work: what it carried out, and what it said of the rest."""

    def __init__(self, net: AmqpNet) -> None:
        self.taken: list[Delivery | Fill] = []
        self.side: AmqpRelayBus = net.relay("sibling")
        self.side.listen(lambda order, waited: self.taken.append(order))


def order(net: AmqpNet, delivery: Delivery, *, signing: str = CENTRE, to: tuple[str, ...] = ("sibling",)) -> bytes:
    recipients = {name: seal.public_sealing(net.identity(name).sealing) for name in to}
    return seal.seal_order(wire.write(delivery), signing, recipients)


def test_forged_and_foreign_orders_are_refused_and_logged(net: AmqpNet) -> None:
    stolen: Identity = net.identity("stolen")
    good, foreign = fresh(sequence=9), fresh(endpoint=an_endpoint(pool="branch"))
    report = seal.sign_report(wire.write(a_receipt()), "stolen", stolen.signing)
    with heard() as said, connect(rabbit.centre(net.vhost)) as broker:
        victim = Victim(net)
        for body in (
            order(net, fresh(), signing=stolen.signing),  # forged: signed by the stolen key
            order(net, foreign),  # of another pool
            order(net, fresh(), to=("stolen",)),  # sealed for another relay
            order(net, fresh())[:-40] + b"}",  # cut off
            report,  # no order at all
            b"\xff\x00",
            order(net, good),
        ):
            publish(broker.default_channel, "otd.deliveries", "relay.sibling", body)
        until(lambda: bool(victim.taken), SOON, "the good order")
        until(lambda: refusals(said, "order refused") == 6, SOON, "the refusals")
        victim.side.close()
    assert victim.taken == [good]


def refusals(said: list[EventDict], event: str) -> int:
    return sum(line["event"] == event for line in said)


# --- reports --------------------------------------------------------------------------------------------------------


def test_forged_and_foreign_reports_are_refused_and_logged(net: AmqpNet) -> None:
    stolen = net.identity("stolen")
    user = stolen.broker.user
    mine = replace(a_receipt(), relay="stolen")
    theirs = replace(a_receipt(), relay="sibling")

    def signed(report: wire.Document, key: str = stolen.signing) -> bytes:
        return seal.sign_report(wire.write(report), "stolen", key)

    with (
        heard() as said,
        listening(net) as (receipts, hellos),
        connect(stolen.broker) as broker,
        connect(rabbit.centre(net.vhost)) as owner,
    ):
        for body, properties in (
            (signed(theirs), {"user_id": user}),  # it speaks for another relay
            (signed(replace(mine, pool="branch")), {"user_id": user}),  # for another pool
            (signed(mine, seal.new_key()), {"user_id": user}),  # signed by an unknown key
            (signed(mine), {}),  # the broker does not vouch for who sent it
            (order(net, fresh()), {"user_id": user}),  # no report
            (signed(fresh()), {"user_id": user}),  # an order that is signed as a report
            (b"", {"user_id": user}),
        ):
            publish(broker.default_channel, "otd.receipts", "hq.stolen", body, **properties)
        publish(owner.default_channel, "otd.receipts", "hq.nobody", signed(mine))  # of a relay that nobody knows
        publish(broker.default_channel, "otd.receipts", "hq.stolen", signed(mine), user_id=user)
        until(lambda: receipts == [mine], SOON, "the good report")
        assert refusals(said, "report refused") == 8, said
        assert hellos == []


def test_a_relay_that_was_shut_out_is_not_heard_any_more(net: AmqpNet) -> None:
    member, now = net.registered["distant"], datetime.now(UTC)
    side = net.relay("distant", "branch")
    hello = Hello(relay="distant", pool="branch", version="1", started_at=now, at=now)
    net.registered["distant"] = replace(member, revoked_at=now)
    with heard() as said, listening(net) as (_, hellos):
        side.hello(hello)
        until(lambda: refusals(said, "report refused") >= 1, SOON, "the refusal")
        assert hellos == []
    side.close()


def test_orders_that_are_replayed_too_late_or_stale_change_no_screen_and_are_answered_so(net: AmqpNet) -> None:
    driver = MemoryDriver()
    relay = Relay(
        name="sibling",
        pool="hq",
        bus=net.relay("sibling"),
        drivers={"memory": driver},
        memory=Memory(),
        clock=SystemClock(),
    )
    now = datetime.now(UTC)
    newest = fresh(revision=20, sequence=2)
    stale = fresh(revision=10, sequence=1, bookings=())
    late = replace(newest, sent_at=now - 10 * MINUTE, act_by=now - 9 * MINUTE, bookings=())
    relay.start()
    with listening(net) as (receipts, _), connect(rabbit.centre(net.vhost)) as broker:
        for body in (order(net, newest), order(net, stale), order(net, late)):
            seen = len(receipts)
            publish(broker.default_channel, "otd.deliveries", "relay.sibling", body)
            until(lambda seen=seen: len(receipts) > seen, SOON, "the answer")  # type: ignore[misc]
        assert [receipt.outcome for receipt in receipts] == ["confirmed", "stale", "expired"]
    assert len(driver.read(newest.endpoint, within=SOON)) == 1
    relay.stop()
