"""Why a list is not as it was, and what a person should know of an endpoint whose list is."""

from __future__ import annotations

from datetime import timedelta

import pytest

from otd.bookings import booking_id
from otd.findings import found, is_overwrite, notes
from otd.model import Difference, Facts
from tests.values import HOUR, MINUTE, SECOND, T0, a_booking, a_desired, a_receipt, a_state

OURS = booking_id("room1", "uid@example.com", None)
MISSING = Difference(id=OURS, fields=("missing",))
CHANGED = Difference(id=OURS, fields=("title",))
FOREIGN = Difference(id="elsewhere-1", fields=("foreign",))
OLDER = Difference(id=OURS, fields=("foreign",))  # of a list of ours that was put before


def after_a_read(*differences: Difference, uptime: timedelta | None = None) -> str:
    state = a_state(confirmed_at=T0 - HOUR)
    facts = Facts(uptime=uptime) if uptime is not None else None
    return found(state, a_receipt(verb="read", outcome="differs", differences=differences, facts=facts))


def test_a_list_that_is_gone_since_a_restart_was_lost_by_it() -> None:
    assert after_a_read(MISSING, uptime=5 * MINUTE) == "rebooted"


def test_a_list_that_is_gone_without_a_restart_has_drifted() -> None:
    assert after_a_read(MISSING, uptime=2 * HOUR) == "drifted"
    assert after_a_read(MISSING) == "drifted"


def test_a_booking_that_changed_has_drifted_whether_it_restarted_or_not() -> None:
    assert after_a_read(CHANGED, uptime=MINUTE) == "drifted"


def test_bookings_of_another_system_are_an_overwrite_and_older_ones_of_ours_are_not() -> None:
    assert after_a_read(MISSING, FOREIGN, uptime=MINUTE) == "overwritten"
    assert after_a_read(MISSING, OLDER) == "drifted"
    assert not is_overwrite(a_receipt(outcome="differs", differences=(OLDER,)))


def test_what_was_never_in_place_cannot_have_been_lost() -> None:
    receipt = a_receipt(verb="read", outcome="differs", differences=(MISSING,))
    assert found(a_state(), receipt) == ""


@pytest.mark.parametrize(
    ("facts", "codes"),
    [
        (Facts(), []),
        (Facts(role="admin", provisioning="Off", clock_offset=-30 * SECOND), []),
        (Facts(clock_offset=-90 * SECOND), ["clock"]),
        (Facts(hides=("Title",)), ["hidden"]),
        (Facts(hides=("NonJoinableMeetings",)), []),
        (Facts(feedback="full"), ["feedback"]),
        (Facts(feedback="untrusted"), ["feedback"]),
        (Facts(feedback="failed"), ["feedback"]),
        (Facts(feedback="refused"), ["feedback"]),
        (Facts(role="user", mode="teams", provisioning="TMS"), ["teams", "role", "tms"]),
    ],
)
def test_facts_that_a_person_should_know_are_noted_with_a_mend(facts: Facts, codes: list[str]) -> None:
    said = notes(a_state(facts=facts))
    assert [note.code for note in said] == codes
    assert all(note.text and note.mend for note in said)


def test_hiding_bookings_without_join_matters_when_there_is_one() -> None:
    desired = a_desired()
    bookings = (*desired.list.bookings, a_booking(id="b2", dial=None))
    state = a_state(
        facts=Facts(hides=("NonJoinableMeetings",)),
        desired=a_desired(list=type(desired.list)(endpoint="codec1", window=desired.list.window, bookings=bookings)),
    )
    (note,) = notes(state)
    assert "without Join" in note.text
