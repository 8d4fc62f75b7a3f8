"""Nobody at work, at the centre or at the site."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from otd.explain import SHORTEST_OVERDUE
from otd.lab.mishaps.mishap import Act, Mishap
from otd.lab.office import Office

ROOM = "boardroom"
UNNOTICED = SHORTEST_OVERDUE + timedelta(seconds=5)  # work that is due for longer shows that nobody is there


def _stopped(office: Office) -> None:
    """OTD was stopped before the meeting was booked."""
    office.empty(ROOM)
    office.settle(ROOM)
    due = office.due("refresh", ROOM)
    office.stop()
    office.book(ROOM)
    office.until(lambda: datetime.now(UTC) > due + UNNOTICED, "the time when that is noticed")


def _started(office: Office) -> None:
    office.run()
    office.settle(ROOM)


def _no_relays(office: Office) -> None:
    """Every relay loses its power; a meeting is booked afterwards."""
    office.empty(ROOM)
    office.settle(ROOM)
    for name in ("relay-a", "relay-b"):
        office.running.cut_relay(name)
    office.book(ROOM)
    office.until(lambda: _code(office) == "no_relay", "the loss of the relays")


def _code(office: Office) -> str:
    office.running.store.hint("deliver", "boardroom-codec")
    office.running.executor.wake()
    return next(row.code for row in office.running.store.work() if row.name == "boardroom-codec")


def _relays(office: Office) -> None:
    office.restart()
    office.settle(ROOM)


def _unknown_secret(name: str) -> tuple[Act, Act]:
    def happens(office: Office) -> None:
        office.book(ROOM)
        office.secret(name, None)
        office.settle(ROOM)

    def mend(office: Office) -> None:
        office.settings_as_before()
        office.settle(ROOM)

    return happens, mend


_NO_SECRET, _SECRET = _unknown_secret("codec")

MISHAPS = (
    Mishap(name="OTD is not running", room=ROOM, cause="work_stopped", happens=_stopped, mend=_started),
    Mishap(name="no relay is alive", room=ROOM, cause="no_relay", happens=_no_relays, mend=_relays),
    Mishap(
        name="the relay lacks the endpoint's secret",
        room=ROOM,
        cause="credential_unknown",
        happens=_NO_SECRET,
        mend=_SECRET,
    ),
)
