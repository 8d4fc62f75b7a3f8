"""The bus over RabbitMQ: the centre's side (AmqpBus) and a relay's (AmqpRelayBus). DESIGN section 4 has the table.

The centre declares everything; a relay may consume from its pool's queue and its own, and publish reports under
POOL.RELAY as itself. What must be set up before: the virtual host, and for each relay a user:

    rabbitmqctl add_vhost otd-relays
    rabbitmqctl set_permissions -p otd-relays otd '.*' '.*' '.*'                            the centre's user
    rabbitmqctl add_user otd-relays.hq-1 PASSWORD
    rabbitmqctl set_permissions -p otd-relays otd-relays.hq-1 '^$' '^otd\\.receipts$' '^(pool\\.hq|relay\\.hq-1)$'
    rabbitmqctl set_topic_permissions -p otd-relays otd-relays.hq-1 otd.receipts '^hq\\.hq-1$' '^$'
    rabbitmqctl set_user_limits otd-relays.hq-1 '{"max-connections": 4, "max-channels": 8}'

(`permissions_of` says the same for programs.) A report counts when the broker vouches for its user, the relay's own key
signed it, and what it says fits the key that it came under.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog

from otd import wire
from otd.bus import seal
from otd.bus.applying import Appliers
from otd.bus.broker import Broker
from otd.bus.consuming import Consumer, Taken
from otd.bus.identity import Identity, user_of
from otd.bus.publishing import Publisher
from otd.bus.waiting import Waiting
from otd.errors import Garbled, OtdError, Retryable, Unreachable, Untrusted
from otd.model import Delivery, Duty, Fill, Hello, Order, Receipt, Unopened
from otd.pairing import Member
from otd.ports import Clock
from otd.quoting import regex

DELIVERIES, RECEIPTS = "otd.deliveries", "otd.receipts"  # the exchanges; the second is also the queue behind it
QUEUE_TTL = timedelta(seconds=120)
RECEIPTS_TTL = timedelta(hours=1)
FILL_LIVES = timedelta(seconds=60)  # a relay that was not told says so with its next hello
DELIVERY_LIMIT = 8  # times that a message is handed out again before it is dropped: it may be what kills the relays
KNOWN_FOR = 2.0  # seconds until the registered relays are looked up anew
APPLIERS = 4  # threads that apply reports, so that these keep up with all the threads whose orders they answer
AWAY_FOR = 1.0  # seconds of rest when a report cannot be applied, before it is tried again
ORDERS: Mapping[str, str | int] = {  # the arguments of a queue of orders
    "x-queue-type": "quorum",
    "x-message-ttl": QUEUE_TTL // timedelta(milliseconds=1),
    "x-max-length": 10_000,
    "x-overflow": "drop-head",
    "x-delivery-limit": DELIVERY_LIMIT,
}
CONCURRENCY = 64  # deliveries that a relay carries out at once, and takes in advance
Handle = Callable[[Order, timedelta], None]
Registry = Callable[[], tuple[Member, ...]]
log = structlog.get_logger(__name__)


def pool_queue(pool: str) -> str:
    return f"pool.{pool}"


def relay_queue(relay: str) -> str:
    return f"relay.{relay}"


def permissions_of(pool: str, relay: str) -> Mapping[str, str]:
    """What a relay's user may do in the relays' virtual host: regular expressions for configure, write and read, and
    `topic`, for the keys under which it may publish to otd.receipts."""
    return {
        "configure": "^$",
        "write": f"^{regex(RECEIPTS)}$",
        "read": f"^({regex(pool_queue(pool))}|{regex(relay_queue(relay))})$",
        "topic": f"^{regex(f'{pool}.{relay}')}$",
    }


def declare_exchanges(channel: Any) -> None:
    """The two exchanges, and the queue of receipts."""
    for name in (DELIVERIES, RECEIPTS):
        channel.exchange_declare(name, "topic", durable=True, auto_delete=False)
    arguments = {
        "x-queue-type": "quorum",
        "x-message-ttl": RECEIPTS_TTL // timedelta(milliseconds=1),
        "x-max-length": 100_000,
        "x-overflow": "drop-head",
    }
    channel.queue_declare(RECEIPTS, durable=True, auto_delete=False, arguments=arguments)
    channel.queue_bind(RECEIPTS, RECEIPTS, "#")


def declare_orders(name: str) -> Callable[[Any], None]:
    """What makes the queue of a pool or a relay."""

    def declare(channel: Any) -> None:
        channel.exchange_declare(DELIVERIES, "topic", durable=True, auto_delete=False)
        channel.queue_declare(name, durable=True, auto_delete=False, arguments=ORDERS)
        channel.queue_bind(name, DELIVERIES, name)

    return declare


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What a centre does with what relays say."""

    receipt: Callable[[Receipt], None]
    hello: Callable[[Hello], None]


