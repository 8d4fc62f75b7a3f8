"""The command group: a table of names, each loaded when it is called."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click

from otd import __version__
from otd.cli import COMMANDS


class LazyGroup(click.Group):
    """A group whose commands are rows of a table: name -> ("module:attribute", one line of help)."""

    def __init__(self, table: dict[str, tuple[str, str]], **settings: Any) -> None:
        super().__init__(**settings)
        self.table = table

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.table:
            return None
        module, _, attribute = self.table[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.table and not args[0].startswith("-"):
            raise click.UsageError(f"there is no command {args[0]!r}.{_nearest(args[0], self.table)}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in self.table.items()])


def _nearest(name: str, table: dict[str, tuple[str, str]]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, table, n=1)
    return f" Did you mean {near[0]!r}?" if near else ""


otd = LazyGroup(
    COMMANDS,
    name="otd",
    help="One Touch Dial: a Join button on room systems, read from the rooms' calendars.",
    epilog="\b\nExamples:\n  otd demo\n  otd init && otd check\n  otd COMMAND --help",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
otd = click.version_option(__version__, "-V", "--version", message="otd %(version)s")(otd)
