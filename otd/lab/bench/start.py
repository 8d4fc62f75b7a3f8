"""How long the `otd` command takes to answer, beside a bare Python that does nothing."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path

from otd.lab.bench import Result, in_turns, ratio, whole

SENTENCE = "`otd --help` from start to end, against `python -c pass`."
OPTIONS = {"rounds": "How often each is started (default 15)."}


def run(options: Mapping[str, str]) -> Result:
    """The fastest start of each, by the wall clock."""
    script = Path(sysconfig.get_path("scripts")) / "otd"
    otd = [sys.executable, str(script)] if script.is_file() else [sys.executable, "-m", "otd"]
    seconds = in_turns(
        {"otd_help_s": lambda: _call([*otd, "--help"]), "python_pass_s": lambda: _call([sys.executable, "-c", "pass"])},
        rounds=whole(options, "rounds", 15),
    )
    figures = {name: round(value, 5) for name, value in seconds.items()}
    return Result(figures=figures, ratios={"otd_help": ratio(figures, "otd_help_s", "python_pass_s", limit=8)})


def _call(command: list[str]) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - our own interpreter and script