class AmqpBus:
    """The centre's side (otd.ports.Bus)."""

    def __init__(
        self, broker: Broker, *, signing: str, registry: Registry, pools: tuple[str, ...], clock: Clock
    ) -> None:
        """`signing` is the centre's private key; `registry` gives the relays that are known, with their public keys."""
        self._broker, self._signing, self._clock = broker, signing, clock
        self._tokens = seal.Tokens(signing)
        self._registry = _Registry(registry)
        self._pools = pools
        self._publisher = Publisher(broker, name="centre")
        self._consumer: Consumer | None = None
        self._appliers: Appliers[tuple[Taken, wire.Document]] | None = None

    def send(self, delivery: Delivery, *, relay: str = "") -> None:
        pool = delivery.endpoint.pool
        takers = {
            one.relay: one.keys.sealing for one in self._registry.of_pool(pool) if not relay or one.relay == relay
        }
        if not takers:
            raise Unreachable(f"relay {relay}" if relay else f"pool {pool}", "no relay is registered", "otd relays add")
        note = [delivery.endpoint.name, pool, delivery.verb, delivery.revision, delivery.sequence]
        name = relay_queue(relay) if relay else pool_queue(pool)
        lives = delivery.act_by - delivery.sent_at
        self._order(name, delivery, takers, lives, message_id=self._tokens.write(json.dumps(note)))

    def tell(self, order: Fill | Duty) -> None:
        pool, relay = order.pool, order.relay
        takers = {one.relay: one.keys.sealing for one in self._registry.of_pool(pool) if one.relay == relay}
        if takers:
            self._order(relay_queue(relay), order, takers, FILL_LIVES)

    def _order(self, name: str, order: Order, takers: Mapping[str, str], lives: timedelta, **properties: Any) -> None:
        body = seal.seal_order(wire.write(order), self._signing, takers)
        self._publisher.publish(
            body,
            exchange=DELIVERIES,
            key=name,
            declare=declare_orders(name),
            expiration=max(lives.total_seconds(), 0.001),
            **properties,
        )

    def listen(self, receipt: Callable[[Receipt], None], hello: Callable[[Hello], None]) -> None:
        if self._consumer is not None:
            raise RuntimeError("the bus is listened to already")
        heard = Heard(receipt=receipt, hello=hello)
        self._appliers = Appliers(lambda one: self._heed(heard, *one), name="receipts", threads=APPLIERS)
        self._consumer = Consumer(
            self._broker, (RECEIPTS,), self._take, name="receipts", prefetch=256, declare=self._declare_all
        )
        self._consumer.start()

    def admit(self, relay: str, pool: str) -> None:
        """Make the queues of a relay that was just registered, so that it finds them. What it says makes them, too."""
        for name in (relay_queue(relay), pool_queue(pool)):
            self._publisher.declare(name, declare_orders(name))
        self._publisher.declare(RECEIPTS, declare_exchanges)

    def close(self) -> None:
        if self._consumer is not None:
            self._consumer.cancel()
        if self._appliers is not None:
            self._appliers.close()
        if self._consumer is not None:
            self._consumer.stop()
        self._publisher.close()

    def _declare_all(self, channel: Any) -> None:
        declare_exchanges(channel)
        for pool in self._pools:
            declare_orders(pool_queue(pool))(channel)
        for member in self._registry.all():
            declare_orders(relay_queue(member.relay))(channel)

    def _take(self, taken: Taken) -> None:
        """One report: looked at here, applied by the thread that applies all that concern its endpoint or relay."""
        if self._appliers is None:
            return
        appliers = self._appliers

        def hand_on() -> None:
            report = self._checked(taken)
            thing = report.endpoint if isinstance(report, Receipt) else taken.key
            appliers.put(thing, (taken, report))

        self._tried(taken, hand_on)

    def _tried(self, taken: Taken, do: Callable[[], None]) -> bool:
        """Whether it could be done. Else it was acknowledged, or when the database is away comes again."""
        if self._consumer is None:
            return False
        try:
            do()
            return True
        except Retryable as error:
            if not isinstance(error, Garbled):
                self._consumer.give_back(taken)
                time.sleep(AWAY_FOR)
                return False
            log.warning("report refused", key=taken.key[:130], why=error.why)
        except OtdError as error:
            log.warning("report refused", key=taken.key[:130], why=error.why)
        except Exception as error:  # the next report must still be heard
            log.error("report not applied", key=taken.key[:130], error=type(error).__name__)
        self._consumer.ack(taken)
        return False

    def _heed(self, heard: Heard, taken: Taken, report: wire.Document) -> None:
        if self._tried(taken, lambda: self._apply(report, heard)) and self._consumer is not None:
            self._consumer.ack(taken)

    def _apply(self, report: wire.Document, heard: Heard) -> None:
        if isinstance(report, Receipt):
            heard.receipt(report)
        elif isinstance(report, Hello):
            self.admit(report.relay, report.pool)
            heard.hello(report)
        elif isinstance(report, Unopened):
            heard.receipt(self._unopened(report))

    def _checked(self, taken: Taken) -> wire.Document:
        """What a report says, when it comes from whom it says. Raises Untrusted or Garbled."""
        pool, _, name = taken.key.partition(".")
        where = f"a report under {taken.key[:130]}"
        known = self._registry.find(name)
        if known is None or known.pool != pool:
            raise Untrusted(where, "no such relay is registered in that pool")
        if taken.user_id != user_of(self._broker.vhost, name):
            raise Untrusted(where, "the broker does not vouch for its sender")
        report = wire.read(seal.verify_report(taken.body, name, known.keys.signing), where)
        if isinstance(report, Delivery | Fill | Duty) or (report.relay, report.pool) != (name, pool):
            raise Untrusted(where, "it speaks for somebody else")
        return report

    def _unopened(self, report: Unopened) -> Receipt:
        """The answer of a relay that could not open an order, from what stood on its outside."""
        try:
            endpoint, pool, verb, revision, sequence = json.loads(self._tokens.read(report.token))
        except (ValueError, TypeError):
            raise Garbled("a report", "its token cannot be read") from None
        if pool != report.pool:
            raise Untrusted("a report", "it gives back the token of another pool's order")
        return Receipt(
            endpoint=endpoint,
            pool=pool,
            relay=report.relay,
            verb=verb,
            revision=revision,
            sequence=sequence,
            counter=0,
            outcome="not_for_me",
            at=self._clock.now(),
            detail=f"relay {report.relay} cannot open what is sealed for its pool",
            mend=f"pair relay {report.relay} anew, if this lasts",
        )


