"""`otd rooms discover`: the rooms that Exchange knows and OTD does not, as a table to import."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from otd.cli.options import examples, settings_of, with_config, with_json
from otd.cli.output import named, plain, print_json, progress

if TYPE_CHECKING:
    from otd.model import FoundRoom, Room

WITHIN = timedelta(minutes=5)


@click.command(
    epilog=examples("otd rooms discover online > rooms.csv", "otd rooms discover server --timezone Europe/Berlin")
)
@click.argument("calendar")
@click.option("--timezone", default="UTC", show_default=True, metavar="ZONE", help="The zone that is written for all.")
@with_config
@with_json
def discover(calendar: str, timezone: str, config: str, as_json: bool) -> int:
    """Print the rooms that the Exchange of CALENDAR knows and your settings do not, as a table (CSV).

    From the places of Exchange Online (permission Place.Read.All) or the room lists of an Exchange Server. Look it
    over, add a column of endpoints, and give it to `otd rooms import`. Nothing is changed.
    """
    from otd import wiring
    from otd.errors import BadSetting
    from otd.settings.kinds import zone_mistake

    settings = settings_of(config)
    named("calendar", calendar, settings.calendars)
    if said := zone_mistake(timezone):
        raise BadSetting(f"--timezone {timezone}", *said)
    with progress(f"asking {calendar} for its rooms"):
        found = wiring.directory(settings, calendar).rooms(within=WITHIN)
    new = rows(found, settings.rooms.values(), calendar, timezone)
    if as_json:
        print_json([dict(zip(COLUMNS, row, strict=True)) for row in new])
    else:
        _print(new)
    click.echo(f"{len(found)} rooms found, {len(new)} of them new", err=True)
    return 0


COLUMNS = ("room", "calendar", "mailbox", "label", "timezone")


def rows(found: Iterable[FoundRoom], known: Iterable[Room], calendar: str, timezone: str) -> list[tuple[str, ...]]:
    """A row for each room that is not configured yet, under a name that no other room has."""
    known = tuple(known)
    mailboxes, names = {room.mailbox.casefold() for room in known}, {room.name for room in known}
    made: list[tuple[str, ...]] = []
    for one in sorted(found, key=lambda room: room.mailbox.casefold()):
        if one.mailbox.casefold() in mailboxes:
            continue
        name = _name(one, names)
        names.add(name)
        made.append((name, calendar, one.mailbox, plain(one.label)[:200], timezone))
    return made


def _name(room: FoundRoom, taken: set[str]) -> str:
    import re
    import unicodedata

    folded = unicodedata.normalize("NFKD", room.mailbox.partition("@")[0]).encode("ascii", "ignore").decode().lower()
    name = re.sub(r"[^a-z0-9]+", "-", folded).strip("-")[:56].strip("-") or "room"
    number, made = 1, name
    while made in taken:
        number += 1
        made = f"{name}-{number}"
    return made


def _print(found: Iterable[tuple[str, ...]]) -> None:
    from otd.quoting import csv_cell

    for row in (COLUMNS, *found):
        click.echo(",".join(csv_cell(cell) for cell in row))
