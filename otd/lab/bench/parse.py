"""What it costs to read an invitation, beside what the parsers alone cost; and how many golden cases come out right.

Each body is read once and no two are alike, so that nothing can be remembered from one to the next.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from otd.errors import BadSetting
from otd.lab.bench import Ratio, Result, ratio, whole

if TYPE_CHECKING:
    from otd.lab.golden import Case
    from otd.model import Meeting

SENTENCE = (
    "An HTML body to its dial string against selectolax and BeautifulSoup on the same bodies, whole .ics and .eml "
    "files against icalendar and email, and the worst inputs known."
)
OPTIONS = {
    "bodies": "How many bodies there are in a round (default 200).",
    "rounds": "How many rounds, each with bodies of its own (default 7).",
    "score": "Instead, score the golden cases in this folder: how many are right, missed and wrong.",
}
FILES = 40  # whole files in a round; icalendar takes milliseconds for each


def run(options: Mapping[str, str]) -> Result:
    """Processor time for each body or file, the best round of each."""
    if folder := options.get("score"):
        return scored(Path(folder))
    count, rounds = whole(options, "bodies", 200), whole(options, "rounds", 7)
    worst, note = _worst(rounds)
    figures = _bodies(count, rounds) | _files(rounds) | worst
    figures = {name: round(value, 3) for name, value in figures.items()}
    return Result(
        figures=figures,
        ratios={
            "dial": ratio(figures, "dial_us", "selectolax_us", limit=2.5),
            "dial_beautifulsoup": ratio(figures, "dial_us", "beautifulsoup_us", limit=0.1),
            "ics": ratio(figures, "ics_us", "icalendar_us", limit=1.5),
            "eml": ratio(figures, "eml_us", "email_icalendar_us", limit=1.5),
            "worst": Ratio(value=figures.pop("worst_ratio"), limit=12),
        },
        notes=(note,),
    )


# --- time -----------------------------------------------------------------------------------------------------------


def _timed(calls: Mapping[str, Callable[[], object]]) -> dict[str, float]:
    """Microseconds of processor time that each call takes, once."""
    found = {}
    for name, call in calls.items():
        began = time.process_time()
        call()
        found[name] = (time.process_time() - began) * 1e6
    return found


def _best(rounds: list[dict[str, float]], each: int) -> dict[str, float]:
    return {name: min(one[name] for one in rounds) / each for name in rounds[0]}


def _dialling() -> Callable[[list[Meeting]], None]:
    """What reads all these meetings to their dial strings."""
    from otd.dialplan import dial, for_site
    from otd.invites import Site, read

    plan = for_site((), Site())

    def dial_all(meetings: list[Meeting]) -> None:
        for meeting in meetings:
            dial(read(meeting), meeting, plan)

    return dial_all


def _bodies(count: int, rounds: int) -> dict[str, float]:
    """A Meeting in hand to its dial string, and the same bodies through the parsers alone."""
    from selectolax.lexbor import LexborHTMLParser

    from otd.lab.bench.invitations import bodies, meetings

    soup = _beautiful_soup()
    dial_all = _dialling()

    def selectolax(texts: list[str]) -> None:
        for text in texts:
            LexborHTMLParser(text).text()

    found = []
    for turn in range(rounds + 1):  # the first one warms up
        texts = bodies(count, seed=turn)
        invitations = meetings(texts)
        calls: dict[str, Callable[[], object]] = {
            "selectolax_us": lambda texts=texts: selectolax(texts),  # type: ignore[misc]
            "dial_us": lambda invitations=invitations: dial_all(invitations),  # type: ignore[misc]
        }
        found.append(_timed(calls))
    few = bodies(max(count // 10, 10), seed=rounds + 1)
    slow = _timed({"beautifulsoup_us": lambda: [soup(text) for text in few]})
    return _best(found[1:], count) | _best([slow], len(few))


def _beautiful_soup() -> Callable[[str], object]:
    try:
        from bs4 import BeautifulSoup
    except ImportError:
        raise BadSetting(
            "otd bench parse", "BeautifulSoup is not installed", "pip install 'one-touch-dial[dev]'"
        ) from None
    return lambda text: BeautifulSoup(text, "html.parser").get_text()


def _files(rounds: int) -> dict[str, float]:
    """Whole files to their dial strings, and what the decoders alone take."""
    from email import message_from_bytes, policy

    from icalendar import Calendar

    from otd import formats
    from otd.lab.bench.invitations import bodies, eml, ics

    dial_all = _dialling()

    def ours(files: list[bytes], name: str) -> None:
        for data in files:
            dial_all(list(formats.read(data, name)))

    def icalendar(files: list[bytes]) -> None:
        for data in files:
            Calendar.from_ical(data)

    def email_icalendar(files: list[bytes]) -> None:
        for data in files:
            for part in message_from_bytes(data, policy=policy.default).walk():
                if part.get_content_type() == "text/calendar":
                    Calendar.from_ical(part.get_content())

    found = []
    for turn in range(rounds + 1):
        calendars = [ics(body, f"{turn}-{n}") for n, body in enumerate(bodies(FILES, seed=1000 + turn))]
        mails = [eml(data) for data in calendars]
        calls: dict[str, Callable[[], object]] = {
            "icalendar_us": lambda calendars=calendars: icalendar(calendars),  # type: ignore[misc]
            "ics_us": lambda calendars=calendars: ours(calendars, "a.ics"),  # type: ignore[misc]
            "email_icalendar_us": lambda mails=mails: email_icalendar(mails),  # type: ignore[misc]
            "eml_us": lambda mails=mails: ours(mails, "a.eml"),  # type: ignore[misc]
        }
        found.append(_timed(calls))
    return _best(found[1:], FILES)


def _worst(rounds: int) -> tuple[dict[str, float], str]:
    """The worst of the bodies made to be slow, as a multiple of one selectolax parse of the same bytes."""
    from selectolax.lexbor import LexborHTMLParser

    from otd.lab.bench.hostile import bodies
    from otd.lab.bench.invitations import meetings

    dial_all, worst, name = _dialling(), 0.0, ""
    for shape, html in bodies():
        (meeting,) = meetings([html])
        calls: dict[str, Callable[[], object]] = {
            "floor": lambda html=html: LexborHTMLParser(html).text(),  # type: ignore[misc]
            "ours": lambda meeting=meeting: dial_all([meeting]),  # type: ignore[misc]
        }
        best = _best([_timed(calls) for _ in range(max(rounds, 3))], 1)
        worst, name = max((worst, name), (best["ours"] / best["floor"], shape))
    return {"worst_ratio": worst}, f"the worst of the bodies made to be slow: {name}"


# --- score ----------------------------------------------------------------------------------------------------------


def scored(folder: Path) -> Result:
    """How many meetings of the golden cases below a folder come out with the right dial string, or rightly none."""
    from otd.lab.golden import cases

    try:
        found = cases(folder)
    except (OSError, ValueError) as error:
        raise BadSetting(f"--score {folder}", str(error), "for example --score fixtures/invites") from None
    counts = {"right_count": 0.0, "missed_count": 0.0, "wrong_count": 0.0}
    notes = []
    for case in found:
        for verdict in _verdicts(case):
            counts[f"{verdict}_count"] += 1
            if verdict != "right":
                notes.append(f"{verdict}: {case.name}")
    ratios = {name: Ratio(value=counts[f"{name}_count"], limit=0) for name in ("missed", "wrong")}
    return Result(figures=counts, ratios=ratios, notes=tuple(notes))


def _verdicts(case: Case) -> list[str]:
    """One for each meeting: right; missed (none where there is one); wrong (another, or one where there is none)."""
    found = [record["dial"] for record in case.records()]
    wanted = [expected["dial"] for expected in case.expected]
    if len(found) != len(wanted):
        return ["missed"] * len(wanted)
    return ["right" if a == b else "wrong" if a else "missed" for a, b in zip(found, wanted, strict=True)]
