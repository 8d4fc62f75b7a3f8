"""`otd bench`: the list, one run, its JSON, and the exit code when a ratio is over its limit."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from otd.cli import bench as command
from otd.lab import bench as benches
from otd.lab.bench import NAMES, Bench, Ratio, Result, bench, in_turns, ratio
from tests.adapters.cli import Otd, otd

__all__ = ["otd"]


def test_every_benchmark_has_its_sentence_in_the_list(otd: Otd) -> None:
    said = otd("bench")
    assert said.code == 0
    lines = said.out.splitlines()[1:]
    assert [line.split()[0] for line in lines] == list(NAMES)
    for name, line in zip(NAMES, lines, strict=True):
        assert bench(name).sentence in line


def test_every_module_that_measures_is_a_benchmark() -> None:
    folder = Path(benches.__file__).parent
    modules = {path.stem for path in folder.glob("*.py") if "\nSENTENCE = " in path.read_text()}
    assert {name.replace("-", "_") for name in NAMES} == modules


def test_starting_otd_is_measured_beside_a_bare_python(otd: Otd) -> None:
    said = otd("bench", "start", "--rounds", "3", "--json")
    assert said.code == 0, said
    found = json.loads(said.out)
    assert set(found) == {"bench", "machine", "figures", "ratios"}
    assert found["bench"] == "start"
    assert isinstance(found["machine"], str)
    assert set(found["figures"]) == {"otd_help_s", "python_pass_s"}
    assert set(found["ratios"]) == {"otd_help"}
    assert set(found["ratios"]["otd_help"]) == {"value", "limit"}
    assert 1 < found["ratios"]["otd_help"]["value"] <= found["ratios"]["otd_help"]["limit"] == 8


def test_a_person_sees_the_figure_its_floor_and_the_ratio(otd: Otd) -> None:
    out = otd("bench", "start", "--rounds", "1").out
    assert "otd_help_s / python_pass_s" in out
    assert "python_pass_s" in out


@pytest.mark.parametrize("rounds", ["none", "0", "-1"])
def test_an_option_without_sense_is_told(otd: Otd, rounds: str) -> None:
    said = otd("bench", "start", "--rounds", rounds)
    assert said.code == 2
    assert "rounds" in said.err


def of(result: Result) -> Bench:
    def run(options: Mapping[str, str]) -> Result:
        return result

    return Bench(name="wrong", sentence="How many are wrong.", options={}, run=run)


@pytest.mark.parametrize(
    ("value", "limit", "code"), [(0.0, 0.0, 0), (1.0, 0.0, 1), (2.5, 2.5, 0), (2.51, 2.5, 1), (math.nan, 2.5, 1)]
)
def test_a_ratio_over_its_limit_is_exit_code_one(value: float, limit: float, code: int) -> None:
    found = command.made(of(Result(figures={"wrong_count": 1}, ratios={"wrong": Ratio(value=value, limit=limit)})))
    assert found.main(["--json"], standalone_mode=False) == code
    assert found.main([], standalone_mode=False) == code


def test_a_result_says_nothing_that_is_not_measured() -> None:
    with pytest.raises(ValueError, match="nan"):
        Result(figures={"x_s": math.nan})
    with pytest.raises(ValueError, match="not among the figures"):
        Result(figures={"x_s": 1.0}, ratios={"x": Ratio(value=1, limit=2, figure="x_s", floor="y_s")})


def test_calls_are_measured_in_turns_and_the_fastest_counts() -> None:
    calls: list[str] = []
    times = iter([0.0, 5.0, 10.0, 11.0, 20.0, 22.0, 30.0, 34.0])
    found = in_turns(
        {"a_s": lambda: calls.append("a"), "b_s": lambda: calls.append("b")}, rounds=2, clock=lambda: next(times)
    )
    assert calls == ["a", "b", "a", "b"]
    assert found == {"a_s": 2.0, "b_s": 1.0}
    assert ratio(found, "a_s", "b_s", limit=3) == Ratio(value=2.0, limit=3, figure="a_s", floor="b_s")


def test_a_benchmark_that_is_ended_removes_what_it_made(tmp_path: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    script = (
        "import sys, tempfile, time\n"
        "from otd.cli import bench\n"
        "from otd.lab.bench import Bench\n"
        "def run(options):\n"
        "    with tempfile.TemporaryDirectory():\n"
        "        print('begun', flush=True)\n"
        "        time.sleep(60)\n"
        "bench.made(Bench(name='long', sentence='', options={}, run=run))([])\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script], env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process.stdout:
        assert process.stdout.readline() == "begun\n"
        assert list(tmp_path.iterdir()) != []
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 128 + signal.SIGTERM
    assert list(tmp_path.iterdir()) == []
