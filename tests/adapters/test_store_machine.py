"""Whatever is hinted, claimed, finished, paused and lost, in any order: no row runs twice at once, no lane holds more
than its cap, no hint is lost, and what can be claimed is what `next_due` says."""

from __future__ import annotations

import shutil
import tempfile
from datetime import datetime, timedelta
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from otd.model import Settled, Work, WorkKind
from otd.store import SqlStore
from tests.contracts.store_case import DAY, KEY, LEASE, NoJitter, a_room
from tests.values import MINUTE, SECOND, FixedClock, an_endpoint

CAPS = {"office": 2, "hq": 1}
NAMES: dict[str, tuple[WorkKind, str, str]] = {
    f"refresh:room{n}": ("refresh", f"room{n}", "office") for n in range(1, 5)
} | {f"deliver:codec{n}": ("deliver", f"codec{n}", "hq") for n in range(1, 4)}
SPANS = st.sampled_from([timedelta(0), SECOND, 10 * SECOND, MINUTE, LEASE, 10 * MINUTE])
KEYS = st.sampled_from(sorted(NAMES))
GAP = 5 * SECOND  # how much later a refresh that was hinted while it ran may run again


class ClaimingAndHinting(RuleBasedStateMachine):
    """`held` are claims whose workers live, `lost` those whose workers died or were too slow; `asked` are the hints
    that no claim has served yet; `parked` the rows that wait for a person; `retried` those that one had tried again
    since they were claimed."""

    @initialize()
    def open(self) -> None:
        self.folder = tempfile.mkdtemp()
        path = shutil.copy(empty_database(), Path(self.folder) / "otd.db")
        self.clock = FixedClock()
        self.store = SqlStore(f"sqlite:///{path}", KEY, clock=self.clock, rng=NoJitter())
        rooms = [a_room(n) for n in range(1, 5)]
        endpoints = [an_endpoint(name=f"codec{n}", rooms=(f"room{n}",)) for n in range(1, 4)]
        self.store.adopt(rooms, endpoints, CAPS, "d")
        self.held: dict[str, tuple[Work, datetime]] = {}
        self.lost: list[Work] = []
        self.asked: dict[str, datetime] = {key: self.clock.time for key in NAMES}
        self.parked: set[str] = set()
        self.retried: set[str] = set()
        self.paused: dict[str, datetime] = {}

    def live(self, lane: str) -> list[str]:
        now = self.clock.time
        return [key for key, (work, until) in self.held.items() if work.lane == lane and until > now]

    def take(self, work: Work) -> None:
        now = self.clock.time
        assert work.key not in self.live(work.lane), f"{work.key} is leased twice"
        assert self.paused.get(work.lane, now) <= now, f"{work.lane} is paused"
        if work.key in self.held:
            self.lost.append(self.held.pop(work.key)[0])
        self.held[work.key] = (work, work.lease_until)
        self.retried.discard(work.key)
        self.asked.pop(work.key, None)
        assert len(self.live(work.lane)) <= CAPS[work.lane]

    def resume(self) -> None:
        """Pauses that are over end with the next claim; then what waited may be spread over a minute."""
        now = self.clock.time
        over = {lane for lane, until in self.paused.items() if until <= now}
        self.paused = {lane: until for lane, until in self.paused.items() if lane not in over}
        for key in self.asked:
            if NAMES[key][2] in over:
                self.asked[key] = max(self.asked[key], now) + MINUTE

    @rule(limit=st.integers(1, 9))
    def claim(self, limit: int) -> None:
        self.resume()
        for work in self.store.claim("me", limit=limit, lease=LEASE):
            self.take(work)

    @rule()
    def claim_all_that_is_due(self) -> None:
        self.resume()
        due = self.store.next_due()
        claimed = self.store.claim("me", limit=99, lease=LEASE)
        assert bool(claimed) == (due is not None and due <= self.clock.time)
        for work in claimed:
            self.take(work)

    @rule(key=KEYS, delay=SPANS)
    def hint(self, key: str, delay: timedelta) -> None:
        kind, name, _ = NAMES[key]
        self.store.hint(kind, name, delay=delay)
        self.asked[key] = min(self.clock.time + delay, self.asked.get(key, self.clock.time + delay))

    @rule(key=KEYS)
    def unpark(self, key: str) -> None:
        kind, name, _ = NAMES[key]
        self.store.unpark(kind, name)
        self.parked.discard(key)
        self.retried.add(key)
        self.asked[key] = min(self.clock.time, self.asked.get(key, self.clock.time))

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def begin(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.held)))
        work, until = self.held[key]
        now = self.clock.time
        holds = self.store.begin(work)
        assert holds == (until > now and self.paused.get(work.lane, now) <= now)
        if holds:
            self.held[key] = (work, now + LEASE)
        else:
            self.give_back(key)

    def give_back(self, key: str) -> None:
        """It was due when it was claimed, and nobody has done it."""
        work, _ = self.held.pop(key)
        self.lost.append(work)
        if key not in self.parked:
            self.asked[key] = min(self.clock.time, self.asked.get(key, self.clock.time))

    @precondition(lambda self: self.held)
    @rule(data=st.data(), after=SPANS, failed=st.booleans(), parked=st.booleans(), pause=st.none() | SPANS)
    def finish(
        self, data: st.DataObject, after: timedelta, failed: bool, parked: bool, pause: timedelta | None
    ) -> None:
        key = data.draw(st.sampled_from(sorted(self.held)))
        work, _ = self.held.pop(key)
        self.lost.append(work)
        self.store.finish(
            work, Settled(after=after, error="error" if failed or parked else "", parked=parked, pause_lane=pause)
        )
        now = self.clock.time
        if pause:
            self.paused[work.lane] = max(now + pause, self.paused.get(work.lane, now))
        if parked and key not in self.retried:
            self.parked.add(key)
            self.asked.pop(key, None)
        else:
            self.parked.discard(key)
            self.asked[key] = min(now + after, max(now, self.asked.get(key, now + after)) + GAP)

    @precondition(lambda self: self.lost)
    @rule(data=st.data())
    def hear_from_the_lost(self, data: st.DataObject) -> None:
        """A worker that was taken over, or has finished before, changes nothing."""
        work = data.draw(st.sampled_from(self.lost))
        before = self.store.work()
        assert not self.store.begin(work)
        self.store.finish(work, Settled(after=DAY, error="late", parked=True, pause_lane=DAY))
        assert self.store.work() == before

    @rule(span=SPANS)
    def pass_time(self, span: timedelta) -> None:
        self.clock.time += span

    @rule()
    def restart(self) -> None:
        self.store.release("me")
        for key in sorted(self.held):
            self.give_back(key)

    @invariant()
    def no_hint_is_lost(self) -> None:
        if not hasattr(self, "store"):
            return
        now = self.clock.time
        for row in self.store.work():
            key = f"{row.kind}:{row.name}"
            assert row.leased == (key in self.live(row.lane))
            assert row.parked == (key in self.parked)
            if key in self.asked and not row.leased and not row.parked:
                assert row.due <= max(self.asked[key], now) + GAP, f"{key} is due too late"

    def teardown(self) -> None:
        if not hasattr(self, "store"):
            return
        claimed: set[str] = set()
        for _ in range(12):
            self.clock.time += DAY
            claimed |= {work.key for work in self.store.claim("me", limit=99, lease=LEASE)}  # and then they die
        assert claimed == set(NAMES)
        self.store.close()
        shutil.rmtree(self.folder)


_made: list[Path] = []


def empty_database() -> Path:
    if not _made:
        path = Path(tempfile.mkdtemp()) / "otd.db"
        SqlStore(f"sqlite:///{path}", KEY).close()
        _made.append(path)
    return _made[0]


ClaimingAndHinting.TestCase.settings = settings(
    max_examples=25, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestClaimingAndHinting = ClaimingAndHinting.TestCase
