"""`otd worker`: one of any number of processes that share the work."""

from __future__ import annotations

import click

from otd.cli.options import examples, with_config

KINDS = ("refresh", "deliver", "other")


@click.command(
    epilog=examples("otd worker", "otd worker --queues refresh --threads 32", "OTD_LOG=json otd worker"),
    short_help="Share the work with other workers, over the broker of [bus].",
)
@click.option("--queues", metavar="LIST", default=",".join(KINDS), show_default=True, help="Which work to carry out.")
@click.option("--threads", type=click.IntRange(1, 256), help="How many at once; without it [run] threads.")
@with_config
def worker(queues: str, threads: int | None, config: str) -> int:
    """Share the work with other workers, over the broker of [bus].

    Any number of workers may run, on any number of hosts when the database is PostgreSQL; each claims what is due and
    hands it to whichever is free. The same as `celery -A workers.app worker` with the flags that it needs. Stops
    cleanly at Ctrl-C or SIGTERM; what a killed worker had begun is begun anew by another.
    """
    import os
    from pathlib import Path

    from otd import settings as otd_settings
    from otd.wiring import work_broker

    chosen = [name.strip() for name in queues.split(",") if name.strip()]
    for name in chosen:
        if name not in KINDS:
            raise click.BadParameter(f"there is no queue {name!r}; there are {', '.join(KINDS)}", param_hint="--queues")
    found = otd_settings.load(Path(config), os.environ)
    for warning in found.warnings:
        click.echo(f"otd: {warning}", err=True)
    work_broker(found)
    os.environ["OTD_CONFIG"] = str(found.path)
    from workers.app import QUEUES, app

    flags = ["--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "WARNING", "--quiet"]
    at_once = str(threads or found.run.threads)
    names = ",".join(QUEUES[name] for name in chosen or KINDS)
    click.echo(f"otd: a worker for {', '.join(chosen or KINDS)}, {at_once} at once; Ctrl-C stops", err=True)
    app.worker_main(["--quiet", "worker", "-P", "threads", "-c", at_once, "-Q", names, *flags[:-1]])
    return 0
