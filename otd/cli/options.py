"""What several commands share: the options --config and --json, and the form of examples."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from datetime import timedelta

    from otd.settings import Settings

Function = TypeVar("Function", bound=Callable[..., Any])


def examples(*lines: str) -> str:
    """The epilog of a command's help; every command shows at least one example."""
    return "\b\n" + ("Examples:" if len(lines) > 1 else "Example:") + "".join(f"\n  {line}" for line in lines)


def with_config(function: Function) -> Function:
    """`--config PATH` as the parameter `config`; without it OTD_CONFIG, else otd.toml here."""
    return click.option(
        "--config",
        metavar="PATH",
        envvar="OTD_CONFIG",
        default="otd.toml",
        show_default=True,
        help="The settings file (also: the environment variable OTD_CONFIG).",
    )(function)


def with_relay_config(function: Function) -> Function:
    """`--config PATH` as the parameter `config`, of a relay's own process; without it OTD_RELAY_CONFIG, else relay.toml
    here."""
    return click.option(
        "--config",
        metavar="PATH",
        envvar="OTD_RELAY_CONFIG",
        default="relay.toml",
        show_default=True,
        help="The relay's settings file (also: the environment variable OTD_RELAY_CONFIG).",
    )(function)


def with_json(function: Function) -> Function:
    """`--json` as the parameter `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, for machines.")(function)


def with_why(function: Function) -> Function:
    """`--why TEXT` as the parameter `why`."""
    return click.option("--why", metavar="TEXT", default="", help="The reason, for the audit (`otd history`).")(
        function
    )


def with_within(help: str, default: str) -> Callable[[Function], Function]:
    """`--within SPAN` as the parameter `within`; `span_of` reads it."""
    return click.option("--within", default=default, show_default=True, metavar="SPAN", help=help)


def span_of(within: str) -> timedelta:
    """What `--within` says. Raises BadSetting."""
    from otd.errors import BadSetting
    from otd.settings.kinds import span

    try:
        return span(within)
    except ValueError as error:
        raise BadSetting("--within", str(error), 'write it like "30s" or "3m"') from None


def settings_of(config: str) -> Settings:
    """The settings in this file and the environment. Raises BadSettings with every mistake."""
    import os
    from pathlib import Path

    from otd.settings import load

    return load(Path(config), os.environ)
