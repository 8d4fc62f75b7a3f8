"""`otd rooms discover`: the rooms that Exchange knows and the settings do not."""

from __future__ import annotations

import json

import pytest

from otd.lab import faults
from tests.adapters.cli import Otd, otd
from tests.adapters.exchange import Exchange, exchange

__all__ = ["exchange", "otd"]


@pytest.mark.parametrize("calendar", ["online", "server"])
def test_new_rooms_come_as_a_table_that_can_be_imported(otd: Otd, exchange: Exchange, calendar: str) -> None:
    exchange.ews.mailboxes.add("aula.magna@contoso.example", name="Aula magna, 1st floor")
    exchange.ews.mailboxes.add("=cmd|calc!a1@contoso.example", name="=1+1\t\n" + 300 * "x")
    said = otd("rooms", "discover", calendar, "--timezone", "Europe/Rome")
    assert said.code == 0, said
    assert "4 rooms found, 2 of them new" in said.err
    (exchange.folder / "rooms.csv").write_text(said.out)
    imported = otd("rooms", "import", "rooms.csv", "--yes")
    assert imported.code == 0, imported
    rooms = {room["name"]: room for room in json.loads(otd("rooms", "list", "--json").out)}
    assert rooms["aula-magna"] | {"endpoints": []} == {
        "name": "aula-magna",
        "label": "Aula magna, 1st floor",
        "calendar": calendar,
        "kind": "graph" if calendar == "online" else "ews",
        "mailbox": "aula.magna@contoso.example",
        "timezone": "Europe/Rome",
        "endpoints": [],
    }
    assert otd("rooms", "discover", calendar).err.endswith("4 rooms found, 0 of them new\n")


def test_rooms_whose_names_would_be_the_same_get_a_number(otd: Otd, exchange: Exchange) -> None:
    for address in ("room.1@contoso.example", "room-1@contoso.example", "größe@contoso.example", "室@contoso.example"):
        exchange.ews.mailboxes.add(address)
    names = [one["room"] for one in json.loads(otd("rooms", "discover", "online", "--json").out)]
    assert names == ["groe", "room-1", "room-1-2", "room"]


def test_very_many_rooms_come_page_by_page(otd: Otd, exchange: Exchange) -> None:
    for n in range(250):
        exchange.ews.mailboxes.add(f"room{n}@contoso.example")
    assert "252 rooms found, 250 of them new" in otd("rooms", "discover", "online", "--json").err
    assert exchange.graph.requests.count(operation="places") == 3


def test_without_the_permission_it_says_which(otd: Otd, exchange: Exchange) -> None:
    exchange.graph.reads_places = False
    said = otd("rooms", "discover", "online")
    assert (said.code, said.out) == (1, "")
    assert "Place.Read.All" in said.err


def test_a_server_without_room_lists_says_how_to_make_one(otd: Otd, exchange: Exchange) -> None:
    for address in ("atrium@contoso.example", "lobby@contoso.example"):
        exchange.ews.mailboxes._mailboxes.pop(address)
    said = otd("rooms", "discover", "server")
    assert said.code == 1
    assert "New-DistributionGroup -Name Rooms -RoomList" in said.err


@pytest.mark.parametrize("fault", [faults.html(), faults.halved(), faults.status(503)])
def test_an_answer_that_is_none_is_no_empty_list(otd: Otd, exchange: Exchange, fault: faults.Fault) -> None:
    exchange.graph.faults.put(fault)
    exchange.ews.faults.put(fault)
    for calendar in ("online", "server"):
        said = otd("rooms", "discover", calendar)
        assert (said.code, said.out) == (1, ""), said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("onlin",), "did you mean online?"),
        (("post",), "it is a folder of files"),
        (("online", "--timezone", "Mars/Base"), "there is no time zone 'Mars/Base'"),
    ],
)
def test_mistakes_are_told(otd: Otd, exchange: Exchange, arguments: tuple[str, ...], said: str) -> None:
    answer = otd("rooms", "discover", *arguments)
    assert answer.code != 0
    assert said in answer.err
