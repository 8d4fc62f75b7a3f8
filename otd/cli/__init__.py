"""The `otd` command: one file per command, loaded when it is called.

A command is one row of COMMANDS and one file `otd/cli/NAME.py`. Start-up counts: a file imports nothing heavy at its
top, only click and the standard library; what a command needs it imports in its function. A command raises OtdError
for what a user or the outside can cause; `call` turns that into one line and an exit code. A command may return its
exit code; None means 0.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NoReturn

COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("otd.cli.demo:demo", "Show the whole way, from invitations to Join buttons, on simulated systems."),
    "run": ("otd.cli.run:run", "Keep the endpoints' bookings as the calendars say, until stopped."),
    "watch": ("otd.cli.watch:watch", "Watch Exchange Servers for changes, so that rooms are read at once."),
    "serve": ("otd.cli.serve:serve", "Answer what comes from the network: pairing of relays, health."),
    "cluster": ("otd.cli.cluster:cluster", "Look after what workers on several hosts share."),
    "worker": ("otd.cli.worker:worker", "Share the work with other workers, over the broker of [bus]."),
    "init": ("otd.cli.init:init", "Write a commented otd.toml, a secrets file and a first room to start from."),
    "check": ("otd.cli.check:check", "Check the settings, then each calendar, relay and endpoint."),
    "parse": ("otd.cli.parse:parse", "Say what an invitation file holds and what would be dialled."),
    "rules": ("otd.cli.rules:rules", "List, show and check the rules of the dial plan."),
    "calendars": ("otd.cli.calendars:calendars", "List calendars; print what lets OTD in; test the way to a room."),
    "rooms": ("otd.cli.rooms:rooms", "List, show and import rooms."),
    "endpoints": ("otd.cli.endpoints:endpoints", "List, show, compare, probe and mend endpoints."),
    "pools": ("otd.cli.pools:pools", "List pools; switch one over from another system and back."),
    "relay": ("otd.cli.relay:relay", "Run a relay on this machine: pair it, check its ways, run it."),
    "relays": ("otd.cli.relays:relays", "Let relays in, and look after them, at the centre."),
    "status": ("otd.cli.status:status", "Show rooms, endpoints, relays, what is due and what fails."),
    "failing": ("otd.cli.failing:failing", "List what fails or is parked; retry it now, or skip it."),
    "history": ("otd.cli.history:history", "Show what happened to an endpoint or room, and who did what."),
    "explain": ("otd.cli.explain:explain", "Say why a screen shows what it shows, or does not."),
    "alerts": ("otd.cli.alerts:alerts", "List what needs a person now; try the ways to tell people."),
    "probe": ("otd.cli.probe:probe", "Book a meeting, follow it to the endpoint and away again, and time it."),
    "metrics": ("otd.cli.metrics:metrics", "Show metrics; print alert rules and a dashboard."),
    "replay": ("otd.cli.replay:replay", "Run stored readings through today's rules, and print what differs."),
    "readings": ("otd.cli.readings:readings", "List stored readings, and export one to look at elsewhere."),
    "release": ("otd.cli.release:release", "Let go what the brake holds."),
    "lab": ("otd.cli.lab:lab", "Start the simulated Exchange server and codecs."),
    "bench": ("otd.cli.bench:bench", "Measure, each figure beside its floor and its limit."),
}
"""Command -> ("module:attribute", its line in `otd --help`)."""


def main() -> NoReturn:
    """The console script."""
    sys.exit(call(sys.argv[1:]))


def call(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code: 0 done, 1 it failed, 2 bad settings or usage, 130 interrupted."""
    try:
        import click

        from otd.cli.group import otd
        from otd.errors import BadSetting, OtdError

        try:
            code = otd.main(args=list(arguments), prog_name="otd", standalone_mode=False)
            sys.stdout.flush()
        except click.ClickException as mistake:
            mistake.show()
            return mistake.exit_code
        except OtdError as error:
            for line in str(error).splitlines():
                click.echo(f"otd: {line}", err=True)
            return 2 if isinstance(error, BadSetting) else 1
        except click.Abort:
            return 130
        except SystemExit as leaving:  # click leaves so when the reader of our output has gone
            return leaving.code if isinstance(leaving.code, int) else 1
        except BrokenPipeError:
            _close_quietly()
            return 1
        return code if isinstance(code, int) else 0
    except KeyboardInterrupt:
        return 130


def _close_quietly() -> None:
    """Nobody reads our output any more: the interpreter must not complain about that when it flushes at the end."""
    import os

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
