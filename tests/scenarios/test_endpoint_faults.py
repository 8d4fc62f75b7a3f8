"""Every fault of an endpoint, on every software line, ends in the state that says what it is, and once it is gone in a
confirmed list.

One house has an endpoint for each fault and goes through it once. By default each fault is tried on one profile, in
turn; with `-m long` on all of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from otd.bookings import booking_id
from otd.deliveries import Timing, condition
from otd.lab.codec_profiles import PROFILES
from otd.lab.defaults import CODEC_PASSWORD, CODEC_USER
from otd.lab.house import House, until
from otd.model import Booking, DialString, WorkState

SOON = timedelta(seconds=120)
QUICK = Timing(
    answer=timedelta(seconds=5),
    act=timedelta(seconds=3),
    verify=timedelta(seconds=5),
    learn=timedelta(seconds=1),
    reassert=timedelta(seconds=2),
    backoff=timedelta(milliseconds=500),
    backoff_most=timedelta(seconds=4),
)
TOMORROW = (datetime.now(UTC) + timedelta(days=1)).replace(hour=9, minute=0, second=0, microsecond=0)
HOUR = timedelta(hours=1)
LONG = timedelta(seconds=30)
BYTE = timedelta(milliseconds=100)


def bookings(*numbers: int) -> tuple[Booking, ...]:
    """Meetings of tomorrow; the second is private, the third has no dial string."""
    return tuple(
        Booking(
            id=booking_id("board", f"meeting {number}", None),
            room="board",
            title=f"Meeting {number} & <Größe> 会議",
            start=TOMORROW + number * HOUR,
            end=TOMORROW + (number + 1) * HOUR,
            private=number == 2,
            organizer="Ann Example",
            platform="teams",
            dial=None if number == 3 else DialString(protocol="sip", uri=f"{number}@t.plcm.vc"),
        )
        for number in numbers
    )


# What goes wrong -> the switches, and the state that it must end in.
HEALED: dict[str, tuple[dict[str, Any], str]] = {
    "answers too late": ({"slow": LONG}, "failing"),
    "takes the list and answers too late": ({"late": LONG}, "failing"),
    "drips the head byte by byte": ({"drip_head": BYTE}, "failing"),
    "drips the body byte by byte": ({"drip_body": BYTE}, "failing"),
    "never answers": ({"silent": True}, "failing"),
    "ends the connection": ({"reset": True}, "failing"),
    "ends the connection in the middle": ({"cut": True}, "failing"),
    "has a server error": ({"status": 500}, "failing"),
    "is rebooting": ({"status": 502}, "failing"),
    "has too many requests": ({"status": 503}, "failing"),
    "redirects to another host": ({"redirect": "https://127.0.0.1:9"}, "failing"),
    "answers XML that ends in the middle": ({"truncate": True}, "failing"),
    "answers an empty Command": ({"empty_command": True}, "failing"),
    "answers 8 MB and more": ({"huge": 8 * 1024 * 1024 + 1}, "failing"),
    "says yes and keeps the old list": ({"ignore_put": True}, "differs"),
    "says yes and has no list": ({"lose_put": True}, "differs"),
    "gives another title back": ({"mutate": {"Title": "Other"}}, "differs"),
    "gives no number back": ({"mutate": {"DialInfo/Calls/Call/Number": None}}, "differs"),
    "lets another system write": ({"foreign_after": timedelta(0)}, "overwritten"),
    "lets control bytes through": ({"control_bytes": True}, "confirmed"),
}
MENDED: dict[str, tuple[dict[str, Any], str]] = {  # by a person
    "shows its sign-in page": ({"sign_in_page": True}, "denied"),
    "refuses the password": ({"status": 401}, "denied"),
    "refuses the role": ({"status": 403}, "denied"),
    "does not have the interfaces": ({"status": 404}, "unsupported"),
}


@dataclass(slots=True)
class Seen:
    """What became of one endpoint."""

    states: list[str] = field(default_factory=list)  # in the end of each part
    work: WorkState | None = None  # while it lasted
    requests: int = 0  # while it lasted
    right: bool = False  # in the end


def gone_through(folder: Path, cells: tuple[tuple[str, str], ...]) -> dict[tuple[str, str], Seen]:
    """What became of an endpoint for each (fault, profile): confirmed, then the fault, then no fault any more."""
    names = {cell: f"codec-{number}" for number, cell in enumerate(cells)}
    cell_of = {name: cell for cell, name in names.items()}
    faults, found = HEALED | MENDED, {cell: Seen() for cell in cells}
    house = House(folder, paced=False, timing=QUICK, at_once=16)
    for (_, profile), name in names.items():
        house.secrets[name] = f"{CODEC_USER}:{CODEC_PASSWORD}"
        house.add(name, profile, settings={"credential": name})

    def all_become(wanted: dict[str, str]) -> None:
        until(lambda: all(condition(s) == wanted[s.endpoint.name] for s in house.store.endpoints()), SOON)
        for state in house.store.endpoints():
            found[cell_of[state.endpoint.name]].states.append(condition(state))

    with house:
        for name in names.values():
            house.want(name, bookings(1, 2))
        all_become(dict.fromkeys(cell_of, "confirmed"))
        for (fault, _), name in names.items():
            house.codecs[name].forget_log()
            for switch, value in faults[fault][0].items():
                setattr(house.codecs[name].faults, switch, value)
            house.want(name, bookings(1, 2, 3, 4))
        all_become({name: faults[fault][1] for (fault, _), name in names.items()})
        until(lambda: all(row.parked for row in house.store.work() if cell_of[row.name][0] in MENDED), SOON)
        for row in house.store.work():
            found[cell_of[row.name]].work = row
        for cell, name in names.items():
            found[cell].requests = len(house.codecs[name].log)
            house.codecs[name].faults.clear()
            if cell[0] in MENDED:
                house.retry(name)
        all_become(dict.fromkeys(cell_of, "confirmed"))
        for cell, name in names.items():
            found[cell].right = house.is_right(name)
    return found


def judged(found: dict[tuple[str, str], Seen]) -> list[str]:
    """What is not as it should be, in words."""
    wrong = []
    for (fault, profile), seen in found.items():
        expected = ["confirmed", (HEALED | MENDED)[fault][1], "confirmed"]
        if seen.states != expected or not seen.right:
            wrong.append(f"{profile} that {fault}: {seen.states}, list {'right' if seen.right else 'wrong'}")
        if fault in MENDED and not (seen.work and seen.work.parked and seen.work.mend):
            wrong.append(f"{profile} that {fault}: not parked with a mend")
        # a refused password counts towards locking the account; elsewhere a look that was under way may come on top
        if fault in MENDED and seen.requests > (2 if MENDED[fault][1] == "denied" else 3):
            wrong.append(f"{profile} that {fault}: asked {seen.requests} times")
    return wrong


def test_every_fault_ends_in_its_state_and_then_in_a_confirmed_list(tmp_path: Path) -> None:
    profiles = tuple(PROFILES)
    cells = tuple((fault, profiles[number % len(profiles)]) for number, fault in enumerate(HEALED | MENDED))
    assert judged(gone_through(tmp_path, cells)) == []


@pytest.mark.long
@pytest.mark.parametrize("profile", PROFILES)
def test_it_does_on_every_software_line(tmp_path: Path, profile: str) -> None:
    assert judged(gone_through(tmp_path, tuple((fault, profile) for fault in HEALED | MENDED))) == []
