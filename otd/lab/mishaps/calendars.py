"""Calendars that cannot be read: the meeting in question was booked meanwhile, so nobody has seen it."""

from __future__ import annotations

from otd.calendars.files import MARKER
from otd.lab import faults
from otd.lab.faults import Fault
from otd.lab.mishaps.mishap import Act, Mishap
from otd.lab.office import Office

ROOMS = {"graph": "boardroom", "ews": "atrium"}


def _fails(side: str, fault: Fault, *, everybody: bool = False) -> Act:
    def happens(office: Office) -> None:
        room = ROOMS[side]
        office.empty(room)
        office.settle(room)
        lab = office.scene.graph if side == "graph" else office.scene.ews
        lab.faults.put(fault, mailbox=faults.EVERYONE if everybody else office.scene.address(room))
        office.book(room)
        office.settle(room)

    return happens


def _passes(side: str) -> Act:
    def mend(office: Office) -> None:
        (office.scene.graph if side == "graph" else office.scene.ews).faults.clear()
        office.until(
            lambda: not any(lane.paused_until for lane in office.running.store.lanes()), "the end of the pause"
        )
        office.do("rooms", "retry", ROOMS[side])
        office.settle(ROOMS[side])

    return mend


def _of(side: str, what: str, fault: Fault, cause: str) -> Mishap:
    return Mishap(
        name=f"{side}: {what}", room=ROOMS[side], cause=cause, happens=_fails(side, fault), mend=_passes(side)
    )


def _secret(name: str, wrong: str, room: str) -> tuple[Act, Act]:
    def happens(office: Office) -> None:
        office.empty(room)
        office.settle(room)
        office.book(room)
        office.secret(name, wrong)
        office.settle(room)

    def mend(office: Office) -> None:
        office.settings_as_before()
        office.settle(room)

    return happens, mend


def _setting(old: str, new: str, room: str) -> tuple[Act, Act]:
    def happens(office: Office) -> None:
        office.empty(room)
        office.settle(room)
        office.book(room)
        office.change(old, new)
        office.settle(room)

    def mend(office: Office) -> None:
        office.change(new, old)
        office.settle(room)

    return happens, mend


def _no_marker(office: Office) -> None:
    """A share that is not mounted: the folder is there, and what should be in it is not."""
    office.empty("library")
    office.settle("library")
    office.book("library")
    (office.scene.room_folder("library") / MARKER).rename(office.scene.folder / "marker")
    (office.scene.room_folder("library") / "meeting.ics").rename(office.scene.folder / "meeting.ics")
    office.settle("library")


def _marker(office: Office) -> None:
    (office.scene.folder / "marker").rename(office.scene.room_folder("library") / MARKER)
    (office.scene.folder / "meeting.ics").rename(office.scene.room_folder("library") / "meeting.ics")
    office.do("rooms", "retry", "library")
    office.settle("library")


_WRONG_SECRET, _RIGHT_SECRET = _secret("graph", "not the secret", "boardroom")
_WRONG_PASSWORD, _RIGHT_PASSWORD = _secret("exchange", "not the password", "atrium")
_NO_SUCH_MAILBOX, _RIGHT_MAILBOX = _setting(
    'mailbox = "boardroom@contoso.example"', 'mailbox = "bordroom@contoso.example"', "boardroom"
)
_NO_CA, _RIGHT_CA = _setting('ca = "lab"\n\n[calendars.server]', "\n[calendars.server]", "boardroom")

MISHAPS = (
    _of("graph", "a server error", faults.status(500), "calendar_unreachable"),
    _of("graph", "throttling", faults.status(429, retry_after=1), "calendar_busy"),
    _of("graph", "a refused permission", faults.status(403), "calendar_denied"),
    _of("graph", "a page of a proxy", faults.html(), "calendar_garbled"),
    _of("graph", "half an answer", faults.halved(), "calendar_garbled"),
    _of("graph", "a connection that breaks off", faults.cut(), "calendar_garbled"),
    _of("ews", "a refused password", faults.status(401), "calendar_denied"),
    _of("ews", "back-off", faults.busy(back_off=1), "calendar_busy"),
    _of("ews", "a window that is not whole", faults.truncated(), "calendar_garbled"),
    _of("ews", "a page of a proxy", faults.html(), "calendar_garbled"),
    Mishap(
        name="a wrong client secret",
        room="boardroom",
        cause="calendar_denied",
        happens=_WRONG_SECRET,
        mend=_RIGHT_SECRET,
    ),
    Mishap(
        name="a wrong service password",
        room="atrium",
        cause="calendar_denied",
        happens=_WRONG_PASSWORD,
        mend=_RIGHT_PASSWORD,
    ),
    Mishap(
        name="a mistyped mailbox",
        room="boardroom",
        cause="calendar_missing",
        happens=_NO_SUCH_MAILBOX,
        mend=_RIGHT_MAILBOX,
    ),
    Mishap(name="no CA named", room="boardroom", cause="calendar_untrusted", happens=_NO_CA, mend=_RIGHT_CA),
    Mishap(
        name="a share that is not mounted", room="library", cause="calendar_missing", happens=_no_marker, mend=_marker
    ),
)
