"""`otd rules try` and `otd rules domains` over the readings that are kept."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from otd.model import Complete, Meeting, Room, Window
from otd.store.sql import SqlStore
from tests.adapters.cli import KEY, SETTINGS, Otd, an_installation
from tests.adapters.cli import otd as otd  # a fixture

BOARD_RULE = '[[rules]]\nname = "to-our-bridge"\nplatform = "zoom"\ntemplate = "{{ meeting_id }}@bridge.example.com"\n'
SITE = '\n[rooms.attic]\ncalendar = "post"\n[dialplan]\nown_domains = ["example.com"]\n'


@pytest.fixture
def kept(otd: Otd, tmp_path: Path) -> SqlStore:
    """Two rooms of which a reading is kept, one of them with an endpoint, and a meeting whose text was not kept."""
    an_installation(tmp_path, SETTINGS + SITE)
    store = SqlStore(f"sqlite:///{tmp_path / 'otd.db'}", base64.urlsafe_b64decode(KEY))
    rooms = [Room(name=name, calendar="post", mailbox=name) for name in ("board", "attic")]
    store.adopt(rooms, [], {"post": 4}, "d")
    now = store.now()
    window = Window(start=now, end=now + timedelta(days=7))
    zoom = Meeting(
        id="m1",
        uid="u1",
        subject="Review",
        start=now + timedelta(hours=1),
        end=now + timedelta(hours=2),
        body="https://zoom.us/j/91122334455\nMeeting ID: 911 2233 4455\nPasscode: 987654\n",
    )
    private = replace(zoom, id="m2", uid="u2", sensitivity="private")
    stranger = replace(zoom, id="m3", uid="u3", subject="Call", body="sip:77001@video.stranger.example")
    store.keep_reading(Complete(room="board", window=window, taken_at=now, meetings=(zoom, private)))
    store.keep_reading(Complete(room="attic", window=window, taken_at=now, meetings=(stranger,)))
    return store


def test_other_rules_are_tried_on_the_kept_readings(otd: Otd, kept: SqlStore, tmp_path: Path) -> None:
    (tmp_path / "new.toml").write_text(BOARD_RULE)

    found = json.loads(otd("rules", "try", "--rules", "new.toml", "--json").out)

    assert found["counts"] == {"gain": 0, "lose": 0, "change": 1, "same": 1}
    assert (found["rooms"], found["unknown"]) == (2, 1)
    (one,) = found["meetings"]
    assert (one["room"], one["endpoint"], one["subject"]) == ("board", "board-codec", "Review")
    assert one["before"]["rule"] == "zoom"
    assert one["after"] == {
        "rule": "to-our-bridge",
        "dial": {"protocol": "sip", "uri": "91122334455@bridge.example.com", "allowed": True},
        "reason": "",
    }


def test_passcodes_are_shown_only_when_asked_for(otd: Otd, kept: SqlStore, tmp_path: Path) -> None:
    (tmp_path / "new.toml").write_text(BOARD_RULE)

    hidden, shown = (
        otd("rules", "try", "--rules", "new.toml"),
        otd("rules", "try", "--rules", "new.toml", "--passcodes"),
    )

    assert "987654" not in hidden.out
    assert "91122334455.987654@zoomcrc.com" in shown.out
    assert "From the last kept reading of 2 rooms; of 1 more the text was not kept" in hidden.out
    assert (hidden.code, shown.code) == (0, 0)


def test_one_room_can_be_tried_alone_and_rules_for_an_endpoint_count(otd: Otd, kept: SqlStore, tmp_path: Path) -> None:
    (tmp_path / "new.toml").write_text(BOARD_RULE + 'endpoints = "another-codec"\n')
    assert json.loads(otd("rules", "try", "--rules", "new.toml", "--json").out)["meetings"] == []

    (tmp_path / "new.toml").write_text(BOARD_RULE + 'endpoints = "board-codec"\n')
    assert len(json.loads(otd("rules", "try", "--rules", "new.toml", "--json").out)["meetings"]) == 1
    attic = json.loads(otd("rules", "try", "--rules", "new.toml", "--room", "attic", "--json").out)
    assert (attic["rooms"], attic["meetings"]) == (1, [])


def test_the_domains_that_kept_readings_need_are_listed(otd: Otd, kept: SqlStore) -> None:
    said = otd("rules", "domains")

    assert 'allowed_domains = ["video.stranger.example"]' in said.out
    found = json.loads(otd("rules", "domains", "--json").out)
    assert found == [{"domain": "video.stranger.example", "meetings": 1, "by": {"stated-sip": 1}}]


def test_without_settings_or_a_database_it_is_said_what_to_do(otd: Otd, tmp_path: Path) -> None:
    (tmp_path / "new.toml").write_text(BOARD_RULE)
    said = otd("rules", "try", "--rules", "new.toml")
    assert said.code == 2
    assert "name files or folders, or the settings file" in said.err

    an_installation(tmp_path, SETTINGS)
    said = otd("rules", "domains")
    assert said.code == 1
    assert "there is no database yet" in said.err
