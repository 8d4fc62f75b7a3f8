"""`otd init`: settings to start from, which work against `otd lab` as they are."""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path

import click

from otd.cli.options import examples
from otd.errors import BadSetting
from otd.quoting import shell, toml_string

ROOM = "boardroom"


@click.command(epilog=examples("otd init", "otd init /etc/otd"))
@click.argument("folder", default=".", type=click.Path(file_okay=False))
def init(folder: str) -> None:
    """Write settings to start from into FOLDER (here, unless named).

    That is: otd.toml with every setting and what it means, secrets.toml (mode 0600) with a new key for the database,
    the folder rooms/boardroom of a first room, and invitation.ics to try it with. They work against `otd lab` as they
    are. Nothing is ever overwritten.
    """
    target = Path(folder)
    texts = starter(datetime.now(UTC))
    there = [name for name in (*texts, "rooms") if (target / name).exists()]
    if there:
        raise BadSetting(
            str(target),
            f"{' and '.join(there)} {'is' if len(there) == 1 else 'are'} there already, and nothing is overwritten",
            "name another folder: otd init FOLDER",
        )
    try:
        write(target, texts)
    except OSError as error:
        raise BadSetting(str(target), f"it cannot be written to: {error.strerror}", "name another folder") from None
    _say_what_next(target, texts)


def starter(now: datetime) -> Mapping[str, str]:
    """The files by name. The invitation is for the next full hour but one, so that it lies ahead."""
    from otd.lab.defaults import CODEC_PASSWORD, CODEC_USER, CODECS, HOST

    start = now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=2)
    codecs = "".join(filled("endpoint.toml", NAME=name, ADDRESS=f"{HOST}:{port}") for name, _, port in CODECS)
    key = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
    return {
        "otd.toml": filled("otd.toml", CODECS=codecs),
        "secrets.toml": filled(
            "secrets.toml", KEY=toml_string(key), CODEC=toml_string(f"{CODEC_USER}:{CODEC_PASSWORD}")
        ),
        "invitation.ics": filled(
            "invitation.ics",
            UID=secrets.token_hex(16) + "@example.com",
            NOW=f"{now:%Y%m%dT%H%M%SZ}",
            START=f"{start:%Y%m%dT%H%M%SZ}",
            END=f"{start + timedelta(hours=1):%Y%m%dT%H%M%SZ}",
        ).replace("\n", "\r\n"),
    }


def filled(name: str, **values: str) -> str:
    """A file of `starter/` with these values in the place of @NAME@."""
    text = resources.files("otd.cli").joinpath("starter", name).read_text("utf-8")
    for key, value in values.items():
        text = text.replace(f"@{key}@", value)
    return text


def write(folder: Path, texts: Mapping[str, str]) -> None:
    """Write the files, and the folder of the first room with its marker. Raises FileExistsError, never overwrites."""
    from otd.calendars.files import write_marker

    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        mode = 0o600 if name == "secrets.toml" else 0o644
        with os.fdopen(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(text.encode("utf-8"))
    (folder / "rooms" / ROOM).mkdir(parents=True)
    write_marker(folder / "rooms" / ROOM)


def _say_what_next(folder: Path, texts: Mapping[str, str]) -> None:
    there = "" if folder == Path(".") else f"{folder}/"
    config = f" --config {shell(there + 'otd.toml')}" if there else ""
    for name, what in {
        "otd.toml": "the settings, each with what it means",
        "secrets.toml": "the secrets, for your eyes only; keep a copy of its database-key in a safe place",
        "invitation.ics": "an invitation to try it with",
        f"rooms/{ROOM}/": "the first room: invitations that are put there are its calendar",
    }.items():
        click.echo(f"wrote {there}{name}: {what}")
    click.echo(
        f"""
Next, to see it work on simulated endpoints, each in a terminal of its own:
  otd lab
  otd run{config}
and then:
  cp {shell(there + "invitation.ics")} {shell(there + f"rooms/{ROOM}/")}
  otd status{config}

For your own rooms: change otd.toml and secrets.toml, then
  otd check{config}"""
    )
