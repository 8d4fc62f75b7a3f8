"""Endpoints that fetch their lists: every living relay of the pool holds them, and confirmed is what was fetched."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from otd.deliveries import condition
from otd.model import Endpoint
from otd.relay.face.app import Fetch
from otd.relay.lists import Lists
from tests.adapters.test_pipeline import ROOM, House, a_meeting

HDX = Endpoint(
    name="codec1", kind="polycom", address="", pool="hq", rooms=("room1",), model="hdx", mailbox=ROOM.mailbox
)
KEY = b"k" * 32


class Holding(House):
    """The house with relays that have a face's lists."""

    def __init__(self, folder: Path, *, endpoints: tuple[Endpoint, ...] = (HDX,)) -> None:
        super().__init__(folder, endpoints=endpoints)
        self.lists: dict[str, Lists] = {}

    def start_holder(self, name: str, *, pool: str = "hq") -> None:
        self.lists[name] = Lists(None, KEY)
        self.start_relay(name, pool=pool, lists=self.lists[name])

    def held(self, relay: str) -> list[str]:
        found = self.lists[relay].get("codec1")
        return [booking.title for booking in found.bookings] if found else []

    def fetch(self, relay: str) -> None:
        """As the face reports it when the endpoint was given what this relay holds."""
        held = self.lists[relay].get("codec1")
        assert held is not None
        self.relays[relay][0].fetched(
            Fetch(
                endpoint="codec1",
                revision=held.revision,
                digest=held.digest,
                at=datetime.now(UTC),
                operation="FindItem",
                user_agent="",
            )
        )


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Holding]:
    house = Holding(tmp_path)
    house.start_holder("relay1")
    house.start_holder("relay2")
    house.executor.start()
    yield house
    house.close()
    for lists in house.lists.values():
        lists.close()


def test_every_living_relay_holds_the_list_and_that_is_placed_and_not_yet_confirmed(house: Holding) -> None:
    house.book(a_meeting())
    house.until(lambda: house.held("relay1") == house.held("relay2") == ["Meeting m1"])
    house.until(lambda: condition(house.state()) == "placed")
    house.fetch("relay2")
    house.until(lambda: condition(house.state()) == "confirmed")
    assert house.state().fetched_from == "relay2"


def test_a_list_that_changed_after_it_was_fetched_is_only_placed_again(house: Holding) -> None:
    house.book(a_meeting())
    house.until(lambda: condition(house.state()) == "placed")
    house.fetch("relay1")
    house.until(lambda: condition(house.state()) == "confirmed")
    house.book(a_meeting("m2"))
    house.until(lambda: house.held("relay1") == house.held("relay2") == ["Meeting m2"])
    house.until(lambda: condition(house.state()) == "placed")


def test_a_relay_that_comes_later_is_filled_before_it_is_complete(house: Holding) -> None:
    house.book(a_meeting())
    house.until(lambda: condition(house.state()) == "placed")
    late = Lists(None, KEY)
    assert not late.is_complete(datetime.now(UTC))
    late.close()
    house.start_holder("relay3")
    house.until(lambda: house.held("relay3") == ["Meeting m1"])
    house.until(lambda: house.lists["relay3"].is_complete(datetime.now(UTC)))


def test_a_relay_that_is_gone_is_not_waited_for(house: Holding) -> None:
    house.book(a_meeting())
    house.until(lambda: condition(house.state()) == "placed")
    house.relays["relay2"][0].stop()
    house.relays.pop("relay2")
    house.book(a_meeting("m2"))
    house.until(lambda: house.held("relay1") == ["Meeting m2"])
    house.fetch("relay1")
    house.until(lambda: condition(house.state()) == "confirmed")


def test_a_removed_endpoint_is_dropped_by_every_relay(house: Holding) -> None:
    house.book(a_meeting())
    house.until(lambda: condition(house.state()) == "placed")
    house.store.adopt((ROOM,), (), {"office": 4, "hq": 4}, "another digest")
    house.executor.wake()
    house.until(lambda: house.held("relay1") == house.held("relay2") == [])
    house.until(lambda: house.store.endpoints() == ())


def test_an_endpoint_that_moves_to_another_pool_is_held_there_and_no_longer_here(house: Holding) -> None:
    house.book(a_meeting())
    house.until(lambda: condition(house.state()) == "placed")
    house.start_holder("branch1", pool="branch")
    house.store.adopt((ROOM,), (replace(HDX, pool="branch"),), {"office": 4, "hq": 4, "branch": 4}, "digest")
    house.executor.wake()
    house.until(lambda: house.held("branch1") == ["Meeting m1"])
    house.until(lambda: house.held("relay1") == house.held("relay2") == [])


def test_a_new_login_reaches_every_relay(house: Holding) -> None:
    house.book(a_meeting())
    house.until(lambda: condition(house.state()) == "placed")
    house.store.set_login("codec1", "sha256:salt:hex")
    house.executor.wake()

    def known(relay: str) -> str:
        held = house.lists[relay].get("codec1")
        return held.endpoint.password_hash if held else ""

    house.until(lambda: known("relay1") == known("relay2") == "sha256:salt:hex")


def test_a_relay_without_a_face_says_so_and_the_endpoint_needs_a_person(tmp_path: Path) -> None:
    house = Holding(tmp_path)
    house.start_relay("relay1")
    house.executor.start()
    house.book(a_meeting())
    house.until(lambda: condition(house.state()) == "unsupported")
    house.until(lambda: any(row.parked for row in house.store.work()))
    house.close()
