"""`otd rooms lint`, as an administrator types it."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from otd import settings as otd_settings
from otd import wiring
from otd.model import Complete, Meeting, Person, Window
from tests.adapters.cli import SETTINGS, Otd, an_installation, otd

__all__ = ["otd"]

EXCHANGE = """
[calendars.server]
kind = "ews"
url = "https://mail.contoso.example/EWS/Exchange.asmx"
username = "CONTOSO\\\\svc-otd"
password = "exchange"

[calendars.online]
kind = "graph"
tenant = "contoso.example"
client_id = "an-app"
secret = "graph"

[rooms.atrium]
calendar = "server"
mailbox = "o'atrium@contoso.example"

[rooms.lobby]
calendar = "online"
mailbox = "lobby@contoso.example"

[rooms.cellar]
calendar = "online"
mailbox = "cellar@contoso.example"
"""


@pytest.fixture
def here(tmp_path: Path) -> Path:
    an_installation(tmp_path, SETTINGS + EXCHANGE)
    return tmp_path


def lay(here: Path, **bodies: str) -> None:
    """Keep a reading of each of these rooms: three invitations with this text."""
    settings = otd_settings.load(here / "otd.toml", {})
    store = wiring.store(settings)
    store.adopt(settings.rooms.values(), (), dict.fromkeys(settings.calendars, 4), "settings")
    now = store.now()
    for room, body in bodies.items():
        meetings = tuple(
            Meeting(
                id=f"{room}{n}",
                uid=f"{room}{n}",
                start=now + timedelta(hours=2 * n + 1),
                end=now + timedelta(hours=2 * n + 2),
                subject="Salaries",
                organizer=Person(name="Ann Example", address="ann@contoso.example"),
                body=body,
            )
            for n in range(3)
        )
        window = Window(start=now, end=now + timedelta(days=7))
        store.keep_reading(Complete(room=room, window=window, taken_at=now, meetings=meetings))
    store.close()


def test_a_room_that_is_set_wrongly_comes_with_evidence_effect_and_the_line(otd: Otd, here: Path) -> None:
    lay(here, atrium="", lobby="Join: 1@t.plcm.vc")
    said = otd("rooms", "lint")
    assert said.code == 1
    assert said.out.splitlines()[:4] == [
        "atrium: DeleteComments probably wrong",
        "  seen            3 of 3 invitations without text; last invitation: not seen yet",
        "  on the screen   no Join button: the text that says how to join is deleted when the room accepts",
        "  mend            Set-CalendarProcessing -Identity 'o''atrium@contoso.example' -DeleteComments $false",
    ]
    assert "3 rooms on Exchange: 1 probably set wrongly, 0 healed." in said.out
    assert "1 have had no invitation in the readings that are kept: cellar." in said.out
    assert "Salaries" not in said.out


def test_the_script_has_a_line_for_each_room_in_the_shell_of_its_exchange(otd: Otd, here: Path) -> None:
    lay(here, atrium="", lobby="")
    said = otd("rooms", "lint", "--script")
    assert said.code == 1
    lines = said.out.splitlines()
    commands = [line for line in lines if line and not line.startswith("#")]
    assert commands == [
        "Set-CalendarProcessing -Identity 'o''atrium@contoso.example' -DeleteComments $false",
        "Set-CalendarProcessing -Identity 'lobby@contoso.example' -DeleteComments $false",
    ]
    headings = [line for line in lines if line.startswith("# ---")]
    assert headings == [
        "# --- calendar server: in the Exchange Management Shell ---",
        "# --- calendar online: in Exchange Online PowerShell (Connect-ExchangeOnline) ---",
    ]


def test_when_all_is_well_the_script_sets_nothing(otd: Otd, here: Path) -> None:
    lay(here, atrium="Join: 1@t.plcm.vc")
    said = otd("rooms", "lint", "--script")
    assert said.code == 0
    assert all(line.startswith("#") or not line for line in said.out.splitlines())


def test_as_json_it_says_the_same(otd: Otd, here: Path) -> None:
    lay(here, atrium="")
    found = {one["room"]: one for one in json.loads(otd("rooms", "lint", "--json").out)}
    assert set(found) == {"atrium", "lobby", "cellar"}
    (finding,) = found["atrium"]["findings"]
    assert (finding["settings"], finding["state"], finding["sure"]) == (["DeleteComments"], "wrong", "probable")
    assert found["lobby"]["invitations"] == 0


def test_only_the_rooms_that_are_named_are_shown(otd: Otd, here: Path) -> None:
    lay(here, atrium="", lobby="")
    assert [one["room"] for one in json.loads(otd("rooms", "lint", "lobby", "--json").out)] == ["lobby"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("atrum",), "did you mean atrium?"),
        (("board",), "its calendar is a folder of files"),
        (("--script", "--json"), "--script or --json, not both"),
    ],
)
def test_mistakes_are_told(otd: Otd, here: Path, arguments: tuple[str, ...], said: str) -> None:
    lay(here)
    answer = otd("rooms", "lint", *arguments)
    assert answer.code != 0
    assert said in answer.err
    assert "Traceback" not in answer.err


def test_without_a_database_it_says_what_to_do(otd: Otd, here: Path) -> None:
    said = otd("rooms", "lint")
    assert said.code == 1
    assert "start `otd run` once" in said.err
