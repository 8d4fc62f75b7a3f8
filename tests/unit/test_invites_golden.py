"""Every folder under fixtures/invites is an invitation and what must come out of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from otd.dialplan import DialPlan, dial, for_site
from otd.invites import Site, read
from otd.invites.reasons import LOST, REASONS
from otd.model import JoinInfo, Meeting, NoJoin, Person

FIXTURES = Path(__file__).parents[2] / "fixtures" / "invites"
CASES = sorted(path.parent for path in FIXTURES.glob("*/*/expected.json"))
T0 = datetime(2026, 1, 5, 9, tzinfo=UTC)


def the_invitation(case: Path) -> Path:
    return next(case.glob("invitation.*"))


def the_site(expected: dict[str, Any]) -> Site:
    """The settings that a case needs, lists of pairs for what is a mapping."""
    return Site(
        **{
            name: tuple(tuple(item) if isinstance(item, list) else item for item in value)
            if isinstance(value, list)
            else value
            for name, value in expected.get("site", {}).items()
        }
    )


def meetings(path: Path, expected: dict[str, Any]) -> list[Meeting]:
    """What the file holds; a bare body gets its surroundings from `meeting` in expected.json."""
    about = dict(expected.get("meeting", {}))
    about["organizer"] = Person(address=about.get("organizer", ""))
    about["attendees"] = tuple(Person(address=one) for one in about.get("attendees", ()))
    about["properties"] = tuple((name, value) for name, value in about.get("properties", ()))
    body = path.read_bytes().decode("utf-8")
    body_type = "html" if path.suffix == ".html" else "text"
    return [Meeting(id="m", uid="u", start=T0, end=T0 + timedelta(hours=1), body=body, body_type=body_type, **about)]


def records(path: Path, expected: dict[str, Any]) -> list[dict[str, Any]]:
    """One record per meeting, as `otd parse --json` prints it."""
    site = the_site(expected)
    return [record(meeting, site) for meeting in meetings(path, expected)]


@cache
def the_plan(site: Site) -> DialPlan:
    return for_site((), site)


def record(meeting: Meeting, site: Site) -> dict[str, Any]:
    join = read(meeting, site)
    dialled = dial(join, meeting, the_plan(site))
    known = join if isinstance(join, JoinInfo) else JoinInfo(platform="")
    return {
        "platform": known.platform,
        "partner": known.partner,
        "ids": dict(known.ids),
        "join_url": known.join_url,
        "dial": dialled.dial
        and {"protocol": dialled.dial.protocol, "uri": dialled.dial.uri, "allowed": dialled.allowed},
        "rule": dialled.rule,
        "reason": dialled.reason or None,
        "evidence": [{"source": one.source, "wrappers": list(one.wrappers)} for one in join.evidence],
        "alternatives": [{"platform": one.join.platform, "reason": one.reason} for one in known.alternatives],
    }


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}/{case.name}")
def test_the_invitation_is_read_as_expected(case: Path) -> None:
    expected = json.loads((case / "expected.json").read_text(encoding="utf-8"))
    found = records(the_invitation(case), expected)
    wanted = expected.get("meetings", [expected])
    assert len(found) == len(wanted)
    for one, want in zip(found, wanted, strict=True):
        assert {name: one[name] for name in one if name in want} == {name: want[name] for name in one if name in want}
        assert {"platform", "partner", "ids", "dial", "reason"} <= want.keys()


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}/{case.name}")
def test_every_reason_is_on_the_list(case: Path) -> None:
    expected = json.loads((case / "expected.json").read_text(encoding="utf-8"))
    for meeting in meetings(the_invitation(case), expected):
        join = read(meeting, the_site(expected))
        assert join.reason in REASONS or (isinstance(join, JoinInfo) and join.reason == "")
        assert isinstance(join, NoJoin) or all(one.reason in LOST for one in join.alternatives)
        assert isinstance(join, NoJoin) or join.evidence
