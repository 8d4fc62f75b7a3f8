"""What is done next for an endpoint follows from its state alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otd.deliveries import (
    GiveUp,
    Park,
    Renumber,
    Send,
    Step,
    Timing,
    Wait,
    backoff,
    condition,
    delivery,
    next_meeting,
    step,
)
from otd.model import BookingList, EndpointState, Facts, Mode, Placement, Question, RelayState
from tests.values import (
    HOUR,
    MINUTE,
    SECOND,
    T0,
    WINDOW,
    a_booking,
    a_desired,
    a_receipt,
    a_relay,
    a_sent,
    a_state,
    an_endpoint,
)

TIMING = Timing()
BOTH = (a_relay("relay1"), a_relay("relay2"))


def next_step(state: EndpointState, *relays: RelayState, after: timedelta = timedelta(0)) -> Step:
    alive = relays or BOTH
    now = T0 + after
    return step(state, tuple(a_relay(r.name, last_seen=now) for r in alive), now, TIMING)


def test_nothing_is_sent_before_every_room_was_read() -> None:
    assert isinstance(next_step(a_state(desired=None)), Wait)


def test_a_first_list_goes_to_the_pool() -> None:
    assert next_step(a_state()) == Send(verb="put")


def test_without_a_living_relay_the_endpoint_waits_and_says_why() -> None:
    found = step(a_state(), (a_relay(last_seen=T0 - MINUTE), a_relay("relay2", leaving=True)), T0, TIMING)
    assert isinstance(found, Wait)
    assert found.code == "no_relay"
    assert "hq" in found.mend


def test_before_a_drifted_list_is_put_again_the_relay_that_saw_it_in_place_looks_too() -> None:
    seen = {"confirmed_by": "relay1", "found": "drifted", "confirmed_revision": 10}
    differs = a_receipt(verb="read", outcome="differs", relay="relay2", sequence=4)
    assert next_step(a_state(receipt=differs, **seen)) == Send(verb="read", relay="relay1")
    agreed = a_receipt(verb="read", outcome="differs", relay="relay1", sequence=5)
    assert next_step(a_state(receipt=agreed, **seen)).verb == "put"  # type: ignore[union-attr]
    gone = next_step(a_state(receipt=differs, **seen), a_relay("relay2"))
    assert gone == Send(verb="put", relay="relay2")
    unreachable = a_state(receipt=differs, unreachable_from=("relay1",), **seen)
    assert next_step(unreachable).verb == "put"  # type: ignore[union-attr]


def test_when_two_relays_disagree_the_one_that_did_not_see_the_list_puts_it() -> None:
    confirmed = a_receipt(verb="read", relay="relay1", sequence=5)
    disputed = a_state(receipt=confirmed, disputed_by=("relay1", "relay2"), disputed_sequence=5)
    assert next_step(disputed) == Send(verb="put", relay="relay2")
    later = replace(disputed, receipt=a_receipt(relay="relay2", sequence=6))
    assert isinstance(next_step(later), Wait)


def test_an_endpoint_that_restarted_is_looked_at_at_once_and_once() -> None:
    confirmed = a_state(receipt=a_receipt(sequence=5), sent=a_sent(sequence=5), facts=Facts())
    assert isinstance(next_step(confirmed), Wait)
    restarted = replace(confirmed, restarted_sequence=5)
    assert next_step(restarted) == Send(verb="read", relay="relay2")
    under_way = replace(restarted, sent=a_sent(verb="read", sequence=6, relay="relay2"))
    assert isinstance(next_step(under_way), Wait)
    assert isinstance(next_step(replace(under_way, receipt=a_receipt(verb="read", sequence=6))), Wait)
    unreachable = a_receipt(verb="read", sequence=6, outcome="unreachable")
    failing = replace(under_way, receipt=unreachable, failures=9, unreachable_from=("relay1", "relay2"))
    assert isinstance(next_step(failing), Wait)
    assert isinstance(next_step(replace(failing, restarted_sequence=6)), Send)


@pytest.mark.parametrize("outcome", ["denied", "untrusted", "unsupported", "busy"])
def test_that_it_restarted_is_no_reason_to_try_what_needs_a_person_or_asked_to_wait(outcome: str) -> None:
    receipt = a_receipt(verb="read", sequence=6, outcome=outcome, retry_after=MINUTE)
    state = a_state(receipt=receipt, sent=a_sent(sequence=6), failures=2, restarted_sequence=6)
    assert isinstance(next_step(state), Park | Wait)


def test_an_endpoint_that_another_system_writes_to_is_left_alone_when_it_restarts() -> None:
    differs = a_receipt(verb="read", sequence=6, outcome="differs")
    state = a_state(receipt=differs, sent=a_sent(sequence=6), overwrites=5, restarted_sequence=6)
    assert isinstance(next_step(state), Wait)


@pytest.mark.parametrize("mode", ["deliver", "observe"])
def test_an_order_says_in_which_mode_its_endpoint_is(mode: Mode) -> None:
    order = delivery(a_state(mode=mode), "read", 1, T0, TIMING)
    assert order.endpoint.mode == mode


def test_whose_meeting_is_soonest_comes_first_and_one_that_runs_before_all() -> None:
    def starting(after: timedelta) -> EndpointState:
        booking = a_booking(start=T0 + after, end=T0 + after + HOUR)
        wanted = BookingList(endpoint="codec1", window=WINDOW, bookings=(booking,))
        return a_state(desired=a_desired(list=wanted))

    over, running, soon, later, none = -2 * HOUR, -10 * MINUTE, 5 * MINUTE, 3 * HOUR, a_state(desired=None)
    order = [next_meeting(state, T0) for state in (*map(starting, (running, soon, later)), starting(over), none)]
    assert order == sorted(order)
    assert order[3] == order[4]


def test_an_unanswered_delivery_is_waited_for_and_then_sent_through_another_relay() -> None:
    state = a_state(sent=a_sent(relay="relay1"))
    assert next_step(state, after=5 * SECOND) == Wait(after=10 * SECOND)
    assert next_step(state, after=15 * SECOND) == Send(verb="put", relay="relay2")


@pytest.mark.parametrize("sequence", [4, 5])
def test_what_is_unanswered_goes_to_no_relay_that_has_missed_a_hello_while_another_talks(sequence: int) -> None:
    now = T0 + 15 * SECOND
    dying, talking = a_relay("relay1", last_seen=T0 + 3 * SECOND), a_relay("relay2", last_seen=T0 + 13 * SECOND)
    unanswered = a_state(sent=a_sent(sequence=sequence))
    assert step(unanswered, (dying, talking), now, TIMING) == Send(verb="put", relay="relay2")
    alone = (replace(talking, last_seen=T0 + 3 * SECOND), dying)
    assert isinstance(step(unanswered, alone, now, TIMING), Send)


def test_a_delivery_to_a_relay_that_is_gone_is_sent_through_another_at_once() -> None:
    assert next_step(a_state(sent=a_sent(relay="relay1")), a_relay("relay2")) == Send(verb="put", relay="relay2")


def test_a_delivery_that_no_living_relay_can_have_taken_is_sent_again_at_once() -> None:
    """As after the whole process was killed and started again."""
    started = tuple(a_relay(name, started_at=T0 + SECOND, last_seen=T0 + SECOND) for name in ("relay1", "relay2"))
    found = step(a_state(sent=a_sent()), started, T0 + 2 * SECOND, TIMING)
    assert isinstance(found, Send)
    one_was_there = (a_relay("relay1", started_at=T0 - SECOND), started[1])
    assert isinstance(step(a_state(sent=a_sent()), one_was_there, T0 + 2 * SECOND, TIMING), Wait)


def test_a_new_list_goes_before_a_read_back_that_is_due_or_under_way() -> None:
    confirmed = a_receipt(revision=10, sequence=3)
    newer = a_state(desired=a_desired(revision=11), receipt=confirmed)
    assert next_step(newer, after=TIMING.verify).verb == "put"  # type: ignore[union-attr]
    looking = replace(newer, sent=a_sent(verb="read", revision=10, sequence=4))
    assert next_step(looking).verb == "put"  # type: ignore[union-attr]


def test_a_newer_list_does_not_wait_for_the_answer_to_the_older_one() -> None:
    state = a_state(desired=a_desired(revision=11), sent=a_sent(revision=10))
    assert next_step(state, after=SECOND) == Send(verb="put")


def test_a_confirmed_list_is_looked_at_again_through_another_relay() -> None:
    state = a_state(sent=a_sent(), receipt=a_receipt(relay="relay1"), facts=Facts())
    assert next_step(state, after=MINUTE) == Wait(after=4 * MINUTE)
    assert next_step(state, after=5 * MINUTE) == Send(verb="read", relay="relay2")


def test_an_endpoint_that_one_relay_cannot_reach_is_tried_at_once_through_the_other() -> None:
    state = a_state(
        sent=a_sent(),
        receipt=a_receipt(outcome="unreachable", relay="relay1"),
        failures=1,
        unreachable_from=("relay1",),
    )
    assert next_step(state) == Send(verb="put", relay="relay2")


def test_an_endpoint_that_no_relay_can_reach_is_tried_again_with_growing_pauses() -> None:
    state = a_state(
        sent=a_sent(),
        receipt=a_receipt(outcome="unreachable", detail="refused"),
        failures=3,
        unreachable_from=("relay1", "relay2"),
    )
    found = next_step(state)
    assert found == Wait(after=20 * SECOND, error="refused", code="unreachable")
    assert isinstance(next_step(state, after=20 * SECOND), Send)


def test_a_later_list_avoids_the_relay_that_could_not_reach_the_endpoint() -> None:
    state = a_state(desired=a_desired(revision=11), sent=a_sent(), receipt=a_receipt(), unreachable_from=("relay1",))
    assert next_step(state) == Send(verb="put", relay="relay2")


def test_a_list_that_was_refused_may_be_followed_by_one_that_is_not() -> None:
    refused = a_receipt(outcome="unsupported")
    assert isinstance(next_step(a_state(sent=a_sent(), receipt=refused, failures=1)), Park)
    newer = a_state(sent=a_sent(), receipt=refused, failures=1, desired=a_desired(revision=11))
    assert next_step(newer) == Send(verb="put")


@pytest.mark.parametrize("outcome", ["denied", "untrusted"])
def test_what_needs_a_person_is_parked_even_when_the_list_changes(outcome: str) -> None:
    refused = a_receipt(outcome=outcome, detail="it said no", mend="do this")
    state = a_state(sent=a_sent(), receipt=refused, failures=1)
    assert next_step(state) == Park(after=timedelta(days=1), error="it said no", code=outcome, mend="do this")
    newer = a_state(sent=a_sent(), receipt=refused, failures=1, desired=a_desired(revision=11))
    assert isinstance(next_step(newer), Park)


def test_a_certificate_that_was_refused_by_a_pin_of_before_is_looked_at_again() -> None:
    """A delivery was made ready before a person accepted the new one, and went out after that."""
    refused = a_receipt(outcome="untrusted", pin="sha256:aa", shown="sha256:bb")
    known = a_state(endpoint=an_endpoint(pin="sha256:aa"), sent=a_sent(), receipt=refused, failures=1)
    assert isinstance(next_step(known), Park)
    assert next_step(replace(known, endpoint=an_endpoint(pin="sha256:bb"))) == Send(verb="put")
    older = replace(known, endpoint=an_endpoint(pin="sha256:bb"), receipt=replace(refused, pin="", shown=""))
    assert isinstance(next_step(older), Park), "a relay that obeys no pin of ours would refuse it for ever"


def test_a_refused_password_is_not_even_tried_once_a_day() -> None:
    state = a_state(sent=a_sent(), receipt=a_receipt(outcome="denied"), failures=1)
    assert isinstance(next_step(state, after=timedelta(days=2)), Park)


def test_a_refused_password_is_not_tried_again_while_another_answer_is_slow_to_come() -> None:
    """An endpoint that takes longer to refuse than an answer is awaited would else be asked for ever."""
    refused = a_receipt(outcome="denied", reason="password", sequence=1)
    slow = a_state(sent=a_sent(sequence=2), receipt=refused, failures=1)
    newer = replace(slow, desired=a_desired(revision=11))
    for state in (slow, newer):
        for after in (SECOND, TIMING.answer, HOUR):
            assert isinstance(next_step(state, after=after), Park)
    assert next_step(replace(slow, failures=0), after=TIMING.answer) == Send(verb="put", relay="relay1")


def test_after_a_person_asked_it_is_tried_again() -> None:
    state = a_state(sent=a_sent(), receipt=a_receipt(outcome="denied"), failures=0)
    assert next_step(state) == Send(verb="put")


@pytest.mark.parametrize("outcome", ["busy", "unreachable", "not_for_me", "expired"])
def test_whom_a_person_has_tried_again_is_not_left_to_its_pause(outcome: str) -> None:
    receipt = a_receipt(outcome=outcome, retry_after=10 * MINUTE)
    state = a_state(sent=a_sent(), receipt=receipt, unreachable_from=("relay1", "relay2"))
    assert isinstance(next_step(replace(state, failures=3)), Wait)
    assert isinstance(next_step(replace(state, failures=0)), Send)


def test_a_list_that_drifted_is_put_right_at_once() -> None:
    state = a_state(
        sent=a_sent(verb="read"), receipt=a_receipt(verb="read", outcome="differs"), failures=1, same_difference=1
    )
    assert next_step(state) == Send(verb="put", relay="relay2")


def test_a_look_that_failed_is_a_look_again_so_that_it_shows_whether_the_list_was_lost() -> None:
    gone = a_receipt(verb="read", outcome="unreachable", relay="relay1")
    state = a_state(sent=a_sent(verb="read"), receipt=gone, failures=1, unreachable_from=("relay1",))
    assert next_step(replace(state, confirmed_revision=10)) == Send(verb="read", relay="relay2")
    assert next_step(replace(state, confirmed_revision=9)) == Send(verb="put", relay="relay2"), "never seen in place"


def test_a_list_that_keeps_differing_in_the_same_way_is_put_again_only_once_an_hour() -> None:
    state = a_state(sent=a_sent(), receipt=a_receipt(outcome="differs"), failures=9, same_difference=3)
    assert next_step(state) == Wait(after=timedelta(hours=1), error="differs", code="differs")


def test_a_relay_that_has_seen_a_higher_revision_makes_the_list_be_numbered_anew() -> None:
    state = a_state(sent=a_sent(), receipt=a_receipt(outcome="stale", highest=99), failures=1)
    assert next_step(state) == Renumber(above=99)


def test_a_busy_endpoint_is_left_alone_as_long_as_it_asked() -> None:
    state = a_state(sent=a_sent(), receipt=a_receipt(outcome="busy", retry_after=MINUTE), failures=1)
    found = next_step(state)
    assert isinstance(found, Wait)
    assert found.after == MINUTE


@given(st.integers(1, 10_000))
def test_pauses_grow_and_stay_bounded(failures: int) -> None:
    assert TIMING.backoff <= backoff(failures, TIMING) <= backoff(failures + 1, TIMING) <= TIMING.backoff_most


OLD = a_state().endpoint
LEAVING: dict[str, object] = {"leaving": OLD, "leaving_since": T0}


def test_an_endpoint_that_is_removed_is_cleared_through_its_pool() -> None:
    state = a_state(removed=True, sent=a_sent(at=T0 - MINUTE), receipt=a_receipt(), **LEAVING)
    found = next_step(state)
    assert found == Send(verb="forget", relay="relay2")
    order = delivery(state, "forget", 9, T0, TIMING)
    assert order.clear
    assert order.endpoint == replace(OLD, mode="deliver")


def test_an_endpoint_that_moves_is_forgotten_by_its_old_pool_before_the_new_one_writes() -> None:
    moved = replace(OLD, pool="branch")
    state = replace(a_state(sent=a_sent(at=T0 - MINUTE), receipt=a_receipt(), **LEAVING), endpoint=moved)
    assert next_step(state) == Send(verb="forget", relay="relay2")
    assert not delivery(state, "forget", 9, T0, TIMING).clear
    asked = replace(state, sent=a_sent(verb="forget", sequence=9))
    assert next_step(asked, after=SECOND) == Wait(after=14 * SECOND)
    assert isinstance(next_step(asked, after=15 * SECOND), Send)
    assert next_step(asked, after=10 * MINUTE) == GiveUp()


def test_an_endpoint_that_is_new_is_soon_read_to_know_what_it_is() -> None:
    state = a_state(sent=a_sent(), receipt=a_receipt(relay="relay1"))
    assert next_step(state, after=SECOND) == Wait(after=19 * SECOND)
    assert next_step(state, after=20 * SECOND) == Send(verb="read", relay="relay2")


def test_an_endpoint_that_is_observed_is_read_and_never_written() -> None:
    assert next_step(a_state(mode="observe")) == Send(verb="read")
    for receipt in (a_receipt(verb="read", outcome="differs"), a_receipt(verb="read"), a_receipt(verb="put")):
        observed = a_state(mode="observe", sent=a_sent(verb="read"), receipt=receipt, facts=Facts(), same_difference=9)
        assert next_step(observed, after=MINUTE) == Wait(after=4 * MINUTE)
        assert next_step(observed, after=5 * MINUTE) == Send(verb="read", relay="relay2")
    for state in (
        a_state(mode="observe", sent=a_sent(verb="put", relay="relay1")),  # from before it was observed
        a_state(mode="observe", sent=a_sent(), receipt=a_receipt(), desired=a_desired(revision=11)),
        a_state(mode="observe", sent=a_sent(), receipt=a_receipt(outcome="unreachable"), failures=1),
        a_state(mode="observe", sent=a_sent(), receipt=a_receipt(outcome="unsupported"), failures=1),
    ):
        found = next_step(state, after=timedelta(days=2))
        assert isinstance(found, Send)
        assert found.verb == "read"
    removed = a_state(mode="observe", removed=True, **LEAVING)
    assert not delivery(removed, "forget", 9, T0, TIMING).clear


def test_what_another_system_overwrites_is_put_again_only_at_the_reassert_period() -> None:
    foreign = a_receipt(verb="read", outcome="differs", detail="1 missing, 1 foreign")
    once = a_state(sent=a_sent(), receipt=foreign, failures=1, overwrites=1, same_difference=1)
    assert next_step(once) == Send(verb="put", relay="relay2")
    twice = replace(once, overwrites=2, desired=a_desired(revision=11))  # a newer list does not fight either
    found = next_step(twice)
    assert isinstance(found, Wait)
    assert (found.after, found.code) == (timedelta(hours=1), "overwritten")
    assert "observe" in found.mend
    assert next_step(twice, after=timedelta(hours=1)) == Send(verb="put", relay="relay2")
    assert condition(replace(twice, receipt=a_receipt())) == "overwritten", (
        "until a read-back finds ours to have stayed"
    )


def test_a_credential_that_three_endpoints_refuse_is_not_tried_on_others() -> None:
    found = next_step(a_state(refusals=3))
    assert isinstance(found, Wait)
    assert found.code == "credential"
    assert "otd endpoints retry" in found.mend
    assert condition(a_state(refusals=3)) == "refused elsewhere"
    assert next_step(a_state(refusals=2)) == Send(verb="put")


def test_a_role_that_may_not_write_is_looked_at_once_a_day_for_it_locks_no_account() -> None:
    state = a_state(sent=a_sent(), receipt=a_receipt(outcome="denied", reason="role"), failures=1)
    assert isinstance(next_step(state), Park)
    assert next_step(state, after=timedelta(days=1)) == Send(verb="put")


def test_a_delivery_carries_the_whole_list_and_its_fences() -> None:
    made = delivery(a_state(), "put", 7, T0, TIMING)
    assert (made.revision, made.sequence, made.act_by) == (10, 7, T0 + MINUTE)
    assert made.bookings == a_desired().list.bookings


# --- endpoints that fetch ---------------------------------------------------------------------------------------------

POLY = replace(OLD, kind="polycom", model="gs", address="192.0.2.7", credential="poly")
PLACED = tuple(Placement(relay=name, revision=10, at=T0) for name in ("relay1", "relay2"))


def fetching(**overrides: object) -> EndpointState:
    usual: dict[str, object] = {"revision": 10, "placements": PLACED, "fetched_revision": 10, "fetched_at": T0}
    return replace(a_state(**(usual | overrides)), endpoint=overrides.get("endpoint", POLY))  # type: ignore[arg-type]


def test_an_endpoint_that_fetched_its_list_is_looked_at_when_its_own_interface_can_be_asked() -> None:
    assert next_step(fetching(), after=MINUTE) == Wait(after=4 * MINUTE)
    assert isinstance(next_step(fetching(), after=5 * MINUTE), Send)
    for blind in (replace(POLY, credential=""), replace(POLY, model="trio")):
        assert next_step(fetching(endpoint=blind), after=5 * MINUTE) == Wait(after=5 * MINUTE)
    assert next_step(fetching(fetched_revision=9), after=5 * MINUTE) == Wait(after=5 * MINUTE)


def test_it_is_looked_at_again_and_again_and_a_look_without_an_answer_is_not_repeated_at_once() -> None:
    looked = fetching(receipt=a_receipt(verb="read", at=T0 + 5 * MINUTE), sent=a_sent(verb="read"))
    assert next_step(looked, after=6 * MINUTE) == Wait(after=4 * MINUTE)
    assert isinstance(next_step(looked, after=10 * MINUTE), Send)
    waiting = fetching(sent=a_sent(verb="read", sequence=2, at=T0 + 5 * MINUTE))
    assert next_step(waiting, after=6 * MINUTE) == Wait(after=4 * MINUTE)


def test_what_it_shows_otherwise_is_a_state_with_a_mend() -> None:
    found = a_receipt(verb="read", outcome="differs", detail="1 missing")
    state = fetching(receipt=found, sent=a_sent(verb="read"), failures=1)
    step = next_step(state)
    assert isinstance(step, Wait)
    assert (step.error, step.code) == ("itself: 1 missing", "differs")
    assert "otd endpoints show" in step.mend
    assert condition(state) == "differs"
    assert condition(replace(state, receipt=a_receipt(verb="read"))) == "confirmed"


def test_a_password_that_its_own_interface_refuses_is_not_tried_again_and_hinders_no_list() -> None:
    refused = a_receipt(verb="read", outcome="denied", reason="password", detail="it said no", mend="do this")
    state = fetching(receipt=refused, sent=a_sent(verb="read"), failures=1)
    for later in (MINUTE, timedelta(days=3)):
        found = next_step(replace(state, fetched_at=T0 + later, placements=_placed(T0 + later)), after=later)
        assert found == Wait(after=5 * MINUTE, error="it said no", code="denied", mend="do this")
    assert condition(state) == "confirmed"
    newer = replace(state, desired=a_desired(revision=11), revision=11)
    assert next_step(newer) == Send(verb="put", relay="relay1")
    assert isinstance(next_step(replace(state, failures=0), after=6 * MINUTE), Send), "a person asked"


def _placed(at: datetime) -> tuple[Placement, ...]:
    return tuple(replace(placement, at=at) for placement in PLACED)


# --- questions ----------------------------------------------------------------------------------------------------

QUESTION = Question(endpoint="codec1", key="k1", anew=True)
SEEN = a_receipt(verb="read", sequence=4, relay="relay2")


def asked(**more: Any) -> EndpointState:
    usual: dict[str, Any] = {"receipt": SEEN, "sent": a_sent(verb="read", sequence=4), "question": QUESTION}
    return a_state(**usual | more)


@pytest.mark.parametrize("mode", ["deliver", "observe"])
def test_a_question_goes_out_as_a_look_when_nothing_else_is_to_be_done(mode: Mode) -> None:
    assert next_step(asked(mode=mode)) == Send(verb="read")
    assert isinstance(next_step(asked(mode=mode, question=None)), Wait)
    order = delivery(asked(mode=mode), "read", 5, T0, TIMING)
    assert (order.ask, order.anew) == ("k1", True)
    assert delivery(asked(mode=mode), "put", 5, T0, TIMING).ask == ""


def test_a_question_goes_to_the_relay_that_last_saw_the_list_in_place_or_one_that_reaches_it() -> None:
    assert next_step(asked(confirmed_by="relay2")) == Send(verb="read", relay="relay2")
    assert next_step(asked(confirmed_by="gone")) == Send(verb="read")
    assert next_step(asked(confirmed_by="gone", unreachable_from=("relay1",))) == Send(verb="read", relay="relay2")


def test_a_list_and_what_is_on_its_way_go_before_a_question() -> None:
    newer = a_desired(revision=11)
    assert next_step(asked(desired=newer, revision=11)) == Send(verb="put")
    on_its_way = asked(sent=a_sent(verb="read", sequence=5))
    assert isinstance(next_step(on_its_way), Wait)
    assert next_step(on_its_way, after=TIMING.answer) == next_step(
        replace(on_its_way, question=None), after=TIMING.answer
    )


def test_a_question_goes_out_once_and_once_more_when_a_relay_did_not_reach_it_and_another_does() -> None:
    out = replace(QUESTION, sequence=5)
    assert isinstance(next_step(asked(question=out)), Wait)
    missed = a_receipt(verb="read", sequence=5, outcome="unreachable", relay="relay1")
    again = replace(QUESTION, receipt=missed)
    both = asked(question=again, receipt=missed, failures=1, unreachable_from=("relay1", "relay2"))
    found = next_step(both)
    assert isinstance(found, Wait)
    assert found.code == "unreachable"
    assert next_step(asked(question=again)) == Send(verb="read")


def test_a_question_tries_no_password_that_was_refused() -> None:
    for reason in ("password", ""):
        denied = a_receipt(outcome="denied", reason=reason, sequence=4, detail="refused")
        assert isinstance(next_step(asked(receipt=denied, failures=1)), Park)
        found = next_step(asked(receipt=denied, failures=1, desired=None))
        assert isinstance(found, Wait)
        assert (found.code, found.error) == ("denied", "refused")
    elsewhere = next_step(asked(refusals=3))
    assert isinstance(elsewhere, Wait)
    assert elsewhere.code == "credential"


def test_what_needs_a_person_is_not_looked_at_for_a_question() -> None:
    for outcome in ("unsupported", "untrusted"):
        receipt = a_receipt(outcome=outcome, sequence=4, at=T0)
        assert isinstance(next_step(asked(receipt=receipt, failures=1)), Park)


def test_a_question_needs_no_list_and_a_living_relay() -> None:
    assert next_step(asked(desired=None, receipt=None, sent=None)) == Send(verb="read")
    found = step(asked(desired=None, receipt=None, sent=None), (a_relay(last_seen=T0 - MINUTE),), T0, TIMING)
    assert isinstance(found, Wait)
    assert found.code == "no_relay"


def test_an_endpoint_that_fetches_is_asked_where_it_can_be() -> None:
    held = Placement(relay="relay1", revision=10, at=T0, sent_revision=10, sent_at=T0)
    placed = (held, replace(held, relay="relay2"))
    for credential, is_asked in (("codec", True), ("", False)):
        poly = an_endpoint(kind="polycom", credential=credential)
        found = next_step(asked(endpoint=poly, receipt=None, placements=placed))
        assert isinstance(found, Send) is is_asked


def test_an_endpoint_that_leaves_is_not_asked() -> None:
    sent = a_sent(verb="forget", sequence=5)
    assert isinstance(next_step(asked(leaving=an_endpoint(), leaving_since=T0, sent=sent)), Wait)
