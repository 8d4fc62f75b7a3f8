"""`otd calendars`: listing, and what administrators type to let OTD in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.adapters.cli import SETTINGS, Otd, an_installation, otd
from tests.adapters.test_cli_rooms_lint import EXCHANGE

__all__ = ["otd"]


@pytest.fixture
def here(tmp_path: Path) -> Path:
    an_installation(tmp_path, SETTINGS + EXCHANGE)
    return tmp_path


def test_calendars_are_listed_with_where_they_are_read(otd: Otd, here: Path) -> None:
    found = {one["name"]: one for one in json.loads(otd("calendars", "list", "--json").out)}
    assert found["server"]["where"] == "https://mail.contoso.example/EWS/Exchange.asmx"
    assert (found["online"]["kind"], found["online"]["rooms"]) == ("graph", 2)
    assert otd("calendars", "list").out.splitlines()[0].split() == ["calendar", "kind", "where", "rooms", "label"]


def test_the_lines_are_for_the_names_of_this_installation(otd: Otd, here: Path) -> None:
    said = otd("calendars", "setup", "online")
    assert said.code == 0
    assert "New-ServicePrincipal -AppId 'an-app' -ObjectId $otd.Id" in said.out
    assert "-Member 'lobby@contoso.example'" in said.out
    assert "-Member 'cellar@contoso.example'" in said.out
    assert "atrium" not in said.out


def test_only_for_the_rooms_that_are_named(otd: Otd, here: Path) -> None:
    said = otd("calendars", "setup", "online", "lobby", "--json").out
    assert "cellar" not in said
    assert [step["title"] for step in json.loads(said)][-1] == "What the rooms do with invitations"


def test_on_exchange_server_the_account_of_the_settings_is_let_in(otd: Otd, here: Path) -> None:
    said = otd("calendars", "setup", "server", "--script").out
    assert "-Role ApplicationImpersonation -User 'CONTOSO\\svc-otd'" in said
    assert "New-ADUser -Name 'svc-otd'" in said
    assert "-Member 'o''atrium@contoso.example'" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("onlin",), "did you mean online?"),
        (("post",), "it is a folder of files"),
        (("online", "atrium"), "it is on calendar server"),
        (("online", "loby"), "did you mean lobby?"),
        (("online", "--script", "--json"), "--script or --json, not both"),
    ],
)
def test_mistakes_are_told(otd: Otd, here: Path, arguments: tuple[str, ...], said: str) -> None:
    answer = otd("calendars", "setup", *arguments)
    assert answer.code != 0
    assert said in answer.err


def test_a_calendar_without_rooms_says_so(otd: Otd, here: Path) -> None:
    settings = here / "otd.toml"
    settings.write_text(settings.read_text().partition("[rooms.atrium]")[0])
    assert "it has no rooms yet" in otd("calendars", "setup", "server").err
