"""`otd lab`: the simulated Exchange server and codecs alone, to point OTD or curl at."""

from __future__ import annotations

import click

from otd.cli.options import examples


@click.command(epilog=examples("otd lab", "otd lab --folder lab", "otd run --config lab/otd.toml"))
@click.option("--folder", metavar="PATH", default="", help="Also write there an otd.toml that uses all of the lab.")
def lab(folder: str) -> int:
    """Start the simulated Exchange server and codecs alone, until Ctrl-C.

    A simulated Microsoft Graph and Exchange Server with rooms and meetings, and four Cisco endpoints, all on loopback.
    The settings that `otd init` writes know the first two endpoints; with --folder, settings are written that know
    everything: `otd run --config FOLDER/otd.toml` then works on all of it.
    """
    import signal
    import tempfile
    import threading
    from pathlib import Path

    from otd.cli.output import print_table
    from otd.lab.defaults import CODEC_USER
    from otd.lab.scene import FIXED, Scene

    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    with (
        tempfile.TemporaryDirectory(prefix="otd-lab-") as scratch,
        Scene(Path(folder or scratch), ports=FIXED) as scene,
    ):
        rows = [
            ("Microsoft Graph and Entra ID", scene.graph_url, "calendar online"),
            ("Exchange Server (EWS)", scene.ews_url, "calendar server"),
            *((f"{c.profile.name} {c.name}", c.url, f"endpoint {name}") for name, c in scene.codecs.items()),
        ]
        print_table(("What", "Where", "In otd.toml"), rows)
        click.echo(
            f"\nThe codecs' user is {CODEC_USER} with password {scene.passwords['codec']}. Ctrl-C stops the lab."
        )
        if folder:
            click.echo(
                f"Next, in another terminal: otd run --config {scene.config}\n"
                f"Drop invitations (.ics, .eml) into {scene.room_folder('library')}."
            )
        try:
            stopping.wait()
        except KeyboardInterrupt:
            click.echo()
    return 0
