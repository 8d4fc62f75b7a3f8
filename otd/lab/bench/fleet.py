"""Many simulated Cisco endpoints with random faults: whether in the end every list is right, no session is left open,
and none was asked more often than it allows."""

from __future__ import annotations

import bisect
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from otd.errors import BadSetting
from otd.lab.bench import Ratio, Result, whole

if TYPE_CHECKING:
    from otd.lab.house import House
    from otd.model import Booking

SENTENCE = "Simulated Cisco endpoints of every software line under random faults: lists, sessions and request rates."
OPTIONS = {
    "endpoints": "How many (default 500).",
    "seconds": "For how long things go wrong, in lab time (default 300).",
    "speed": "How much faster than real time the lab runs: every period, pause and rate limit (default 1).",
    "seed": "What goes wrong, when and where follows from it (default: another one each time; it is printed).",
}
BOOKINGS = 8  # in each list
VERIFY = timedelta(seconds=60)  # lab time from one read-back of an endpoint to the next
REASSERT = timedelta(seconds=90)  # for an hour, which is longer than the whole run
SETTLE = timedelta(minutes=8)  # lab time for everything to come right after the last fault, at most
OVER = timedelta(seconds=30)  # a rate is counted over so long, lab time
RATE = 1.1  # requests a second with a password that an endpoint may see: 33 in any 30 s, for two relays take turns
SESSION_COSTS = 1 / 15  # of a request with a password: endpoints allow 15 a second with a session
LASTS = (5, 40)  # seconds of lab time, least and most
CHANGES = 0.5  # lists that change in a minute, as a share of the endpoints
FAULTS = 0.5  # faults that begin in a minute, as a share of the endpoints
LOOK = timedelta(seconds=0.5)  # between two looks at all endpoints, which take a moment


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that goes wrong at one endpoint for so many seconds."""

    at: float
    endpoint: str
    kind: str
    lasts: float


# What goes wrong -> the switches of otd.lab.codec_faults; spans in lab time.
SWITCHES: Mapping[str, Mapping[str, Any]] = {
    "slow": {"slow": timedelta(seconds=4)},
    "late": {"late": timedelta(seconds=70)},
    "drip head": {"drip_head": timedelta(milliseconds=200)},
    "drip body": {"drip_body": timedelta(milliseconds=200)},
    "silent": {"silent": True},
    "reset": {"reset": True},
    "cut": {"cut": True},
    "500": {"status": 500},
    "502": {"status": 502},
    "503": {"status": 503},
    "redirect": {"redirect": "https://127.0.0.1:9"},
    "truncated": {"truncate": True},
    "empty Command": {"empty_command": True},
    "control bytes": {"control_bytes": True},
    "9 MB": {"huge": 9_000_000, "times": 1},
    "ignored put": {"ignore_put": True},
    "lost put": {"lose_put": True},
    "changed title": {"mutate": {"Title": "Other"}},
    "other writer": {"foreign_after": timedelta(seconds=1)},
}
# What happens at once, or needs a person afterwards.
EVENTS = (
    "reboot",
    "dropped list",
    "overwritten once",
    "switched off",
    "password refused",
    "other certificate",
    "teams",
)
RELAYS = ("relay-a", "relay-b")


def run(options: Mapping[str, str]) -> Result:
    """The whole run; in the end OTD is stopped, and the endpoints themselves are asked."""
    count, seconds = whole(options, "endpoints", 500), whole(options, "seconds", 300)
    speed, seed = _speed(options), whole(options, "seed", random.randrange(1, 1_000_000))
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        house = _built(Path(folder), count, speed, chance)
        troubles = _troubles(tuple(house.codecs), seconds, chance)
        figures, left = _played(house, troubles, seconds, speed, chance)
    return Result(figures=figures, ratios=_ratios(figures), notes=(*left, *_notes(troubles, speed, seed)))


def _speed(options: Mapping[str, str]) -> float:
    text = options.get("speed", "1")
    try:
        speed = float(text)
    except ValueError:
        speed = 0
    if not 0.1 <= speed <= 100:
        raise BadSetting(f"--speed {text}", "this is not a number from 0.1 to 100", "for example --speed 4")
    return speed


def _built(folder: Path, count: int, speed: float, chance: random.Random) -> House:
    """Profiles in turn; those that have sessions are signed in to with one, or not, as chance has it."""
    from otd.deliveries import Timing
    from otd.lab.codec_profiles import PROFILES
    from otd.lab.house import House

    timing = replace(Timing(), verify=VERIFY, reassert=REASSERT)
    house = House(folder, speed=speed, timing=timing, at_once=48)
    for number in range(count):
        profile = tuple(PROFILES.values())[number % len(PROFILES)]
        session = profile.sessions and chance.random() < 0.5
        house.add(f"codec-{number}", profile.name, settings={"session": session})
    return house


def _troubles(names: tuple[str, ...], seconds: int, chance: random.Random) -> list[Trouble]:
    """Never two at once at the same endpoint."""
    free_at = dict.fromkeys(names, 0.0)
    found = []
    for _ in range(max(len(names), round(FAULTS * len(names) * seconds / 60))):
        lasts = min(chance.uniform(*LASTS), seconds / 2)
        at, name = chance.uniform(0, seconds - lasts), chance.choice(names)
        found.append(Trouble(at, name, chance.choice((*SWITCHES, *EVENTS)), lasts))
    kept = []
    for trouble in sorted(found, key=lambda one: one.at):
        if free_at[trouble.endpoint] <= trouble.at:
            free_at[trouble.endpoint] = trouble.at + trouble.lasts
            kept.append(trouble)
    return kept


# --- playing ----------------------------------------------------------------------------------------------------------


def _played(
    house: House, troubles: list[Trouble], seconds: int, speed: float, chance: random.Random
) -> tuple[dict[str, float], tuple[str, ...]]:
    """The figures, and what is said of endpoints that are not right in the end."""
    from otd.lab.house import until

    names = tuple(house.codecs)
    with house:
        for name in names:
            house.want(name, _list(name, 0, chance))
        settle = SETTLE / speed
        began = time.perf_counter()
        if not until(lambda: not house.wrong(), settle, every=LOOK):
            raise BadSetting("bench fleet", "not even the first lists were in place in time", "use fewer endpoints")
        first = time.perf_counter() - began
        _go_wrong(house, troubles, seconds, speed, chance)
        began = time.perf_counter()
        settled = until(lambda: not house.wrong() and not _open_sessions(house), settle, every=LOOK)
        healed = time.perf_counter() - began
        left = tuple(_left(house, name) for name in house.wrong())
        house.stop()
        figures: dict[str, float] = {
            "endpoints_count": len(names),
            "troubles_count": len(troubles),
            "lists_count": sum(len(codec.puts) for codec in house.codecs.values()),
            "requests_count": sum(len(codec.log) for codec in house.codecs.values()),
            "first_lists_s": round(first * speed, 1),
            "all_right_after_s": round(healed * speed, 1) if settled else round(settle.total_seconds() * speed, 1),
            "wrong_lists_count": len(house.wrong()),
            "open_sessions_count": _open_sessions(house),
            "highest_rate_per_s": round(max(_rate(codec.log, speed) for codec in house.codecs.values()), 3),
            "refused_for_rate_count": sum(codec.refused for codec in house.codecs.values()),
        }
    return figures, left


def _left(house: House, name: str) -> str:
    """Why an endpoint is not right."""
    from otd.deliveries import condition

    state, codec = house.state(name), house.codecs[name]
    last, sent, now = state.receipt, state.sent, house.store.now()
    work = next(row for row in house.store.work() if row.name == name)
    said = f"{_ago(now, last.at)} {last.verb} {last.outcome} {last.detail}" if last else "no answer"
    asked = f"{_ago(now, sent.at)} {sent.verb} by {sent.relay or 'any relay'}" if sent else "nothing"
    due = f"due in {(work.due - now).total_seconds():.0f} s{', parked' if work.parked else ''} {work.error}"
    return f"Not right: {name} ({codec.profile.name}), {condition(state)}: said {said}; sent {asked}; {due}"


def _ago(now: datetime, then: datetime) -> str:
    return f"{(now - then).total_seconds():.0f} s ago"


def _open_sessions(house: House) -> int:
    return sum(len(codec.sessions) for codec in house.codecs.values())


def _go_wrong(house: House, troubles: list[Trouble], seconds: int, speed: float, chance: random.Random) -> None:
    """Begin and end each trouble at its time; change lists meanwhile, and stop one relay and start it anew."""
    agenda: list[tuple[float, int, Callable[[], None]]] = []

    def at(when: float, do: Callable[[], None]) -> None:
        bisect.insort(agenda, (when, len(agenda), do))

    names = tuple(house.codecs)
    for trouble in troubles:
        at(trouble.at, lambda one=trouble: _begin(house, one, speed))  # type: ignore[misc]
        at(trouble.at + trouble.lasts, lambda one=trouble: _end(house, one))  # type: ignore[misc]
    for change in range(round(CHANGES * len(names) * seconds / 60)):
        name = chance.choice(names)
        wanted = _list(name, change + 1, chance)
        at(chance.uniform(0, seconds), lambda name=name, wanted=wanted: house.want(name, wanted))  # type: ignore[misc]
    relay = chance.choice(RELAYS)
    at(seconds * 0.4, lambda: house.cut_relay(relay))
    at(seconds * 0.7, lambda: house.start_relay(relay))
    began = time.perf_counter()
    for when, _, do in agenda:
        time.sleep(max(0.0, began + when / speed - time.perf_counter()))
        do()
    time.sleep(max(0.0, began + seconds / speed - time.perf_counter()))


def _begin(house: House, trouble: Trouble, speed: float) -> None:
    codec, kind = house.codecs[trouble.endpoint], trouble.kind
    if kind in SWITCHES:
        for switch, value in SWITCHES[kind].items():
            setattr(codec.faults, switch, value / speed if isinstance(value, timedelta) else value)
    elif kind == "reboot":
        codec.reboot(takes=timedelta(seconds=trouble.lasts / speed))
    elif kind == "dropped list":
        codec.drop_list()
    elif kind == "overwritten once":
        codec.overwrite()
    elif kind == "switched off":
        codec.stop()
    elif kind == "password refused":
        codec.faults.status, codec.faults.only = 401, ()
    elif kind == "other certificate":
        codec.change_certificate()
    elif kind == "teams":
        codec.state.teams = True


def _end(house: House, trouble: Trouble) -> None:
    """What is over by itself, and what a person does who was told of it."""
    codec = house.codecs[trouble.endpoint]
    codec.faults.clear()
    codec.start()
    codec.state.teams = False
    if trouble.kind == "other certificate":
        house.pin(trouble.endpoint)
    elif trouble.kind in ("password refused", "teams", "other writer"):
        house.retry(trouble.endpoint)


def _list(endpoint: str, change: int, chance: random.Random) -> tuple[Booking, ...]:
    """A list of tomorrow's meetings, some of them called off with each change."""
    from otd.bookings import booking_id
    from otd.model import Booking, DialString

    day = datetime.now(UTC).replace(hour=6, minute=0, second=0, microsecond=0) + timedelta(days=1)
    there = [number for number in range(BOOKINGS) if chance.random() < 0.8]
    return tuple(
        Booking(
            id=booking_id(endpoint, f"meeting {number}", None),
            room=endpoint,
            title=f"Meeting {number}, change {change}",
            start=day + timedelta(hours=number),
            end=day + timedelta(hours=number, minutes=45),
            organizer="Ann Example",
            private=number % 5 == 4,
            platform="teams",
            dial=DialString(protocol="sip", uri=f"{number}.{change}@t.plcm.vc") if number % 4 else None,
        )
        for number in there
    )


