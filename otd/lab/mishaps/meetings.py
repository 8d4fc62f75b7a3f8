"""Meetings and invitations in which something is missing, or which the policy keeps off the screens."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from otd.lab.mishaps.mishap import HEALED, Act, Mishap
from otd.lab.office import Office

ROOM = "boardroom"


def _booked(body: str = "teams-poly.html", room: str = ROOM, **fields: Any) -> Act:
    def happens(office: Office) -> None:
        office.book(room, body, **fields)
        office.settle(room)

    return happens


def _as_it_should_be(room: str = ROOM) -> Act:
    """The organiser sends the invitation again, and it is in order."""
    return _booked(room=room)


def _set(section: str, line: str, room: str = ROOM) -> Act:
    """The line is added to the settings."""

    def mend(office: Office) -> None:
        if f"[{section}]" in office.scene.config.read_text():
            office.change(f"[{section}]\n", f"[{section}]\n{line}\n")
        else:
            office.add(f"[{section}]\n{line}\n")
        office.settle(room)

    return mend


def _policy(line: str, **fields: Any) -> Act:
    """A policy that keeps such a meeting off the screens."""

    def happens(office: Office) -> None:
        office.book(ROOM, **fields)
        office.add(f"[policy]\n{line}\n")
        office.settle(ROOM)

    return happens


def _without_it(office: Office) -> None:
    office.settings_as_before()
    office.settle(ROOM)


def _lacks(what: str, body: str, cause: str, *, room: str = ROOM, **fields: Any) -> Mishap:
    """An invitation that lacks something, until it is sent again."""
    happens, mend = _booked(body, room, **fields), _as_it_should_be(room)
    return Mishap(name=f"invitation: {what}", room=room, cause=cause, happens=happens, mend=mend)


def _never_booked(office: Office) -> None:
    office.empty(ROOM)
    office.settle(ROOM)
    office.running.store.tidy(timedelta(0))  # nobody remembers the meetings of before


def _hidden_without_link(office: Office) -> None:
    office.book("atrium", "walk.txt")
    office.add("[policy]\nwithout_video = false\n")
    office.settle("atrium")


def _removed(office: Office) -> None:
    _booked()(office)
    office.empty(ROOM)
    office.settle(ROOM)


def _cancelled(office: Office) -> None:
    item = office.book(ROOM)
    office.settle(ROOM)
    office.scene.mailbox(ROOM).cancel(item)
    office.settle(ROOM)


def _far_ahead(office: Office) -> None:
    office.start += timedelta(days=9)
    _booked()(office)


_TEAMS = "Join<https://teams.microsoft.com/l/meetup-join/19%3ameeting_T25l%40thread.v2/0>\n"
_LINE = "_" * 80 + "\n"
_TWO = f"{_LINE}{_TEAMS}700121212@t.plcm.vc\nVideo ID: 111 300 400 1\n{_LINE}"
_TWO += f"{_LINE}{_TEAMS.replace('T25l', 'VHdv')}700121212@t.plcm.vc\nVideo ID: 111 300 400 2\n{_LINE}"
_REDACTED = f"{_TEAMS}700101010@t.plcm.vc\nVideo ID: XXX XXX XXX X\n"
_OPAQUE = (
    '<html><body><p>Microsoft Teams meeting</p><p><a href="https://protect-eu.mimecast.com/s/AbCdEfGh1234?domain='
    'teams.microsoft.com">Click here to join the meeting</a></p></body></html>'
)
_STRANGER = f"{_TEAMS}More info<https://join.stranger.example/teams/?conf=1349191910&ivr=teams&d=vc.adatum.example&prefix=900>\n"
_HUGE = "Agenda, " * 700_000 + f"\n{_LINE}{_TEAMS}"

MISHAPS = (
    Mishap(
        name="the room was not invited",
        room=ROOM,
        cause="meeting_not_found",
        happens=_never_booked,
        mend=_as_it_should_be(),
    ),
    Mishap(name="the meeting was removed", room=ROOM, cause="meeting_gone", happens=_removed, mend=_as_it_should_be()),
    Mishap(name="the meeting was cancelled", room=ROOM, cause="cancelled", happens=_cancelled, mend=_as_it_should_be()),
    Mishap(
        name="the room declined",
        room=ROOM,
        cause="meeting_declined",
        happens=_booked(response="declined"),
        mend=_as_it_should_be(),
    ),
    Mishap(
        name="shown as free",
        room=ROOM,
        cause="meeting_hidden",
        happens=_booked(show_as="free"),
        mend=_set("policy", "free = true"),
    ),
    Mishap(
        name="tentative, which the policy hides",
        room=ROOM,
        cause="meeting_hidden",
        happens=_policy("tentative = false", show_as="tentative"),
        mend=_without_it,
    ),
    Mishap(
        name="too far ahead",
        room=ROOM,
        cause="meeting_outside",
        happens=_far_ahead,
        mend=_set("policy", 'ahead = "14d"'),
        healed=HEALED,
    ),
    Mishap(
        name="private, which the policy shows without Join",
        room=ROOM,
        cause="private",
        happens=_policy("private_dial = false", sensitivity="private"),
        mend=_without_it,
    ),
    Mishap(
        name="no link, and the policy hides it",
        room="atrium",
        cause="no_link",
        happens=_hidden_without_link,
        mend=_as_it_should_be("atrium"),
    ),
    _lacks("no link at all", "walk.txt", "no_link"),
    _lacks("no link at all, in a file", "walk.txt", "no_link", room="library"),
    _lacks("a link for browsers only", "teams-only.html", "link_only"),
    _lacks("its text was deleted", "", "body_stripped", room="atrium", location="Microsoft Teams Meeting"),
    _lacks("two meetings in one", _TWO, "ambiguous"),
    _lacks("its id was blacked out", _REDACTED, "id_redacted"),
    _lacks("links rewritten beyond repair", _OPAQUE, "wrapped_opaque"),
    _lacks("a host that nobody knows", _STRANGER, "host_not_trusted"),
    _lacks("too long to be read whole", _HUGE, "body_cut", room="library"),
)
