"""From invitations to findings: counted within a room, and compared with other rooms. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal

from otd.exchange_lines import calendar_processing
from otd.lint.observing import Invitation, Observed
from otd.model import Room

State = Literal["wrong", "healed"]
Sure = Literal["probable", "possible"]

MOST = 90  # percent of a room's invitations that have to show a mark
FEW = 3  # with fewer invitations than this, a finding is only possible
SETTLED = timedelta(hours=1)  # a room that answers by itself has answered by then
CHANCE = 0.001  # that nothing was there by chance: below it something is possible,
EXPECTED = 0.05  # and it is probable when among all rooms fewer than this would show nothing by chance


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A mailbox setting that is probably wrong, or was."""

    settings: tuple[str, ...]  # of Set-CalendarProcessing
    state: State
    sure: Sure
    evidence: str
    effect: str  # on the screen
    line: str  # of PowerShell, which mends it
    since: datetime | None = None  # healed: when the first sound invitation came, if that was seen
    stripped: tuple[
        Invitation, ...
    ] = ()  # meetings to come that stay as they are, until their organisers send an update


@dataclass(frozen=True, slots=True, kw_only=True)
class Linted:
    """One room with what was found."""

    room: Room
    invitations: int
    last: datetime | None
    findings: tuple[Finding, ...] = ()

    @property
    def settings(self) -> tuple[str, ...]:
        """Those that are wrong now."""
        return tuple(name for one in self.findings if one.state == "wrong" for name in one.settings)


@dataclass(slots=True)
class _Fleet:
    """What all rooms together show."""

    rooms: int
    read: set[str] = field(default_factory=set)  # uids that have text in some room
    private: set[str] = field(default_factory=set)  # uids that are private in some room
    shares: dict[str, float] = field(default_factory=dict)  # how much of it there is where there is any


def judge(rooms: Sequence[Observed], now: datetime) -> tuple[Linted, ...]:
    """Each room with the settings that are probably wrong, or were and are not any more."""
    fleet = _Fleet(rooms=len(rooms))
    for seen in rooms:
        fleet.read |= {one.uid for one in seen.invitations if one.text}
        fleet.private |= {one.uid for one in seen.invitations if one.private}
    fleet.shares = {mark: _share(rooms, mark) for mark in ("private", "outside")}
    return tuple(
        Linted(
            room=seen.room,
            invitations=len(seen.invitations),
            last=seen.last,
            findings=tuple(found for found in _findings(seen, fleet, now) if found is not None),
        )
        for seen in rooms
    )


def _findings(seen: Observed, fleet: _Fleet, now: datetime) -> Iterator[Finding | None]:
    yield _bodies(seen, fleet, now)
    yield _titles(seen, now)
    yield _answers(seen, now)
    yield _privacy(seen, fleet, now)
    yield _absent(
        seen,
        "outside",
        fleet,
        "ProcessExternalMeetingMessages",
        "invitations from other organisations never reach the calendar, so there is no button for them",
    )
    if seen.overlaps:
        yield Finding(
            settings=("AllowConflicts",),
            state="wrong",
            sure="probable" if seen.overlaps > 1 else "possible",
            evidence=f"accepted meetings at the same time: {seen.overlaps}",
            effect="two buttons for the same time",
            line=calendar_processing(seen.room.mailbox, ("AllowConflicts",)),
        )


def _bodies(seen: Observed, fleet: _Fleet, now: datetime) -> Finding | None:
    judged = [(one, not one.text) for one in seen.invitations if one.text is not None]
    empty = [one for one, is_empty in judged if is_empty]
    linked, elsewhere = sum(one.link for one in empty), sum(one.uid in fleet.read for one in empty)
    evidence = f"{len(empty)} of {len(judged)} invitations without text"
    evidence += f"; {linked} of them with the hidden link of an online meeting, which comes with text" if linked else ""
    evidence += f"; {elsewhere} of them with text in another room" if elsewhere else ""
    return _verdict(
        seen.room,
        judged,
        ("DeleteComments",),
        evidence,
        "no Join button: the text that says how to join is deleted when the room accepts",
        now,
        proven=linked + elsewhere,
    )


