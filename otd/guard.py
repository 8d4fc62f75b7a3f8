"""Watching over the buttons: before each meeting its button must be confirmed, or people are told why it is not.

Two kinds of work. `guard` looks at everything and settles the alerts; `notify` tells a channel what is in its outbox,
with back-off while it cannot be told. Any process may do either; each thing is raised, told and cleared once.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import structlog

from otd import alerts
from otd.alerts import FORGOTTEN, SOON_OVER, Concern, Picture
from otd.causes import CAUSES
from otd.deliveries import is_alive
from otd.errors import Missing
from otd.model import Alert, Endpoint, EndpointState, Expiry, Notice, Settled, WorkKind
from otd.ports import Channel, Store

LOOK = timedelta(seconds=15)
IDLE = timedelta(hours=1)  # until an empty outbox is looked at without a hint
EXPIRIES = timedelta(hours=1)
AT_ONCE = 100  # notices that a channel is told in one go
WITHIN = timedelta(seconds=30)
log = structlog.get_logger(__name__)


class Guard:
    """The use cases with what they need. `expiries` says what this process knows to run out."""

    def __init__(
        self,
        *,
        store: Store,
        concern: Concern,
        channels: Mapping[str, Channel],
        endpoints: Mapping[str, Endpoint],
        others: Iterable[str] = (),
        expiries: Callable[[], Iterable[Expiry]] = tuple,
        look: timedelta = LOOK,
    ) -> None:
        """`others` are things that are configured besides endpoints, such as "calendar:office"."""
        self._store, self._concern, self._channels = store, concern, channels
        self._expiries, self._look = expiries, look
        self._pools = Counter(endpoint.pool for endpoint in endpoints.values())
        self._things = frozenset({*others, *(f"endpoint:{name}" for name in endpoints)})
        self._began = self._expiries_due = time.monotonic()

    @property
    def work(self) -> Mapping[WorkKind, Callable[[str], Settled]]:
        """What is done, by kind of work."""
        return {"guard": self.watch, "notify": self.notify}

    def close(self) -> None:
        for channel in self._channels.values():
            channel.close()

    def watch(self, house: str) -> Settled:
        """Look at everything and settle the alerts. Not before this process has run for a while: after a start the
        relays have not been heard yet, and what was not done while nothing ran is just being done."""
        wait = self._concern.patience.total_seconds() - (time.monotonic() - self._began)
        if wait > 0:
            return Settled(after=timedelta(seconds=wait))
        self._note_expiries()
        found = alerts.of(self._picture(), self._concern)
        raised, cleared = self._store.settle_alerts(found, self._channels, self._notes(found))
        for notice in (*raised, *cleared):
            _log(notice)
        return Settled(after=self._look)

    def _note_expiries(self) -> None:
        """Now and then: files have to be opened for it."""
        if time.monotonic() >= self._expiries_due:
            self._expiries_due = time.monotonic() + EXPIRIES.total_seconds()
            for expiry in self._expiries():
                self._store.put_expiry(expiry)

    def _picture(self) -> Picture:
        store, now = self._store, self._store.now()
        relays = store.relays()
        known = frozenset(f"relay:{relay.name}" for relay in relays if is_alive(relay, now))
        return Picture(
            now=now,
            watched=store.watched(self._concern.before, SOON_OVER),
            joinless=store.joinless(self._concern.before, SOON_OVER),
            rooms=store.rooms(),
            relays=relays,
            brakes=store.brakes(),
            expiries=store.expiries(),
            failing=self._failing(),
            pools=self._pools,
            things=self._things | known,
        )

    def _failing(self) -> tuple[tuple[str, str, datetime], ...]:
        """Channels that could not be told for a while: their outbox waits."""
        rows = (row for row in self._store.work() if row.kind == "notify" and row.failing_since is not None)
        return tuple((row.name, row.error, row.failing_since) for row in rows if row.failing_since)

    def _notes(self, found: Sequence[Alert]) -> dict[tuple[str, str], str]:
        """Why those are over that stand and are not among these."""
        keys = {(alert.cause, alert.thing) for alert in found}
        over = [state.alert for state in self._store.alerts() if (state.alert.cause, state.alert.thing) not in keys]
        return {(alert.cause, alert.thing): alerts.note(alert, found, self._endpoint(alert.thing)) for alert in over}

    def _endpoint(self, thing: str) -> EndpointState | None:
        kind, _, name = thing.partition(":")
        try:
            return self._store.endpoint(name) if kind == "endpoint" else None
        except Missing:
            return None

    def notify(self, name: str) -> Settled:
        """Tell the channel what is in its outbox. Raises OtdError when it cannot be told; then it is tried again."""
        channel = self._channels.get(name)
        if channel is None:  # it is no longer configured
            return Settled(after=FORGOTTEN)
        while waiting := self._store.untold(name, AT_ONCE):
            channel.tell(waiting, within=WITHIN)
            self._store.told(name, [notice.id for notice in waiting])
            log.info("alerts told", channel=name, notices=len(waiting))
        return Settled(after=IDLE)


def _log(notice: Notice) -> None:
    """The third channel, which needs no outbox: whoever raised or cleared it says so, once."""
    say = log.error if notice.event == "raised" else log.info
    cause = CAUSES[notice.alert.cause]
    told = {"why": cause.sentence, "mend": notice.alert.mend} if notice.event == "raised" else {"note": notice.note}
    say(f"alert {notice.event}", cause=cause.code, thing=notice.alert.thing, detail=notice.alert.detail, **told)
