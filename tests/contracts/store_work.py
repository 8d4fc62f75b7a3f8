"""Claims, leases, hints and parking."""

from __future__ import annotations

from datetime import timedelta

import pytest

from otd.model import (
    Settled,
)
from tests.contracts.store_case import DAY, LEASE, StoreCase, a_room
from tests.values import HOUR, MINUTE, SECOND, T0, an_endpoint


class WorkContract(StoreCase):
    """Claims, leases, hints and parking."""

    # work -------------------------------------------------------------------------------------------------------------

    def test_what_is_claimed_is_not_claimed_again(self) -> None:
        self.adopt(rooms=2)
        assert self.names(1) == ["room1"]
        assert self.names() == ["room2"]
        assert self.claim() == ()

    def test_a_claim_that_was_given_back_is_free_at_once_and_does_not_count_any_more(self) -> None:
        self.adopt(rooms=3)
        one, two, three = self.claim()
        assert self.store.leased("me") == 3
        assert self.store.leased("another") == 0
        self.store.give_back([one, two])
        assert self.store.leased("me") == 1
        assert not self.store.begin(one)
        assert self.names() == [one.name, two.name]
        self.store.finish(three, Settled(after=HOUR))
        assert self.store.leased("me") == 2

    def test_giving_back_takes_nothing_from_who_claimed_it_since(self) -> None:
        self.adopt()
        (first,) = self.claim()
        self.pass_time(2 * LEASE)
        (second,) = self.claim()
        self.store.give_back([first])
        assert self.store.begin(second)

    def test_the_longest_overdue_comes_first(self) -> None:
        self.adopt(rooms=3)
        for work, after in zip(self.claim(), (3, 1, 2), strict=True):
            self.store.finish(work, Settled(after=after * MINUTE))
        self.pass_time(HOUR)
        assert self.names(2) == ["room2", "room3"]
        assert self.names() == ["room1"]

    def test_only_the_kinds_that_were_asked_for(self) -> None:
        self.adopt(endpoints=(an_endpoint(),))
        assert {work.kind for work in self.claim(kinds=("deliver",))} == {"deliver"}
        assert {work.kind for work in self.claim(kinds=("refresh", "deliver"))} == {"refresh"}

    def test_no_more_of_a_lane_than_its_cap(self) -> None:
        self.adopt(rooms=6, caps={"office": 2})
        first = self.claim()
        assert len(first) == 2
        assert self.claim() == ()
        self.store.finish(first[0], Settled(after=HOUR))
        assert len(self.claim()) == 1

    def test_a_full_lane_does_not_hold_up_another(self) -> None:
        rooms = (*(a_room(n) for n in range(1, 8)), a_room(8, calendar="lab"))
        self.adopt(rooms=rooms, caps={"office": 2})
        assert self.names(3) == ["room1", "room2", "room8"]

    def test_what_was_chosen_while_another_lane_was_full_is_not_chosen_again(self) -> None:
        lab = tuple(a_room(n, calendar="lab") for n in (1, 5, 6))
        self.adopt(rooms=(*lab, *(a_room(n) for n in (2, 3, 4))), caps={"office": 1, "lab": 3})
        assert self.names(4) == ["room1", "room2", "room5", "room6"]

    def test_a_lane_without_room_gives_nothing(self) -> None:
        self.adopt(caps={"office": 0})
        assert self.claim() == ()
        assert self.store.next_due() is None

    def test_no_limit_no_claim(self) -> None:
        self.adopt()
        assert self.claim(limit=0) == ()

    def test_a_lease_that_ran_out_is_free_and_its_claim_no_longer_holds(self) -> None:
        self.adopt()
        lost = self.claim_one()
        self.pass_time(LEASE)
        taken_over = self.claim_one()
        assert taken_over.token > lost.token
        assert not self.store.begin(lost)
        assert self.store.begin(taken_over)

    def test_a_claim_whose_lease_ran_out_is_dropped_though_nobody_took_it_over(self) -> None:
        self.adopt()
        lost = self.claim_one()
        self.pass_time(LEASE)
        assert not self.store.begin(lost)
        assert self.names() == ["room1"]

    def test_a_row_whose_worker_dies_each_time_does_not_come_before_all_others(self) -> None:
        self.adopt(rooms=3, caps={"office": 1})
        self.pass_time(SECOND)
        tried = []
        for _ in range(3):
            tried += self.names()
            self.pass_time(LEASE)
        assert tried == ["room1", "room2", "room3"]

    def test_the_lease_starts_anew_when_the_work_begins(self) -> None:
        self.adopt()
        work = self.claim_one()
        self.pass_time(60 * SECOND)
        assert self.store.begin(work)
        self.pass_time(60 * SECOND)
        assert self.claim() == ()
        self.pass_time(30 * SECOND)
        assert self.names() == ["room1"]

    def test_a_claim_that_was_given_back_or_skipped_does_not_begin_however_fresh_it_is(self) -> None:
        self.adopt(rooms=2)
        one, other = self.claim()
        self.store.give_back([one])
        self.store.skip("refresh", other.name)
        assert not self.store.begin(one)
        assert self.store.begin(other)  # nothing failed, so there was nothing to skip

    def test_work_that_was_taken_over_does_not_settle_the_row(self) -> None:
        self.adopt()
        lost = self.claim_one()
        self.pass_time(LEASE)
        taken_over = self.claim_one()
        self.store.finish(lost, Settled(after=HOUR, error="too late"))
        assert (self.row().leased, self.row().error) == (True, "")
        self.store.finish(taken_over, Settled(after=MINUTE))
        assert self.row().due == self.clock.time + MINUTE

    def test_work_that_ends_late_settles_the_row_when_nobody_took_it_over(self) -> None:
        self.adopt()
        late = self.claim_one()
        self.pass_time(LEASE + SECOND)
        self.store.finish(late, Settled(after=HOUR))
        assert self.claim() == ()

    def test_settling_twice_settles_once(self) -> None:
        self.adopt()
        work = self.run(after=HOUR)
        self.store.finish(work, Settled(after=timedelta(0), error="again"))
        assert (self.row().due, self.row().error) == (T0 + HOUR, "")

    def test_a_success_is_due_again_after_its_period(self) -> None:
        self.adopt()
        self.run(after=MINUTE)
        assert self.store.next_due() == T0 + MINUTE
        self.pass_time(59 * SECOND)
        assert self.claim() == ()
        self.pass_time(SECOND)
        assert self.claim_one().attempt == 0

    def test_failures_are_counted_and_dated_until_a_success(self) -> None:
        self.adopt()
        self.run(after=MINUTE, error="no answer", code="unreachable", mend="look at the network")
        self.pass_time(MINUTE)
        again = self.claim_one()
        assert again.attempt == 1
        self.store.finish(
            again, Settled(after=MINUTE, error="no answer", code="unreachable", mend="look at the network")
        )
        row = self.row()
        assert row.attempt == 2
        assert (row.error, row.code, row.mend) == ("no answer", "unreachable", "look at the network")
        assert row.failing_since == T0
        self.pass_time(LEASE)
        self.run()
        row = self.row()
        assert (row.attempt, row.error, row.code, row.mend, row.failing_since) == (0, "", "", "", None)

    def test_words_that_a_database_cannot_hold_are_told_as_far_as_it_can(self) -> None:
        self.adopt()
        self.run(error="nul \x00 and \ud800 lone\nline", code="c" * 100)
        row = self.row()
        assert (row.error, len(row.code)) == ("nul   and ? lone line", 64)

    # hints ------------------------------------------------------------------------------------------------------------

    def test_a_hint_makes_it_due_now(self) -> None:
        self.adopt()
        self.run(after=HOUR)
        self.store.hint("refresh", "room1")
        assert self.names() == ["room1"]

    def test_a_hint_with_a_delay_makes_it_due_then_and_never_later(self) -> None:
        self.adopt()
        self.run(after=MINUTE)
        self.store.hint("refresh", "room1", delay=10 * SECOND)
        self.store.hint("refresh", "room1", delay=HOUR)
        assert self.store.next_due() == T0 + 10 * SECOND

    def test_many_are_hinted_at_once_each_with_its_delay(self) -> None:
        self.adopt(rooms=3)
        for work in self.claim():
            self.store.finish(work, Settled(after=HOUR))
        self.store.hint_all("refresh", {"room3": timedelta(0), "room1": 10 * SECOND})
        assert self.names() == ["room3"]
        self.pass_time(10 * SECOND)
        assert self.names() == ["room1"]
        self.store.hint_all("refresh", {})
        assert self.names() == []

    def test_many_hints_are_one_run(self) -> None:
        self.adopt()
        self.run(after=HOUR)
        for _ in range(5):
            self.store.hint("refresh", "room1")
        self.run(after=HOUR)
        assert self.claim() == ()

    def test_a_hint_while_a_delivery_runs_lets_it_run_again_at_once(self) -> None:
        self.adopt(rooms=0, endpoints=(an_endpoint(),))
        work = self.claim_one()
        self.store.hint("deliver", "codec1")
        assert self.claim() == ()
        self.store.finish(work, Settled(after=HOUR))
        assert self.names() == ["codec1"]

    def test_a_hint_while_a_hinted_refresh_runs_lets_it_run_again_five_seconds_later(self) -> None:
        self.adopt()
        self.store.hint("refresh", "room1")
        work = self.claim_one()
        self.store.hint("refresh", "room1")
        self.pass_time(SECOND)
        self.store.finish(work, Settled(after=HOUR))
        assert self.store.next_due() == T0 + 6 * SECOND
        self.pass_time(5 * SECOND)
        again = self.claim_one()
        self.store.hint("refresh", "room1")
        self.store.finish(again, Settled(after=HOUR))
        assert self.store.next_due() == T0 + 11 * SECOND

    def test_a_hint_while_a_refresh_runs_in_its_turn_lets_it_run_again_at_once(self) -> None:
        self.adopt()
        self.run(after=HOUR)
        self.pass_time(HOUR)
        work = self.claim_one()
        self.store.hint("refresh", "room1")
        self.store.finish(work, Settled(after=HOUR))
        assert self.names() == ["room1"]

    def test_a_hint_before_the_claim_is_served_by_it(self) -> None:
        self.adopt(rooms=0, endpoints=(an_endpoint(),))
        self.store.hint("deliver", "codec1")
        self.run(after=HOUR)
        assert self.claim() == ()

    def test_a_delayed_hint_while_it_runs_lets_it_run_again_then(self) -> None:
        self.adopt()
        work = self.claim_one()
        self.store.hint("refresh", "room1", delay=30 * SECOND)
        self.store.hint("refresh", "room1", delay=MINUTE)
        self.store.finish(work, Settled(after=HOUR))
        assert self.store.next_due() == T0 + 30 * SECOND

    def test_a_hint_is_not_lost_when_the_lease_had_run_out(self) -> None:
        self.adopt(rooms=0, endpoints=(an_endpoint(),))
        late = self.claim_one()
        self.pass_time(LEASE + SECOND)
        self.store.hint("deliver", "codec1")
        self.store.finish(late, Settled(after=HOUR))
        assert self.names() == ["codec1"]

    def test_a_hint_for_something_that_is_not_configured_does_nothing(self) -> None:
        self.adopt()
        self.store.hint("refresh", "elsewhere")
        assert {row.name for row in self.store.work()} == {"room1"}

    # parking ----------------------------------------------------------------------------------------------------------

    def test_a_parked_row_waits_a_day_whatever_hints_come(self) -> None:
        self.adopt()
        self.run(error="password refused", code="denied", parked=True)
        self.store.hint("refresh", "room1")
        assert self.claim() == ()
        assert self.row().parked
        assert self.store.next_due() == T0 + DAY
        self.pass_time(DAY)
        assert self.claim_one().attempt == 1

    def test_a_parked_row_may_wait_for_longer_than_a_day(self) -> None:
        self.adopt()
        self.run(after=timedelta.max, error="password refused", parked=True)
        self.pass_time(3650 * DAY)
        assert self.claim() == ()

    def test_a_parked_row_may_be_tried_again_after_a_rest_of_its_own(self) -> None:
        self.adopt()
        self.run(after=DAY, error="forbidden", code="denied", parked=True, rest=30 * MINUTE)
        self.store.hint("refresh", "room1")
        self.pass_time(29 * MINUTE)
        assert self.claim() == ()
        self.pass_time(MINUTE)
        assert self.names() == ["room1"]

    def test_a_hint_while_a_parked_row_is_tried_counts_when_it_works_again(self) -> None:
        self.adopt(rooms=0, endpoints=(an_endpoint(),))
        self.run(error="refused", parked=True)
        self.pass_time(DAY)
        work = self.claim_one()
        self.store.hint("deliver", "codec1")
        self.store.finish(work, Settled(after=HOUR))
        assert not self.row("codec1").parked
        assert self.names() == ["codec1"]

    @pytest.mark.parametrize("hinted_after", [False, True])
    def test_a_retry_while_it_is_tried_counts_more_than_what_was_found_before(self, hinted_after: bool) -> None:
        self.adopt(rooms=0, endpoints=(an_endpoint(),))
        self.run(error="refused", parked=True)
        self.store.unpark("deliver", "codec1")
        work = self.claim_one()
        self.store.unpark("deliver", "codec1")
        if hinted_after:
            self.store.hint("deliver", "codec1", delay=HOUR)
        self.store.finish(work, Settled(after=DAY, error="refused", code="denied", parked=True))
        row = self.row("codec1")
        assert (row.parked, row.error) == (False, "refused")
        work = self.claim_one()
        self.store.hint("deliver", "codec1")
        self.store.finish(work, Settled(after=DAY, error="refused", code="denied", parked=True))
        assert self.row("codec1").parked  # what was found since

    def test_unparked_is_due_now_with_attempts_from_zero(self) -> None:
        self.adopt()
        self.run(error="password refused", code="denied", parked=True)
        self.store.unpark("refresh", "room1")
        assert not self.row().parked
        assert self.claim_one().attempt == 0
