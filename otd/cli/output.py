"""What commands print: lines, tables, JSON and progress. rich is imported only where something is drawn.

Colour and drawing only on a terminal that wants them (NO_COLOR, TERM=dumb); a pipe or a file gets plain text of a
fixed form. What comes from outside loses its control characters, so that it cannot move a cursor or hide a line.
"""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any, TextIO, TypeVar

import click

Thing = TypeVar("Thing")


def is_drawn(stream: TextIO | None = None) -> bool:
    """Whether colour and drawing are wanted on this stream (standard output unless named)."""
    stream = stream or sys.stdout
    return stream.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


def plain(text: str) -> str:
    """The text on one line, without control and direction characters."""
    return "".join(
        " " if ch in "\r\n\t\v\f\x85\u2028\u2029" else "" if unicodedata.category(ch) in ("Cc", "Cf", "Cs") else ch
        for ch in text
    )


def coloured(text: str, colour: str) -> str:
    """The text in one of the terminal's colours, by its name; just the text where no colour is wanted."""
    return click.style(text, fg=colour) if is_drawn() else text


def print_json(value: Any) -> None:
    """One JSON document, indented, with its characters as they are where the terminal can show them."""
    encoding = (getattr(sys.stdout, "encoding", None) or "ascii").lower()
    click.echo(json.dumps(value, indent=2, ensure_ascii=not encoding.startswith("utf")))


def print_table(heads: Sequence[str], rows: Iterable[Sequence[object]], *, title: str = "") -> None:
    """A table: drawn on a terminal, in columns parted by two spaces elsewhere. Cells may be of any type."""
    cells = [[plain(str(cell)) for cell in row] for row in rows]
    if is_drawn():
        _draw_table(heads, cells, title)
        return
    if title:
        click.echo(title)
    widths = [max(map(width, column)) for column in zip(heads, *cells, strict=True)]
    for row in [list(heads), *cells]:
        click.echo("  ".join(cell + " " * (w - width(cell)) for cell, w in zip(row, widths, strict=True)).rstrip())


def print_fields(fields: Mapping[str, object]) -> None:
    """One thing, a line for each of its fields; lists are spaced."""
    longest = max(map(len, fields), default=0)
    for key, value in fields.items():
        text = " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
        click.echo(f"{key.ljust(longest)}  {plain(text)}".rstrip())


def named(kind: str, name: str, known: Mapping[str, Thing]) -> Thing:
    """The thing of this name. Raises BadSetting with what was probably meant."""
    if name not in known:
        from otd.errors import BadSetting
        from otd.settings.mistakes import did_you_mean

        raise BadSetting(f"{kind} {name}", f"there is no such {kind}", did_you_mean(name, known))
    return known[name]


def width(text: str) -> int:
    """How many columns of a terminal the text takes: wide East Asian characters two, combining ones none."""
    return sum(0 if unicodedata.combining(ch) else 2 if unicodedata.east_asian_width(ch) in "WF" else 1 for ch in text)


def _draw_table(heads: Sequence[str], cells: list[list[str]], title: str) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*heads, box=SIMPLE_HEAD, title=title or None, title_justify="left", pad_edge=False)
    for row in cells:
        table.add_row(*(Text(cell, overflow="fold") for cell in row))
    Console(highlight=False, emoji=False).print(table)


@contextmanager
def progress(what: str | Callable[[], str]) -> Iterator[None]:
    """Show on standard error what is under way, when it takes longer than a second and a person looks.

    `what` may be a function, which is asked again and again.
    """
    if not is_drawn(sys.stderr):
        yield
        return
    done = Event()
    thread = Thread(target=_show_progress, args=(what, done), daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _show_progress(what: str | Callable[[], str], done: Event) -> None:
    if done.wait(1):
        return
    from rich.console import Console
    from rich.live import Live
    from rich.spinner import Spinner
    from rich.text import Text

    spinner = Spinner("dots")
    here = sys.stdout.isatty()  # then what is printed meanwhile comes above it; else it goes where it should
    console = Console(stderr=True)
    with Live(spinner, console=console, transient=True, refresh_per_second=8, redirect_stdout=here):
        while not done.wait(0.2):
            spinner.update(text=Text(plain(what if isinstance(what, str) else what())))
