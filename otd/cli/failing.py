"""`otd failing`: what fails or needs a person, since when and why; to be tried again now, or left alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from otd.cli.options import examples, settings_of, with_config, with_json, with_why

if TYPE_CHECKING:
    from datetime import datetime

    from otd.model import WorkState
    from otd.store.sql import SqlStore


@click.group(
    invoke_without_command=True,
    epilog=examples(
        "otd failing", 'otd failing retry atrium-codec --why "new password"', "otd failing skip atrium-codec"
    ),
)
@with_config
@with_json
@click.pass_context
def failing(context: click.Context, config: str, as_json: bool) -> int | None:
    """List what fails or is parked: tried how often, why it failed last, when it is tried next, and the mend.

    The exit code is 1 when there is something.
    """
    context.obj = config
    if context.invoked_subcommand is not None:
        return None
    from otd.cli.output import print_json, print_table
    from otd.cli.reaching import opened_store

    with opened_store(settings_of(config)) as store:
        now, found = store.now(), rows(store)
    if as_json:
        print_json([_plain(row) for row in found])
        return 1 if found else 0
    if not found:
        click.echo("Nothing fails.")
        return 0
    heads = ("what", "name", "state", "tries", "since", "next", "why")
    print_table(heads, [_cells(row, now) for row in found])
    for row in found:
        if row.mend:
            click.echo(f"\n{row.name}: {row.mend}")
    return 1


def rows(store: SqlStore) -> list[WorkState]:
    """Work that fails or is parked, the longest failing first."""
    found = [row for row in store.work() if row.parked or row.error]
    return sorted(found, key=lambda row: (row.failing_since or row.due, row.kind, row.name))


@failing.command(epilog=examples("otd failing retry atrium-codec", 'otd failing retry atrium --why "right is back"'))
@click.argument("name")
@with_why
@click.pass_context
def retry(context: click.Context, name: str, why: str) -> int:
    """Try what fails of this NAME (an endpoint, a room) again now, as if for the first time.

    The same as `otd endpoints retry` and `otd rooms retry`.
    """
    from otd.cli.reaching import opened_store

    with opened_store(settings_of(context.obj)) as store:
        for row in _named(store, name):
            store.unpark(row.kind, row.name, why=why)
            click.echo(f"{row.kind} {row.name}: tried again now; `otd failing` shows what comes of it")
    return 0


@failing.command(epilog=examples('otd failing skip atrium-codec --why "room is being rebuilt"'))
@click.argument("name")
@with_why
@click.pass_context
def skip(context: click.Context, name: str, why: str) -> int:
    """Leave what fails of this NAME alone.

    It is tried again after a day, when the settings change, or by `retry`.
    """
    from otd.cli.reaching import opened_store

    with opened_store(settings_of(context.obj)) as store:
        for row in _named(store, name):
            store.skip(row.kind, row.name, why=why)
            click.echo(f"{row.kind} {row.name}: left alone; `otd failing retry {name}` tries it again")
    return 0


def _named(store: SqlStore, name: str) -> list[WorkState]:
    found = [row for row in rows(store) if row.name == name]
    if not found:
        from otd.errors import BadSetting
        from otd.settings.mistakes import did_you_mean

        names = [row.name for row in rows(store)]
        known = name in {row.name for row in store.work()}
        why = "it does not fail" if known else "there is no work of this name"
        raise BadSetting(name, why, did_you_mean(name, names) if names else "`otd failing` lists what fails")
    return found


def _plain(row: WorkState) -> dict[str, Any]:
    return {
        "kind": row.kind,
        "name": row.name,
        "parked": row.parked,
        "tries": row.attempt,
        "since": row.failing_since.isoformat(timespec="seconds") if row.failing_since else None,
        "next": row.due.isoformat(timespec="seconds"),
        "code": row.code,
        "error": row.error,
        "mend": row.mend,
    }


def _cells(row: WorkState, now: datetime) -> tuple[object, ...]:
    from otd.cli.spans import ago, until

    state = "skipped" if row.code == "skipped" else "needs a person" if row.parked else "failing"
    since = row.failing_since.isoformat() if row.failing_since else None
    return (row.kind, row.name, state, row.attempt, ago(since, now), until(row.due.isoformat(), now), row.error)
