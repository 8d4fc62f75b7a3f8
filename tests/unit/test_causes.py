"""The closed list of causes, and which of them an endpoint's or a room's state shows."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from otd import causes
from otd.causes import CAUSES, Found
from otd.errors import OtdError
from otd.invites.reasons import REASONS
from otd.model import Facts, Outcome, RoomState
from tests.contracts.store_case import a_room
from tests.values import HOUR, T0, a_receipt, a_relay, a_sent, a_state, an_endpoint

RELAYS = (a_relay(),)


def code(**state: Any) -> str | None:
    found = causes.of_endpoint(a_state(**state), RELAYS, T0)
    return found.code if found else None


def every(kind: type[OtdError]) -> set[str]:
    return {kind.code}.union(*(every(sub) for sub in kind.__subclasses__()))


def test_every_cause_says_what_is_wrong_and_what_to_do() -> None:
    for name, cause in CAUSES.items():
        assert name == cause.code
        assert cause.sentence.endswith(".")
        assert cause.mend
        assert cause.sentence[0].isupper()


def test_what_an_invitation_lacks_is_among_them() -> None:
    assert CAUSES.keys() > REASONS.keys()


def test_there_is_no_cause_outside_the_list() -> None:
    with pytest.raises(ValueError, match="not in the list"):
        Found(code="bad luck")


def test_a_confirmed_list_has_no_cause() -> None:
    assert code(receipt=a_receipt()) is None


def test_a_confirmed_list_that_the_endpoint_hides() -> None:
    found = causes.of_endpoint(a_state(receipt=a_receipt(), facts=Facts(hides=("TentativeMeetings",))), RELAYS, T0)
    assert found == Found(code="hidden", detail="by TentativeMeetings")


@pytest.mark.parametrize("outcome", get_args(Outcome))
def test_every_answer_that_is_no_confirmation_of_the_newest_list_has_a_cause(outcome: Outcome) -> None:
    assert code(receipt=a_receipt(outcome=outcome, revision=9)) in CAUSES


@pytest.mark.parametrize(
    ("outcome", "reason", "expected"),
    [
        ("denied", "password", "password_refused"),
        ("denied", "role", "role_missing"),
        ("unsupported", "teams", "teams_mode"),
        ("unsupported", "list", "list_refused"),
        ("unsupported", "", "endpoint_unsupported"),
        ("untrusted", "", "certificate_changed"),
        ("unreachable", "", "endpoint_unreachable"),
    ],
)
def test_an_answer_that_needs_a_person_tells_its_cause(outcome: Outcome, reason: str, expected: str) -> None:
    assert code(receipt=a_receipt(outcome=outcome, reason=reason)) == expected


def test_a_list_that_waits_for_its_answer() -> None:
    assert code(sent=a_sent()) == "delivery_unanswered"
    assert code() == "delivery_waiting"


def test_without_a_living_relay_nothing_else_is_the_cause() -> None:
    state = a_state(receipt=a_receipt(outcome="unreachable"))
    dead = causes.of_endpoint(state, (a_relay(last_seen=T0 - HOUR),), T0)
    assert dead is not None
    assert dead.code == "no_relay"


def test_an_endpoint_that_fetches_and_did_not() -> None:
    from otd.model import Placement

    held = (Placement(relay="relay1", revision=10, at=T0),)
    assert code(endpoint=an_endpoint(kind="polycom"), placements=held) == "list_not_fetched"


def test_a_room_that_cannot_be_read_tells_its_cause() -> None:
    for error in every(OtdError):
        state = RoomState(room=a_room(), failing_since=T0, code=error, error="it said so")
        found = causes.of_room(state)
        assert found is not None
        assert found.cause.stage == "calendar"
        assert found.detail == "it said so"
    assert causes.of_room(RoomState(room=a_room(), read_at=T0)) is None
