"""`otd relay check`: each step of each way from this machine, in a line with its result and the mend."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from otd.cli.options import examples, with_json, with_relay_config
from otd.cli.output import coloured, plain, print_json, progress

if TYPE_CHECKING:
    from otd.cli.relay_ways import Line
    from otd.settings.relay import SiteRelay

EVERY = 30.0  # seconds between two looks of --watch
COLOURS = {"ok": "green", "warn": "yellow", "FAIL": "red", "skip": "white"}


@click.command(epilog=examples("otd relay check", "otd relay check --watch", "otd relay check --json"))
@click.option("--watch", is_flag=True, help="Look again every 30 s, and print what changed, until Ctrl-C.")
@with_relay_config
@with_json
def check(watch: bool, config: str, as_json: bool) -> int:
    """Check every way that this relay needs: names, TCP, proxy, TLS (and whether something in between re-signs it), the
    centre by HTTPS, the broker by AMQPS, the clock, the ports and certificates of [face] and [feedback], and each
    endpoint that it knows.

    A line for each step says what was found; for one that is not as it should be also whether things work without it,
    what follows, and the rule that a firewall or proxy is to have. No endpoint is changed. The exit code is 1 when
    something that is needed does not work, or an endpoint is not reached, else 0; 2 for wrong settings.
    """
    from otd.cli.relay_checks import everything
    from otd.settings.relay import load

    settings = load(Path(config))
    if watch:
        _watch(settings)
    with progress("checking"):
        lines = everything(settings)
    failed = any(line.result == "FAIL" for line in lines)
    if as_json:
        print_json({"ok": not failed, "lines": [asdict(line) for line in lines]})
        return int(failed)
    for line in lines:
        show(line)
    return int(failed)


def show(line: Line, before: str = "") -> None:
    """The line as people read it; what follows from a fault stands below it."""
    word = coloured(line.result.ljust(4), COLOURS[line.result])
    click.echo(f"{before}{word} {line.way.ljust(8)} {line.step}: {plain(line.found)}")
    if line.result in ("FAIL", "warn"):
        without = "works without it" if line.works_without else "does not work without it"
        for text in (f"{without}: {line.consequence}" if line.consequence else without, line.mend):
            if text:
                click.echo(f"{' ' * len(before)}     {plain(text)}")


def _watch(settings: SiteRelay) -> None:
    """Print every line once, then those that changed, each with the time."""
    import time
    from datetime import datetime

    from otd.cli.relay_checks import everything

    last: dict[tuple[str, str], str] = {}
    while True:
        for line in everything(settings):
            key = (line.way, line.step)
            if last.get(key) != line.result:
                show(line, f"{datetime.now().astimezone():%H:%M:%S} ")
                last[key] = line.result
        time.sleep(EVERY)
