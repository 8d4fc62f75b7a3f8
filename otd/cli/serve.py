"""`otd serve`: the process of the centre that the network may call."""

from __future__ import annotations

import click

from otd.cli.options import examples, with_config


@click.command(
    epilog=examples("otd serve", "otd serve --config /etc/otd/otd.toml"),
    short_help="Answer what comes from the network: pairing of relays, health.",
)
@with_config
def serve(config: str) -> int:
    """Answer what comes from the network: pairing of relays, health.

    Where it listens and which certificate it shows stands in [serve]. It writes rows only, beside `otd run` or the
    workers, and several may run behind a load balancer. GET /health says whether it lives and is ready. Stops at
    Ctrl-C or SIGTERM.
    """
    import signal
    import threading

    from otd import serving, wiring
    from otd.cli.logs import configure
    from otd.cli.options import settings_of

    settings = settings_of(config)
    for warning in settings.warnings:
        click.echo(f"otd: {warning}", err=True)
    configure(settings.run.log)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    store = wiring.store(settings)
    try:
        with serving.start(settings, store) as server:
            click.echo(f"otd: serving at {server.url}; Ctrl-C stops", err=True)
            stopping.wait()
            click.echo("otd: stopping", err=True)
    finally:
        store.close()
    return 0
