"""`otd run`: the real thing in one process."""

from __future__ import annotations

import click

from otd.cli.options import examples, with_config


@click.command(
    epilog=examples("otd run", "otd run --config /etc/otd/otd.toml", "OTD_LOG=json otd run"),
    short_help="Keep the endpoints' bookings as the calendars say, until stopped.",
)
@with_config
def run(config: str) -> int:
    """Keep the endpoints' bookings as the calendars say, until stopped.

    Reads the rooms' calendars, computes each endpoint's list, delivers it through the relays of this process and reads
    it back. Stops cleanly at Ctrl-C or SIGTERM; what was not done by then, or when the process is killed, is done after
    the next start. One process works on a database at a time.
    """
    import os
    import signal
    import threading
    from pathlib import Path

    from otd import settings as otd_settings
    from otd.cli.logs import configure
    from otd.wiring import Centre

    found = otd_settings.load(Path(config), os.environ)
    for warning in found.warnings:
        click.echo(f"otd: {warning}", err=True)
    configure(found.run.log)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    centre = Centre(found)
    try:
        centre.start()
        click.echo(
            f"otd: running with {len(found.rooms)} rooms, {len(found.endpoints)} endpoints, "
            f"{len(found.relays)} relays; `otd status --config {config}` shows how they are; Ctrl-C stops",
            err=True,
        )
        stopping.wait()
        click.echo("otd: stopping", err=True)
    finally:
        centre.stop()
    return 0
