"""`otd replay` and `otd readings` at a terminal: what they print, and the mistakes people make."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from otd import bookings
from otd.cli.options import settings_of
from otd.model import Complete, Meeting, Window
from otd.wiring import rulebook, store
from tests.adapters.cli import Otd, an_installation
from tests.adapters.cli import otd as otd  # a fixture
from tests.values import HOUR

RULES = '[[rules]]\nname = "ours"\ntemplate = "x{{ sip_user }}@{{ gateway }}"\ngateway = "gw.example.com"\n'
BODY = "Join by video: sip:weekly.471100@video.webex.com"


def a_stored_reading() -> None:
    """Of the room, with one meeting that comes, and the list that its endpoint was told by it."""
    settings = settings_of("otd.toml")
    database = store(settings)
    database.adopt(settings.rooms.values(), settings.endpoints.values(), {"post": 1, "hq": 1, "house": 1}, "x")
    now, room, endpoint = database.now(), settings.rooms["board"], settings.endpoints["board-codec"]
    meeting = Meeting(id="m1", uid="m1", start=now + HOUR, end=now + 2 * HOUR, subject="Layoffs", body=BODY)
    window, rules = Window(start=now - HOUR, end=now + 24 * HOUR), rulebook(settings)
    part = bookings.of_room(room, endpoint, [meeting], rules.plan, rules.site, rules.policy, window)
    wanted = bookings.union(endpoint.name, window, [part])
    database.put_desired(wanted, bookings.digest(wanted))
    database.keep_reading(Complete(room="board", window=window, taken_at=now, meetings=(meeting,)))
    database.close()


@pytest.fixture
def installed(otd: Otd, tmp_path: Path) -> Otd:
    an_installation(tmp_path)
    a_stored_reading()
    (tmp_path / "new.toml").write_text(RULES)
    return otd


def test_a_room_by_the_rules_in_force(installed: Otd) -> None:
    said = installed("replay", "board")
    assert (said.code, said.err) == (0, "")
    assert "1 would stay as they are" in said.out


def test_by_other_rules_each_booking_is_shown_with_both_and_without_its_passcode(installed: Otd) -> None:
    said = installed("replay", "--all", "--rules", "new.toml")
    assert said.code == 1
    assert "Layoffs" in said.out
    assert "(webex-stated)" in said.out
    assert "471100" not in said.out
    assert "471100" in installed("replay", "board", "--rules", "new.toml", "--passcodes").out


def test_machines_get_one_document(installed: Otd) -> None:
    found = json.loads(installed("replay", "board", "--rules", "new.toml", "--json").out)
    assert found["replayed"] == {"readings": 1, "meetings": 1}
    (reading,) = found["readings"]
    assert found["last"] == reading["id"]
    assert json.loads(installed("replay", "board", "--json").out)["readings"] == []


def test_a_reading_is_listed_exported_and_replayed_from_its_file(installed: Otd, tmp_path: Path) -> None:
    (listed,) = json.loads(installed("readings", "list", "board", "--json").out)
    assert installed("readings", "export", listed["id"], "--redact", "--to", "case.json").code == 0
    assert (tmp_path / "case.json").stat().st_mode & 0o077 == 0
    assert "Layoffs" not in (tmp_path / "case.json").read_text()
    here = installed("replay", "board", "--rules", "new.toml", "--json")
    there = installed("replay", "--file", "case.json", "--rules", "new.toml", "--json")
    assert json.loads(there.out)["counts"] == json.loads(here.out)["counts"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("replay",), "name a room"),
        (("replay", "board", "--all"), "one of --all"),
        (("replay", "bord"), "did you mean board?"),
        (("replay", "board", "--since", "teatime"), "write it like"),
        (("replay", "board", "--since", "now", "--until", "2h ago"), "behind the end"),
        (("replay", "board", "--rules", "none.toml"), "cannot be read"),
        (("replay", "--all", "--deliver", "--rules", "new.toml"), "into the settings"),
        (("replay", "--all", "--why", "so"), "--deliver"),
        (("replay", "--all", "--after", "board"), "--after is the id of a reading"),
        (("replay", "--file", "none.json"), "cannot be read"),
        (("replay", "--file", "otd.toml"), "otd readings export"),
        (("readings", "list", "bord"), "did you mean board?"),
        (("readings", "export", "board/1", "--to", "x.json"), "not kept"),
        (("readings", "export", "bord", "--to", "x.json"), "did you mean board?"),
        (("readings", "export", "board", "--to", "otd.toml"), "there already"),
        (("readings", "export", "board", "--to", "no/such/folder/x.json"), "cannot be written"),
    ],
)
def test_mistakes_are_said_with_the_mend(installed: Otd, arguments: tuple[str, ...], said: str) -> None:
    found = installed(*arguments)
    assert found.code not in (0, 1) or "not kept" in found.err
    assert said in found.err
    assert "Traceback" not in found.err


def test_a_span_of_which_nothing_is_kept(installed: Otd) -> None:
    said = installed("replay", "board", "--until", "2020-01-01 00:00")
    assert said.code == 0
    assert "no reading of board is kept" in said.err
