"""`otd relay status`, `logs` and `bundle`: how the relay on this machine is, and what to send when asking for help."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from otd.cli.options import examples, with_json, with_relay_config
from otd.cli.output import plain, print_fields, print_json, progress

if TYPE_CHECKING:
    from otd.settings.relay import SiteRelay

STALE = timedelta(seconds=20)  # a note that is older was left by a process that is gone
LEVELS = ("info", "warning", "error")


@click.command(epilog=examples("otd relay status", "otd relay status --json"))
@with_relay_config
@with_json
def status(config: str, as_json: bool) -> int:
    """Show how the relay on this machine is: its parts, its version, what it did, and its last error.

    The exit code is 1 when it does not run, or does not reach the broker.
    """
    from otd.settings.relay import load

    found = report(load(Path(config)))
    if as_json:
        print_json(found)
    else:
        print_fields({name: _in_words(value) for name, value in found.items() if value not in (None, "", {})})
    return int(found["state"] != "at work")


def report(settings: SiteRelay) -> dict[str, Any]:
    """What `otd relay run` noted last, and what of it still holds."""
    from otd import __version__
    from otd.cli.log_file import events

    note, runs = noted(settings)
    bad = [one for one in events(settings.state / "relay.log") if one.get("level") in ("warning", "error")][-1:]
    connected = runs and bool(note["broker"]["connected"])
    state = "at work" if connected and not note["resting"] else "rests" if connected else "away" if runs else "stopped"
    return {
        "relay": note["relay"],
        "pool": note["pool"],
        "state": state,
        "version": note["version"],
        "installed": __version__,
        "since": note["started_at"] if runs else None,
        "last_note": note["at"],
        "broker": f"{note['broker']['where']}, {'connected' if connected else 'not connected'}",
        "clock": f"{note['clock_offset']:g} s ahead of the centre's",
        "deliveries": note["orders"],
        "face": note.get("face"),
        "feedback": note.get("feedback"),
        "last_error": " ".join(str(one.get(key, "")) for one in bad for key in ("timestamp", "event", "why")).strip(),
    }


def noted(settings: SiteRelay) -> tuple[dict[str, Any], bool]:
    """What `otd relay run` noted last, and whether it still runs. Raises Missing."""
    from otd.errors import Missing

    try:
        note: dict[str, Any] = json.loads((settings.state / "status.json").read_text("utf-8"))
        age = datetime.now(UTC) - datetime.fromisoformat(note["at"])
    except (OSError, ValueError, KeyError, TypeError):
        raise Missing(str(settings.state), "no relay has run here yet", "otd relay pair, then otd relay run") from None
    return note, not note.get("stopped") and age < STALE


def _in_words(value: object) -> object:
    return ", ".join(f"{key} {said}" for key, said in value.items()) if isinstance(value, dict) else value


@click.command(epilog=examples("otd relay logs", "otd relay logs -n 20 --level warning", "otd relay logs --json"))
@click.option("-n", "number", type=click.IntRange(1, 100_000), default=100, show_default=True, help="How many lines.")
@click.option("--level", type=click.Choice(LEVELS), default="info", show_default=True, help="This, and what is worse.")
@with_relay_config
@with_json
def logs(number: int, level: str, config: str, as_json: bool) -> None:
    """Show the last lines that the relay on this machine logged. Nothing private is in them."""
    from otd.cli.log_file import events
    from otd.settings.relay import load

    settings = load(Path(config))
    wanted = LEVELS[LEVELS.index(level) :]
    found = [one for one in events(settings.state / "relay.log") if one.get("level", "info") in wanted][-number:]
    if as_json:
        print_json(found)
        return
    for one in found:
        more = " ".join(f"{key}={said}" for key, said in one.items() if key not in ("timestamp", "level", "event"))
        line = f"{str(one.get('timestamp', ''))[:19]} {one.get('level', ''):7} {one.get('event', '')} {more}"
        click.echo(plain(line).rstrip())
    if not found:
        click.echo("Nothing was logged.")


@click.command(epilog=examples("otd relay bundle", "otd relay bundle for-support.zip"))
@click.argument("file", required=False)
@with_relay_config
def bundle(file: str | None, config: str) -> int:
    """Write what helps others to help into a zip FILE: versions, settings, status, checks, logs.

    No passwords, keys, bookings or dial strings are in it: what is put in is chosen piece by piece, and nothing is
    copied as it is.
    """
    import zipfile

    from otd.cli.relay_bundle import contents
    from otd.errors import BadSetting
    from otd.settings.relay import load

    settings = load(Path(config))
    path = Path(file or f"otd-relay-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.zip")
    with progress("checking every way"):
        parts = contents(settings)
    try:
        with path.open("xb") as out, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, value in parts.items():
                archive.writestr(name, json.dumps(value, indent=2, default=str))
    except OSError as error:
        raise BadSetting(str(path), f"it cannot be written: {error.strerror}", "name another file") from None
    click.echo(f"wrote {path}: {', '.join(parts)}")
    return 0
