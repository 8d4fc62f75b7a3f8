"""`otd calendars`: list calendars; see calendars_setup and calendars_try."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from otd.cli.calendars_setup import setup
from otd.cli.calendars_try import test
from otd.cli.options import examples, settings_of, with_config, with_json
from otd.cli.output import print_json, print_table

if TYPE_CHECKING:
    from otd.settings import Settings


@click.group(epilog=examples("otd calendars list", "otd calendars setup online", "otd calendars test online"))
def calendars() -> None:
    """List calendars, print what Exchange administrators type to let OTD in, and test the way to a room."""


@calendars.command("list", epilog=examples("otd calendars list", "otd calendars list --json"))
@with_config
@with_json
def list_(config: str, as_json: bool) -> None:
    """List the calendars, each with its kind, where it is read, and how many rooms it has."""
    settings = settings_of(config)
    found = [row(settings, name) for name in settings.calendars]
    if as_json:
        print_json(found)
        return
    heads = ("calendar", "kind", "where", "rooms", "label")
    print_table(heads, [[one[head.replace("calendar", "name")] for head in heads] for one in found])


def row(settings: Settings, name: str) -> dict[str, Any]:
    """The calendar as plain values."""
    from otd.calendars.access import EwsAccess, GraphAccess

    calendar = settings.calendars[name]
    match calendar.access:
        case GraphAccess() as graph:
            where = f"{graph.addresses()[1]}, tenant {graph.tenant}"
        case EwsAccess() as ews:
            where = ews.url
        case files:
            where = str(files.folder)
    return {
        "name": name,
        "kind": calendar.kind,
        "where": where,
        "rooms": sum(room.calendar == name for room in settings.rooms.values()),
        "label": calendar.label,
    }


for command in (setup, test):
    calendars.add_command(command)
