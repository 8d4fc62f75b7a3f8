"""What every Bus promises, with the RelayBus at its other end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

import pytest

from otd.errors import Unreachable
from otd.model import Delivery, Fill, Hello, Receipt
from otd.ports import Bus, RelayBus
from tests.values import MINUTE, a_delivery, a_receipt, an_endpoint
from tests.waiting import until

SOON = timedelta(seconds=15)


class Net(Protocol):
    """A bus under test, and how relays get their ends of it."""

    bus: Bus

    def relay(self, name: str, pool: str = "hq") -> RelayBus: ...

    def lose_power(self, name: str) -> None:
        """The relay is gone at once, in the middle of whatever it does."""


class Site:
    """A relay that notes what it is handed; `gate` holds it in the middle of its work."""

    def __init__(self, side: RelayBus) -> None:
        self.side = side
        self.taken: list[Delivery | Fill] = []
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self, order: Delivery | Fill, waited: timedelta) -> None:
        self.taken.append(order)
        self.gate.wait(30)


def fresh(**overrides: object) -> Delivery:
    """A delivery that is to be acted on within the next minute."""
    now = datetime.now(UTC)
    return replace(a_delivery(sent_at=now, act_by=now + MINUTE, valid_until=now + 12 * 60 * MINUTE), **overrides)  # type: ignore[arg-type]


class BusContract:
    """Inherit, and give a `net`."""

    @pytest.fixture
    def site(self, net: Net) -> Callable[[str], Site]:
        """Starts a relay that notes what it is handed."""

        def start(name: str, pool: str = "hq") -> Site:
            site = Site(net.relay(name, pool))
            site.side.listen(site)
            return site

        return start

    def test_an_order_reaches_a_relay_of_the_pool_as_it_was_sent(self, net: Net, site: Callable[[str], Site]) -> None:
        relay, order = site("relay1"), fresh()
        net.bus.send(order)
        until(lambda: relay.taken == [order], SOON, "the order")

    def test_of_two_relays_one_takes_it(self, net: Net, site: Callable[[str], Site]) -> None:
        one, other = site("relay1"), site("relay2")
        for number in range(10):
            net.bus.send(fresh(sequence=number))
        until(lambda: len(one.taken) + len(other.taken) == 10, SOON, "all ten")
        taken = [order.sequence for order in (*one.taken, *other.taken) if isinstance(order, Delivery)]
        assert sorted(taken) == list(range(10))

    def test_what_is_sent_to_one_relay_is_taken_by_that_one(self, net: Net, site: Callable[[str], Site]) -> None:
        one, other = site("relay1"), site("relay2")
        for number in range(6):
            net.bus.send(fresh(sequence=number), relay="relay2")
        until(lambda: len(other.taken) == 6, SOON, "all six")
        assert one.taken == []

    def test_a_fill_reaches_the_relay_that_it_is_for(self, net: Net, site: Callable[[str], Site]) -> None:
        one, other, fill = site("relay1"), site("relay2"), Fill(relay="relay2", pool="hq", lists=(("codec1", 3),))
        net.bus.tell(fill)
        until(lambda: other.taken == [fill], SOON, "the fill")
        assert one.taken == []

    def test_a_relay_that_rests_leaves_its_pool_to_the_others_and_is_still_told(
        self, net: Net, site: Callable[[str], Site]
    ) -> None:
        one, other = site("relay1"), site("relay2")
        one.side.rest(True)
        net.bus.send(fresh(sequence=0), relay="relay1")
        until(lambda: len(one.taken) == 1, SOON, "its own order")
        for number in range(1, 7):
            net.bus.send(fresh(sequence=number))
        until(lambda: len(other.taken) == 6, SOON, "all six")
        other.side.rest(True)
        one.side.rest(False)
        net.bus.send(fresh(sequence=7))
        until(lambda: len(one.taken) == 2, SOON, "the next one")

    def test_a_pool_without_relays_cannot_be_reached(self, net: Net) -> None:
        with pytest.raises(Unreachable):
            net.bus.send(fresh(endpoint=an_endpoint(pool="nobody")))

    def test_receipts_and_hellos_reach_the_centre(self, net: Net, site: Callable[[str], Site]) -> None:
        receipts: list[Receipt] = []
        hellos: list[Hello] = []
        net.bus.listen(receipts.append, hellos.append)
        now = datetime.now(UTC)
        hello = Hello(relay="relay1", pool="hq", version="1.0", started_at=now, at=now)
        relay = site("relay1")
        relay.side.hello(hello)
        relay.side.receipt(a_receipt())
        until(lambda: receipts == [a_receipt()] and hellos == [hello], SOON, "both")

    def test_a_bus_is_listened_to_once(self, net: Net, site: Callable[[str], Site]) -> None:
        receipts: list[Receipt] = []
        net.bus.listen(receipts.append, lambda hello: None)
        with pytest.raises(RuntimeError):
            net.bus.listen(lambda receipt: None, lambda hello: None)
        site("relay1").side.receipt(a_receipt())
        until(lambda: receipts == [a_receipt()], SOON, "the receipt")

    def test_what_cannot_be_applied_does_not_keep_the_next_from_being_heard(
        self, net: Net, site: Callable[[str], Site]
    ) -> None:
        heard: list[int] = []

        def fragile(receipt: Receipt) -> None:
            heard.append(receipt.sequence)
            if receipt.sequence == 1:
                raise ValueError("a fault")

        net.bus.listen(fragile, lambda hello: None)
        relay = site("relay1")
        relay.side.receipt(a_receipt(sequence=1))
        relay.side.receipt(a_receipt(sequence=2))
        until(lambda: heard[-1:] == [2], SOON, "the second")

    def test_what_a_relay_held_when_it_died_goes_to_another(self, net: Net, site: Callable[[str], Site]) -> None:
        one, other = site("relay1"), Site(net.relay("relay2"))
        one.gate.clear()
        order = fresh()
        net.bus.send(order)
        until(lambda: len(one.taken) == 1, SOON, "the order")
        other.side.listen(other)
        net.lose_power("relay1")
        until(lambda: other.taken == [order], SOON, "the order again")
        one.gate.set()

    def test_an_order_that_nobody_took_in_time_is_dropped(self, net: Net, site: Callable[[str], Site]) -> None:
        one = site("relay1")
        one.side.close()
        net.relay("relay1")  # there, but it does not listen yet
        now = datetime.now(UTC)
        net.bus.send(fresh(sent_at=now, act_by=now + timedelta(milliseconds=300), sequence=1), relay="relay1")
        threading.Event().wait(0.6)
        again = site("relay1")
        net.bus.send(fresh(sequence=2), relay="relay1")
        until(lambda: bool(again.taken), SOON, "the second")
        assert [order.sequence for order in again.taken if isinstance(order, Delivery)] == [2]

    def test_a_relay_that_closes_ends_what_it_began_and_takes_nothing_new(
        self, net: Net, site: Callable[[str], Site]
    ) -> None:
        one = site("relay1")
        net.bus.send(fresh(sequence=1))
        until(lambda: len(one.taken) == 1, SOON, "the first")
        one.side.close()
        other = site("relay2")
        net.bus.send(fresh(sequence=2))
        until(lambda: len(other.taken) == 1, SOON, "the second")
        assert len(one.taken) == 1
