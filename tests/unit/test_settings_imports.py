"""Rooms and endpoints from a table: what is read, what is refused with its line, and what an import would change."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otd.quoting import csv_cell
from otd.settings.imports import Imported, Tables, as_toml, planned, read_table

NOTHING: Tables = {"rooms": {}, "endpoints": {}}


def table(text: str | bytes, **defaults: str) -> Imported:
    return read_table("rooms.csv", text if isinstance(text, bytes) else text.encode(), defaults)


def whats(text: str, before: Tables, *, prune: bool = False) -> dict[str, str]:
    return {change.name: change.what for change in planned(table(text), before, prune=prune)[1]}


BOARD = {"calendar": "office", "mailbox": "board@example.com", "label": "Board room, 2nd floor"}


@pytest.mark.parametrize(
    "content",
    [
        b'room,calendar,mailbox,label\nboard,office,board@example.com,"Board room, 2nd floor"\n',
        b"room;calendar;mailbox;label\r\nboard;office;board@example.com;Board room, 2nd floor\r\n",
        b'\xef\xbb\xbfRoom;Calendar;Mailbox;Label\nboard;office;board@example.com;"Board room, 2nd floor"',
        b"sep=;\r\nroom;calendar;mailbox;label\r\nboard;office;board@example.com;Board room, 2nd floor\r\n",
        "room\tcalendar\tmailbox\tlabel\nboard\toffice\tboard@example.com\tBoard room, 2nd floor\n".encode("utf-16"),
        b"\n# rooms\nlabel|room|mailbox|calendar\n# 2nd\nBoard room, 2nd floor|board|board@example.com|office\n\n",
        b'room,calendar,mailbox,label,\nboard , office, board@example.com ,"Board room, 2nd floor",,\n,,,,\n',
        b'"name","calendar","mailbox","label"\n"board","office","board@example.com","Board room, 2nd floor"\n',
    ],
    ids=["comma", "semicolon", "bom", "sep", "utf-16 tabs", "bar", "spaces and empty cells", "quoted"],
)
def test_a_table_is_read_however_it_was_saved(content: bytes) -> None:
    found = table(content)
    assert found.mistakes == []
    assert found.tables == {"rooms": {"board": BOARD}, "endpoints": {}}


def test_a_table_in_windows_1252_keeps_its_letters() -> None:
    assert table("room,label\nb,Größe".encode("cp1252")).tables["rooms"]["b"]["label"] == "Größe"


def test_a_row_may_hold_a_room_and_its_endpoint() -> None:
    found = table("room,calendar,address,endpoint,endpoint_label\na,office,192.0.2.1,,\nb,office,192.0.2.2,b-unit,Unit")
    assert found.tables["endpoints"] == {
        "a-codec": {"address": "192.0.2.1", "rooms": ["a"]},
        "b-unit": {"address": "192.0.2.2", "label": "Unit", "rooms": ["b"]},
    }


def test_a_row_may_hold_an_endpoint_of_any_kind() -> None:
    found = table(
        "room,calendar,endpoint,kind,address,device,model,tls,mode\n"
        "a,office,,webex,,Y2lzY28,,,observe\n"
        "b,office,,polycom,,,hdx,,\n"
        "c,office,c-unit,polycom,,,gs,,\n"
        "d,office,,cisco,192.0.2.1,,,legacy,\n"
    )
    assert found.mistakes == []
    assert found.tables["endpoints"] == {
        "a-codec": {"kind": "webex", "device": "Y2lzY28", "mode": "observe", "rooms": ["a"]},
        "b-codec": {"kind": "polycom", "model": "hdx", "rooms": ["b"]},
        "c-unit": {"kind": "polycom", "model": "gs", "rooms": ["c"]},
        "d-codec": {"kind": "cisco", "address": "192.0.2.1", "tls": "legacy", "rooms": ["d"]},
    }


def test_an_endpoint_in_several_rows_shows_all_their_rooms() -> None:
    found = table("room,calendar,endpoint,address\na,office,wall,192.0.2.1\nb,office,wall,\nb,office,wall,192.0.2.1")
    assert found.mistakes == []
    assert found.tables["endpoints"]["wall"] == {"address": "192.0.2.1", "rooms": ["a", "b"]}


def test_a_table_may_hold_endpoints_only() -> None:
    found = table("name,address,rooms,label\nwall,192.0.2.1,a b,Wall")
    assert found.tables == {
        "rooms": {},
        "endpoints": {"wall": {"address": "192.0.2.1", "rooms": ["a", "b"], "label": "Wall"}},
    }


def test_empty_cells_take_the_defaults() -> None:
    found = table("room,calendar,address,pool\na,,192.0.2.1,\nb,post,192.0.2.2,far", calendar="office", pool="hq")
    assert found.tables["rooms"] == {"a": {"calendar": "office"}, "b": {"calendar": "post"}}
    assert [found.tables["endpoints"][name]["pool"] for name in ("a-codec", "b-codec")] == ["hq", "far"]


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("room,mailbx\na,b", 1, "no column 'mailbx'"),
        ("room,label,label\na,b,c", 1, "two columns"),
        ("", 1, "must name the columns"),
        ("board,office\nden,office", 1, "no column 'board'"),
        ("room,label\na,b,c,d", 2, "4 cells under 2 columns"),
        ("room,label\na,x\n\n,lonely", 4, "neither a room nor an endpoint"),
        ('room,label\na,"two\nlines"\n,x', 4, "neither a room nor an endpoint"),
        ("room,label\na,x\na,y", 3, "another label in line 2"),
        ("room,endpoint,address\na,c,192.0.2.1\nb,c,192.0.2.2", 3, "another address in line 2"),
    ],
)
def test_a_mistake_in_a_table_has_its_line(text: str, line: int, why: str) -> None:
    found = table(text).mistakes
    assert any(mistake.where == f"rooms.csv line {line}" and why in mistake.why for mistake in found), found
    assert all(mistake.mend for mistake in found)


def test_all_mistakes_of_a_table_come_at_once() -> None:
    assert len(table("room,mailbx,label\n,x,\na,b,c,d\ne,,1\ne,,2").mistakes) == 4


# --- the plan -----------------------------------------------------------------------------------------------------


def test_importing_the_same_table_again_changes_nothing() -> None:
    text = "room,calendar,label,address\nb,office,B,192.0.2.2\na,office,A,192.0.2.1"
    once, changes = planned(table(text), NOTHING, prune=False)
    assert {change.what for change in changes} == {"added"}
    twice, changes = planned(table(text), tomllib.loads(as_toml(once)), prune=False)
    assert {change.what for change in changes} == {"unchanged"}
    assert as_toml(twice) == as_toml(once)


def test_the_plan_says_what_changes_and_from_what() -> None:
    before: Tables = {"rooms": {"a": {"calendar": "office", "label": "A"}}, "endpoints": {}}
    _, (change,) = planned(table("room,calendar,label\na,post,A"), before, prune=False)
    assert (change.what, change.differences) == ("changed", (("calendar", "office", "post"),))


def test_a_column_that_is_missing_leaves_what_was_imported_and_an_empty_cell_takes_it_away() -> None:
    before: Tables = {"rooms": {"a": {"calendar": "office", "label": "A"}}, "endpoints": {}}
    kept, _ = planned(table("room,calendar\na,post"), before, prune=False)
    assert kept["rooms"]["a"] == {"calendar": "post", "label": "A"}
    taken, _ = planned(table("room,calendar,label\na,post,"), before, prune=False)
    assert taken["rooms"]["a"] == {"calendar": "post"}


def test_what_is_not_in_the_table_is_kept_unless_it_is_to_be_pruned() -> None:
    before: Tables = {"rooms": {"a": {"calendar": "office"}, "old": {"calendar": "office"}}, "endpoints": {}}
    text = "room,calendar\na,office"
    assert whats(text, before) == {"a": "unchanged", "old": "kept"}
    assert whats(text, before, prune=True) == {"a": "unchanged", "old": "removed"}
    assert "old" not in planned(table(text), before, prune=True)[0]["rooms"]


@given(st.binary(max_size=300))
def test_no_bytes_break_the_reader(content: bytes) -> None:
    found = table(content)
    assert found.mistakes or found.tables["rooms"] or found.tables["endpoints"] or b"room" in content


LABELS = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=20).map(str.strip)


@given(st.dictionaries(st.from_regex(r"[a-z0-9][a-z0-9-]{0,9}", fullmatch=True), LABELS, min_size=1, max_size=5))
def test_labels_survive_the_way_from_the_table_to_the_settings(rooms: dict[str, str]) -> None:
    text = "room,calendar,label\n" + "".join(f"{name},office,{csv_cell(label)}\n" for name, label in rooms.items())
    after, _ = planned(table(text), NOTHING, prune=False)
    written = tomllib.loads(as_toml(after))["rooms"]
    assert {name: room.get("label", "") for name, room in written.items()} == rooms
