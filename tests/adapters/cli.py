"""Running `otd` commands in this process, and settings for them to work on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from otd import cli

SETTINGS = """\
[calendars.post]
kind = "files"
folder = "rooms"

[pools.hq]

[relays.hq-1]
pool = "hq"

[rooms.board]
calendar = "post"
label = "Board room"

[endpoints.board-codec]
kind = "memory"
address = "192.0.2.1"
pool = "hq"
rooms = ["board"]
"""
KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="


class Said(NamedTuple):
    """What a command said, and its exit code."""

    code: int
    out: str
    err: str


Otd = Callable[..., Said]


@pytest.fixture
def otd(capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Otd:
    """Runs a command in an empty folder, with nothing of OTD's in the environment."""
    for name in ("OTD_CONFIG", "OTD_DATABASE", "OTD_STATE", "OTD_LOG", "OTD_SECRETS_FILE", "OTD_SECRETS_FOLDER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: Any) -> Said:
        capfd.readouterr()
        code = cli.call([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        return Said(code, out, err)

    return run


def an_installation(folder: Path, settings: str = SETTINGS) -> None:
    """otd.toml, secrets and the room's folder, as a person would have them."""
    (folder / "otd.toml").write_text(settings)
    secrets = folder / "secrets.toml"
    secrets.write_text(f'database-key = "{KEY}"\n')
    secrets.chmod(0o600)
    room = folder / "rooms" / "board"
    room.mkdir(parents=True)
    (room / ".otd-calendar").touch()
