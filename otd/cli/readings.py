"""`otd readings`: what is stored of the rooms' calendars for replay, and one of it as a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from otd.cli.options import examples, settings_of, with_config, with_json
from otd.cli.output import named, print_json, print_table

if TYPE_CHECKING:
    from otd.cli.reading_files import Exported
    from otd.settings import Settings
    from otd.store.sql import SqlStore


@click.group(epilog=examples("otd readings list boardroom", "otd readings export boardroom --to boardroom.json"))
def readings() -> None:
    """List stored readings, and export one to look at elsewhere."""


@readings.command(
    "list", epilog=examples("otd readings list boardroom", 'otd readings list boardroom --since "2d ago"')
)
@click.argument("room")
@click.option("--since", metavar="TIME", default="7d ago", show_default=True, help="Those that held since then.")
@with_config
@with_json
def list_(room: str, since: str, config: str, as_json: bool) -> None:
    """List the stored readings of ROOM: one for each time that its meetings had changed."""
    from zoneinfo import ZoneInfo

    from otd.cli.reaching import opened_store
    from otd.cli.times import understood

    settings = settings_of(config)
    zone = ZoneInfo(named("room", room, settings.rooms).timezone)
    with opened_store(settings) as store:
        now = store.now()
        marks = store.readings(room, understood(since, "--since", now, zone), now)
    if as_json:
        print_json([{"id": m.id, "at": m.at.isoformat(timespec="milliseconds"), "meetings": m.meetings} for m in marks])
    elif marks:
        rows = [(m.id, f"{m.at.astimezone(zone):%Y-%m-%d %H:%M:%S %Z}", m.meetings) for m in marks]
        print_table(("reading", "since", "meetings"), rows)
    else:
        click.echo(f"No reading of {room} is kept of that time.")


@readings.command(
    epilog=examples(
        "otd readings export boardroom --to boardroom.json",
        "otd readings export boardroom/1795888806027 --redact --to case.json",
    )
)
@click.argument("reading", metavar="ROOM|READING")
@click.option("--to", "file", metavar="FILE", required=True, help="The file to write; only you may read it.")
@click.option("--redact", is_flag=True, help="Without subjects, people, and words that say nothing about joining.")
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@with_config
def export(reading: str, file: str, redact: bool, force: bool, config: str) -> int:
    """Write one stored reading, with what the endpoints were told by it, to a file for `otd replay --file`.

    READING is an id that `otd readings list` prints; of a ROOM it is the newest. Replayed elsewhere with the same
    settings the file gives the same as here. It holds meetings with their links and passcodes: with --redact their
    subjects, people and other words are left out, and nothing that decides what is dialled.
    """
    from pathlib import Path

    from otd.cli.reaching import opened_store
    from otd.cli.reading_files import dump, redacted, write
    from otd.errors import BadSetting
    from otd.refresh import in_force
    from otd.wiring import rulebook

    settings, target = settings_of(config), Path(file)
    if target.exists() and not force:
        raise BadSetting(file, "it is there already", "name another file, or say --force")
    with opened_store(settings) as store:
        exported = _exported(settings, store, reading)
        rules = in_force(store, rulebook(settings))
    whole = 0
    if redact:
        exported, whole = redacted(exported, rules)
    try:
        write(target, dump(exported))
    except OSError as error:
        raise BadSetting(file, f"cannot be written: {(error.strerror or 'no answer').lower()}") from None
    said = "without subjects and people" if redact else "with subjects, links and passcodes"
    click.echo(f"{file}: {len(exported.reading.meetings)} meetings, {said}")
    if whole:
        click.echo(f"{whole} of them kept their text: without it they would be read otherwise")
    return 0


def _exported(settings: Settings, store: SqlStore, reading: str) -> Exported:
    from otd.cli.reading_files import Exported
    from otd.errors import Missing
    from otd.replay import Replay

    name = reading.rpartition("/")[0] or reading
    room = named("room", name, settings.rooms)
    if "/" in reading:
        kept = store.reading(reading)
    else:
        last = store.last_reading(name)
        if last is None:
            raise Missing(f"room {name}", "no reading of it is kept", "is `otd run` running? see `otd status`")
        kept = last
    from otd.wiring import rulebook

    by = Replay(store=store, rooms=settings.rooms, endpoints=settings.endpoints, rules=rulebook(settings))
    shown_on = tuple(endpoint for endpoint in settings.endpoints.values() if name in endpoint.rooms)
    return Exported(room=room, reading=kept, endpoints=shown_on, told=by.told(name, kept.at), redacted=False)