def _titles(seen: Observed, now: datetime) -> Finding | None:
    titles = [one.title for one in seen.invitations]
    marked = [title for title in titles if title != "own"]
    commonest = max(sorted(set(marked)), key=marked.count, default="own")
    settings, effect = {
        "organizer": (
            ("DeleteSubject", "AddOrganizerToSubject"),
            "the organiser's name stands in place of the meeting's title",
        ),
        "organizer and own": (("AddOrganizerToSubject",), "the organiser's name stands before the meeting's title"),
        "none": (("DeleteSubject",), "meetings have no title"),
        "own": ((), ""),
    }[commonest]
    said = {
        "organizer": "called like their organiser",
        "organizer and own": "called like their organiser and then by their title",
        "none": "without a title",
    }
    evidence = f"{len(marked)} of {len(titles)} invitations {said[commonest]}" if marked else ""
    return _verdict(seen.room, [(one, one.title != "own") for one in seen.invitations], settings, evidence, effect, now)


def _answers(seen: Observed, now: datetime) -> Finding | None:
    judged = [(one, one.waiting) for one in seen.invitations if now - (one.came or one.first) >= SETTLED]
    waiting = sum(is_waiting for _, is_waiting in judged)
    return _verdict(
        seen.room,
        judged,
        ("AutomateProcessing",),
        f"{waiting} of {len(judged)} invitations not answered after an hour",
        "meetings stay tentative for ever; they are shown only while [policy] tentative is true",
        now,
    )


def _privacy(seen: Observed, fleet: _Fleet, now: datetime) -> Finding | None:
    setting = ("RemovePrivateProperty",)
    effect = "private meetings look like others, and their titles are shown"
    judged = [(one, not one.private) for one in seen.invitations if one.uid in fleet.private]
    lost = sum(is_lost for _, is_lost in judged)
    evidence = f"{lost} of {len(judged)} invitations that are private in another room not private here"
    found = _verdict(seen.room, judged, setting, evidence, effect, now, proven=lost)
    return found or _absent(seen, "private", fleet, setting[0], effect)


def _verdict(
    room: Room,
    judged: Sequence[tuple[Invitation, bool]],
    settings: tuple[str, ...],
    evidence: str,
    effect: str,
    now: datetime,
    *,
    proven: int = 0,
) -> Finding | None:
    """What these invitations, each with whether it bears the mark, say together. One that is `proven` is no chance."""
    marked = [one for one, is_marked in judged if is_marked]
    if not marked:
        return None
    finding = Finding(
        settings=settings,
        state="wrong",
        sure="probable" if proven or len(marked) >= FEW else "possible",
        evidence=evidence,
        effect=effect,
        line=calendar_processing(room.mailbox, settings),
    )
    last_marked = max((one.came for one in marked if one.came is not None), default=None)
    sound = [one for one, is_marked in judged if not is_marked]
    after = [one.came for one in sound if one.came is not None and (last_marked is None or one.came > last_marked)]
    before = [one for one in sound if one.came is None or one.came not in after]
    was_wrong = proven or len(marked) * 100 >= (len(marked) + len(before)) * MOST
    if was_wrong and (after or len(marked) * 100 < len(judged) * MOST):
        stripped = sorted((one for one in marked if one.next is not None), key=lambda one: one.next or now)
        return replace(finding, state="healed", since=min(after, default=None), stripped=tuple(stripped))
    return finding if was_wrong else None


def _absent(seen: Observed, mark: str, fleet: _Fleet, setting: str, effect: str) -> Finding | None:
    """For what leaves no mark but its absence: how probable that is, as often as it is seen in other rooms."""
    share, count = fleet.shares[mark], len(seen.invitations)
    if share == 0 or any(getattr(one, mark) for one in seen.invitations):
        return None
    chance = (1 - share) ** count
    if chance >= CHANCE:
        return None
    word = {"private": "marked private", "outside": "from outside"}[mark]
    return Finding(
        settings=(setting,),
        state="wrong",
        sure="probable" if chance * fleet.rooms < EXPECTED else "possible",
        evidence=f"none of {count} invitations is {word}; in other rooms {share:.0%} are",
        effect=effect,
        line=calendar_processing(seen.room.mailbox, (setting,)),
    )


def _share(rooms: Iterable[Observed], mark: str) -> float:
    """The share of such invitations in the rooms that have any; 0 when there are too few to tell."""
    some = [seen.invitations for seen in rooms if any(getattr(one, mark) for one in seen.invitations)]
    total = sum(map(len, some))
    found = sum(getattr(one, mark) for invitations in some for one in invitations)
    return found / total if found >= FEW else 0.0
