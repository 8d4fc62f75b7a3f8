"""`otd lab`: simulated systems to point OTD or curl at: all of them, or one endpoint."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from otd.cli.group import LazyGroup
from otd.cli.options import examples

ENDPOINTS: dict[str, tuple[str, str]] = {
    "codec": ("otd.cli.lab_endpoints:codec", "Start one simulated Cisco endpoint."),
    "webex": ("otd.cli.lab_endpoints:webex", "Start a simulated Webex cloud with one device."),
    "polycom": ("otd.cli.lab_endpoints:polycom", "Start one simulated Polycom endpoint that polls a calendar server."),
    "fleet": ("otd.cli.lab_endpoints:fleet", "Poll a calendar server as very many Polycom endpoints, and measure."),
}


@click.group(
    cls=LazyGroup,
    table=ENDPOINTS,
    invoke_without_command=True,
    epilog=examples(
        "otd lab",
        "otd lab --folder lab",
        "otd lab --folder lab --rooms 1000 --seed 7 --latency 200ms",
        "otd run --config lab/otd.toml",
        "otd lab codec --profile roomos11",
    ),
)
@click.option("--folder", metavar="PATH", default="", help="Also write there an otd.toml that uses all of the lab.")
@click.option(
    "--rooms", type=click.IntRange(1, 99_999), metavar="N", help="Also so many rooms with realistic calendars."
)
@click.option("--seed", type=int, default=1, show_default=True, metavar="N", help="What decides those calendars.")
@click.option("--latency", default="0s", metavar="SPAN", help="How long each answer of Exchange takes, such as 200ms.")
@click.pass_context
def lab(context: click.Context, folder: str, rooms: int | None, seed: int, latency: str) -> int | None:
    """Start the simulated Exchange server and codecs alone, until Ctrl-C; with a command, one endpoint.

    A simulated Microsoft Graph and Exchange Server with rooms and meetings, and four Cisco endpoints, all on loopback.
    The settings that `otd init` writes know the first two endpoints; with --folder, settings are written that know
    everything: `otd run --config FOLDER/otd.toml` then works on all of it. With --rooms there are very many rooms
    besides, the same for the same seed; what they hold is made when it is asked for.
    """
    if context.invoked_subcommand is not None:
        return None
    import tempfile
    from pathlib import Path

    from otd.cli.lab_endpoints import span_of
    from otd.cli.output import print_table
    from otd.lab.campus import DOMAIN as CAMPUS
    from otd.lab.campus import Campus
    from otd.lab.defaults import CODEC_USER
    from otd.lab.scene import FIXED, Scene

    seconds = span_of("latency", latency).total_seconds()
    with (
        until_stopped() as stopped,
        tempfile.TemporaryDirectory(prefix="otd-lab-") as scratch,
        Scene(Path(folder or scratch), ports=FIXED, campus=Campus(rooms=rooms, seed=seed) if rooms else None) as scene,
    ):
        scene.graph.latency = scene.ews.latency = seconds
        rows = [
            ("Microsoft Graph and Entra ID", scene.graph_url, "calendar online"),
            ("Exchange Server (EWS)", scene.ews_url, "calendar server"),
            *((f"{c.profile.name} {c.name}", c.url, f"endpoint {name}") for name, c in scene.codecs.items()),
        ]
        print_table(("What", "Where", "In otd.toml"), rows)
        click.echo(
            f"\nThe codecs' user is {CODEC_USER} with password {scene.passwords['codec']}. Ctrl-C stops the lab."
        )
        if rooms:
            click.echo(f"{rooms} more rooms, room-00001@{CAMPUS} and so on: even ones on the server, odd ones online.")
        if folder:
            click.echo(
                f"Next, in another terminal: otd run --config {scene.config}\n"
                f"Drop invitations (.ics, .eml) into {scene.room_folder('library')}."
            )
        stopped(None)
    return 0


@contextmanager
def until_stopped() -> Iterator[Callable[[float | None], bool]]:
    """A function that waits so many seconds, or for ever, and says whether to stop: SIGTERM does, and so does Ctrl-C,
    which only ends what is inside."""
    import signal
    import threading

    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    try:
        yield stopping.wait
    except KeyboardInterrupt:
        click.echo()
