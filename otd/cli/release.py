"""`otd release`: let go what the brake holds."""

from __future__ import annotations

import click

from otd.cli.options import examples, settings_of, with_config, with_why


@click.command(epilog=examples("otd release", "otd release office", "otd release rules"))
@click.argument("name", required=False, metavar="[CALENDAR|rules]")
@with_why
@with_config
def release(name: str | None, why: str, config: str) -> int:
    """Let go what the brake holds: the rooms of a CALENDAR that would go empty, or changed rules.

    Without a name it only says what is held, since when and why; the exit code is then 1 when something is. Rooms that
    are let go are read anew at once, and for ten minutes no others of that calendar are held. Released rules are in
    force at once, also in an `otd run` that is under way. `otd rules revert` goes back from rules instead.
    """
    from otd.cli.output import print_table
    from otd.errors import BadSetting
    from otd.wiring import store

    database = store(settings_of(config))
    try:
        held = database.brakes()
        if name is None:
            rows = [(one.name, one.things, one.since.isoformat(timespec="seconds"), one.why) for one in held]
            if rows:
                print_table(("held", "how many", "since", "why"), rows)
            else:
                click.echo("The brake holds nothing.")
            return 1 if rows else 0
        if name not in {one.name for one in held}:
            known = ", ".join(one.name for one in held)
            raise BadSetting(name, "the brake holds nothing of this name", f"it holds: {known}" if known else "")
        if name == "rules" and database.release_rules(why=why):
            click.echo("the rules of the settings are in force; every room is read anew")
        if rooms := database.let_go(name, why=why):
            click.echo(f"{rooms} rooms of {name} are read anew, and shown as the calendar says")
        return 0
    finally:
        database.close()
