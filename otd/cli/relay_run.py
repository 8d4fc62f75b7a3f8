"""`otd relay run`: the relay at work."""

from __future__ import annotations

from pathlib import Path

import click

from otd.cli.options import examples, with_relay_config


@click.command(epilog=examples("otd relay run", "otd relay run --config /etc/otd/relay.toml"))
@with_relay_config
def run(config: str) -> int:
    """Take orders from the centre, put lists on endpoints and read them back, until stopped.

    Towards the centre it only dials out: to the broker (AMQPS), and by HTTPS when its password is renewed. It
    reconnects for ever; while the centre is away, Polycom endpoints are served from disk. Stops cleanly at Ctrl-C or
    SIGTERM.
    """
    import signal
    import threading

    from otd.cli.logs import configure
    from otd.settings.relay import load
    from otd.site import Site

    settings = load(Path(config))
    configure(settings.log, settings.state / "relay.log")
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    site = Site(settings)
    try:
        site.start()
        identity = site.identity
        where = f"{identity.broker.host}:{identity.broker.port}"
        click.echo(f"otd: relay {identity.relay} of pool {identity.pool}, broker {where}; Ctrl-C stops", err=True)
        stopping.wait()
        click.echo("otd: stopping", err=True)
    finally:
        site.stop()
    return 0
