"""A replay of very many stored meetings, beside what reading their invitations alone costs, and whether its memory
stays flat. The replay runs in a process of its own, so that what was needed to store them is not counted."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from otd.lab.bench import Ratio, Result, ratio, whole

if TYPE_CHECKING:
    from otd.model import Endpoint, Meeting, Room
    from otd.refresh import Rulebook
    from otd.store.sql import SqlStore

SENTENCE = "A replay of 100,000 stored meetings against reading the same invitations, and its memory."
OPTIONS = {"meetings": "How many meetings are stored (default 100000)."}
EACH = 50  # meetings in a room
BODIES = 500  # different ones; each meeting has one that is its own by a few characters
SLOWER = 3  # so much longer than reading alone it may take
GROWTH = 1.2  # memory at its end over that after a tenth
KEY = b"otd-bench-replay-not-a-secret-32"


def run(options: Mapping[str, str]) -> Result:
    meetings = whole(options, "meetings", 100_000)
    with tempfile.TemporaryDirectory(prefix="otd-replay-") as folder:
        path = Path(folder) / "otd.db"
        began = time.monotonic()
        rooms = max(meetings // EACH, 1)
        _store_them(path, rooms)
        stored = time.monotonic() - began
        code = f"from otd.lab.bench.replay import measured; measured({str(path)!r}, {rooms})"
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=3600
        )
    found: dict[str, float] = json.loads(done.stdout)
    figures = {name: round(value, 3) for name, value in found.items()} | {"storing_s": round(stored, 1)}
    return Result(
        figures=figures,
        ratios={
            "replay": ratio(figures, "replay_us", "reading_us", limit=SLOWER),
            "memory": ratio(figures, "memory_at_the_end_bytes", "memory_after_a_tenth_bytes", limit=GROWTH),
            "differing": Ratio(value=figures["differing_count"], limit=0),
        },
    )


# --- what is stored -----------------------------------------------------------------------------------------------


def _rooms(count: int) -> Iterator[tuple[Room, Endpoint]]:
    from otd.model import Endpoint, Room

    for number in range(count):
        name = f"room-{number:05}"
        room = Room(name=name, calendar="office", mailbox=f"{name}@example.com")
        yield room, Endpoint(name=f"codec-{number:05}", kind="memory", address=name, pool="hq", rooms=(name,))


def _rules() -> Rulebook:
    from otd.dialplan import for_site
    from otd.invites import Site
    from otd.model import Policy
    from otd.refresh import Rulebook

    return Rulebook(plan=for_site((), Site()), site=Site(), policy=Policy())


def _opened(path: Path) -> SqlStore:
    from otd.store.sql import SqlStore

    return SqlStore(f"sqlite:///{path}", KEY)


def _store_them(path: Path, count: int) -> None:
    """Each room's reading, and the list that its endpoint was told by it."""
    from otd import bookings
    from otd.lab.bench.invitations import bodies
    from otd.model import Complete, Window

    store, rules = _opened(path), _rules()
    try:
        pairs = tuple(_rooms(count))
        lanes = {"office": 1, "hq": 1, "house": 1}
        store.adopt([room for room, _ in pairs], [endpoint for _, endpoint in pairs], lanes, "bench")
        texts = bodies(BODIES, seed=1)
        for number, (room, endpoint) in enumerate(pairs):
            now = store.now()
            window = Window(start=now, end=now + rules.policy.ahead)
            read = tuple(_meeting(texts, number, place, window) for place in range(EACH))
            part = bookings.of_room(room, endpoint, read, rules.plan, rules.site, rules.policy, window)
            wanted = bookings.union(endpoint.name, window, [part])
            store.put_desired(wanted, bookings.digest(wanted))
            store.keep_reading(Complete(room=room.name, window=window, taken_at=now, meetings=read))
    finally:
        store.close()


def _meeting(texts: list[str], room: int, place: int, window: object) -> Meeting:
    from otd.lab.bench.invitations import meetings
    from otd.model import Window

    assert isinstance(window, Window)  # noqa: S101
    text = f"{texts[(room * EACH + place) % len(texts)]}<!-- {room}/{place} -->"
    (usual,) = meetings([text])
    start = window.start + timedelta(hours=1 + 2 * place)
    name = f"{room}-{place}"
    return replace(usual, id=name, uid=f"{name}@example.com", start=start, end=start + timedelta(hours=1))


# --- what is measured ---------------------------------------------------------------------------------------------


def measured(path: str, count: int) -> None:
    """In a process of its own: replay everything, and print what it took as JSON."""
    from otd.replay import Replay

    store, rules = _opened(Path(path)), _rules()
    pairs = tuple(_rooms(count))
    rooms = {room.name: room for room, _ in pairs}
    by = Replay(store=store, rooms=rooms, endpoints={one.name: one for _, one in pairs}, rules=rules)
    meetings = differing = 0
    memory = early = 0.0
    began = time.process_time()
    for number, mark in enumerate(by.marks(rooms), 1):
        one = by.reading(mark)
        meetings += one.meetings
        differing += len(one.changes) + one.unknown
        if number == max(count // 10, 1):
            early = _memory()
        memory = max(memory, _memory()) if number % 20 == 0 or number == count else memory
    replaying = time.process_time() - began
    print(  # noqa: T201 - the process that started this one reads it
        json.dumps(
            {
                "meetings_count": meetings,
                "differing_count": differing,
                "replay_us": replaying / meetings * 1e6,
                "reading_us": _reading() * 1e6,
                "replayed_per_s": meetings / replaying,
                "memory_after_a_tenth_bytes": early,
                "memory_at_the_end_bytes": memory,
            }
        )
    )
    store.close()


def _reading() -> float:
    """Seconds of processor time to read one invitation and to dial it, as `otd bench parse` measures it."""
    from otd.dialplan import dial
    from otd.invites import read
    from otd.lab.bench.invitations import bodies, meetings

    plan, rounds = _rules().plan, []
    for turn in range(4):
        invitations = meetings(bodies(200, seed=turn))
        began = time.process_time()
        for meeting in invitations:
            dial(read(meeting), meeting, plan)
        rounds.append(time.process_time() - began)
    return min(rounds[1:]) / 200


def _memory() -> float:
    """Bytes of this process that are in memory now."""
    import resource

    with open("/proc/self/statm", encoding="ascii") as statm:
        return float(int(statm.read().split()[1]) * resource.getpagesize())
