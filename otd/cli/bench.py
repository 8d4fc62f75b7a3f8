"""`otd bench`: lists the benchmarks, runs one, and fails when a ratio is over its limit."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import click

from otd.cli.logs import silence
from otd.cli.options import examples, with_json
from otd.cli.output import print_json, print_table, progress

if TYPE_CHECKING:
    from otd.lab.bench import Bench, Result


class Benches(click.Group):
    """One command per benchmark, made from its module."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        from otd.lab.bench import NAMES

        return list(NAMES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        from otd.lab import bench as benches

        if cmd_name not in benches.NAMES:
            return None
        return made(benches.bench(cmd_name))


@click.group(cls=Benches, invoke_without_command=True, epilog=examples("otd bench", "otd bench start --json"))
@click.pass_context
def bench(context: click.Context) -> None:
    """Measure, each figure beside its floor and its limit.

    Without a name, lists the benchmarks. The exit code is 1 when a ratio is over its limit.
    """
    if context.invoked_subcommand is None:
        from otd.lab.bench import NAMES
        from otd.lab.bench import bench as named

        print_table(("bench", "what it measures"), [(name, named(name).sentence) for name in NAMES])


def made(found: Bench) -> click.Command:
    """The command of a benchmark."""

    @with_json
    def run(as_json: bool, **given: str | None) -> int:
        silence()
        former = signal.signal(signal.SIGTERM, _end)  # so that what the benchmark started and made is removed
        try:
            with progress(f"bench {found.name}"):
                result = found.run({name: value for name, value in given.items() if value is not None})
        finally:
            signal.signal(signal.SIGTERM, former)
        if as_json:
            print_json(result.as_json(found.name))
        else:
            _show(result)
        return 1 if result.is_over else 0

    for name, line in found.options.items():
        run = click.option(f"--{name}", name, metavar="VALUE", help=line)(run)
    return click.command(
        found.name, help=found.sentence, epilog=examples(f"otd bench {found.name}", f"otd bench {found.name} --json")
    )(run)


def _end(*_: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once is enough
    raise SystemExit(128 + signal.SIGTERM)


def _show(result: Result) -> None:
    from otd.lab.bench import machine

    print_table(("figure", "value"), [(figure, f"{value:g}") for figure, value in result.figures.items()])
    click.echo()
    rows = [
        (
            name,
            f"{ratio.figure} / {ratio.floor}" if ratio.figure else "",
            f"{ratio.value:g}",
            f"{ratio.limit:g}",
            "OVER" if ratio.is_over else "ok",
        )
        for name, ratio in result.ratios.items()
    ]
    print_table(("ratio", "of", "value", "limit", ""), rows)
    for note in result.notes:
        click.echo(note)
    click.echo(f"\non {machine()}")
