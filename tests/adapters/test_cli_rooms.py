"""`otd rooms` and `otd endpoints`: listing, showing, and importing with a plan."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from otd.settings import load
from tests.adapters.cli import SETTINGS, Otd, an_installation, otd

__all__ = ["otd"]

TABLE = """\
room;calendar;label;endpoint;kind;address;pool
den;post;Den;;memory;192.0.2.10;hq
hall;post;Hall;hall-wall;memory;192.0.2.11;hq
annex;post;;hall-wall;;;
"""


@pytest.fixture
def here(tmp_path: Path) -> Path:
    an_installation(tmp_path)
    (tmp_path / "rooms.csv").write_text(TABLE)
    return tmp_path


# --- listing ------------------------------------------------------------------------------------------------------


def test_rooms_are_listed_with_the_endpoints_that_show_them(otd: Otd, here: Path) -> None:
    lines = otd("rooms", "list").out.splitlines()
    assert lines[0].split() == ["room", "label", "calendar", "mailbox", "timezone", "endpoints"]
    assert lines[1].split() == ["board", "Board", "room", "post", "board", "UTC", "board-codec"]
    assert json.loads(otd("rooms", "list", "--json").out) == [
        {
            "name": "board",
            "label": "Board room",
            "calendar": "post",
            "kind": "files",
            "mailbox": "board",
            "timezone": "UTC",
            "endpoints": ["board-codec"],
        }
    ]


def test_endpoints_are_listed_with_address_and_rooms(otd: Otd, here: Path) -> None:
    assert otd("endpoints", "list").out.splitlines()[1].split() == ["board-codec", "memory", "192.0.2.1", "hq", "board"]
    (found,) = json.loads(otd("endpoints", "list", "--json").out)
    assert (found["relays"], found["rooms"], found["trust"]) == (["hq-1"], ["board"], "pin")


def test_one_thing_is_shown_a_line_for_each_field(otd: Otd, here: Path) -> None:
    assert "label      Board room" in otd("rooms", "show", "board").out
    assert "pool        hq" in otd("endpoints", "show", "board-codec").out
    assert otd("endpoints", "show", "bord-codec").code == 2


def test_a_label_cannot_move_the_cursor(otd: Otd, here: Path) -> None:
    (here / "otd.toml").write_text(SETTINGS.replace("Board room", "a\u202eb\u2066c"))
    for command in (["rooms", "list"], ["rooms", "show", "board"]):
        out = otd(*command).out
        assert "abc" in out
        assert not any(ch in out for ch in "\u202e\u2066")


# --- importing ----------------------------------------------------------------------------------------------------


def test_the_plan_comes_first_and_nothing_is_written_without_a_yes(otd: Otd, here: Path) -> None:
    said = otd("rooms", "import", "rooms.csv")
    assert said.code == 1
    assert [line.split()[:3] for line in said.out.splitlines()[1:6]] == [
        ["added", "room", "annex"],
        ["added", "room", "den"],
        ["added", "room", "hall"],
        ["added", "endpoint", "den-codec"],
        ["added", "endpoint", "hall-wall"],
    ]
    assert "--yes" in said.err
    assert not (here / "otd.d").exists()
    assert not (here / "rooms" / "den").exists()


def test_an_import_adds_rooms_endpoints_and_marked_folders_and_leaves_otd_toml(otd: Otd, here: Path) -> None:
    said = otd("rooms", "import", "rooms.csv", "--yes")
    assert (said.code, said.err) == (0, "")
    assert (here / "otd.toml").read_text() == SETTINGS
    settings = load(here / "otd.toml", {})
    assert list(settings.rooms) == ["board", "annex", "den", "hall"]
    assert settings.endpoints["hall-wall"].rooms == ("hall", "annex")
    for room in ("den", "hall", "annex"):
        assert (here / "rooms" / room / ".otd-calendar").is_file()
    assert [file.name for file in (here / "otd.d").iterdir()] == ["imported.toml"]


def test_the_same_import_again_changes_nothing(otd: Otd, here: Path) -> None:
    otd("rooms", "import", "rooms.csv", "--yes")
    before = (here / "otd.d" / "imported.toml").read_bytes()
    said = otd("rooms", "import", "rooms.csv")
    assert (said.code, said.err) == (0, "")
    assert said.out.splitlines() == ["5 unchanged", "nothing to change"]
    assert (here / "otd.d" / "imported.toml").read_bytes() == before


def test_a_folder_that_lost_its_marker_gets_it_back(otd: Otd, here: Path) -> None:
    otd("rooms", "import", "rooms.csv", "--yes")
    (here / "rooms" / "den" / ".otd-calendar").unlink()
    said = otd("rooms", "import", "rooms.csv", "--yes")
    assert (said.code, (here / "rooms" / "den" / ".otd-calendar").is_file()) == (0, True)


def test_a_change_is_shown_with_before_and_after(otd: Otd, here: Path) -> None:
    otd("rooms", "import", "rooms.csv", "--yes")
    (here / "rooms.csv").write_text(TABLE.replace("192.0.2.10", "192.0.2.99").replace("annex;post;;hall-wall;;;\n", ""))
    said = json.loads(otd("rooms", "import", "rooms.csv", "--json").out)
    assert said["written"] is False
    changes = {change["name"]: change for change in said["changes"]}
    assert changes["den-codec"]["differences"] == {"address": {"before": "192.0.2.10", "after": "192.0.2.99"}}
    assert changes["hall-wall"]["differences"] == {"rooms": {"before": "hall annex", "after": "hall"}}
    assert changes["annex"]["what"] == "kept"
    assert otd("rooms", "import", "rooms.csv", "--prune", "--yes").code == 0
    assert list(load(here / "otd.toml", {}).rooms) == ["board", "den", "hall"]


def test_every_mistake_is_told_at_once_at_its_line_of_the_table(otd: Otd, here: Path) -> None:
    (here / "rooms.csv").write_text(
        "room,calendar,timezone,endpoint,kind,address,pool,trust\n"
        "den,psot,UTC,,memory,192.0.2.10,hq,\n"
        "Big Hall,post,Europe/Berlim,,,,,\n"
        "annex,post,UTC,annex-codec,cisco,https://x,qh,none\n"
        ",post,UTC,,,,,\n"
    )
    said = otd("rooms", "import", "rooms.csv", "--yes")
    assert said.code == 2
    assert [line.partition(": ")[2].partition(": ")[0] for line in said.err.splitlines()] == [
        "rooms.csv line 2, calendar",
        "rooms.csv line 3",
        "rooms.csv line 3, timezone",
        "rooms.csv line 4",
        "rooms.csv line 4, address",
        "rooms.csv line 4, pool",
        "rooms.csv line 4, trust",
        "rooms.csv line 5, room",
    ]
    assert "call it big-hall" in said.err
    assert not (here / "otd.d").exists()


def test_what_is_written_by_hand_is_not_imported_over(otd: Otd, here: Path) -> None:
    (here / "rooms.csv").write_text("room,calendar,label\nboard,post,Board room\n")
    assert otd("rooms", "import", "rooms.csv", "--yes").code == 0
    assert not (here / "otd.d").exists()
    (here / "rooms.csv").write_text("room,calendar,label\nboard,post,Other\n")
    said = otd("rooms", "import", "rooms.csv", "--yes")
    assert said.code == 2
    assert "rooms.csv line 2, room: room board stands in otd.toml, and differs there" in said.err


@pytest.mark.parametrize("name", ["none.csv", "rooms"])
def test_a_table_that_cannot_be_read_is_told(otd: Otd, here: Path, name: str) -> None:
    said = otd("rooms", "import", name)
    assert said.code == 2
    assert name in said.err


def test_an_imported_file_that_was_broken_by_hand_is_told(otd: Otd, here: Path) -> None:
    (here / "otd.d").mkdir()
    (here / "otd.d" / "imported.toml").write_text("[rooms.x\n")
    said = otd("rooms", "import", "rooms.csv", "--yes")
    assert said.code == 2
    assert "imported.toml" in said.err
    assert (here / "otd.d" / "imported.toml").read_text() == "[rooms.x\n"


# --- on a terminal ------------------------------------------------------------------------------------------------


def on_a_terminal(folder: Path, *arguments: str, answer: bytes = b"") -> tuple[int, str]:
    """The command with a pseudo-terminal for all three streams."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    environment.pop("NO_COLOR", None)
    process = subprocess.Popen(
        [sys.executable, "-m", "otd", *arguments],
        cwd=folder,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment,
    )
    os.close(theirs)
    os.write(ours, answer)
    out = b""
    try:
        while piece := os.read(ours, 65536):
            out += piece
    except OSError:  # how Linux says that the other side has closed
        pass
    os.close(ours)
    return process.wait(timeout=20), out.decode()


def test_on_a_terminal_tables_are_drawn(here: Path) -> None:
    code, out = on_a_terminal(here, "rooms", "list")
    assert code == 0
    assert "Board room" in out
    assert "─" in out


@pytest.mark.parametrize(("answer", "code", "written"), [(b"y\n", 0, True), (b"n\n", 1, False)])
def test_on_a_terminal_an_import_asks(here: Path, answer: bytes, code: int, written: bool) -> None:
    said = on_a_terminal(here, "rooms", "import", "rooms.csv", answer=answer)
    assert "Write this?" in said[1]
    assert said[0] == code
    assert (here / "otd.d" / "imported.toml").exists() == written
