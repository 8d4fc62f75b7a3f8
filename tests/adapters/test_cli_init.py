"""`otd init`: what it writes works as it is, names every setting, and never overwrites anything."""

from __future__ import annotations

import re
import stat
import tomllib
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from otd.cli.init import starter
from otd.lab.defaults import CODEC_PASSWORD, CODEC_USER, CODECS
from otd.settings import load, read, tables
from otd.wiring import calendar, database_key
from tests.adapters.cli import Otd, otd
from tests.values import T0, FixedClock

__all__ = ["otd"]


def test_what_is_written_is_right_and_complete(otd: Otd, tmp_path: Path) -> None:
    said = otd("init", "here")
    assert (said.code, said.err) == (0, "")
    settings = load(tmp_path / "here" / "otd.toml", {})
    assert settings.warnings == ()
    assert len(database_key(settings)) == 32
    assert settings.secrets({}).get("codec-admin") == f"{CODEC_USER}:{CODEC_PASSWORD}"
    assert {endpoint.address for endpoint in settings.endpoints.values()} == {
        f"127.0.0.1:{port}" for _, _, port in CODECS
    }
    for name in settings.secret_names():
        assert settings.secrets({}).has(name)


def test_the_secrets_are_for_their_owner_only_and_the_key_is_new_each_time(otd: Otd, tmp_path: Path) -> None:
    otd("init", "a")
    otd("init", "b")
    files = [tmp_path / name / "secrets.toml" for name in "ab"]
    assert [stat.S_IMODE(file.stat().st_mode) for file in files] == [0o600, 0o600]
    keys = [tomllib.loads(file.read_text())["database-key"] for file in files]
    assert keys[0] != keys[1]
    assert not any(key in otd("init", "a").err for key in keys)


def test_the_first_room_can_be_read_and_the_invitation_shows_in_it(otd: Otd, tmp_path: Path) -> None:
    from otd.model import Complete, Empty, Window

    otd("init", "here")
    settings = load(tmp_path / "here" / "otd.toml", {})
    room = settings.rooms["boardroom"]
    now = datetime.now(UTC)
    window = Window(start=now, end=now + timedelta(days=1))
    post = calendar(settings, "post", FixedClock(now))
    assert isinstance(post.read(room, window, within=timedelta(seconds=5)), Empty)
    (tmp_path / "here" / "invitation.ics").rename(tmp_path / "here" / "rooms" / "boardroom" / "invitation.ics")
    late = calendar(settings, "post", FixedClock(now + timedelta(seconds=5)))
    reading = late.read(room, window, within=timedelta(seconds=5))
    assert isinstance(reading, Complete)
    assert [meeting.subject for meeting in reading.meetings] == ["Weekly review"]
    for one in (post, late):
        one.close()


@pytest.mark.parametrize("there", ["otd.toml", "secrets.toml", "rooms", "invitation.ics"])
def test_nothing_is_ever_overwritten(otd: Otd, tmp_path: Path, there: str) -> None:
    (tmp_path / there).write_text("mine")
    said = otd("init")
    assert said.code == 2
    assert there in said.err
    assert "otd init FOLDER" in said.err
    assert [path.name for path in tmp_path.iterdir()] == [there]
    assert (tmp_path / there).read_text() == "mine"


def test_it_says_what_to_do_next(otd: Otd) -> None:
    said = otd("init", "it's here")
    for line in ("otd lab", "otd run --config 'it'\"'\"'s here/otd.toml'", "otd check"):
        assert line in said.out


def test_a_folder_that_cannot_be_made_is_told(otd: Otd, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert otd("init", "file/below").code == 2


# --- every setting stands in the starter file ---------------------------------------------------------------------

SECTIONS: dict[str, tuple[type, ...]] = {
    "run": (tables.RunTable,),
    "bus": (tables.BusTable,),
    "secrets": (tables.SecretsTable,),
    "calendars.post": (tables.FilesTable,),
    "calendars.online": (tables.GraphTable,),
    "calendars.server": (tables.EwsTable,),
    "pools.hq": (tables.PoolTable,),
    "relays.hq-1": (tables.RelayTable,),
    "rooms.boardroom": (tables.RoomTable,),
    f"endpoints.{CODECS[0][0]}": (tables.EndpointTable,),
    "dialplan": (tables.DialplanTable,),
    "site": (tables.SiteTable,),
    "policy": (tables.PolicyTable,),
}


_OF_OAUTH = ("tenant", "client_id", "secret", "certificate", "pfx", "passphrase", "secret_expires", "authority")


def uncommented() -> str:
    """The starter file with every setting that it only mentions switched on."""
    return re.sub(r"^#(?=[\[a-z])", "", starter(T0)["otd.toml"], flags=re.MULTILINE)


def test_every_setting_stands_in_the_starter_file() -> None:
    written = tomllib.loads(uncommented())
    for section, (table,) in SECTIONS.items():
        found: Any = written
        for part in section.split("."):
            found = found[part]
        missing = {field.name for field in fields(table)} - set(found)
        assert not missing, f"[{section}] does not mention {missing}"
    assert set(written) == set(tables.SECTIONS)


def test_what_the_starter_file_mentions_is_right(tmp_path: Path) -> None:
    (tmp_path / "otd.toml").write_text(uncommented())
    for name in ("graph.pfx", "corp-ca.pem", "serve.pfx", "serve.key"):
        (tmp_path / name).touch()
    found = [mistake.key for mistake in read(tmp_path / "otd.toml", {}).mistakes]
    assert found == [
        "alerts.webhook_secret",  # two ways, of which one is needed
        "calendars.online.certificate",
        "calendars.online.passphrase",  # three ways, of which one is needed
        *(f"calendars.server.{key}" for key in _OF_OAUTH),  # it signs in with "ntlm"
        "relays.hq-1",
        "relays.hq-2",  # with [bus] they are processes of their own
    ]


def test_the_values_that_are_mentioned_are_the_ones_that_hold_anyway(tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    (tmp_path / "shown").mkdir()
    text = starter(T0)["otd.toml"]
    (tmp_path / "plain" / "otd.toml").write_text(text)
    shown = text
    for section in ("run", "policy", "pools.hq", "calendars.post", f"endpoints.{CODECS[0][0]}"):
        head, begin, rest = shown.partition(f"\n[{section}]\n")
        body, end, tail = rest.partition("\n\n")
        shown = head + begin + re.sub(r"^#(?=[a-z])", "", body, flags=re.MULTILINE) + end + tail
    assert shown != text
    (tmp_path / "shown" / "otd.toml").write_text(shown)
    plain, switched = (load(tmp_path / name / "otd.toml", {}) for name in ("plain", "shown"))
    assert plain.policy == switched.policy
    assert plain.endpoints == switched.endpoints
    assert plain.pools == switched.pools
    assert (plain.run.refresh, plain.run.verify, plain.run.reassert) == (
        switched.run.refresh,
        switched.run.verify,
        switched.run.reassert,
    )
    assert (plain.run.threads, plain.run.log) == (switched.run.threads, switched.run.log)
    assert plain.calendars["post"].at_once == switched.calendars["post"].at_once
