"""`otd cluster`: what several hosts share."""

from __future__ import annotations

import click

from otd.cli.group import LazyGroup
from otd.cli.options import examples

COMMANDS: dict[str, tuple[str, str]] = {
    "check": ("otd.cli.cluster_check:check", "Check broker, database, queues, permissions, clocks and alarms."),
}


@click.group(cls=LazyGroup, table=COMMANDS, epilog=examples("otd cluster check", "otd cluster check --json"))
def cluster() -> None:
    """Look after what workers on several hosts share: the broker and the database."""
