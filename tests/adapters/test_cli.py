"""The `otd` command itself: help, exit codes, errors, and what it costs to start."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from otd.cli import COMMANDS, group
from tests.adapters.cli import Otd, an_installation, otd

__all__ = ["otd"]


def commands(command: click.Command = group.otd, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    """Every command and subcommand, with what a person types."""
    if path:
        yield " ".join(path), command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from commands(found, (*path, name))


@pytest.mark.parametrize("path", sorted(COMMANDS))
def test_every_command_and_subcommand_has_help_and_an_example(path: str) -> None:
    found = [(name, command) for name, command in commands() if name.split()[0] == path]
    assert found
    for name, command in found:
        assert command.help, name
        assert f"otd {name}" in (command.epilog or ""), f"no example in `otd {name} --help`"
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, f"{name} {parameter.opts}"


def test_help_lists_every_command_with_its_line(otd: Otd) -> None:
    said = otd("--help")
    assert said.code == 0
    for name, (_, line) in COMMANDS.items():
        assert name in said.out
        assert line.split()[0] in said.out


def test_help_needs_click_and_none_of_the_commands() -> None:
    code = (
        "import sys; before = set(sys.modules); from otd import cli; cli.call(['--help']);"
        "print(*(set(sys.modules) - before), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stderr.split())
    assert {m for m in loaded if m.startswith("otd")} == {"otd", "otd.cli", "otd.cli.group", "otd.errors"}
    assert {m.partition(".")[0] for m in loaded} - sys.stdlib_module_names == {"otd", "click"}


def test_the_version_is_told(otd: Otd) -> None:
    from otd import __version__

    assert otd("--version").out.strip() == f"otd {__version__}"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["statsu"], "Did you mean 'status'?"),
        (["rooms", "shwo"], "shwo"),
        (["rooms", "list", "--jsno"], "--json"),
        (["rooms", "show"], "NAME"),
        (["bench", "strat"], "strat"),
    ],
)
def test_a_wrong_command_line_is_told_with_exit_code_two(otd: Otd, arguments: list[str], words: str) -> None:
    said = otd(*arguments)
    assert said.code == 2
    assert words in said.err
    assert "Traceback" not in said.err


def test_an_error_is_one_line_with_where_why_and_mend(otd: Otd, tmp_path: Path) -> None:
    an_installation(tmp_path)
    said = otd("rooms", "show", "bord")
    assert said.code == 2
    assert said.err == "otd: room bord: there is no such room (did you mean board?)\n"


def test_every_mistake_in_the_settings_has_its_line(otd: Otd, tmp_path: Path) -> None:
    (tmp_path / "otd.toml").write_text('[rnu]\n[run]\nlog = "x"\n')
    said = otd("rooms", "list")
    assert said.code == 2
    assert [line.split(":")[1].strip() for line in said.err.splitlines()] == [
        "otd.toml line 1, rnu",
        "otd.toml line 3, run.log",
    ]


def test_the_settings_file_may_be_named_by_the_environment(
    otd: Otd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    an_installation(elsewhere)
    monkeypatch.setenv("OTD_CONFIG", str(elsewhere / "otd.toml"))
    assert "Board room" in otd("rooms", "list").out


def test_ctrl_c_ends_quietly_with_130(tmp_path: Path) -> None:
    """A command that waits for its input is interrupted while it waits."""
    an_installation(tmp_path)
    os.mkfifo(tmp_path / "table.csv")
    process = subprocess.Popen(
        [sys.executable, "-m", "otd", "rooms", "import", "table.csv"], cwd=tmp_path, stderr=subprocess.PIPE
    )
    with (tmp_path / "table.csv").open("w"):  # opens when the command has begun to read
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    assert (process.returncode, err.strip()) == (130, b"")


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    rooms = "".join(f'[rooms.r{n}]\ncalendar = "post"\n' for n in range(2000))
    an_installation(tmp_path)
    (tmp_path / "otd.toml").write_text((tmp_path / "otd.toml").read_text() + rooms)
    process = subprocess.Popen(
        [sys.executable, "-m", "otd", "rooms", "list"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    err = process.stderr.read()
    process.stderr.close()
    assert (process.wait(timeout=20), err) == (1, b"")


def test_every_command_appears_in_the_readme() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
    assert [name for name in COMMANDS if f"`otd {name}`" not in readme] == []
