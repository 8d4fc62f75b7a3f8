"""The golden invitations: folders with an invitation, in one format or several, and what must come out of it.

`expected.json` holds a record as `otd parse --json` prints it (or `meetings`, a list of them), beside it `why` the case
is there, `site` (settings that it needs, mappings as lists of pairs) and `meeting` (what surrounds a bare body).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from otd import formats
from otd.dialplan import DialPlan, dial, for_site
from otd.invites import Site, read
from otd.model import Dialled, JoinInfo, Meeting, NoJoin, Person


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One file of one folder."""

    path: Path
    site: Site
    expected: tuple[Mapping[str, Any], ...]  # one for each meeting in the file
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return "/".join(self.path.parts[-3:])

    def meetings(self) -> list[Meeting]:
        """What the file holds, with the surroundings that the case gives it."""
        return [replace(meeting, **self.about) for meeting in formats.read(self.path.read_bytes(), self.path.name)]

    def records(self) -> list[dict[str, Any]]:
        """What comes out of it today, one record for each meeting."""
        return [_record(meeting, self.site) for meeting in self.meetings()]


def cases(folder: Path) -> list[Case]:
    """Every case below a folder, in the order of their names. Raises ValueError when there is none."""
    found = [_case(path) for path in sorted(folder.glob("**/invitation.*"))]
    if not found:
        raise ValueError(f"there are no folders with an invitation and an expected.json below {folder}")
    return found


def _case(path: Path) -> Case:
    expected = json.loads((path.parent / "expected.json").read_text(encoding="utf-8"))
    return Case(
        path=path,
        site=Site(**{name: _frozen(value) for name, value in expected.get("site", {}).items()}),
        expected=tuple(expected.get("meetings", [expected])),
        about=dict(_about(expected.get("meeting", {}))),
    )


def _frozen(value: Any) -> Any:
    return tuple(_frozen(one) for one in value) if isinstance(value, list) else value


def _about(stated: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in stated.items():
        if name == "organizer":
            yield name, Person(address=value)
        elif name == "attendees":
            yield name, tuple(Person(address=one) for one in value)
        else:
            yield name, _frozen(value)


@cache
def _plan(site: Site) -> DialPlan:
    return for_site((), site)


def _record(meeting: Meeting, site: Site) -> dict[str, Any]:
    join = read(meeting, site)
    return _as_json(join, dial(join, meeting, _plan(site)))


def _as_json(join: JoinInfo | NoJoin, dialled: Dialled) -> dict[str, Any]:
    known = join if isinstance(join, JoinInfo) else JoinInfo(platform="")
    string = dialled.dial
    return {
        "platform": known.platform,
        "partner": known.partner,
        "ids": dict(known.ids),
        "join_url": known.join_url,
        "dial": string and {"protocol": string.protocol, "uri": string.uri, "allowed": dialled.allowed},
        "rule": dialled.rule,
        "reason": dialled.reason or None,
        "evidence": [{"source": one.source, "wrappers": list(one.wrappers)} for one in join.evidence],
        "alternatives": [{"platform": one.join.platform, "reason": one.reason} for one in known.alternatives],
    }
