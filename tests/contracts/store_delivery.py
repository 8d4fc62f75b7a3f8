"""What was sent, receipts, relays."""

from __future__ import annotations

from datetime import timedelta

import pytest

from otd.model import (
    Difference,
    Hello,
)
from tests.contracts.store_case import LEASE, StoreCase, a_hello, a_list
from tests.values import HOUR, MINUTE, SECOND, T0, a_receipt, an_endpoint


class DeliveryContract(StoreCase):
    """What was sent, receipts, relays."""

    # delivery ---------------------------------------------------------------------------------------------------------

    def test_what_was_sent_is_remembered_under_numbers_that_grow(self) -> None:
        self.adopt(endpoints=(an_endpoint(),))
        assert self.state().sent is None
        revision = self.store.put_desired(a_list("b1"), "d1")
        first = self.store.sending("codec1", "put", revision, "")
        self.pass_time(-HOUR)
        second = self.store.sending("codec1", "read", revision, "relay2")
        assert second > first
        sent = self.state().sent
        assert sent is not None
        assert (sent.verb, sent.revision, sent.sequence, sent.at, sent.relay) == (
            "read",
            revision,
            second,
            T0 - HOUR,
            "relay2",
        )

    def test_a_confirmation_of_the_desired_list_is_kept_and_clears_failures(self) -> None:
        self.adopt(endpoints=(an_endpoint(),))
        revision = self.store.put_desired(a_list("b1"), "d1")
        self.deliver("unreachable", detail="no route")
        self.pass_time(MINUTE)
        assert self.deliver()
        state = self.state()
        assert (state.confirmed_revision, state.confirmed_at) == (revision, T0 + MINUTE)
        assert (state.failures, state.failing_since, state.unreachable_from) == (0, None, ())
        assert state.receipt is not None
        assert state.receipt.outcome == "confirmed"

    def test_which_relay_reaches_an_endpoint_is_known_and_since_when_one_does_not(self) -> None:
        self.adopt(endpoints=(an_endpoint(),))
        self.store.put_desired(a_list("b1"), "d1")
        self.deliver("confirmed", relay="relay1")
        self.deliver("unreachable", relay="relay2", detail="no route")
        self.pass_time(MINUTE)
        self.deliver("expired", relay="relay3")  # tells nothing of it
        one, other = self.store.reach()
        assert (one.relay, one.works, one.reached_at, one.missed_at) == ("relay1", True, T0, None)
        assert (other.relay, other.works, other.missed_at, other.why) == ("relay2", False, T0, "no route")
        self.deliver("differs", relay="relay2")
        assert self.store.reach()[1].works

    def test_a_receipt_comes_back_as_it_was_applied(self) -> None:
        self.adopt(endpoints=(an_endpoint(),))
        revision = self.store.put_desired(a_list("b1"), "d1")
        receipt = a_receipt(
            revision=revision,
            sequence=self.store.sending("codec1", "put", revision, ""),
            outcome="differs",
            seen_digest="s",
            differences=(Difference(id="b1", fields=("title", "number")), Difference(id="b2", fields=("missing",))),
            detail="two bookings differ",
            mend="look at the endpoint",
            retry_after=90 * SECOND,
        )
        assert self.store.apply(receipt)
        assert self.state().receipt == receipt

    def test_every_receipt_makes_the_delivery_due(self) -> None:
        for outcome in ("unreachable", "differs", "busy", "stale", "expired", "not_for_me", "confirmed"):
            self.adopt(rooms=0, endpoints=(an_endpoint(),))
            self.store.put_desired(a_list("b1"), "d1")
            self.run(after=HOUR)
            self.deliver(outcome)
            assert self.names() == ["codec1"], outcome
            self.pass_time(LEASE)

    def test_an_older_receipt_changes_nothing(self) -> None:
        self.adopt(endpoints=(an_endpoint(),))
        revision = self.store.put_desired(a_list("b1"), "d1")
        first = self.store.sending("codec1", "put", revision, "")
        second = self.store.sending("codec1", "put", revision, "")
        good = a_receipt(revision=revision, sequence=second, counter=1)
        assert self.store.apply(good)
        assert not self.store.apply(good)
        for older in (
            a_receipt(revision=revision, sequence=second, counter=0, outcome="unreachable"),
            a_receipt(revision=revision, sequence=first, counter=7, outcome="unreachable"),
            a_receipt(revision=revision - 1, sequence=second, counter=7, outcome="unreachable"),
        ):
            assert not self.store.apply(older)
        assert self.state().receipt == good
        assert self.state().confirmed_revision == revision

    def test_a_later_reading_of_the_same_list_counts(self) -> None:
        self.adopt(endpoints=(an_endpoint(),))
        revision = self.store.put_desired(a_list("b1"), "d1")
        self.deliver()
        self.pass_time(MINUTE)
        assert self.deliver("differs", verb="read", differences=(Difference(id="b1", fields=("missing",)),))
        state = self.state()
        assert (state.confirmed_revision, state.failures, state.failing_since) == (revision, 1, T0 + MINUTE)
        assert state.receipt is not None
        assert state.receipt.outcome == "differs"

    def test_a_receipt_for_what_was_never_sent_from_here_is_refused(self) -> None:
        self.adopt(endpoints=(an_endpoint(),))
        revision = self.store.put_desired(a_list("b1"), "d1")
        sequence = self.store.sending("codec1", "put", revision, "")
        assert not self.store.apply(a_receipt(revision=2**60, sequence=sequence))
        assert not self.store.apply(a_receipt(revision=revision, sequence=2**60))
        assert not self.store.apply(a_receipt(revision=revision, sequence=sequence, counter=2**70))
        assert self.store.apply(a_receipt(revision=revision, sequence=sequence))

    def test_a_receipt_from_another_pool_is_refused(self) -> None:
        self.adopt(endpoints=(an_endpoint(),))
        self.store.put_desired(a_list("b1"), "d1")
        assert not self.deliver(pool="lab")
        assert self.deliver(pool="hq")

    def test_a_confirmation_of_the_list_before_is_neither_a_confirmation_nor_a_failure(self) -> None:
        self.adopt(endpoints=(an_endpoint(),))
        older = self.store.put_desired(a_list("b1"), "d1")
        sequence = self.store.sending("codec1", "put", older, "")
        self.store.put_desired(a_list("b2"), "d2")
        assert self.store.apply(a_receipt(revision=older, sequence=sequence))
        state = self.state()
        assert (state.confirmed_revision, state.failures, state.failing_since) == (0, 0, None)

    def test_failures_are_counted_and_dated_until_a_confirmation(self) -> None:
        self.adopt(endpoints=(an_endpoint(),))
        self.store.put_desired(a_list("b1"), "d1")
        self.deliver("unreachable", relay="relay2")
        self.pass_time(MINUTE)
        self.deliver("unreachable", relay="relay1")
        self.deliver("unreachable", relay="relay2")
        self.deliver("busy", relay="relay3")
        state = self.state()
        assert (state.failures, state.failing_since) == (4, T0)
        assert state.unreachable_from == ("relay1", "relay2")

    def test_differing_in_the_same_way_is_counted(self) -> None:
        self.adopt(endpoints=(an_endpoint(),))
        self.store.put_desired(a_list("b1"), "d1")
        title = (Difference(id="b1", fields=("title",)),)
        number = (Difference(id="b1", fields=("number",)),)
        self.deliver("differs", differences=title)
        self.deliver("unreachable")
        self.deliver("differs", differences=title)
        assert self.state().same_difference == 2
        self.deliver("differs", differences=number)
        assert self.state().same_difference == 1
        self.deliver()
        assert self.state().same_difference == 0

    def test_a_new_list_changes_nothing_of_what_is_known_of_the_one_before(self) -> None:
        self.adopt(endpoints=(an_endpoint(),))
        confirmed = self.store.put_desired(a_list("b1"), "d1")
        self.deliver()
        self.pass_time(MINUTE)
        self.deliver("differs", verb="read", differences=(Difference(id="b1", fields=("title",)),))
        self.store.put_desired(a_list("b2"), "d2")
        state = self.state()
        assert (state.failures, state.same_difference) == (1, 1)
        assert (state.confirmed_revision, state.confirmed_at) == (confirmed, T0)
        assert state.failing_since == T0 + MINUTE  # nothing was confirmed since

    def test_a_new_list_does_not_try_a_refused_password_again(self) -> None:
        self.adopt(rooms=0, endpoints=(an_endpoint(),))
        self.store.put_desired(a_list("b1"), "d1")
        self.deliver("denied")
        self.run(error="password refused", code="denied", parked=True)
        self.store.put_desired(a_list("b2"), "d2")
        assert self.state().failures == 1
        assert self.claim() == ()

    def test_a_new_list_is_tried_where_the_one_before_was_not_taken(self) -> None:
        self.adopt(rooms=0, endpoints=(an_endpoint(),))
        self.store.put_desired(a_list("b1"), "d1")
        self.deliver("unsupported")
        self.run(error="too many bookings", code="unsupported", parked=True)
        self.store.put_desired(a_list("b2"), "d2")
        assert not self.row("codec1").parked
        assert self.names() == ["codec1"]

    def test_who_looked_at_an_endpoint_starts_its_failures_from_zero(self) -> None:
        self.adopt(rooms=0, endpoints=(an_endpoint(),))
        self.store.put_desired(a_list("b1"), "d1")
        self.deliver("denied")
        self.run(error="password refused", code="denied", parked=True)
        self.store.unpark("deliver", "codec1")
        assert self.state().failures == 0
        assert self.names() == ["codec1"]

    @pytest.mark.parametrize("by", ["a person", "other settings"])
    def test_an_answer_to_what_went_out_before_a_retry_is_no_failure(self, by: str) -> None:
        self.adopt(rooms=0, endpoints=(an_endpoint(),))
        revision = self.store.put_desired(a_list("b1"), "d1")
        before = self.store.sending("codec1", "put", revision, "relay1")
        if by == "a person":
            self.store.unpark("deliver", "codec1")
        else:
            self.adopt(rooms=0, endpoints=(an_endpoint(),), digest="a new password")
        self.run()
        assert self.store.apply(a_receipt(revision=revision, sequence=before, outcome="denied"))
        state = self.state()
        assert (state.failures, state.receipt.outcome if state.receipt else "") == (0, "denied")
        assert self.names() == ["codec1"]
        self.deliver("denied")
        assert self.state().failures == 1

    def test_new_settings_start_failures_from_zero(self) -> None:
        self.adopt(endpoints=(an_endpoint(),))
        self.store.put_desired(a_list("b1"), "d1")
        self.deliver("denied")
        self.adopt(endpoints=(an_endpoint(),), digest="a new password")
        assert self.state().failures == 0

    def test_a_confirmation_unparks(self) -> None:
        self.adopt(rooms=0, endpoints=(an_endpoint(),))
        self.store.put_desired(a_list("b1"), "d1")
        self.run(error="password refused", parked=True)
        self.deliver()
        assert not self.row("codec1").parked

    # relays -----------------------------------------------------------------------------------------------------------

    def test_a_relay_is_new_once(self) -> None:
        assert self.store.heard(a_hello(clock_offset=timedelta(seconds=-3)))
        assert not self.store.heard(a_hello())
        self.pass_time(14 * SECOND)
        assert not self.store.heard(a_hello(version="1.1"))
        (relay,) = self.store.relays()
        assert (relay.name, relay.pool, relay.version) == ("relay1", "hq", "1.1")
        assert (relay.last_seen, relay.leaving, relay.clock_offset) == (T0 + 14 * SECOND, False, timedelta(0))

    def test_a_relay_that_was_silent_is_back(self) -> None:
        self.store.heard(a_hello())
        self.pass_time(15 * SECOND)
        assert self.store.heard(a_hello())

    def test_a_relay_that_started_anew_is_back(self) -> None:
        self.store.heard(a_hello())
        assert self.store.heard(a_hello(started_at=T0 + SECOND))

    def test_of_two_processes_under_one_identity_the_later_one_is_to_rest(self) -> None:
        def hello(process: timedelta) -> Hello:
            return a_hello(started_at=T0 + process, at=self.clock.now())

        first, later = timedelta(0), 30 * SECOND
        self.store.heard(hello(first))
        self.pass_time(30 * SECOND)
        self.store.heard(hello(later))
        assert not self.store.rests(hello(later))  # it may be the relay that was started anew
        self.pass_time(11 * SECOND)
        self.store.heard(hello(first))
        assert (self.store.rests(hello(first)), self.store.rests(hello(later))) == (False, True)
        for _ in range(3):
            self.pass_time(5 * SECOND)
            for process in (first, later):
                self.store.heard(hello(process))
            (relay,) = self.store.relays()
            assert (relay.cloned, relay.started_at) == (True, T0)
        for _ in range(5):
            self.pass_time(5 * SECOND)
            self.store.heard(hello(first))
        assert not self.store.relays()[0].cloned
        assert not self.store.rests(hello(later))

    def test_a_clone_takes_over_when_the_first_process_is_gone(self) -> None:
        def hello(process: timedelta) -> Hello:
            return a_hello(started_at=T0 + process, at=self.clock.now())

        self.store.heard(hello(timedelta(0)))
        self.store.heard(hello(SECOND))
        self.pass_time(15 * SECOND)
        self.store.heard(hello(timedelta(0)))
        assert self.store.rests(hello(SECOND))
        self.pass_time(25 * SECOND)
        self.store.heard(hello(SECOND))
        assert not self.store.rests(hello(SECOND))
        assert not self.store.relays()[0].cloned

    def test_what_an_earlier_process_said_before_it_ended_comes_late_and_says_nothing(self) -> None:
        self.store.heard(a_hello(started_at=T0 + MINUTE, at=T0 + MINUTE))
        self.store.heard(a_hello(at=T0 + MINUTE))
        (relay,) = self.store.relays()
        assert (relay.started_at, relay.cloned) == (T0 + MINUTE, False)

    def test_a_relay_that_left_is_not_back_before_it_starts_anew(self) -> None:
        self.store.heard(a_hello())
        assert not self.store.heard(a_hello(leaving=True))
        assert self.store.relays()[0].leaving
        assert not self.store.heard(a_hello())  # sent before it left, and late
        assert self.store.relays()[0].leaving
        assert self.store.heard(a_hello(started_at=T0 + SECOND))
        assert not self.store.relays()[0].leaving
