"""Every folder under fixtures/invites is an invitation and what must come out of it.

A folder with the same invitation in several formats holds it several times: all of them must be read alike.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from otd.invites import read
from otd.invites.reasons import LOST, REASONS
from otd.lab.golden import Case, cases
from otd.model import NoJoin

CASES = cases(Path(__file__).parents[2] / "fixtures" / "invites")
SEVERAL = sorted({case.path.parent for case in CASES if len(list(case.path.parent.glob("invitation.*"))) > 1})
COMPARED = {"platform", "partner", "ids", "join_url", "dial", "rule", "reason", "evidence", "alternatives"}
STATED = {"platform", "partner", "ids", "dial", "reason"}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_invitation_is_read_as_expected(case: Case) -> None:
    found = case.records()

    assert len(found) == len(case.expected)
    for one, wanted in zip(found, case.expected, strict=True):
        assert wanted.keys() >= STATED
        assert {name: one[name] for name in COMPARED & wanted.keys()} == {
            n: wanted[n] for n in COMPARED & wanted.keys()
        }


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_reasons_are_on_the_list_and_evidence_is_given(case: Case) -> None:
    for meeting in case.meetings():
        join = read(meeting, case.site)

        assert not join.reason or join.reason in REASONS
        assert isinstance(join, NoJoin) or (join.evidence and all(one.reason in LOST for one in join.alternatives))


@pytest.mark.parametrize("folder", SEVERAL, ids=lambda folder: folder.name)
def test_every_format_of_an_invitation_is_read_alike(folder: Path) -> None:
    joins = [[read(meeting, case.site) for meeting in case.meetings()] for case in cases(folder)]

    assert len(joins) > 1
    assert all(one == joins[0] for one in joins)


def test_there_are_enough_cases_without_a_dial_string_and_enough_in_all() -> None:
    wanted = [one for case in CASES for one in case.expected]

    assert len(wanted) >= 250
    assert sum(one["dial"] is None for one in wanted) >= 60


def test_the_readme_says_where_each_case_comes_from() -> None:
    root = Path(__file__).parents[2] / "fixtures"
    told = set(re.findall(r"^\| `([\w-]+/[\w-]+)` \| [0-9]", (root / "README.md").read_text("utf-8"), re.M))

    assert told == {"/".join(case.path.parts[-3:-1]) for case in CASES}
