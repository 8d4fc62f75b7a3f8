"""Many rooms of a calendar that go empty at once: whatever writes their folders has written nothing."""

from __future__ import annotations

from dataclasses import replace

from otd.brake import FEWEST
from otd.calendars.files import write_marker
from otd.lab.mishaps.mishap import Mishap
from otd.lab.office import Office
from otd.lab.scene import as_ics

ROOM, CALENDAR = "library", "files"
ANNEX = tuple(f"annex-{number}" for number in range(1, FEWEST + 1))  # rooms beside the library, with one endpoint


def _emptied(office: Office) -> None:
    office.book(ROOM)
    for name in ANNEX:
        folder = office.scene.room_folder(name)
        write_marker(folder)
        meeting = replace(office.meeting("teams-poly.html"), subject=name, uid=f"{name}@contoso.example")
        (folder / "meeting.ics").write_bytes(as_ics(meeting))
    rooms = "\n".join(f'[rooms.{name}]\ncalendar = "{CALENDAR}"\nmailbox = "{name}"' for name in ANNEX)
    shown = ", ".join(f'"{name}"' for name in ANNEX)
    office.add(f'{rooms}\n[endpoints.annex]\nkind = "memory"\naddress = "annex"\npool = "hq"\nrooms = [{shown}]')
    office.until(lambda: _booked(office) == len(ANNEX), "the first list of the annex")
    office.settle(ROOM)
    for name in (*ANNEX, ROOM):
        office.empty(name)
        office.running.store.hint("refresh", name)
    office.running.executor.wake()
    office.until(lambda: bool(office.running.store.brakes()), "the brake")
    office.settle(ROOM)


def _booked(office: Office) -> int:
    desired = office.running.store.desired("annex")
    return len({booking.room for booking in desired.list.bookings}) if desired else 0


def _released(office: Office) -> None:
    office.do("release", CALENDAR)
    office.settle(ROOM)


MISHAPS = (
    Mishap(
        name="the brake holds a calendar",
        room=ROOM,
        cause="brake_calendar",
        happens=_emptied,
        mend=_released,
        healed=("meeting_gone",),  # the screen shows what the calendar says again
    ),
)
