"""Endpoints asked through relays: over a real store, a real bus and real relays, with what the person is told."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from otd import asking
from otd.asking import Asking, Look
from otd.bus.local import LocalRelayBus
from otd.deliveries import condition
from otd.endpoints.memory import MemoryDriver
from otd.errors import Denied, OtdError, Unreachable, Unsupported
from otd.model import Delivery, Facts, Hello, Receipt, Settled
from tests.adapters.test_pipeline import ENDPOINT, House, a_meeting
from tests.values import SECOND, T0

WITHIN = 20 * SECOND


class ManyFacts(MemoryDriver):
    """One whose endpoints say what they are, and that counts how often they were asked for anything."""

    def __init__(self) -> None:
        super().__init__()
        self.reads: dict[str, int] = {}
        self.anew: list[bool] = []

    def read(self, endpoint: Any, *, within: timedelta) -> Any:
        self.reads[endpoint.name] = self.reads.get(endpoint.name, 0) + 1
        return super().read(endpoint, within=within)

    def facts(self, endpoint: Any, *, within: timedelta, unless: Any = None, anew: bool = False) -> Facts:
        self.anew.append(anew)
        return Facts(product="Cisco Room Kit")


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    house.driver = ManyFacts()
    house.start_relay("relay1")
    house.executor.start()
    yield house
    house.close()


@pytest.fixture
def shown(house: House) -> House:
    """With a confirmed list."""
    house.book(a_meeting())
    house.until_shown("Meeting m1")
    return house


def ask(house: House, *names: str, within: timedelta = WITHIN, anew: bool = False) -> dict[str, Look | OtdError]:
    found: dict[str, Look | OtdError] = {}
    with Asking(house.store, found, within=within, anew=anew) as asked:
        asked.run([house.state(name) for name in names or ("codec1",)])
    return found


def look(house: House, **more: Any) -> Look:
    found = ask(house, **more)["codec1"]
    assert isinstance(found, Look), found
    return found


def error(house: House, **more: Any) -> OtdError:
    found = ask(house, **more)["codec1"]
    assert isinstance(found, OtdError), found
    return found


def titles(seen: Any) -> list[str]:
    return [dict(one.fields)["title"] for one in seen]


def park(house: House, wrong: OtdError) -> None:
    house.driver.fail("codec1", wrong)
    house.book(a_meeting(), a_meeting("m2"))
    house.until(lambda: any(row.parked for row in house.store.work()))


def test_what_should_be_there_and_what_is_come_back(shown: House) -> None:
    puts = dict(shown.driver.puts)
    found = look(shown)
    assert (titles(found.wanted), titles(found.held)) == (["Meeting m1"], ["Meeting m1"])
    assert (found.relay, shown.driver.puts) == ("relay1", puts)
    assert condition(shown.state()) == "confirmed"
    assert "Meeting" not in repr(found)


def test_what_it_is_comes_too_and_anew_when_it_is_asked_for(shown: House) -> None:
    assert isinstance(shown.driver, ManyFacts)
    shown.driver.anew.clear()
    facts = look(shown, anew=True).facts
    assert facts is not None
    assert facts.product == "Cisco Room Kit"
    assert True in shown.driver.anew
    shown.driver.anew.clear()
    look(shown)
    assert set(shown.driver.anew) == {False}


def test_an_answer_is_nowhere_to_be_read_and_nothing_of_it_stays(shown: House, tmp_path: Path) -> None:
    seen: list[bytes] = []
    publish = shown.bus._publish

    def overheard(side: LocalRelayBus, document: bytes) -> None:
        seen.append(document)
        seen.extend(path.read_bytes() for path in tmp_path.glob("otd.db*"))
        publish(side, document)

    shown.bus._publish = overheard  # type: ignore[method-assign]
    assert titles(look(shown).held) == ["Meeting m1"]
    assert any(b'"answer":"ey' in one for one in seen)
    assert not any(word in one for one in seen for word in (b"Meeting m1", b"weekly@"))
    assert shown.state().question is None
    receipt = shown.state().receipt
    assert receipt is not None
    assert receipt.answer == ""


def test_an_endpoint_in_mode_observe_is_asked_and_never_written(tmp_path: Path) -> None:
    house = House(tmp_path, endpoints=(replace(ENDPOINT, mode="observe"),))
    house.start_relay("relay1")
    house.executor.start()
    try:
        house.book(a_meeting())
        house.until(lambda: condition(house.state()) == "observed")
        found = look(house)
        assert (titles(found.wanted), titles(found.held)) == (["Meeting m1"], [])
        assert house.driver.puts == {}
    finally:
        house.close()


def test_an_endpoint_is_asked_before_its_rooms_were_read(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.calendar.fail(Unreachable("office", "it is down"))
    house.start_relay("relay1")
    house.executor.start()
    try:
        found = look(house)
        assert (found.wanted, found.held) == ((), ())
        assert house.state().failures == 0
    finally:
        house.close()


def test_more_endpoints_than_are_asked_at_once_all_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "AT_ONCE", 3)
    many = tuple(replace(ENDPOINT, name=f"codec{n}") for n in range(8))
    house = House(tmp_path, endpoints=many)
    house.start_relay("relay1")
    house.executor.start()
    try:
        house.book(a_meeting())
        found = ask(house, *(one.name for one in many))
        assert len(found) == 8
        assert all(isinstance(one, Look) for one in found.values()), found
    finally:
        house.close()


def test_two_who_ask_at_once_are_both_answered(shown: House) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(2) as threads:
        found = list(threads.map(lambda _: look(shown), range(2)))
    assert [titles(one.held) for one in found] == [["Meeting m1"], ["Meeting m1"]]


# --- when no answer comes -----------------------------------------------------------------------------------------


def test_nobody_works(shown: House) -> None:
    shown.executor.stop(within=10 * SECOND)
    found = error(shown, within=2 * SECOND)
    assert found.code == "unreachable"
    assert found.why == "nobody works on what is due"
    assert "otd run" in found.mend
    assert shown.state().question is None


def test_where_one_finds_nobody_at_work_the_others_are_not_tried_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "AT_ONCE", 1)
    monkeypatch.setattr(asking, "IDLE", 4 * SECOND)
    many = tuple(replace(ENDPOINT, name=f"codec{n}") for n in range(20))
    house = House(tmp_path, endpoints=many)
    try:
        began = time.monotonic()
        found = ask(house, *(one.name for one in many), within=WITHIN)
        assert time.monotonic() - began < WITHIN.total_seconds() / 2
        assert {str(one.why) for one in found.values() if isinstance(one, OtdError)} == {"nobody works on what is due"}
        house.executor.start()
        house.pipeline.apply_hello(Hello(relay="old", pool="hq", version="1", started_at=T0, at=T0, leaving=True))
        began = time.monotonic()
        found = ask(house, *(one.name for one in many), within=WITHIN)
        assert time.monotonic() - began < WITHIN.total_seconds() / 2
        assert {str(one.why) for one in found.values() if isinstance(one, OtdError)} == {
            "no relay of its pool is alive"
        }
    finally:
        house.close()


def test_a_paused_pool_is_not_taken_for_one_where_nobody_works(shown: House) -> None:
    shown.store.pause("hq", shown.store.now() + timedelta(hours=1), "asked to")
    found = error(shown, within=2 * SECOND)
    assert found.why == "the work of this calendar or pool is paused"


def test_no_relay_of_the_pool_is_alive(shown: House) -> None:
    relay, _ = shown.relays.pop("relay1")
    relay.stop()
    shown.until(lambda: all(one.leaving for one in shown.store.relays()))
    began = time.monotonic()
    found = error(shown)
    assert time.monotonic() - began < WITHIN.total_seconds() / 2, "it says so without waiting for all that time"
    assert found.why == "no relay of its pool is alive"
    assert "pool hq" in found.mend


def test_an_endpoint_that_no_relay_reaches(shown: House) -> None:
    shown.driver.fail("codec1", Unreachable("codec1", "no route to it", "switch it on"))
    found = error(shown)
    assert (found.code, found.why, found.mend) == ("unreachable", "relay relay1: no route to it", "switch it on")


def test_a_relay_that_does_not_reach_it_leaves_the_answer_to_one_that_does(shown: House) -> None:
    blind = MemoryDriver()
    blind.fail("codec1", Unreachable("codec1", "no route to it"))
    shown.cut_relay("relay1")
    shown.start_relay("relay1", blind)
    shown.start_relay("relay2")
    shown.until(lambda: len(shown.store.relays()) == 2)
    assert look(shown).relay == "relay2"


def test_what_needs_a_person_is_not_tried_and_what_was_found_is_said(shown: House) -> None:
    assert isinstance(shown.driver, ManyFacts)
    park(shown, Denied("codec1", "it refused the password", "set the right secret", reason="password"))
    before = shown.driver.reads["codec1"], shown.driver.puts["codec1"]
    found = error(shown)
    assert (found.code, found.mend) == ("denied", "set the right secret")
    assert "it needs a person first: it refused the password, found by relay1 at 20" in found.why
    assert (shown.driver.reads["codec1"], shown.driver.puts["codec1"]) == before
    assert any(row.parked for row in shown.store.work())


def test_a_password_that_a_question_finds_refused_is_not_tried_by_the_next(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.driver = ManyFacts()
    house.calendar.fail(Unreachable("office", "it is down"))
    house.driver.fail("codec1", Denied("codec1", "it refused the password", "set it", reason="password"))
    house.start_relay("relay1")
    house.executor.start()
    try:
        assert error(house).why == "relay relay1: it refused the password"
        assert error(house).why == "it refused the password"
        assert house.driver.reads == {"codec1": 1}
    finally:
        house.close()


def test_a_relay_of_an_older_version_is_named(shown: House, monkeypatch: pytest.MonkeyPatch) -> None:
    relay, _ = shown.relays["relay1"]
    carry_out: Callable[[Delivery], Receipt] = relay.carry_out
    monkeypatch.setattr(relay, "carry_out", lambda order: carry_out(replace(order, ask="", anew=False)))
    found = error(shown)
    assert isinstance(found, Unsupported)
    assert "relay relay1 runs an older version" in found.why


def test_a_relay_that_does_not_answer_is_named(shown: House, monkeypatch: pytest.MonkeyPatch) -> None:
    relay, _ = shown.relays["relay1"]
    monkeypatch.setattr(relay._bus, "receipt", lambda _: None)
    found = error(shown, within=2 * SECOND)
    assert found.why == "relay relay1 has not answered within 2 s"


def test_who_stops_asking_leaves_nothing_behind(shown: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    shown.executor.stop(within=10 * SECOND)
    monkeypatch.setattr(asking, "time", SimpleNamespace(monotonic=time.monotonic, sleep=interrupted))  # of nobody else
    with pytest.raises(KeyboardInterrupt):
        ask(shown)
    assert shown.state().question is None


def test_what_is_answered_as_the_time_runs_out_counts(shown: House) -> None:
    shown.executor.stop(within=10 * SECOND)
    found: dict[str, Look | OtdError] = {}
    with Asking(shown.store, found, within=WITHIN) as asked:
        asked._fill(deque([shown.state()]))
        shown.pipeline.deliver_endpoint("codec1")
        shown.until(lambda: shown.state().question is None)
        asked._end(["codec1"])
    assert isinstance(found["codec1"], Look), found


def test_skipped_work_says_who_had_it_left_alone(shown: House) -> None:
    shown.executor.stop(within=10 * SECOND)
    shown.store.hint("deliver", "codec1")
    (claimed,) = shown.store.claim("t", limit=1, lease=WITHIN, kinds=("deliver",))
    shown.store.finish(claimed, Settled(after=WITHIN, error="x"))
    assert shown.store.skip("deliver", "codec1", why="rebuilt")
    assert "rebuilt" in error(shown).why
