"""`otd check`: mistakes first, then what was tried, the result, the consequence and what to do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from otd.calendars.memory import MemoryCalendar
from otd.cli.checks import LookedAtPins, check_calendar, check_endpoint
from otd.endpoints.memory import MemoryDriver
from otd.errors import BadSetting, Denied, Unreachable
from otd.lab.codec import Codec
from otd.model import Meeting, Room
from otd.ports import Calendar
from otd.relay.memory import Memory
from tests.adapters.cli import KEY, SETTINGS, Otd, an_installation, otd
from tests.values import HOUR, T0, FixedClock, a_booking, an_endpoint

__all__ = ["otd"]

ROOM = Room(name="board", calendar="office", mailbox="board@example.com")


# --- one thing at a time ------------------------------------------------------------------------------------------


@pytest.fixture
def office() -> MemoryCalendar:
    return MemoryCalendar("office", clock=FixedClock())


def line_of(calendar: MemoryCalendar, *rooms: Room) -> tuple[bool, str, str, str]:
    line = check_calendar("office", lambda: calendar, rooms or (ROOM,), FixedClock())
    return line.ok, line.result, line.consequence, line.mend


def test_a_calendar_that_answers_says_how_many_meetings_lie_ahead(office: MemoryCalendar) -> None:
    office.put(ROOM.mailbox)
    assert line_of(office)[:2] == (True, "no meetings")
    office.put(
        ROOM.mailbox,
        Meeting(id="1", uid="1", start=T0 + HOUR, end=T0 + 2 * HOUR),
        Meeting(id="2", uid="2", start=T0 + 48 * HOUR, end=T0 + 49 * HOUR),
    )
    assert line_of(office)[:2] == (True, "1 meeting")


def test_a_calendar_that_fails_says_what_it_means_and_what_to_do(office: MemoryCalendar) -> None:
    office.fail(Denied("office", "the password was refused", "renew the secret"))
    other = Room(name="den", calendar="office", mailbox="den@example.com")
    ok, result, consequence, mend = line_of(office, ROOM, other)
    assert (ok, result, mend) == (False, "denied, the password was refused", "renew the secret")
    assert consequence == "what 2 rooms of it show stays as it is"
    office.fail(Unreachable("office", "no answer within 30 s"))
    assert "address" in line_of(office)[3]


def test_a_calendar_that_cannot_be_built_is_a_line_too() -> None:
    def make() -> Calendar:
        raise BadSetting("secret graph", "it was not found", "add it")

    line = check_calendar("office", make, (ROOM,), FixedClock())
    assert (line.ok, line.mend) == (False, "add it")


def test_a_calendar_without_rooms_is_not_tried() -> None:
    def make() -> Calendar:
        raise AssertionError("it was tried")

    assert check_calendar("office", make, (), FixedClock()).ok


@pytest.fixture
def memory() -> Iterator[Memory]:
    found = Memory()
    yield found
    found.close()


def test_an_endpoint_that_answers_says_how_many_bookings_it_holds(memory: Memory) -> None:
    driver, endpoint = MemoryDriver(), an_endpoint()
    driver.put(endpoint, (a_booking(),), within=timedelta(seconds=1))
    line = check_endpoint(driver, endpoint, LookedAtPins(memory))
    assert (line.ok, line.result) == (True, "answers, holds 1 booking")
    assert driver.puts == {"codec1": 1}


def test_an_endpoint_that_fails_says_what_it_means_and_what_to_do(memory: Memory) -> None:
    driver, endpoint = MemoryDriver(), an_endpoint(address="192.0.2.1")
    driver.fail("codec1", Unreachable("codec1", "no answer"))
    line = check_endpoint(driver, endpoint, LookedAtPins(memory))
    assert (line.ok, line.result) == (False, "unreachable, no answer")
    assert line.consequence
    assert "firewall" in line.mend


def test_a_certificate_is_looked_at_and_not_pinned(memory: Memory) -> None:
    looked = LookedAtPins(memory)
    assert looked.pin("codec1", "sha256:aa") == "sha256:aa"
    assert (looked.shown, looked.new, memory.get("codec1")) == ("sha256:aa", True, "")
    memory.pin("codec1", "sha256:bb")
    again = LookedAtPins(memory)
    assert again.pin("codec1", "sha256:aa") == "sha256:bb"
    assert (again.new, again.get("codec1")) == (False, "sha256:bb")


# --- the command --------------------------------------------------------------------------------------------------


def test_all_well_is_told_a_line_each_with_exit_code_zero(otd: Otd, tmp_path: Path) -> None:
    an_installation(tmp_path)
    said = otd("check")
    assert (said.code, said.err) == (0, "")
    assert [line.split(":")[0].split() for line in said.out.splitlines()] == [
        ["ok", "settings", "otd.toml"],
        ["ok", "database", "otd.db"],
        ["ok", "secret", "database-key"],
        ["ok", "calendar", "post"],
        ["ok", "relay", "hq-1"],
        ["ok", "endpoint", "board-codec"],
    ]
    assert not (tmp_path / "otd.db").exists()


def test_every_mistake_is_reported_and_nothing_is_tried(otd: Otd, tmp_path: Path) -> None:
    an_installation(tmp_path, SETTINGS.replace("memory", "sisco").replace('"post"', '"pots"'))
    said = otd("check")
    assert said.code == 2
    lines = said.out.splitlines()
    assert [line.split(": ")[0] for line in lines[:2]] == [
        "FAIL settings otd.toml line 11, rooms.board.calendar",
        "FAIL settings otd.toml line 15, endpoints.board-codec.kind",
    ]
    assert "did you mean post?" in lines[0]
    assert lines[2].startswith("2 mistakes")
    assert len(lines) == 3
    found = json.loads(otd("check", "--json").out)
    assert (found["ok"], found["checks"]) == (False, [])
    assert [mistake["key"] for mistake in found["settings"]["mistakes"]] == [
        "rooms.board.calendar",
        "endpoints.board-codec.kind",
    ]


def test_a_warning_is_told_and_does_not_fail(otd: Otd, tmp_path: Path) -> None:
    an_installation(tmp_path, SETTINGS + '[rooms.den]\ncalendar = "post"\nmailbox = "board2"\n')
    said = otd("check")
    assert said.code == 0
    assert said.out.startswith("warn settings otd.toml line")
    assert "no endpoint shows this room" in said.out


def test_secrets_that_are_missing_or_open_to_others_are_reported(otd: Otd, tmp_path: Path) -> None:
    settings = SETTINGS.replace('kind = "memory"', 'kind = "cisco"\ncredential = "codec-admin"')
    an_installation(tmp_path, settings.replace("192.0.2.1", "127.0.0.1:9"))
    said = otd("check")
    assert said.code == 1
    (line,) = [
        line for line in said.out.splitlines() if "secret codec-admin" in line and line.startswith("FAIL secret")
    ]
    assert "OTD_SECRET_CODEC_ADMIN" in line
    assert "endpoint board-codec cannot work" in line
    (tmp_path / "secrets.toml").chmod(0o644)
    assert f"Chmod 600 {tmp_path / 'secrets.toml'}" in otd("check").out


def test_a_room_without_its_marker_fails_with_the_consequence(otd: Otd, tmp_path: Path) -> None:
    an_installation(tmp_path)
    (tmp_path / "rooms" / "board" / ".otd-calendar").unlink()
    said = otd("check", "--json")
    assert said.code == 1
    (failed,) = [check for check in json.loads(said.out)["checks"] if not check["ok"]]
    assert (failed["kind"], failed["name"]) == ("calendar", "post")
    assert failed["tried"]
    assert failed["consequence"]
    assert failed["mend"]


def test_endpoints_are_tried_over_the_network_and_one_failure_hides_no_other(otd: Otd, tmp_path: Path) -> None:
    with Codec(profile="roomos11", users={"admin": "right-password"}, speed=None) as codec:
        address = codec.url.removeprefix("https://")
        an_installation(
            tmp_path,
            SETTINGS.replace('kind = "memory"', 'kind = "cisco"\ncredential = "good"').replace("192.0.2.1", address)
            + '[endpoints.den-codec]\nkind = "cisco"\naddress = "127.0.0.1:9"\npool = "hq"\nrooms = ["board"]\n'
            'credential = "good"\n',
        )
        (tmp_path / "secrets.toml").write_text(f'database-key = "{KEY}"\ngood = "admin:right-password"\n')
        said = otd("check")
        assert said.code == 1
        board, den = said.out.splitlines()[-2:]
        assert board.startswith(
            f"ok   endpoint board-codec: read its bookings at {address}: answers, holds no bookings"
        )
        assert "its certificate will be pinned when it is first used: sha256:" in board
        assert den.startswith("FAIL endpoint den-codec: read its bookings at 127.0.0.1:9: unreachable")
        (tmp_path / "secrets.toml").write_text(f'database-key = "{KEY}"\ngood = "admin:wrong-canary"\n')
        said = otd("check")
        assert "FAIL endpoint board-codec" in said.out
        assert "denied" in said.out
        assert "canary" not in said.out + said.err


def test_a_changed_certificate_is_told_with_the_command_that_accepts_it(otd: Otd, tmp_path: Path) -> None:
    with Codec(profile="roomos11", users={"admin": "password"}, speed=None) as codec:
        address = codec.url.removeprefix("https://")
        settings = SETTINGS.replace('kind = "memory"', 'kind = "cisco"\ncredential = "good"').replace(
            "192.0.2.1", address
        )
        an_installation(tmp_path, settings)
        (tmp_path / "secrets.toml").write_text(f'database-key = "{KEY}"\ngood = "admin:password"\n')
        (tmp_path / "state").mkdir()
        memory = Memory(tmp_path / "state" / "hq-1.db")
        memory.pin("board-codec", "sha256:" + "0" * 64)
        memory.close()
        said = otd("check")
        assert said.code == 1
        assert "untrusted" in said.out
        assert "If it was replaced or reset, `otd endpoints pin board-codec`; if not, somebody may be" in said.out
        assert "trust =" not in said.out
        assert otd("endpoints", "pin", "board-codec", "--yes").code == 0
        assert otd("check").code == 0


def test_endpoints_of_relays_elsewhere_are_not_looked_at_from_here(otd: Otd, tmp_path: Path) -> None:
    bus = '[bus]\nbroker = "broker"\nrelays_address = "bus.example.com:443"\n'
    an_installation(tmp_path, SETTINGS.replace('[relays.hq-1]\npool = "hq"\n', bus))
    said = otd("check").out
    assert "its relays are elsewhere, `otd endpoints probe board-codec` has one of them try it" in said
    assert "[relays]" not in said
