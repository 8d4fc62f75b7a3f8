"""Benchmarks: each figure beside its floor, measured in the same run, and the ratio of the two with its limit.

How to add one:

1. Write `otd/lab/bench/NAME.py` with
   - `SENTENCE`: one sentence, what is measured against what (shown by `otd bench`);
   - `run(options: Mapping[str, str]) -> Result`;
   - `OPTIONS: dict[str, str]` if it takes options: name -> help; `--name VALUE` comes in as `options["name"]`, and
     options that were not given are not in the mapping.
   Import at the top nothing but the standard library and this module: `otd bench` imports every benchmark to list it.
2. Add the name to NAMES.

A ratio is held from above only: "at least 10 times faster than X" is the ratio ours / X with the limit 0.1, and "none
wrong" is the ratio `wrong` with the limit 0. Names of figures end in their unit: `_s`, `_ms`, `_us`, `_bytes`,
`_per_s`, `_count`. Measure the figure and its floor in turns (`in_turns`), so that a busy machine slows both.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from math import isfinite
from typing import Any

from otd.errors import BadSetting

NAMES: tuple[str, ...] = (
    "calendars",
    "cluster",
    "explain",
    "face",
    "failover",
    "first-fill",
    "fleet",
    "latency",
    "parse",
    "refresh",
    "replay",
    "start",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """One figure over its floor. `figure` and `floor` name the two among the figures, for the reader."""

    value: float
    limit: float
    figure: str = ""
    floor: str = ""

    @property
    def is_over(self) -> bool:
        return not self.value <= self.limit  # so that NaN is over


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What one run of a benchmark gave; `notes` are lines for a person, not part of the JSON."""

    figures: Mapping[str, float]
    ratios: Mapping[str, Ratio] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, value in self.figures.items():
            if not isfinite(value):
                raise ValueError(f"figure {name} is {value}")
        for name, ratio in self.ratios.items():
            for part in (ratio.figure, ratio.floor):
                if part and part not in self.figures:
                    raise ValueError(f"ratio {name} speaks of {part}, which is not among the figures")

    @property
    def is_over(self) -> bool:
        """Whether any ratio is over its limit."""
        return any(ratio.is_over for ratio in self.ratios.values())

    def as_json(self, bench: str) -> dict[str, Any]:
        return {
            "bench": bench,
            "machine": machine(),
            "figures": dict(self.figures),
            "ratios": {name: {"value": r.value, "limit": r.limit} for name, r in self.ratios.items()},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """A benchmark: its name, what it measures in a sentence, its options (name -> help), and how to run it."""

    name: str
    sentence: str
    options: Mapping[str, str]
    run: Callable[[Mapping[str, str]], Result]


def bench(name: str) -> Bench:
    """The benchmark of this name, one of NAMES."""
    module = import_module(f"{__name__}.{name.replace('-', '_')}")
    return Bench(name=name, sentence=module.SENTENCE, options=getattr(module, "OPTIONS", {}), run=module.run)


def whole(options: Mapping[str, str], name: str, default: int) -> int:
    """The option as a whole number above 0. Raises BadSetting."""
    text = options.get(name, str(default))
    if not text.isdecimal() or not int(text):
        raise BadSetting(f"--{name} {text}", "this is not a whole number above 0", f"for example --{name} {default}")
    return int(text)


def ratio(figures: Mapping[str, float], figure: str, floor: str, *, limit: float) -> Ratio:
    """figures[figure] / figures[floor], rounded to what a measurement can mean."""
    return Ratio(value=round(figures[figure] / figures[floor], 3), limit=limit, figure=figure, floor=floor)


def in_turns(
    calls: Mapping[str, Callable[[], object]], *, rounds: int, clock: Callable[[], float] = time.perf_counter
) -> dict[str, float]:
    """The seconds that each call took at its fastest, every round calling each once.

    `clock` may be `time.process_time` or `time.thread_time` for processor time instead of the wall's.
    """
    best: dict[str, float] = {}
    for _ in range(rounds):
        for name, call in calls.items():
            began = clock()
            call()
            best[name] = min(best.get(name, float("inf")), clock() - began)
    return best


def machine() -> str:
    """The machine in a few words: processor, how many of it, system, Python."""
    return f"{_processor()}, {os.cpu_count()} CPUs, {platform.system()}, Python {platform.python_version()}"


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as info:
            names = [line.partition(":")[2].strip() for line in info if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.machine()
