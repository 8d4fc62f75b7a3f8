"""What holds after all messages about a meeting (iTIP, RFC 5546), in whatever order they were read.

Of two messages about the same thing the one with the higher SEQUENCE counts, then the later DTSTAMP (section 2.1.5);
without either, a cancellation. Answers and proposals of attendees change nothing. An exception holds until

- the series is cancelled as a whole, unless the exception was sent later, or
- a newer state of the series, in another message, no longer takes place at the time that the exception replaces.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from otd.formats.days import day_of, midnight
from otd.formats.document import Entry, Recurrence, Standing, utc
from otd.formats.recurrence import taking_place

_FROM_ATTENDEES = frozenset(("REPLY", "COUNTER", "REFRESH", "DECLINECOUNTER"))


def standing(entries: Iterable[Entry]) -> tuple[Standing, ...]:
    """What holds for each uid, sorted by uid."""
    about: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        if entry.method not in _FROM_ATTENDEES:
            about[entry.meeting.uid].append(entry)
    return tuple(_standing(uid, about[uid]) for uid in sorted(about))


def _standing(uid: str, entries: list[Entry]) -> Standing:
    of_all = [entry for entry in entries if entry.instance is None]
    state = _state(of_all)
    master = state if state is not None and state.dated else None
    exceptions = _by_instance([_placed(entry, master) for entry in entries if entry.instance is not None], master)
    kept = _kept(exceptions, master, [entry for entry in of_all if entry.meeting.cancelled]) if exceptions else ()
    return Standing(uid=uid, master=_without_gaps(master, kept), exceptions=kept)


def _rank(entry: Entry) -> tuple[int, datetime, bool, str]:
    return entry.sequence, entry.stamp, entry.meeting.cancelled, entry.source


def _state(messages: Sequence[Entry]) -> Entry | None:
    """The newest message; if that cancels, what it cancels, marked so: a cancellation need not say what it was."""
    if not messages:
        return None
    newest = max(messages, key=_rank)
    if not newest.meeting.cancelled:
        return newest
    told = [entry for entry in messages if entry.dated and not entry.meeting.cancelled]
    if not told:
        return newest
    last = max(told, key=_rank)
    return replace(
        last,
        meeting=replace(last.meeting, cancelled=True, change_key=newest.meeting.change_key),
        sequence=newest.sequence,
        stamp=newest.stamp,
    )


def _placed(entry: Entry, master: Entry | None) -> Entry:
    """With the instance as the series counts it: the day of an all-day series, the time on that day of another."""
    plan = master.recurrence if master is not None else None
    zone = plan.start.tzinfo if plan is not None else None
    if master is None or plan is None or zone is None:
        return entry
    if master.meeting.all_day and isinstance(entry.instance, datetime):
        return _at(entry, midnight(day_of(entry.instance, zone), zone))
    if not master.meeting.all_day and entry.instance is not None and not isinstance(entry.instance, datetime):
        return _at(entry, utc(datetime.combine(entry.instance, plan.start.time(), zone)))
    return entry


def _at(entry: Entry, original: datetime) -> Entry:
    identity = f"{entry.meeting.uid}/{original:%Y%m%dT%H%M%SZ}"
    meeting = replace(entry.meeting, id=identity, original_start=original)
    return replace(entry, meeting=meeting if entry.dated else replace(meeting, start=original, end=original))


def _by_instance(exceptions: Sequence[Entry], master: Entry | None) -> tuple[Entry, ...]:
    """The state of each instance."""
    messages: dict[datetime, list[Entry]] = defaultdict(list)
    for entry in exceptions:
        messages[_original(entry)].append(entry)
    states = (_state(messages[instance]) for instance in sorted(messages))
    return tuple(_dated(state, master) for state in states if state is not None)


def _dated(entry: Entry, master: Entry | None) -> Entry:
    """A cancelled instance that states nothing else is the series' own meeting at that time."""
    if entry.dated or master is None:
        return entry
    stated, start = master.meeting, entry.meeting.start
    meeting = replace(
        stated,
        id=entry.meeting.id,
        kind="exception",
        original_start=entry.meeting.original_start,
        start=start,
        end=start + (stated.end - stated.start),
        cancelled=entry.meeting.cancelled,
        change_key=entry.meeting.change_key,
    )
    return replace(entry, meeting=meeting, dated=True)


def _kept(exceptions: Sequence[Entry], master: Entry | None, cancellations: Sequence[Entry]) -> tuple[Entry, ...]:
    """The exceptions that still hold, cancelled where the whole series is."""
    gone = {_original(one) for one in exceptions if not all(_survives(one, all_of_it) for all_of_it in cancellations)}
    if master is None or master.meeting.cancelled:
        return tuple(_cancelled(one) if _original(one) in gone else one for one in exceptions)
    older = {_original(one) for one in exceptions if one.source != master.source and _rank(one) < _rank(master)} - gone
    left = gone | (older - taking_place(master, older) if older else older)
    return tuple(one for one in exceptions if _original(one) not in left)


def _survives(exception: Entry, cancellation: Entry) -> bool:
    return exception.sequence >= cancellation.sequence and exception.stamp > cancellation.stamp


def _cancelled(entry: Entry) -> Entry:
    return replace(entry, meeting=replace(entry.meeting, cancelled=True))


def _original(entry: Entry) -> datetime:
    return entry.meeting.original_start or entry.meeting.start


def _without_gaps(master: Entry | None, exceptions: Sequence[Entry]) -> Entry | None:
    """The series without the EXDATEs that its exceptions fill: what is stated by itself takes place."""
    plan = master.recurrence if master is not None else None
    if master is None or plan is None or not plan.left_out:
        return master
    zone = plan.start.tzinfo
    filled = {_original(one) for one in exceptions}
    days = {instant.astimezone(zone).date() for instant in filled}
    left_out = tuple(
        one for one in plan.left_out if (utc(one) not in filled if isinstance(one, datetime) else one not in days)
    )
    rest = Recurrence(start=plan.start, end=plan.end, rules=plan.rules, added=plan.added, left_out=left_out)
    return replace(master, recurrence=rest)
