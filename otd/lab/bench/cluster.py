"""What a cluster on one machine holds: very many rooms, each read every 60 seconds, by workers over RabbitMQ and
PostgreSQL, from a simulated Graph in a process of its own that takes 150 ms for each answer.

Every room has an endpoint (of kind memory, in a relay's process), so that lists are computed, delivered and confirmed
as ever. Processor times are the kernel's, by process; those of RabbitMQ and PostgreSQL are of all that these servers
did on this machine meanwhile. What one process spends on reading, on the store and on the rest is measured apart, on
one thread, with the same rooms and the same Graph.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from otd.lab.bench import Ratio, Result, whole

if TYPE_CHECKING:
    from otd.lab.bench.cluster_house import House

SENTENCE = (
    "10,000 rooms, each read every 60 s by Celery workers on RabbitMQ and PostgreSQL: the rate held, how late, what "
    "each part costs, and a change of settings that touches all."
)
OPTIONS = {
    "rooms": "How many rooms there are (default 10000).",
    "seconds": "How long is measured, once every room was read and its list confirmed (default and least 120).",
    "workers": "How many worker processes there are (default 2).",
    "threads": "How many threads each has (default 24).",
    "database": "A PostgreSQL server in which a database may be made (default postgresql://postgres@127.0.0.1:5432).",
}
PERIOD = 60.0  # seconds
SERVER = "postgresql://postgres@127.0.0.1:5432"
NOTHING = 3000  # tasks without work, to see what carrying them costs
PATIENCE = 1800.0  # seconds until everything was read once
CALM = 90.0  # seconds until all of it is delivered and looked at, or is not waited for


def run(options: Mapping[str, str]) -> Result:
    """See SENTENCE."""
    from otd.lab.bench.cluster_house import House, database

    rooms, seconds = whole(options, "rooms", 10_000), max(whole(options, "seconds", 120), 120)
    workers, threads = whole(options, "workers", 2), whole(options, "threads", 24)
    figures: dict[str, float] = {"rooms_count": rooms, "wanted_per_s": round(rooms / PERIOD, 1)}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="otd-bench-")))
        url = stack.enter_context(database(options.get("database", SERVER)))
        house = stack.enter_context(House(folder, url, rooms=rooms, workers=workers, threads=threads))
        began = time.monotonic()
        house.until_all_read(0, PATIENCE)
        figures["first_fill_s"] = round(time.monotonic() - began, 1)
        house.until_calm(CALM)
        figures["calm_s"] = round(time.monotonic() - began, 1)
        figures |= _steady(house, seconds)
        figures |= _changed(house)
        house.stop_workers()
        figures |= house.costs_apart(min(rooms, 400))
    figures |= _carrying(options, threads)
    ratios = {
        "lost_claims": Ratio(value=figures["lost_count"], limit=0),
        "lapses": Ratio(value=figures["lapses_most_count"], limit=1),
    }
    held = figures["held_per_s"] / figures["wanted_per_s"]
    busy = figures["busy_cores_count"]
    notes = (
        f"{rooms} rooms, {workers} workers with {threads} threads each, {seconds} s; {100 * held:.0f} % of the rate"
        f" that reading every {PERIOD:g} s wants was held.",
        f"{busy:.2f} of {os.cpu_count()} cores were busy with it; "
        + (
            "the rate was held."
            if held >= 0.98
            else "the processors bound it: there is none left for more."
            if busy > 0.85 * (os.cpu_count() or 1)
            else "something else on this machine, or waiting, bound it."
        ),
        "lateness is what passed between two readings of a room beyond 60 s.",
    )
    return Result(figures=figures, ratios=ratios, notes=notes)


def _steady(house: House, seconds: int) -> dict[str, float]:
    """While nothing changes."""
    before, began = house.processor_times(), time.monotonic()
    claimed, done = house.claims(), house.readings()
    intervals = house.watch(seconds)
    lasted = time.monotonic() - began
    after = house.processor_times()
    read = house.readings() - done
    late = sorted(max(0.0, interval - PERIOD) for interval in intervals) or [0.0]
    figures = {
        "held_per_s": round(read / lasted, 1),
        "claimed_count": house.claims() - claimed,
        "read_count": read,
        "late_p50_s": round(late[len(late) // 2], 2),
        "late_p99_s": round(late[min(len(late) - 1, int(len(late) * 0.99))], 2),
        "busy_cores_count": round(sum(after.values()) / lasted - sum(before.values()) / lasted, 2),
    }
    # What is claimed and not yet read is under way: no more than every claimer may have so at any time.
    figures["lost_count"] = max(0, int(figures["claimed_count"]) - read - house.most_under_way)
    for part, spent in after.items():
        figures[f"{part}_ms"] = round(1000 * (spent - before[part]) / max(read, 1), 2)
    return figures | {f"{name}_bytes": size for name, size in house.memory().items()}


def _changed(house: House) -> dict[str, float]:
    """A setting that touches every list is changed, and the workers are started anew."""
    tokens = house.tokens()
    house.change_settings()
    began = time.monotonic()
    lapses = house.until_all_listed_anew(tokens, PATIENCE)
    return {"change_drained_s": round(time.monotonic() - began, 1), "lapses_most_count": lapses}


def _carrying(options: Mapping[str, str], threads: int) -> dict[str, float]:
    """What it costs to carry a task whose claim does not hold any more: by Celery, and by a bare kombu consumer."""
    from otd.lab.bench.cluster_house import House, database

    figures: dict[str, float] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="otd-bench-")))
        url = stack.enter_context(database(options.get("database", SERVER)))
        house = stack.enter_context(House(folder, url, rooms=1, workers=0, threads=threads))
        celery = [sys.executable, "-m", "otd", "worker", "--queues", "other"]
        bare = [sys.executable, "-m", "otd.lab.bench.cluster_consumer", str(threads)]
        for name, arguments in (("celery", celery), ("kombu", bare)):
            spent, lasted = _carried(house, arguments)
            figures[f"{name}_task_us"] = round(1e6 * spent / NOTHING, 1)
            figures[f"{name}_tasks_per_s"] = round(NOTHING / lasted, 1)
    return figures


def _carried(house: House, arguments: list[str]) -> tuple[float, float]:
    """Processor time of this process, and seconds, for NOTHING tasks."""
    process: subprocess.Popen[Any] = house.started(arguments)
    try:
        house.until_consumed_from("otd.other")
        time.sleep(2)  # until it has nothing to do
        before, began = house.spent(process.pid), time.monotonic()
        house.publish_nothing(NOTHING)
        house.until_empty("otd.other")
        return house.spent(process.pid) - before, time.monotonic() - began
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
