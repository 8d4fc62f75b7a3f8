"""Golden requests and replies, byte for byte; see fixtures/polycom/README.md."""

from __future__ import annotations

from pathlib import Path

import pytest

from otd import wire
from otd.model import Delivery
from tests.adapters.face_client import Endpointish, check

FOLDER = Path(__file__).parents[2] / "fixtures" / "polycom"
CASES = sorted(path.name for path in FOLDER.iterdir() if path.is_dir())


@pytest.mark.parametrize("case", CASES)
def test_a_request_is_answered_as_it_always_was(case: str) -> None:
    delivery = wire.read((FOLDER / "delivery.json").read_bytes())
    assert isinstance(delivery, Delivery)
    reply = Endpointish(delivery).send((FOLDER / case / "request.xml").read_bytes())
    check(reply, "Exchange2016" if "2016" in case else "", with_item_checks="getitem" in case)
    assert reply.text == (FOLDER / case / "reply.xml").read_text(encoding="utf-8")


def test_there_are_cases_of_every_client() -> None:
    assert {case.partition("-")[0] for case in CASES} >= {"exchangelib", "no"}
    assert len(CASES) >= 15
