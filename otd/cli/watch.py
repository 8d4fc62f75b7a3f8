"""`otd watch`: notifications of Exchange Servers, in a process of their own."""

from __future__ import annotations

import click

from otd.cli.options import examples, settings_of, with_config


@click.command(epilog=examples("otd watch", "otd watch --config /etc/otd/otd.toml"))
@with_config
def watch(config: str) -> int:
    """Watch Exchange Servers for changes, so that rooms are read at once and not only in their turn.

    Beside `otd run` or the workers, on the same database: keeps streaming connections open to every calendar of kind
    ews (as many as its `streams` says, three by default), two hundred rooms on each, and marks rooms in which something
    happened as due. Without it, and whatever it misses, rooms are refreshed all the same. Exchange Online tells `otd
    serve` of changes, which needs no process. Stops at Ctrl-C or SIGTERM.
    """
    from otd.cli.lab import until_stopped
    from otd.cli.logs import configure
    from otd.cli.reaching import opened_store
    from otd.errors import BadSetting
    from otd.watching import Watching
    from otd.wiring import streams

    settings = settings_of(config)
    configure(settings.run.log)
    with opened_store(settings) as store, until_stopped() as stopped:
        found, left_out = streams(settings, store)
        if not found:
            raise BadSetting(config, "no room is on a calendar of kind ews", "there is nothing to watch")
        for calendar, rooms in left_out.items():
            said = f"otd: {rooms} rooms of {calendar} are too many for its `streams`; they are refreshed in turn"
            click.echo(said, err=True)
        watching = Watching(store, found)
        watching.start()
        click.echo(f"otd: watching by {len(found)} connections; Ctrl-C stops", err=True)
        stopped(None)
        watching.stop()
    return 0
