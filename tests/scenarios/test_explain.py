"""What goes wrong is named, and what is said to do heals it: a handful here, all of them with `-m long`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from otd.causes import CAUSES
from otd.lab.bench.explain import try_one
from otd.lab.mishaps import MISHAPS, Mishap
from otd.lab.office import Office

HANDFUL = ("a domain that may not be dialled", "endpoint: another password")


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with Office(tmp_path_factory.mktemp("office") / "lab") as office:
        yield office


def test_there_are_at_least_forty_and_each_has_a_name_of_its_own_and_a_cause_of_the_list() -> None:
    assert len(MISHAPS) >= 40
    assert len({one.name for one in MISHAPS}) == len(MISHAPS)
    assert {one.cause for one in MISHAPS} <= set(CAUSES)


def tried(office: Office, mishap: Mishap) -> None:
    outcome = try_one(office, mishap)
    assert (outcome.named, outcome.broke) == (mishap.cause, "")
    assert outcome.mend
    assert outcome.after in mishap.healed


@pytest.mark.parametrize("mishap", [one for one in MISHAPS if one.name in HANDFUL], ids=lambda one: one.name)
def test_the_cause_is_named_and_its_mend_heals(office: Office, mishap: Mishap) -> None:
    tried(office, mishap)


@pytest.mark.long
@pytest.mark.parametrize("mishap", [one for one in MISHAPS if one.name not in HANDFUL], ids=lambda one: one.name)
def test_every_cause_is_named_and_its_mend_heals(office: Office, mishap: Mishap) -> None:
    tried(office, mishap)
