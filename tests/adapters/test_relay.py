"""A relay: puts, reads back, compares, refuses what is old or late, and survives a restart with what it must know."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Barrier

import pytest

from otd import wire
from otd.asking import unseal
from otd.bus.local import LocalBus
from otd.endpoints.memory import MemoryDriver
from otd.errors import BadSetting, Busy, Denied, OtdError, Unreachable, Unsupported, Untrusted
from otd.model import Difference, Duty, Endpoint, Facts, Hello, Receipt
from otd.ports import EndpointDriver, never
from otd.relay.memory import Memory
from otd.relay.service import Relay
from tests.contracts.driver import THREE, DriverContract
from tests.values import HOUR, MINUTE, SECOND, T0, FixedClock, a_booking, a_delivery, an_endpoint


class TestMemoryDriver(DriverContract):
    @pytest.fixture
    def reached(self) -> tuple[EndpointDriver, Endpoint]:
        return MemoryDriver(), an_endpoint()


@pytest.fixture
def driver() -> MemoryDriver:
    return MemoryDriver()


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def bus() -> Iterator[LocalBus]:
    bus = LocalBus(concurrency=4)
    yield bus
    bus.close()


@pytest.fixture
def relay(bus: LocalBus, driver: MemoryDriver, clock: FixedClock) -> Relay:
    return a_relay_process(bus, driver, clock)


def a_relay_process(
    bus: LocalBus, driver: MemoryDriver, clock: FixedClock, name: str = "relay1", memory: Memory | None = None
) -> Relay:
    return Relay(
        name=name,
        pool="hq",
        bus=bus.relay(name, "hq"),
        drivers={"memory": driver},
        memory=memory or Memory(),
        clock=clock,
    )


class Slow(MemoryDriver):
    """One that takes its `patience` to say what the endpoint is, in small steps, and counts how often it said so."""

    def __init__(self, patience: timedelta) -> None:
        super().__init__()
        self.patience, self.asked, self.facts_said = patience, threading.Event(), 0

    def facts(
        self, endpoint: Endpoint, *, within: timedelta, unless: Callable[[], bool] = never, anew: bool = False
    ) -> Facts:
        self.asked.set()
        end = time.monotonic() + self.patience.total_seconds()
        while time.monotonic() < end and not unless():
            time.sleep(0.01)
        found = super().facts(endpoint, within=within, unless=unless)
        self.facts_said += 1
        return found


def test_a_look_asks_no_further_once_a_list_waits_for_its_end(bus: LocalBus, clock: FixedClock) -> None:
    driver = Slow(timedelta(seconds=60))
    relay = a_relay_process(bus, driver, clock)
    look = threading.Thread(target=relay.handle, args=(a_delivery(verb="read", bookings=THREE),))
    look.start()
    assert driver.asked.wait(10)
    relay.handle(a_delivery(sequence=2, bookings=THREE))  # returns when the list is there
    look.join(10)
    assert not look.is_alive()
    assert driver.bookings("codec1") == THREE
    assert driver.facts_said == 0
    driver.patience = timedelta(0)
    relay.handle(a_delivery(verb="read", sequence=3, bookings=THREE))
    assert driver.facts_said == 1


def test_a_list_that_was_read_back_is_confirmed(relay: Relay, driver: MemoryDriver) -> None:
    receipt = relay.carry_out(a_delivery(bookings=THREE))
    assert receipt.outcome == "confirmed"
    assert receipt.seen_digest
    assert driver.bookings("codec1") == THREE


def test_the_same_list_has_the_same_digest_whoever_reads_it(bus: LocalBus, driver: MemoryDriver) -> None:
    first = a_relay_process(bus, driver, FixedClock()).carry_out(a_delivery(bookings=THREE))
    second = a_relay_process(bus, driver, FixedClock(), "relay2").carry_out(
        a_delivery(verb="read", sequence=2, bookings=THREE[::-1])
    )
    assert first.seen_digest == second.seen_digest


def test_a_read_writes_nothing_and_tells_what_differs_without_values(relay: Relay, driver: MemoryDriver) -> None:
    relay.carry_out(a_delivery(bookings=(a_booking(), a_booking(id="b9", start=T0 + 4 * HOUR, end=T0 + 5 * HOUR))))
    receipt = relay.carry_out(
        a_delivery(verb="read", sequence=2, bookings=(a_booking(title="Other"), a_booking(id="b2")))
    )
    assert receipt.outcome == "differs"
    assert receipt.differences == (
        Difference(id="b1", fields=("title",)),
        Difference(id="b2", fields=("missing",)),
        Difference(id="b9", fields=("foreign",)),
    )
    assert receipt.detail == "1 missing, 1 foreign, 1 changed (title)"
    assert "Other" not in repr(receipt)
    assert driver.puts["codec1"] == 1


def test_who_asks_is_told_what_was_seen_and_nobody_else_can_read_it(relay: Relay, driver: MemoryDriver) -> None:
    from joserfc.jwk import OKPKey

    relay.carry_out(a_delivery(bookings=(a_booking(), a_booking(id="b9", title="Canary"))))
    private = OKPKey.generate_key("X25519")
    order = a_delivery(verb="read", sequence=2, bookings=(a_booking(title="Other"),))
    order = replace(order, ask=str(private.as_dict(private=False)["x"]), anew=True)
    receipt = relay.carry_out(order)
    found = unseal(receipt.answer, private, "codec1")
    assert [dict(seen.fields)["title"] for seen in found.wanted] == ["Other"]
    assert sorted(dict(seen.fields)["title"] for seen in found.held) == ["Canary", "Standup"]
    assert receipt.facts == Facts()
    said = wire.write(receipt).decode() + repr(receipt) + repr(found)
    assert not [word for word in ("Canary", "Standup", "plcm.vc") if word in said]
    assert driver.puts["codec1"] == 1
    assert relay.carry_out(replace(order, ask="", sequence=3)).answer == ""


def test_who_asks_of_an_endpoint_that_does_not_answer_is_told_why(relay: Relay, driver: MemoryDriver) -> None:
    driver.fail("codec1", Unreachable("codec1", "no route", "switch it on"))
    receipt = relay.carry_out(a_delivery(verb="read", ask="any"))
    assert (receipt.outcome, receipt.detail, receipt.mend, receipt.answer) == (
        "unreachable",
        "no route",
        "switch it on",
        "",
    )


def test_meetings_that_are_over_do_not_make_a_difference(relay: Relay, driver: MemoryDriver) -> None:
    over = a_booking(id="b0", start=T0 - 2 * HOUR, end=T0 - HOUR)
    relay.carry_out(a_delivery(bookings=(over, a_booking())))
    assert relay.carry_out(a_delivery(verb="read", sequence=2)).outcome == "confirmed"


def test_an_older_list_is_refused_and_the_highest_revision_named(relay: Relay, driver: MemoryDriver) -> None:
    relay.carry_out(a_delivery(revision=20, bookings=THREE))
    receipt = relay.carry_out(a_delivery(revision=19, sequence=2, bookings=()))
    assert (receipt.outcome, receipt.highest) == ("stale", 20)
    assert driver.bookings("codec1") == THREE


def test_the_highest_revision_outlives_the_process(bus: LocalBus, driver: MemoryDriver, tmp_path: Path) -> None:
    memory = Memory(tmp_path / "relay.db")
    a_relay_process(bus, driver, FixedClock(), memory=memory).carry_out(a_delivery(revision=20))
    memory.close()
    memory = Memory(tmp_path / "relay.db")
    receipt = a_relay_process(bus, driver, FixedClock(), memory=memory).carry_out(a_delivery(revision=19))
    assert receipt.outcome == "stale"
    memory.close()


def test_nothing_is_written_after_act_by(relay: Relay, driver: MemoryDriver, clock: FixedClock) -> None:
    relay.handle(a_delivery())
    clock.time = T0 + MINUTE
    assert relay.carry_out(a_delivery(sequence=2)).outcome == "expired"
    assert driver.puts["codec1"] == 1


def test_a_relay_whose_clock_is_ten_minutes_off_judges_by_the_centres(
    relay: Relay, driver: MemoryDriver, clock: FixedClock
) -> None:
    clock.time = T0 + 10 * MINUTE
    relay.handle(a_delivery())
    assert driver.puts == {"codec1": 1}
    clock.time = T0 + 12 * MINUTE
    relay.handle(a_delivery(sequence=2))  # two minutes old by the centre's clock
    assert driver.puts == {"codec1": 1}


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (Unreachable("codec1", "refused"), "unreachable"),
        (Busy("codec1", "too many requests", 10 * SECOND), "busy"),
        (Denied("codec1", "password"), "denied"),
        (Untrusted("codec1", "another certificate"), "untrusted"),
        (Unsupported("codec1", "Teams Rooms mode"), "unsupported"),
        (BadSetting("secret x", "not there"), "not_for_me"),
    ],
)
def test_every_error_becomes_an_outcome(relay: Relay, driver: MemoryDriver, error: OtdError, outcome: str) -> None:
    driver.fail("codec1", error)
    receipt = relay.carry_out(a_delivery())
    assert receipt.outcome == outcome
    assert error.why in receipt.detail


def test_an_endpoint_of_a_kind_without_driver_is_said_so(relay: Relay) -> None:
    assert relay.carry_out(a_delivery(endpoint=an_endpoint(kind="toaster"))).outcome == "unsupported"


def test_forgetting_clears_our_own_bookings_only_when_all_are_ours(relay: Relay, driver: MemoryDriver) -> None:
    relay.carry_out(a_delivery(bookings=THREE))
    left = relay.carry_out(a_delivery(verb="forget", clear=True, sequence=2, bookings=THREE[:1]))
    assert left.outcome == "forgotten"
    assert driver.bookings("codec1") == THREE
    relay.carry_out(a_delivery(verb="forget", clear=True, sequence=3, bookings=THREE))
    assert driver.bookings("codec1") == ()


class Centre:
    """Collects what relays send, and waits for it."""

    def __init__(self, bus: LocalBus) -> None:
        self.receipts: list[Receipt] = []
        self.hellos: list[Hello] = []
        self._came = threading.Condition()
        bus.listen(self._receipt, self._hello)

    def _receipt(self, receipt: Receipt) -> None:
        with self._came:
            self.receipts.append(receipt)
            self._came.notify_all()

    def _hello(self, hello: Hello) -> None:
        with self._came:
            self.hellos.append(hello)
            self._came.notify_all()

    def wait_for(self, count: int) -> list[Receipt]:
        with self._came:
            assert self._came.wait_for(lambda: len(self.receipts) >= count, timeout=10)
            return self.receipts


def test_a_relay_says_hello_and_goodbye(bus: LocalBus, relay: Relay) -> None:
    centre = Centre(bus)
    relay.start()
    relay.stop()
    bus.close()
    assert [hello.leaving for hello in centre.hellos] == [False, True]


def test_deliveries_reach_whichever_relay_of_the_pool_is_there(bus: LocalBus, driver: MemoryDriver) -> None:
    centre = Centre(bus)
    relays = [a_relay_process(bus, driver, FixedClock(), name) for name in ("relay1", "relay2")]
    for relay in relays:
        relay.start()
    for number in range(20):
        bus.send(a_delivery(endpoint=an_endpoint(name=f"codec{number}"), sequence=number))
    receipts = centre.wait_for(20)
    assert {receipt.endpoint for receipt in receipts} == {f"codec{number}" for number in range(20)}
    for relay in relays:
        relay.stop()


def test_what_a_dying_relay_held_is_done_by_the_other(bus: LocalBus, driver: MemoryDriver) -> None:
    centre = Centre(bus)
    entered, let_go = threading.Event(), threading.Event()

    class Slow(MemoryDriver):
        def put(self, endpoint: Endpoint, bookings: object, *, within: timedelta) -> None:
            entered.set()
            let_go.wait(10)

    dying = a_relay_process(bus, Slow(), FixedClock(), "relay1")
    side = dying._bus
    dying.start()
    bus.send(a_delivery())
    assert entered.wait(10)
    other = a_relay_process(bus, driver, FixedClock(), "relay2")
    other.start()
    side.cut()  # type: ignore[attr-defined]
    (receipt,) = centre.wait_for(1)
    assert receipt.relay == "relay2"
    let_go.set()
    other.stop()
    dying.abandon()
    assert len(centre.receipts) == 1, "a dead relay's receipt must not arrive"


def test_a_delivery_for_a_pool_without_relay_is_refused_at_once(bus: LocalBus) -> None:
    with pytest.raises(Unreachable, match="pool hq"):
        bus.send(a_delivery())


def test_one_endpoint_is_worked_on_by_one_delivery_at_a_time(bus: LocalBus) -> None:
    centre = Centre(bus)
    inside: list[int] = []
    most: list[int] = []

    class Watching(MemoryDriver):
        def put(self, endpoint: Endpoint, bookings: tuple[object, ...], *, within: timedelta) -> None:
            inside.append(1)
            most.append(len(inside))
            threading.Event().wait(0.01)
            inside.pop()

    relay = a_relay_process(bus, Watching(), FixedClock())
    relay.start()
    for sequence in range(8):
        bus.send(a_delivery(sequence=sequence))
    centre.wait_for(8)
    assert max(most) == 1
    relay.stop()


def test_a_pin_once_set_stays(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "relay.db")
    assert memory.pin("codec1", "sha256:aa") == "sha256:aa"
    assert memory.pin("codec1", "sha256:bb") == "sha256:aa"
    memory.close()
    again = Memory(tmp_path / "relay.db")
    assert again.get("codec1") == "sha256:aa"
    again.close()


def test_a_pin_that_the_centre_names_counts_more_than_the_relays_own(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "relay.db")
    memory.pin("codec1", "sha256:aa")
    memory.met(an_endpoint())
    assert memory.get("codec1") == "sha256:aa"
    memory.met(an_endpoint(pin="sha256:bb"))
    assert memory.pin("codec1", "sha256:aa") == "sha256:bb"
    memory.met(an_endpoint())  # as after a step back to a centre that names none
    memory.close()
    again = Memory(tmp_path / "relay.db")
    assert again.get("codec1") == "sha256:bb"
    again.close()


@pytest.mark.parametrize("place", [{"address": "127.0.0.1:2"}, {"trust": "ca"}, {"kind": "cisco"}])
def test_a_pin_is_not_of_what_stands_at_another_address(tmp_path: Path, place: dict[str, str]) -> None:
    memory = Memory(tmp_path / "relay.db")
    memory.met(an_endpoint())
    memory.pin("codec1", "sha256:aa")
    memory.met(an_endpoint(credential="another"))
    assert memory.get("codec1") == "sha256:aa"
    memory.close()
    again = Memory(tmp_path / "relay.db")
    again.met(an_endpoint(**place))
    assert again.get("codec1") == ""
    again.close()


def test_a_receipt_says_which_certificate_the_relay_goes_by(bus: LocalBus, driver: MemoryDriver) -> None:
    memory = Memory()
    relay = a_relay_process(bus, driver, FixedClock(), memory=memory)
    assert relay.carry_out(a_delivery()).pin == ""
    memory.pin("codec1", "sha256:aa")
    assert relay.carry_out(a_delivery(sequence=2)).pin == "sha256:aa"
    driver.fail("codec1", Untrusted("codec1", "another certificate", shown="sha256:bb"))
    refused = relay.carry_out(a_delivery(sequence=3))
    assert (refused.pin, refused.shown) == ("sha256:aa", "sha256:bb")


def test_a_memory_that_cannot_be_opened_is_a_setting_to_mend(tmp_path: Path) -> None:
    with pytest.raises(BadSetting, match=r"relay's memory"):
        Memory(tmp_path / "no" / "such" / "folder" / "relay.db")


def test_a_new_memory_can_be_opened_from_several_sides_at_once(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        for number in range(40):
            path = tmp_path / f"{number}.db"
            together = Barrier(8)

            def opened(_: int, path: Path = path, together: Barrier = together) -> None:
                together.wait()
                Memory(path).close()

            list(threads.map(opened, range(8)))


def test_a_relay_rests_when_its_own_process_is_meant_and_goes_back_to_work(relay: Relay, bus: LocalBus) -> None:
    hellos: list[Hello] = []
    bus.listen(lambda receipt: None, hellos.append)
    relay.handle(Duty(relay="relay1", pool="hq", started_at=T0 + MINUTE, resting=True))
    assert not relay.resting
    relay.handle(Duty(relay="relay1", pool="hq", started_at=T0, resting=True))
    assert relay.resting
    relay.handle(Duty(relay="relay1", pool="hq", started_at=T0, resting=False))
    assert not relay.resting
