"""`otd readings`: what is stored of the rooms' calendars for replay, and one of it as a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from otd.cli.options import examples, settings_of, with_config, with_json, with_why
from otd.cli.output import named, print_json, print_table

if TYPE_CHECKING:
    from otd.cli.reading_files import Exported
    from otd.settings import Settings
    from otd.store.sql import SqlStore


@click.group(
    epilog=examples(
        "otd readings list boardroom",
        "otd readings export boardroom --redact --to boardroom.json",
        "otd readings import boardroom.json",
    )
)
def readings() -> None:
    """List stored readings, and move one to another installation, to be replayed there."""


@readings.command(
    "list", epilog=examples("otd readings list boardroom", 'otd readings list boardroom --since "2d ago"')
)
@click.argument("room", required=False)
@click.option(
    "--since", metavar="TIME", default="7d ago", show_default=True, help="Those of ROOM that held since then."
)
@with_config
@with_json
def list_(room: str | None, since: str, config: str, as_json: bool) -> None:
    """List the stored readings of ROOM: one for each time that its meetings had changed; and those that were imported.

    Without ROOM: whatever was imported.
    """
    from zoneinfo import ZoneInfo

    from otd.cli.reaching import opened_store
    from otd.cli.times import understood
    from otd.model import ReadingMark

    settings = settings_of(config)
    with opened_store(settings) as store:
        imported = [mark for mark in store.imported.all() if room in (None, mark.room)]
        zone, own = ZoneInfo("UTC"), tuple[ReadingMark, ...]()
        if room is not None and (room in settings.rooms or not imported):
            zone = ZoneInfo(named("room", room, settings.rooms).timezone)
            now = store.now()
            own = store.readings(room, understood(since, "--since", now, zone), now)
    found = [(mark, mark in imported) for mark in (*own, *imported)]
    if as_json:
        print_json(
            [
                {"id": m.id, "at": m.at.isoformat(timespec="milliseconds"), "meetings": m.meetings, "imported": other}
                for m, other in found
            ]
        )
    elif found:
        rows = [
            (m.id, f"{m.at.astimezone(zone):%Y-%m-%d %H:%M:%S %Z}", m.meetings, "imported" if other else "")
            for m, other in found
        ]
        print_table(("reading", "since", "meetings", ""), rows)
    else:
        click.echo(f"No reading of {room} is kept of that time." if room else "No reading was imported.")


@readings.command(
    epilog=examples(
        "otd readings export boardroom --to boardroom.json",
        "otd readings export boardroom/1795888806027 --redact --to case.json",
    )
)
@click.argument("reading", metavar="ROOM|READING")
@click.option("--to", "file", metavar="FILE", required=True, help="The file to write; only you may read it.")
@click.option(
    "--redact", is_flag=True, help="Without subjects, people, places, and lines that cannot be about joining."
)
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@with_config
def export(reading: str, file: str, redact: bool, force: bool, config: str) -> int:
    """Write one stored reading, with what the endpoints were told by it, to a file that others import.

    There `otd readings import` takes it, or `otd replay --file` replays it as it is; with the same settings that gives
    the same as here. READING is an id that `otd readings list` prints; of a ROOM it is the newest. The file holds
    meetings with their links and passcodes: with --redact their subjects, people and places are left out, and every
    line without a number, an address or a word of video meetings; nothing that decides what is dialled is.
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
    from otd.cli.reading_imports import Imports
    from otd.errors import Missing
    from otd.replay import Replay
    from otd.wiring import rulebook

    by = Replay(store=store, rooms=settings.rooms, endpoints=settings.endpoints, rules=rulebook(settings))
    name = reading.rpartition("/")[0] or reading
    if "/" in reading and by.mark(reading) is None:
        return Imports(store, rulebook(settings)).exported(reading)
    room = named("room", name, settings.rooms)
    kept = store.reading(reading) if "/" in reading else store.last_reading(name)
    if kept is None:
        raise Missing(f"room {name}", "no reading of it is kept", "is `otd run` running? see `otd status`")
    shown_on = tuple(endpoint for endpoint in settings.endpoints.values() if name in endpoint.rooms)
    return Exported(room=room, reading=kept, endpoints=shown_on, told=by.told(name, kept.at), redacted=False)


@readings.command("import", epilog=examples("otd readings import boardroom.json", "otd replay boardroom"))
@click.argument("file", metavar="FILE")
@with_why
@with_config
def import_(file: str, why: str, config: str) -> int:
    """Take a reading that `otd readings export` wrote elsewhere into this installation's database, to be replayed.

    It is kept apart from this installation's own readings, sealed like them and for as long (keep under [readings]);
    neither screens nor `otd explain` ever see it. Imported again it changes nothing. `otd replay` gives with it what it
    gives where it comes from, as long as the rules are the same.
    """
    from otd.cli.reaching import opened_store
    from otd.cli.reading_files import dump, load
    from otd.cli.reading_imports import mark_of

    settings, exported = settings_of(config), load(file)
    mark = mark_of(exported)
    with opened_store(settings, make=True) as store:
        if any(own.id == mark.id for own in store.readings(mark.room, mark.at, mark.at)):
            click.echo(f"{mark.id}: it is this installation's own, and stored here")
            return 0
        is_new = store.imported.put(mark, dump(exported), keep=settings.readings.keep, why=why)
    if not is_new:
        click.echo(f"{mark.id}: it is here already")
        return 0
    said = "without subjects and people" if exported.redacted else "with subjects, links and passcodes"
    click.echo(f"{mark.id}: {mark.meetings} meetings, {said}; kept for {settings.readings.keep.days} days")
    click.echo(f"`otd replay {mark.id}` replays it.")
    return 0


@readings.command(epilog=examples("otd readings forget boardroom/1795888806027"))
@click.argument("reading", metavar="READING")
@with_why
@with_config
def forget(reading: str, why: str, config: str) -> None:
    """Remove a reading that was imported, before its time is over. Those of this installation itself stay."""
    from otd.cli.reaching import opened_store

    with opened_store(settings_of(config)) as store:
        store.imported.forget(reading, why=why)
    click.echo(f"{reading}: forgotten")