class _Registry:
    """The registered relays that are not revoked, looked up now and then."""

    def __init__(self, look_up: Registry) -> None:
        self._look_up = look_up
        self._lock = threading.Lock()
        self._known: dict[str, Member] = {}
        self._until = 0.0

    def all(self) -> tuple[Member, ...]:
        with self._lock:
            if time.monotonic() >= self._until:
                self._known = {one.relay: one for one in self._look_up() if one.revoked_at is None}
                self._until = time.monotonic() + KNOWN_FOR
            return tuple(self._known.values())

    def find(self, name: str) -> Member | None:
        return next((one for one in self.all() if one.relay == name), None)

    def of_pool(self, pool: str) -> tuple[Member, ...]:
        return tuple(one for one in self.all() if one.pool == pool)


class AmqpRelayBus:
    """A relay's side (otd.ports.RelayBus)."""

    def __init__(self, identity: Identity, *, concurrency: int = CONCURRENCY) -> None:
        self._identity = identity
        self._key = f"{identity.pool}.{identity.relay}"
        self._own = relay_queue(identity.relay)
        self._waiting = Waiting(looks=concurrency // 2)
        self._publisher = Publisher(identity.broker, name=identity.relay)
        self._consumer = Consumer(
            identity.broker,
            (self._own, pool_queue(identity.pool)),
            self._take,
            name=identity.relay,
            prefetch=concurrency,
        )
        self._concurrency = concurrency
        self._threads: list[threading.Thread] = []
        self._closing = False

    @property
    def is_connected(self) -> bool:
        """Whether it consumes just now."""
        return self._consumer.is_connected

    def listen(self, handle: Handle) -> None:
        for number in range(self._concurrency):
            name = f"otd-{self._identity.relay}-{number}"
            thread = threading.Thread(target=self._work, args=(handle,), name=name, daemon=True)
            self._threads.append(thread)
            thread.start()
        self._consumer.start()

    def rest(self, resting: bool) -> None:
        self._consumer.leave_out({pool_queue(self._identity.pool)} if resting else set())

    def receipt(self, receipt: Receipt) -> None:
        self._report(receipt)

    def hello(self, hello: Hello) -> None:
        self._report(hello)

    def close(self) -> None:
        self._closing = True
        self._consumer.cancel()
        self._waiting.close()
        for thread in self._threads:
            thread.join()
        self._consumer.stop()
        self._publisher.close()

    def _report(self, report: Receipt | Hello | Unopened) -> None:
        """Send it, or lose it: the centre asks again."""
        identity = self._identity
        body = seal.sign_report(wire.write(report), identity.relay, identity.signing)
        try:
            self._publisher.publish(body, exchange=RECEIPTS, key=self._key, user_id=identity.broker.user)
        except OtdError as error:
            kind = type(report).__name__.lower()
            log.warning("report lost", relay=identity.relay, kind=kind, why=error.why, mend=error.mend)

    def _take(self, taken: Taken) -> None:
        self._waiting.put(taken, own=taken.queue == self._own)

    def _work(self, handle: Handle) -> None:
        while (found := self._waiting.get()) is not None:
            taken, look = found
            order = look or self._opened(taken)
            if look is None and isinstance(order, Delivery) and order.verb == "read":
                self._waiting.postpone(taken, order)
                continue
            try:
                if order is not None:
                    handle(order, timedelta(seconds=time.monotonic() - taken.at))
            except Exception as error:  # one broken order must not end the thread
                log.error("order not carried out", relay=self._identity.relay, error=type(error).__name__)
            finally:
                self._consumer.ack(taken)
                if look is not None:
                    self._waiting.looked()

    def _opened(self, taken: Taken) -> Order | None:
        """What it says; None when that does not count."""
        identity = self._identity
        try:
            document = seal.open_order(taken.body, identity.relay, identity.sealing, identity.centre)
            order = wire.read(document, "an order")
            pool = order.endpoint.pool if isinstance(order, Delivery) else getattr(order, "pool", "")
            if not isinstance(order, Delivery | Fill | Duty) or pool != identity.pool:
                raise Untrusted("an order", "it is meant for another pool")
            return order
        except seal.NotForMe as error:
            log.warning("order refused", relay=identity.relay, why=error.why, mend=error.mend)
            if taken.message_id:
                self._report(Unopened(relay=identity.relay, pool=identity.pool, token=taken.message_id))
        except OtdError as error:
            log.warning("order refused", relay=identity.relay, why=error.why)
        except Exception as error:  # one broken order must not end the thread
            log.error("order not opened", relay=identity.relay, error=type(error).__name__)
        return None
