"""Does `otd explain` name the right cause, and does its mend heal? Each mishap is made to happen in a running office,
the command is asked as a person asks it, what it says is done, and the command is asked again."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from otd.lab.bench import Ratio, Result, whole

if TYPE_CHECKING:
    from otd.lab.mishaps import Mishap
    from otd.lab.office import Office, Took

SENTENCE = "Causes that `otd explain` names for what is made to go wrong, and whether its mends heal."
OPTIONS = {
    "only": "run those with these words in their name, such as 'graph'",
    "sample": "run so many of them, chosen by --seed",
    "seed": "the seed of --sample",
}
WRONG = 2  # so many may be named wrongly
SLOWEST = 2.0  # seconds of processor time for one answer, the start of the command included


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What was said of one mishap."""

    name: str
    expected: str
    named: str
    seconds: float
    processor: float
    after: str  # the cause named after the mend
    mend: str
    healed: bool
    broke: str = ""  # why it could not be tried to its end

    @property
    def is_right(self) -> bool:
        return self.named == self.expected


def run(options: Mapping[str, str]) -> Result:
    from otd.lab.mishaps import MISHAPS

    chosen: Sequence[Mishap] = [one for one in MISHAPS if options.get("only", "") in one.name]
    if "sample" in options:
        chance = random.Random(options.get("seed", "1"))
        chosen = chance.sample(chosen, min(whole(options, "sample", 8), len(chosen)))
    outcomes = tried(chosen)
    wrong = [one for one in outcomes if not one.is_right]
    sick = [one for one in outcomes if not one.healed]
    figures = {
        "mishaps_count": float(len(outcomes)),
        "right_count": float(len(outcomes) - len(wrong)),
        "healed_count": float(len(outcomes) - len(sick)),
        "slowest_s": round(max((one.seconds for one in outcomes), default=0.0), 3),
        "most_processor_s": round(max((one.processor for one in outcomes), default=0.0), 3),
    }
    ratios = {
        "wrong": Ratio(value=len(wrong), limit=WRONG),
        "not healed": Ratio(value=len(sick), limit=WRONG),
        "seconds for an answer": Ratio(value=figures["most_processor_s"], limit=SLOWEST),
    }
    notes = [f"wrong: {one.name}: {one.named or one.broke} instead of {one.expected}" for one in wrong]
    notes += [f"not healed: {one.name}: {one.after or one.broke}" for one in sick]
    slow = sorted(outcomes, key=lambda one: -one.processor)[:3]
    notes += [f"slowest: {one.name}: {one.processor:.1f} s of processor time, {one.seconds:.1f} s" for one in slow]
    return Result(figures=figures, ratios=ratios, notes=tuple(notes))


def tried(mishaps: Sequence[Mishap]) -> list[Outcome]:
    """What became of each, in one office."""
    import logging

    import structlog

    from otd.lab.office import Office

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with tempfile.TemporaryDirectory(prefix="otd-explain-") as folder, Office(Path(folder) / "office") as office:
        return [try_one(office, one) for one in mishaps]


def try_one(office: Office, mishap: Mishap) -> Outcome:
    """Let it happen, ask, do what is said, ask again; then all is as before."""
    from otd.errors import OtdError
    from otd.lab.office import Took

    named, mend, after, took, broke = "", "", "", Took(0.0, 0.0), ""
    office.next_question()
    try:
        mishap.happens(office)
        found, took = _asked(office, mishap.room)
        named, mend = found["cause"], found["mend"]
        mishap.mend(office)
        found, again = _asked(office, mishap.room)
        after, took = found["cause"], max(took, again, key=lambda one: one.processor)
    except OtdError as error:
        broke = str(error)
    office.as_before(mishap.room)
    return Outcome(
        name=mishap.name,
        expected=mishap.cause,
        named=named,
        seconds=took.seconds,
        processor=took.processor,
        after=after,
        mend=mend,
        healed=after in mishap.healed,
        broke=broke,
    )


def _asked(office: Office, room: str) -> tuple[dict[str, Any], Took]:
    """The answer, and what it took. One that took too long is asked for again, twice at most: the machine may have been
    slow, and a command that is will be again."""
    found, took = office.explain(room)
    for _ in range(2):
        if took.processor > SLOWEST:
            took = min(took, office.explain(room)[1], key=lambda one: one.processor)
    return found, took
