"""`otd rooms`: list and show rooms, import rooms and endpoints from a table; see rooms_lint and rooms_discover."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from otd.cli.options import examples, settings_of, with_config, with_json, with_why
from otd.cli.output import named, print_fields, print_json, print_table
from otd.cli.rooms_discover import discover
from otd.cli.rooms_lint import lint

if TYPE_CHECKING:
    from otd.model import Room
    from otd.settings import Settings


@click.group(epilog=examples("otd rooms list", "otd rooms lint", "otd rooms import rooms.csv"))
def rooms() -> None:
    """List and show rooms, find mailboxes that are set wrongly, and import rooms and endpoints from a table."""


rooms.add_command(lint)
rooms.add_command(discover)


@rooms.command("list", epilog=examples("otd rooms list", "otd rooms list --json"))
@with_config
@with_json
def list_(config: str, as_json: bool) -> None:
    """List the rooms, each with its calendar and the endpoints that show it."""
    settings = settings_of(config)
    found = [row(settings, room) for room in settings.rooms.values()]
    if as_json:
        print_json(found)
        return
    heads = ("room", "label", "calendar", "mailbox", "timezone", "endpoints")
    print_table(heads, [[_cell(room[head.replace("room", "name")]) for head in heads] for room in found])


@rooms.command(epilog=examples("otd rooms show boardroom"))
@click.argument("name")
@with_config
@with_json
def show(name: str, config: str, as_json: bool) -> None:
    """Show what is configured for the room NAME."""
    settings = settings_of(config)
    found = row(settings, named("room", name, settings.rooms))
    if as_json:
        print_json(found)
    else:
        print_fields(found)


@rooms.command(epilog=examples("otd rooms retry boardroom"))
@click.argument("name")
@with_why
@with_config
def retry(name: str, why: str, config: str) -> None:
    """Read the room NAME again at once, after what it needed a person for is mended."""
    from otd.cli.reaching import opened_store

    settings = settings_of(config)
    named("room", name, settings.rooms)
    with opened_store(settings) as store:
        store.unpark("refresh", name, why=why)
    click.echo(f"{name}: it is read again now; `otd status` shows what comes of it")


def row(settings: Settings, room: Room) -> dict[str, Any]:
    """The room as plain values."""
    return {
        "name": room.name,
        "label": room.label,
        "calendar": room.calendar,
        "kind": settings.calendars[room.calendar].kind,
        "mailbox": room.mailbox,
        "timezone": room.timezone,
        "endpoints": [endpoint.name for endpoint in settings.endpoints.values() if room.name in endpoint.rooms],
    }


def _cell(value: Any) -> str:
    return " ".join(value) if isinstance(value, list) else str(value)


@rooms.command(
    "import",
    epilog=examples(
        "otd rooms import rooms.csv",
        "otd rooms import rooms.csv --calendar online --pool hq --credential codec-admin --yes",
    ),
)
@click.argument("file", type=click.Path(dir_okay=False), metavar="FILE.csv")
@click.option("--calendar", metavar="NAME", help="The calendar of rooms whose cell is empty.")
@click.option("--pool", metavar="NAME", help="The pool of endpoints whose cell is empty.")
@click.option("--credential", metavar="NAME", help="The name of the secret of endpoints whose cell is empty.")
@click.option("--kind", metavar="KIND", default="cisco", show_default=True, help="The kind of endpoints, likewise.")
@click.option("--prune", is_flag=True, help="Remove what was imported before and is not in FILE.csv.")
@click.option("--yes", is_flag=True, help="Write without asking.")
@with_config
@with_json
def import_(file: str, prune: bool, yes: bool, config: str, as_json: bool, **defaults: str | None) -> int:
    """Import rooms and endpoints from a table.

    FILE.csv has a row for each room, with its endpoint if it has one. Columns, in any order: room, calendar, mailbox,
    label, timezone; endpoint, kind, address, pool, credential, trust, tls, interface, device, model, mode,
    endpoint_label; rooms (several, for an endpoint in a row of its own). An endpoint that stands in several rows shows
    all their rooms.

    Shows what would be added and changed, and asks before it writes (--yes does not ask). What is imported lies in
    otd.d/imported.toml beside otd.toml, which stays as you wrote it; importing the same file again changes nothing. A
    room of a calendar of files also gets its folder, with the marker that says that it may be read.
    """
    from pathlib import Path

    from otd.cli.importing import apply, plan, print_plan

    given = {key: value for key, value in defaults.items() if value}
    found = plan(Path(file), Path(config), given, prune=prune)
    if as_json:
        if yes and found.has_work:
            apply(found)
        print_json(found.as_json(written=yes and found.has_work))
        return 0
    print_plan(found)
    if not found.has_work:
        return 0
    if not (yes or _agreed()):
        return 1
    apply(found)
    click.echo(
        f"written to {found.target}; `otd check` tries it, and a running `otd run` reads it when it is restarted"
    )
    return 0


def _agreed() -> bool:
    import sys

    if not sys.stdin.isatty():
        click.echo("nothing was written: say --yes to write without being asked", err=True)
        return False
    return click.confirm("Write this?")
