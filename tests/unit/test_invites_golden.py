"""Every folder under fixtures/invites is an invitation and what must come out of it.

A folder with the same invitation in several formats holds it several times: all of them must be read alike.
"""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from otd import formats
from otd.dialplan import DialPlan, dial, for_site
from otd.invites import Site, read
from otd.invites.reasons import LOST, REASONS
from otd.model import JoinInfo, Meeting, NoJoin, Person

FIXTURES = Path(__file__).parents[2] / "fixtures" / "invites"
INVITATIONS = sorted(FIXTURES.glob("*/*/invitation.*"))
SEVERAL = sorted({path.parent for path in INVITATIONS if len(list(path.parent.glob("invitation.*"))) > 1})
COMPARED = ("platform", "partner", "ids", "join_url", "dial", "rule", "reason", "evidence", "alternatives")


def name_of(path: Path) -> str:
    return "/".join(path.parts[-3:])


def expected_of(path: Path) -> dict[str, Any]:
    expected: dict[str, Any] = json.loads((path.parent / "expected.json").read_text(encoding="utf-8"))
    return expected


def the_site(expected: dict[str, Any]) -> Site:
    """The settings that a case needs; mappings are lists of pairs."""
    settings = {}
    for name, value in expected.get("site", {}).items():
        many = [tuple(one) if isinstance(one, list) else one for one in value] if isinstance(value, list) else value
        settings[name] = tuple(many) if isinstance(many, list) else many
    return Site(**settings)


def meetings(path: Path, expected: dict[str, Any]) -> list[Meeting]:
    """What the file holds; a bare body gets its surroundings from `meeting` in expected.json."""
    about = dict(expected.get("meeting", {}))
    if "organizer" in about:
        about["organizer"] = Person(address=about["organizer"])
    if "attendees" in about:
        about["attendees"] = tuple(Person(address=one) for one in about["attendees"])
    if "properties" in about:
        about["properties"] = tuple((name, value) for name, value in about["properties"])
    return [replace(meeting, **about) for meeting in formats.read(path.read_bytes() or b"\n", path.name)]


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


@pytest.mark.parametrize("path", INVITATIONS, ids=name_of)
def test_the_invitation_is_read_as_expected(path: Path) -> None:
    expected = expected_of(path)
    wanted = expected.get("meetings", [expected])
    found = records(path, expected)

    assert len(found) == len(wanted)
    for one, want in zip(found, wanted, strict=True):
        assert {name: one[name] for name in COMPARED if name in want} == {n: want[n] for n in COMPARED if n in want}
        assert {"platform", "partner", "ids", "dial", "reason"} <= want.keys()


@pytest.mark.parametrize("path", INVITATIONS, ids=name_of)
def test_reasons_are_on_the_list_and_evidence_is_given(path: Path) -> None:
    expected = expected_of(path)
    for meeting in meetings(path, expected):
        join = read(meeting, the_site(expected))

        assert not join.reason or join.reason in REASONS
        assert isinstance(join, NoJoin) or (join.evidence and all(one.reason in LOST for one in join.alternatives))


@pytest.mark.parametrize("case", SEVERAL, ids=lambda case: f"{case.parent.name}/{case.name}")
def test_every_format_of_an_invitation_is_read_alike(case: Path) -> None:
    paths = sorted(case.glob("invitation.*"))
    expected = expected_of(paths[0])
    joins = [[read(meeting, the_site(expected)) for meeting in meetings(path, expected)] for path in paths]

    assert all(one == joins[0] for one in joins)