# --- judging ----------------------------------------------------------------------------------------------------------


def _rate(log: Any, speed: float) -> float:
    """The most requests a second that an endpoint saw over OVER, in lab time."""
    span = OVER.total_seconds() / speed
    times = [(entry.moment, SESSION_COSTS if entry.cookie else 1.0) for entry in log]
    highest = total = 0.0
    first = 0
    for moment, cost in times:
        total += cost
        while times[first][0] < moment - span:
            total -= times[first][1]
            first += 1
        highest = max(highest, total)
    return highest / OVER.total_seconds()


def _ratios(figures: Mapping[str, float]) -> dict[str, Ratio]:
    return {
        "wrong_lists": Ratio(value=figures["wrong_lists_count"], limit=0),
        "open_sessions": Ratio(value=figures["open_sessions_count"], limit=0),
        "rate": Ratio(value=figures["highest_rate_per_s"], limit=RATE),
        "refused_for_rate": Ratio(value=figures["refused_for_rate_count"], limit=0),
    }


def _notes(troubles: list[Trouble], speed: float, seed: int) -> tuple[str, ...]:
    kinds = Counter(trouble.kind for trouble in troubles)
    listed = ", ".join(f"{kind} {times}" for kind, times in sorted(kinds.items()))
    return (
        f"--seed {seed} repeats it.",
        f"Spans and rates are lab time, {speed:g} times as fast as real time; a list is read back every "
        f"{VERIFY.seconds} s, and one that keeps differing put again every {REASSERT.seconds} s instead of an hour.",
        "A request with a session counts a fifteenth of one with a password, as endpoints' own limits do.",
        f"What went wrong: {listed}; one relay was cut off and came back.",
    )
