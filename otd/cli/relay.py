"""`otd relay`: a relay that is a process of its own, on the machine at the site."""

from __future__ import annotations

import click

from otd.cli.group import LazyGroup
from otd.cli.options import examples

COMMANDS: dict[str, tuple[str, str]] = {
    "pair": ("otd.cli.relay_pair:pair", "Ask the centre to let this relay in."),
    "check": ("otd.cli.relay_check:check", "Check each way that it needs: proxy, TLS, centre, broker, endpoints."),
    "run": ("otd.cli.relay_run:run", "Take orders from the centre, until stopped."),
    "status": ("otd.cli.relay_look:status", "Show how the relay on this machine is, and its last error."),
    "logs": ("otd.cli.relay_look:logs", "Show what it logged."),
    "bundle": ("otd.cli.relay_look:bundle", "Write what helps others to help into a zip file."),
    "cert": ("otd.cli.relay_cert:cert", "Check a certificate for the face."),
    "keys": ("otd.cli.relay_pair:keys", "Make and show this relay's public keys, for a set-up by hand."),
    "accept": ("otd.cli.relay_pair:accept", "Take what `otd relays adopt` printed, for a set-up by hand."),
}


@click.group(
    cls=LazyGroup, table=COMMANDS, epilog=examples("otd relay pair https://otd.example.com", "otd relay check")
)
def relay() -> None:
    """Run a relay on this machine, at the site of the endpoints: pair it with the centre, check its ways, run it.

    Its settings are relay.toml here, which `otd relay pair` writes. At the centre, `otd relays` looks after all.
    """
