"""The README is true: what it says to type is typed, and prints what it shows.

In the indented blocks of the first chapter a line that begins with `$` is typed into one folder, one after the other;
what follows must be in its output, in this order, where "…" stands for anything. Only `otd lab` is not started as it is
written: its endpoints are, on free ports, so that tests may run side by side.
"""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from otd import cli
from otd.lab.certificates import self_signed
from otd.lab.codec import Codec
from otd.lab.defaults import CODEC_PASSWORD, CODEC_USER, CODECS
from tests.scenarios.conftest import Run

ROOT = Path(__file__).parents[2]
PATIENCE = 40.0  # seconds until a command prints what it should
AGAIN = ("otd status", "otd explain", "otd endpoints compare")  # asking again changes nothing


def typed() -> list[tuple[str, list[str]]]:
    """(command, lines that it prints) of the chapter, in its order."""
    text = (ROOT / "README.md").read_text()
    chapter = text[text.index("## Quick start") : text.index("## How it works")]
    found: list[tuple[str, list[str]]] = []
    for line in re.findall(r"^    (.*)$", chapter, re.M):
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif found:
            found[-1][1].append(line.rstrip())
    return found


def is_shown(said: str, expected: list[str]) -> bool:
    """Whether the lines are there, in this order; "…" alone stands for any number of lines."""
    at = 0
    lines = [line.rstrip() for line in said.splitlines()]
    for line in expected:
        if line == "…":
            continue
        pattern = re.compile(".*".join(re.escape(part) for part in line.split("…")))
        at = next((n + 1 for n in range(at, len(lines)) if pattern.fullmatch(lines[n])), 0)
        if not at:
            return False
    return True


class Desk:
    """The folder in which everything is typed, and what runs in the background."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.codecs = [
            Codec(profile=profile, users={CODEC_USER: CODEC_PASSWORD}, speed=None, certificate=self_signed(name))
            for name, profile, _ in CODECS
        ]
        self.run = Run(folder / "otd.toml")

    def lab(self) -> None:
        """Simulated endpoints, on ports of their own."""
        settings = (self.folder / "otd.toml").read_text()
        for codec, (_, _, port) in zip(self.codecs, CODECS, strict=True):
            codec.start()
            settings = settings.replace(f"127.0.0.1:{port}", codec.address)
        (self.folder / "otd.toml").write_text(settings)

    def lab_is_stopped(self) -> None:
        for codec in self.codecs:
            codec.stop()

    def type(self, command: str, expected: list[str]) -> None:
        if command == "otd lab &":
            self.lab()
        elif command == "kill %1":
            self.lab_is_stopped()
        elif command == "otd run &":
            self.run.stop()
            self.run.start()
            self._until(lambda: self.run.log, command, expected)
        elif command.startswith(AGAIN):
            self._until(lambda: self._said(command), command, expected)
        else:
            said = self._said(command)
            assert is_shown(said, expected), f"$ {command}\n{said}"

    def _said(self, command: str) -> str:
        """What it prints. Commands of ours run in this process, which is quicker and prints the same."""
        said = io.StringIO()
        with contextlib.chdir(self.folder), contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            if command.startswith("otd "):
                cli.call(shlex.split(command)[1:])
            else:
                done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=True)
                said.write(done.stdout + done.stderr)
        return said.getvalue()

    def _until(self, say: Callable[[], str], command: str, expected: list[str]) -> None:
        end = time.monotonic() + PATIENCE
        while not is_shown(said := say(), expected):
            assert time.monotonic() < end, f"$ {command}\n{said}"
            time.sleep(0.3)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.run.kill()
    desk.lab_is_stopped()


def test_what_the_readme_says_to_type_prints_what_it_shows(desk: Desk) -> None:
    commands = typed()
    assert [command for command, _ in commands[:4]] == [
        "otd init",
        "otd lab &",
        "otd run &",
        "cp invitation.ics rooms/boardroom/",
    ]
    assert len(commands) > 15
    for command, expected in commands:
        desk.type(command, expected)


def test_a_line_that_is_not_printed_would_be_noticed() -> None:
    said = "one 1\ntwo 2\nthree 3\n"
    assert is_shown(said, ["one …", "…", "three 3"])
    assert not is_shown(said, ["three 3", "one 1"])
    assert not is_shown(said, ["one"])
    assert not is_shown("", ["one 1"])
