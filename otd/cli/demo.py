"""`otd demo`: the whole way from invitations to Join buttons, on simulated systems."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from otd.cli.options import examples, with_json

if TYPE_CHECKING:
    from rich.table import Table

    from otd.lab.demo import Demo, Row

HEADS = ("Room", "Start", "Meeting", "Platform", "Dial string", "Endpoint", "Relay", "State")


@click.command(epilog=examples("otd demo", "otd demo --json", "otd demo --keep"))
@click.option("--keep", is_flag=True, help="Leave everything running at the end, to look around; Ctrl-C stops it.")
@with_json
def demo(keep: bool, as_json: bool) -> int:
    """Show the whole way, from invitations to confirmed Join buttons, on simulated systems.

    Nothing has to be configured or installed beside OTD, and nothing is left behind. Rooms on Exchange Online, on an
    Exchange Server and in a folder of files; Cisco endpoints of two software lines; two relays, one of which is
    stopped in the middle of a delivery. Takes less than a minute.
    """
    import tempfile
    import time
    from pathlib import Path

    from otd.cli.logs import silence
    from otd.cli.output import print_json
    from otd.lab.demo import Demo

    silence()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="otd-demo-", ignore_cleanup_errors=True) as folder:
        steps: list[str] = []
        story = Demo(Path(folder), steps.append)
        with story.running():
            with _shown(story, steps, quiet=as_json):
                story.play()
            if as_json:
                print_json(story.result())
            else:
                _print_end(story, time.monotonic() - began)
            if keep:
                _keep(story)
    return 0


@contextmanager
def _shown(story: Demo, steps: list[str], *, quiet: bool) -> Iterator[None]:
    """Draw the table while the story is played; without a terminal, print its sentences."""
    from otd.cli.output import is_drawn

    if quiet:
        yield
    elif is_drawn():
        with _live(story, steps):
            yield
    else:
        printed = _Printer(steps)
        story.say = printed
        yield


class _Printer:
    def __init__(self, steps: list[str]) -> None:
        self._steps = steps

    def __call__(self, step: str) -> None:
        self._steps.append(step)
        click.echo(step)


@contextmanager
def _live(story: Demo, steps: list[str]) -> Iterator[None]:
    import threading

    from rich.console import Console, Group
    from rich.live import Live
    from rich.text import Text

    def picture() -> Group:
        return Group(_table(story.rows()), *(Text(f"  {step}") for step in steps))

    done = threading.Event()
    with Live(console=Console(highlight=False), auto_refresh=False, transient=True) as live:

        def draw() -> None:
            while not done.wait(0.2):
                live.update(picture(), refresh=True)

        thread = threading.Thread(target=draw, daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
    for step in steps:
        click.echo(step)


def _cells(row: Row) -> tuple[str, ...]:
    start = row.start.astimezone().strftime("%H:%M")
    return (row.room, start, row.meeting, row.platform, row.dial, row.endpoint, row.relay, row.state)


def _table(rows: tuple[Row, ...]) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    colours: dict[str, str] = {"confirmed": "green", "waiting": "yellow", "unread": "dim"}
    table = Table(*HEADS, box=SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        *cells, state = _cells(row)
        table.add_row(*(Text(cell, overflow="fold") for cell in cells), Text(state, style=colours.get(state, "red")))
    return table


def _print_end(story: Demo, seconds: float) -> None:
    from otd.cli.output import print_table

    click.echo()
    print_table(HEADS, [_cells(row) for row in story.rows()])
    failover = story.failover
    if failover is not None:
        click.echo(
            f"\nFailover: {failover.relay} stopped in the middle of a delivery, {failover.took_over} had the list "
            f"confirmed {failover.seconds:g} s later."
        )
    click.echo(f"All endpoints confirmed. {seconds:.0f} s in all. Next: `otd init` writes settings of your own.")


def _keep(story: Demo) -> None:
    import threading

    from otd.lab.defaults import CODEC_USER

    scene = story.scene
    codec = scene.codecs["boardroom-codec"]
    click.echo(
        f"""
Everything is still running; Ctrl-C stops it. In another terminal:
  otd status --config {scene.config}
  otd endpoints show boardroom-codec --config {scene.config}
  curl -k -u {CODEC_USER}:{scene.passwords["codec"]} "{codec.url}/getxml?location=/Status/Bookings"
  cp an-invitation.ics {scene.room_folder("library")}/"""
    )
    _until_interrupted(threading.Event().wait)


def _until_interrupted(wait: Callable[[], object]) -> None:
    try:
        wait()
    except KeyboardInterrupt:
        click.echo()
