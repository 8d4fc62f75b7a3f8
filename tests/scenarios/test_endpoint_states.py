"""What happens to endpoints ends in a state that says so, with a mend where a person is needed; and in a confirmed list
when it is over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from otd.deliveries import condition
from otd.findings import notes
from otd.lab.codec import Codec, User
from otd.lab.defaults import CODEC_PASSWORD, CODEC_USER
from otd.lab.house import House, until
from otd.model import WorkState
from tests.scenarios.test_endpoint_faults import QUICK, bookings

SOON = timedelta(seconds=120)
TIMING = replace(
    QUICK,
    answer=timedelta(seconds=20),
    act=timedelta(seconds=20),
    verify=timedelta(seconds=1),
    learn=timedelta(milliseconds=300),
    reassert=timedelta(seconds=60),
)
RIGHT = f"{CODEC_USER}:{CODEC_PASSWORD}"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A house with one endpoint, whose list is confirmed and whose facts are known."""
    house = House(
        tmp_path,
        paced=False,
        timing=TIMING,
        relays={"relay-a": "hq", "relay-b": "hq", "branch-1": "branch"},
        at_once=8,
        threads=4,
    )
    house.add("board", "roomos11")
    with house:
        house.want("board", bookings(1, 2, 3))
        becomes(house, "confirmed")
        assert until(lambda: house.state("board").facts is not None, SOON)
        yield house


def becomes(house: House, state: str, name: str = "board") -> None:
    reached = until(lambda: condition(house.state(name)) == state, SOON)
    assert reached, f"{name} is {condition(house.state(name))}, not {state}"


def comes(reached: Callable[[], bool], what: str) -> None:
    assert until(reached, SOON), f"{what} did not come"


def work(house: House, name: str = "board") -> WorkState:
    return next(row for row in house.store.work() if row.name == name)


# --- lost, drifted, overwritten -----------------------------------------------------------------------------------


def test_a_reboot_that_loses_the_list_is_told_from_a_drift_by_the_uptime(house: House) -> None:
    codec = house.codecs["board"]
    codec.faults.slow = timedelta(milliseconds=500)  # what was found stands until the list is there again
    codec.reboot(takes=timedelta(seconds=1))
    comes(lambda: house.state("board").found == "rebooted", "the reboot")
    comes(lambda: house.is_right("board"), "the list")
    becomes(house, "confirmed")
    codec.drop_list()
    comes(lambda: house.state("board").found == "drifted", "the drift")
    becomes(house, "confirmed")
    assert house.is_right("board")


def test_another_system_that_keeps_writing_is_not_fought(house: House) -> None:
    codec = house.codecs["board"]
    codec.faults.foreign_after = timedelta(0)  # after each put
    codec.overwrite()
    becomes(house, "overwritten")
    comes(lambda: work(house).code == "overwritten", "the word with its mend")
    puts = len(codec.puts)
    assert puts <= 4
    assert "observe" in work(house).mend
    house.want("board", bookings(1))  # not even for a newer list
    assert not until(lambda: len(codec.puts) > puts, timedelta(seconds=1.5))
    codec.faults.clear()
    house.retry("board")
    becomes(house, "confirmed")
    assert house.is_right("board")


# --- hidden, and not possible here --------------------------------------------------------------------------------


@pytest.mark.parametrize("setting", ["Title", "NonJoinableMeetings", "TentativeMeetings"])
def test_what_the_endpoints_own_settings_hide_is_a_state_with_a_mend_and_no_retry(house: House, setting: str) -> None:
    codec = house.codecs["board"]
    codec.state.settings[f"UserInterface Bookings Visibility {setting}"] = "Hidden"
    codec.reboot()  # settings are asked for again after a restart
    becomes(house, "hidden")
    (note,) = notes(house.state("board"))
    assert setting in note.mend
    puts = len(codec.puts)
    until(lambda: len(codec.puts) > puts, timedelta(seconds=1.5))  # one may have been under way
    puts = len(codec.puts)
    assert not until(lambda: len(codec.puts) > puts, timedelta(seconds=1.5))
    codec.state.settings[f"UserInterface Bookings Visibility {setting}"] = "Auto"
    codec.reboot()
    becomes(house, "confirmed")


def test_a_teams_room_is_a_state_with_a_mend_and_no_list_is_tried_on_it(house: House) -> None:
    codec = house.codecs["board"]
    codec.state.teams = True
    house.want("board", bookings(1))
    becomes(house, "unsupported")
    comes(lambda: work(house).parked, "the parking")
    assert "Teams Room" in work(house).error
    assert "RoomOS" in work(house).mend
    codec.forget_log()
    house.want("board", bookings(1, 2))
    assert not until(lambda: bool(codec.log), timedelta(seconds=1.5))
    codec.state.teams = False
    house.retry("board")
    becomes(house, "confirmed")
    assert house.is_right("board")


