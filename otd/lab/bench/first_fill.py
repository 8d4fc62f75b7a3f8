"""How long it takes until every room was read once, beside what Graph's limits allow.

The lab's Graph runs in a process of its own; every request takes its time there, and too many at once are refused. The
centre's use cases work on a real store, each room on an endpoint of its own.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from otd.errors import Unreachable
from otd.lab.bench import Ratio, Result, ratio, whole

if TYPE_CHECKING:
    from otd.lab.campus_process import CampusProcess

SENTENCE = (
    "Reading 1,000 rooms of a lab Graph for the first time, with 200 ms for an answer and 8 requests at once, against "
    "the time that these limits allow."
)
OPTIONS = {
    "rooms": "How many rooms there are (default 1000).",
    "latency": "How many milliseconds an answer takes (default 200).",
    "seed": "What the rooms' calendars come from (default 1).",
}
AT_ONCE = 8  # requests of one tenant
THREADS = 16  # as many as `otd run` has
LIMIT = 1.3
ONCE = timedelta(days=1)  # no room is read a second time


def run(options: Mapping[str, str]) -> Result:
    """The time from the start until the last room was read, and what it would be if no moment were lost."""
    from otd.lab.campus_process import CampusProcess

    rooms, seed = whole(options, "rooms", 1000), whole(options, "seed", 1)
    latency = whole(options, "latency", 200) / 1000
    with (
        CampusProcess(rooms=rooms, seed=seed, latency=latency, at_once=AT_ONCE) as campus,
        tempfile.TemporaryDirectory() as folder,
    ):
        seconds, processor, meetings = _fill(campus, rooms, Path(folder))
        asked = campus.asked()
    figures = {
        "fill_s": round(seconds, 2),
        "allowed_s": round(rooms * latency / AT_ONCE, 2),
        "processor_s": round(processor, 2),
        "requests_count": float(asked.get("calendarView", 0)),
        "batches_count": float(asked.get("batch", 0)),
        "meetings_count": float(meetings),
    }
    needless = figures["requests_count"] - rooms
    ratios = {
        "first_fill": ratio(figures, "fill_s", "allowed_s", limit=LIMIT),
        "needless_requests": Ratio(value=needless, limit=0),
    }
    return Result(figures=figures, ratios=ratios, notes=(f"{rooms} rooms, {AT_ONCE} requests at once.",))


def _fill(campus: CampusProcess, rooms: int, folder: Path) -> tuple[float, float, int]:
    """Seconds until every room was read, seconds of this process's processor time, and how many meetings there were."""
    from otd import dialplan
    from otd.bus.local import LocalBus
    from otd.calendars.access import GraphAccess
    from otd.calendars.graph import GraphCalendar
    from otd.executor import LocalExecutor
    from otd.invites import Site
    from otd.lab.bench.calendars import TheSecret
    from otd.lab.campus import DOMAIN
    from otd.model import Endpoint, LaneSize, Policy, Room, Settled, Work
    from otd.pipeline import Pipeline, Rulebook
    from otd.store.sql import SqlStore
    from otd.wiring import SystemClock

    ca_file = folder / "ca.pem"
    ca_file.write_text(campus.certificate, encoding="ascii")
    access = GraphAccess(
        tenant=campus.tenant,
        client_id=campus.client_id,
        secret="campus",  # noqa: S106 - its name
        authority=campus.graph_url,
        root=campus.graph_url,
        ca_file=str(ca_file),
    )
    named = {
        f"room-{n:05}": Room(name=f"room-{n:05}", calendar="campus", mailbox=f"room-{n:05}@{DOMAIN}")
        for n in range(1, rooms + 1)
    }
    endpoints = {
        f"codec-{room}": Endpoint(name=f"codec-{room}", kind="memory", address="127.0.0.1:1", pool="hq", rooms=(room,))
        for room in named
    }
    store = SqlStore(f"sqlite:///{folder / 'otd.db'}", b"k" * 32)
    calendar = GraphCalendar("campus", access, secrets=TheSecret(campus.secret), clock=SystemClock())
    own = (DOMAIN,)
    pipeline = Pipeline(
        store=store,
        calendars={"campus": calendar},
        bus=LocalBus(),
        rooms=named,
        endpoints=endpoints,
        rules=Rulebook(
            plan=dialplan.plan((), own, ()),
            site=Site(own_domains=own),
            policy=Policy(own_domains=own),
            refresh=ONCE,
            idle=ONCE,
        ),
        wake=lambda: executor.wake(),
    )
    lane = LaneSize(cap=AT_ONCE, most=AT_ONCE)
    store.adopt(named.values(), endpoints.values(), {"campus": lane, "hq": 1, "house": 1}, "bench")
    store.pause("hq", store.now() + ONCE, "nothing is delivered here")
    left = set(named)
    done = threading.Event()

    def carry_out(work: Work) -> Settled:
        settled = pipeline.carry_out(work)
        if not settled.error:
            left.discard(work.name)
            if not left:
                done.set()
        return settled

    executor = LocalExecutor(store, carry_out, threads=THREADS, owner="bench")
    began, processor = time.monotonic(), time.process_time()
    executor.start()
    try:
        if not done.wait(120 + rooms):
            raise Unreachable("bench first-fill", f"{len(left)} rooms were not read")
        seconds, processor = time.monotonic() - began, time.process_time() - processor
        return seconds, processor, sum(state.meetings for state in store.rooms())
    finally:
        executor.stop(within=timedelta(seconds=20))
        calendar.close()
        store.close()
