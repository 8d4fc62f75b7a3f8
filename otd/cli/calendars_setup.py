"""`otd calendars setup`: what an administrator of Exchange types to let OTD in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from otd.cli.options import examples, settings_of, with_config, with_json
from otd.cli.output import coloured, named, plain, print_json

if TYPE_CHECKING:
    from otd.exchange_setup import Step
    from otd.settings import Settings


@click.command(
    epilog=examples(
        "otd calendars setup online",
        "otd calendars setup online --script > setup.ps1",
        "otd calendars setup server atrium lobby",
    )
)
@click.argument("name")
@click.argument("rooms", nargs=-1, metavar="[ROOM]...")
@click.option("--script", is_flag=True, help="Print one PowerShell script, with the proofs as comments.")
@with_config
@with_json
def setup(name: str, rooms: tuple[str, ...], script: bool, config: str, as_json: bool) -> None:
    """Print what an Exchange administrator has to type so that OTD may read the rooms of the calendar NAME.

    Made of the names in your settings, for all rooms of the calendar or for those that are named: each step with what
    it allows, its lines of PowerShell, and the lines that prove it. Nothing is asked of Exchange, nothing is changed.
    """
    from otd.exchange_lines import shell_of
    from otd.exchange_setup import script_of_steps

    if script and as_json:
        raise click.UsageError("--script or --json, not both")
    settings = settings_of(config)
    found = steps(settings, name, rooms)
    shell = shell_of(online=settings.calendars[name].is_online)
    if as_json:
        print_json([_plain(step) for step in found])
    elif script:
        click.echo(script_of_steps(name, shell, found), nl=False)
    else:
        click.echo(f"In {shell}, for calendar {name}:\n")
        for number, step in enumerate(found, 1):
            _print(number, step)
        click.echo("Then: otd check. Mailboxes that are set wrongly later: otd rooms lint.")


def steps(settings: Settings, name: str, rooms: tuple[str, ...] = ()) -> tuple[Step, ...]:
    """What is to be done for the calendar of this name. Raises BadSetting and Unsupported."""
    from otd import exchange_setup
    from otd.calendars.access import EwsAccess, GraphAccess
    from otd.errors import BadSetting, Unsupported

    access = named("calendar", name, settings.calendars).access
    wanted = [named("room", room, settings.rooms) for room in rooms]
    wanted = wanted or [room for room in settings.rooms.values() if room.calendar == name]
    for room in wanted:
        if room.calendar != name:
            raise BadSetting(f"room {room.name}", f"it is on calendar {room.calendar}", "leave it out")
    if not isinstance(access, GraphAccess | EwsAccess):
        raise Unsupported(f"calendar {name}", "it is a folder of files", "nobody has to be asked for it")
    if not wanted:
        raise BadSetting(f"calendar {name}", "it has no rooms yet", "add rooms to it in otd.toml, or import them")
    mailboxes = [room.mailbox for room in wanted]
    if isinstance(access, GraphAccess):
        return exchange_setup.online(name, access.client_id, mailboxes)
    if access.auth == "oauth":
        return exchange_setup.online_by_ews(name, access.client_id, mailboxes)
    account = access.username or "DOMAIN\\the-account-of-this-process"
    return exchange_setup.server(name, account, access.right, mailboxes)


def _plain(step: Step) -> dict[str, Any]:
    return {"title": step.title, "allows": step.allows, "lines": list(step.lines), "proof": list(step.proof)}


def _print(number: int, step: Step) -> None:
    click.echo(coloured(f"{number}. {step.title}", "cyan"))
    click.echo(f"   It allows: {step.allows}.\n")
    for line in step.lines:
        click.echo(plain(f"   {line}"))
    if step.proof:
        click.echo("\n   Proved by:\n")
        for line in step.proof:
            click.echo(plain(f"   {line}"))
    click.echo()