def test_a_user_that_may_not_write_is_a_state_with_a_mend(house: House) -> None:
    codec = house.codecs["board"]
    codec.state.users[CODEC_USER] = User(password=CODEC_PASSWORD, roles=frozenset({"User"}))
    house.want("board", bookings(1))
    becomes(house, "denied")
    comes(lambda: work(house).parked, "the parking")
    assert "role Admin" in work(house).mend
    codec.state.users[CODEC_USER] = User(password=CODEC_PASSWORD)
    house.retry("board")
    becomes(house, "confirmed")
    assert house.is_right("board")


# --- certificates and passwords -----------------------------------------------------------------------------------


def test_an_endpoint_with_another_certificate_gets_nothing_until_a_person_accepts_it(house: House) -> None:
    codec = house.codecs["board"]
    old = codec.fingerprint
    codec.change_certificate()
    codec.forget_log()
    house.want("board", bookings(1))
    becomes(house, "untrusted")
    comes(lambda: work(house).parked, "the parking")
    assert codec.log == ()
    assert old in work(house).error
    assert codec.fingerprint in work(house).error
    house.pin("board")
    becomes(house, "confirmed")
    assert house.is_right("board")


@pytest.fixture
def apart(tmp_path: Path) -> Iterator[House]:
    """A house of two relays with one endpoint, which only the first of them has met."""
    house = House(tmp_path, paced=False, timing=TIMING, at_once=8, threads=4)
    house.add("board", "roomos11")
    with house:
        house.cut_relay("relay-b")
        house.want("board", bookings(1, 2, 3))
        becomes(house, "confirmed")
        assert house.memories["relay-b"].endpoints() == ()
        yield house


def only(house: House, relay: str, instead_of: str) -> None:
    """This relay does the work of the pool from now on."""
    house.start_relay(relay)
    house.cut_relay(instead_of)


def test_a_relay_that_never_met_an_endpoint_does_not_serve_another_certificate_either(apart: House) -> None:
    house, codec = apart, apart.codecs["board"]
    old = codec.fingerprint
    codec.change_certificate()
    codec.forget_log()
    for relay, other in (("relay-b", "relay-a"), ("relay-a", "relay-b")):
        only(house, relay, instead_of=other)
        house.retry("board")
        comes(lambda relay=relay: refused_by(house) == relay, f"the refusal of {relay}")  # type: ignore[misc]
        assert codec.log == ()
        receipt = house.state("board").receipt
        assert receipt is not None
        assert (receipt.pin, receipt.shown) == (old, codec.fingerprint)
        assert {old, codec.fingerprint} <= set(receipt.detail.replace("(", " ").replace(")", " ").split())
    house.pin("board")
    becomes(house, "confirmed")
    only(house, "relay-b", instead_of="relay-a")
    house.want("board", bookings(1))
    comes(lambda: house.is_right("board") and house.state("board").confirmed_by == "relay-b", "the list from the other")
    assert house.state("board").endpoint.pin == codec.fingerprint


def refused_by(house: House) -> str:
    receipt = house.state("board").receipt
    return receipt.relay if receipt is not None and receipt.outcome == "untrusted" else ""


def test_another_address_is_met_for_the_first_time_by_every_relay(apart: House) -> None:
    house = apart
    with Codec(profile="roomos11", name="new", users={CODEC_USER: CODEC_PASSWORD}, speed=None) as new:
        house.endpoints["board"] = replace(house.endpoints["board"], address=new.address)
        house.adopt()
        comes(lambda: house.state("board").endpoint.pin == new.fingerprint, "the new certificate")
        only(house, "relay-b", instead_of="relay-a")
        comes(lambda: house.state("board").confirmed_by == "relay-b", "a look by the other relay")
        assert house.state("board").endpoint.pin == new.fingerprint


def test_a_wrong_password_stops_after_the_second_try_and_says_so(house: House) -> None:
    codec = house.codecs["board"]
    house.secrets["codec-next"] = f"{CODEC_USER}:neither is this"
    codec.change_password(CODEC_USER, "changed")
    codec.forget_log()
    house.want("board", bookings(1))
    becomes(house, "denied")
    comes(lambda: work(house).parked, "the parking")
    for number in (2, 3):
        house.want("board", bookings(1, number))
    assert not until(lambda: len(codec.log) > 2, timedelta(seconds=1.5))
    assert [entry.status for entry in codec.log] == [401, 401]
    assert "not tried again" in work(house).mend
    house.secrets["codec-next"] = f"{CODEC_USER}:changed"
    house.adopt()  # what a restart with another secret does
    becomes(house, "confirmed")
    assert house.is_right("board")


