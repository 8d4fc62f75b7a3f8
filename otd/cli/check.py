"""`otd check`: the settings with every mistake at once, then each calendar, relay and endpoint tried once."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from otd.cli.options import examples, with_config, with_json
from otd.cli.output import coloured, plain, print_json, progress

if TYPE_CHECKING:
    from otd.cli.checks import Line
    from otd.settings import Mistake


@click.command(epilog=examples("otd check", "otd check --config /etc/otd/otd.toml", "otd check --json"))
@with_config
@with_json
def check(config: str, as_json: bool) -> int:
    """Check the settings, then each calendar, relay and endpoint.

    Every mistake in the settings is reported at once, with its file and line and the mend. When there is none, each
    secret that is needed is looked for, the next day of one room of each calendar is read, and each endpoint's list is
    read; a line each says what was tried, the result, the consequence and what to do. No endpoint is changed.

    The exit code is 0 when all is well, 1 when something does not work, 2 when the settings have mistakes.
    """
    import os
    from pathlib import Path

    from otd.cli.checks import everything, run_all
    from otd.settings import read

    found = read(Path(config), os.environ)
    mistakes = [mistake for mistake in found.mistakes if not mistake.warning]
    warnings = [mistake for mistake in found.mistakes if mistake.warning]
    lines: list[Line] = []
    if found.settings is not None:
        checks = everything(found.settings)
        with progress(lambda: f"checked {len(lines)} of {len(checks)}"):
            lines.extend(run_all(checks))
    code = 2 if mistakes else 0 if all(line.ok for line in lines) else 1
    if as_json:
        print_json(
            {
                "ok": code == 0,
                "settings": {"file": config, "mistakes": _plain(mistakes), "warnings": _plain(warnings)},
                "checks": [asdict(line) for line in lines],
            }
        )
    else:
        _print(config, mistakes, warnings, lines)
    return code


def _plain(mistakes: list[Mistake]) -> list[dict[str, str]]:
    return [{"where": m.where, "key": m.key, "why": m.why, "mend": m.mend} for m in mistakes]


def _print(config: str, mistakes: list[Mistake], warnings: list[Mistake], lines: list[Line]) -> None:
    for mistake in mistakes:
        _line("FAIL", f"settings {mistake}")
    for warning in warnings:
        _line("warn", f"settings {warning}")
    if mistakes:
        click.echo(f"{len(mistakes)} mistakes in the settings; nothing else was tried until they are mended")
        return
    if not warnings:
        _line("ok", f"settings {config}")
    for line in lines:
        show(line)


def show(line: Line) -> None:
    """Print what was tried and what came of it."""
    more = f"; {line.consequence}" if line.consequence else ""
    more += f". {line.mend[:1].upper()}{line.mend[1:]}" if line.mend else ""
    _line("ok" if line.ok else "FAIL", f"{line.kind} {line.name}: {line.tried}: {line.result}{more}")


def _line(word: str, text: str) -> None:
    colour = {"ok": "green", "warn": "yellow", "FAIL": "red"}[word]
    click.echo(coloured(word.ljust(5), colour) + plain(text))