def test_a_fleets_password_is_rotated_endpoint_by_endpoint_without_a_failure(house: House) -> None:
    house.add("second", "ce9.15")
    house.adopt()
    house.want("second", bookings(1))
    becomes(house, "confirmed", "second")
    house.secrets["codec-next"] = f"{CODEC_USER}:the new one"
    house.codecs["board"].change_password(CODEC_USER, "the new one")
    for name in house.codecs:
        house.want(name, bookings(1, 2))
    for name in house.codecs:
        comes(lambda name=name: house.is_right(name), f"the list of {name}")  # type: ignore[misc]
        becomes(house, "confirmed", name)
    assert house.state("board").failures == house.state("second").failures == 0


def test_after_three_endpoints_refused_a_credential_no_other_is_asked_with_it(house: House) -> None:
    house.secrets["wrong"] = f"{CODEC_USER}:wrong"
    names = [f"wrong-{number}" for number in range(6)]
    for name in names[:3]:
        house.add(name, "roomos11", settings={"credential": "wrong"})
    house.adopt()
    for name in names[:3]:
        house.want(name, bookings(1))
        becomes(house, "denied", name)
    for name in names[3:]:
        house.add(name, "roomos11", settings={"credential": "wrong"})
    house.adopt(changed=False)
    for name in names[3:]:
        house.want(name, bookings(1))
    for name in names[3:]:
        becomes(house, "refused elsewhere", name)
        comes(lambda name=name: work(house, name).code == "credential", "the reason")  # type: ignore[misc]
        assert house.codecs[name].log == ()
        assert "wrong" in work(house, name).error
    assert house.state("board").refusals == 0
    house.secrets["wrong"] = RIGHT
    house.adopt()
    for name in names:
        becomes(house, "confirmed", name)


# --- switched off, moved, removed ---------------------------------------------------------------------------------


def test_an_endpoint_that_is_switched_off_gets_the_newest_list_when_it_is_back(house: House) -> None:
    codec = house.codecs["board"]
    codec.stop()
    house.want("board", bookings(1))
    becomes(house, "failing")
    house.want("board", bookings(2, 4))
    codec.start()
    becomes(house, "confirmed")
    assert house.is_right("board")


def test_an_endpoint_that_moves_to_another_pool_is_let_go_of_before_the_other_pool_writes(house: House) -> None:
    house.endpoints["board"] = replace(house.endpoints["board"], pool="branch")
    house.adopt()
    house.want("board", bookings(2))
    comes(lambda: house.state("board").leaving is None and house.is_right("board"), "the move")
    becomes(house, "confirmed")
    receipt = house.state("board").receipt
    assert receipt is not None
    assert receipt.relay == "branch-1"
    assert house.codecs["board"].ids == tuple(b.id for b in bookings(2))


def test_an_endpoint_that_is_removed_is_cleared_and_forgotten(house: House) -> None:
    del house.endpoints["board"]
    house.adopt()
    comes(lambda: house.store.endpoints() == (), "the end of its row")
    assert house.codecs["board"].bookings == ()


def test_an_endpoint_that_is_removed_keeps_what_another_system_put_there(house: House) -> None:
    house.store.cut_over("hq", "observe")
    house.codecs["board"].overwrite()
    del house.endpoints["board"]
    house.adopt()
    comes(lambda: house.store.endpoints() == (), "the end of its row")
    assert house.codecs["board"].ids == ("elsewhere-1",)


def test_a_relay_that_dies_is_replaced_by_the_other(house: House) -> None:
    house.cut_relay("relay-a")
    for number in (1, 2, 4):
        house.want("board", bookings(number))
    comes(lambda: house.is_right("board"), "the list")
    becomes(house, "confirmed")


def test_a_pool_is_observed_cut_over_and_given_back(house: House) -> None:
    codec = house.codecs["board"]
    house.cut_over("hq", "observe")
    becomes(house, "observed")
    codec.overwrite()
    puts = len(codec.puts)
    house.want("board", bookings(1))
    assert not until(lambda: len(codec.puts) > puts, timedelta(seconds=1.5))
    assert codec.ids == ("elsewhere-1",)
    house.cut_over("hq", "deliver")
    becomes(house, "confirmed")
    assert house.is_right("board")
