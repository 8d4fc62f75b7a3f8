"""Lanes, pauses, and when to look again."""

from __future__ import annotations

from otd.model import LaneSize, LaneState, Settled
from tests.contracts.store_case import DAY, LEASE, StoreCase, a_room
from tests.values import HOUR, MINUTE, SECOND, T0, a_booking, an_endpoint


class LanesContract(StoreCase):
    """Lanes, pauses, and when to look again."""

    # lanes ------------------------------------------------------------------------------------------------------------

    def test_nothing_is_claimed_from_a_paused_lane(self) -> None:
        self.adopt(endpoints=(an_endpoint(),))
        self.store.pause("office", T0 + MINUTE, "maintenance")
        assert self.names() == ["codec1"]
        lane = next(lane for lane in self.store.lanes() if lane.name == "office")
        assert (lane.paused_until, lane.why, lane.leased) == (T0 + MINUTE, "maintenance", 0)
        assert self.store.next_due() == T0 + MINUTE
        self.pass_time(MINUTE)
        assert self.names() == ["room1"]
        lane = next(lane for lane in self.store.lanes() if lane.name == "office")
        assert (lane.paused_until, lane.why, lane.leased) == (None, "", 1)

    def test_work_that_asks_its_lane_nothing_more_makes_room_in_it(self) -> None:
        self.adopt(rooms=3, caps={"office": 1})
        first = self.claim_one()
        assert (self.claim(), self.store.next_due()) == ((), T0 + LEASE)
        self.store.leave_lane(first)
        assert self.row().leased
        assert next(lane for lane in self.store.lanes() if lane.name == "office").leased == 0
        assert self.store.next_due() == T0
        assert self.names() == ["room2"]
        assert self.claim() == ()
        self.store.finish(first, Settled(after=DAY))
        assert self.claim() == ()  # it made room once, not twice

    def test_work_that_left_its_lane_counts_there_again_when_it_is_claimed_again(self) -> None:
        self.adopt(rooms=2, caps={"office": 1})
        self.store.leave_lane(self.claim_one())
        self.pass_time(LEASE)
        assert len(self.claim()) == 1
        assert self.claim() == ()

    def test_work_that_left_its_lane_can_be_claimed_when_its_lease_runs_out(self) -> None:
        self.adopt(rooms=1)
        self.store.leave_lane(self.claim_one())
        assert self.store.next_due() == T0 + LEASE

    def test_a_claim_that_was_taken_over_makes_no_room_in_its_lane(self) -> None:
        self.adopt(rooms=1, caps={"office": 1})
        lost = self.claim_one()
        self.pass_time(LEASE)
        self.claim_one()
        self.store.leave_lane(lost)
        assert next(lane for lane in self.store.lanes() if lane.name == "office").leased == 1

    def test_a_pause_only_ever_becomes_longer(self) -> None:
        self.adopt()
        self.store.pause("office", T0 + HOUR, "long")
        self.store.pause("office", T0 + MINUTE, "short")
        (lane,) = (lane for lane in self.store.lanes() if lane.name == "office")
        assert (lane.paused_until, lane.why) == (T0 + HOUR, "long")

    def test_a_retry_after_pauses_the_whole_lane(self) -> None:
        self.adopt(rooms=2, caps={"office": 1})
        self.run(after=10 * MINUTE, error="429", pause_lane=MINUTE)
        assert self.claim() == ()
        (lane,) = (lane for lane in self.store.lanes() if lane.name == "office")
        assert (lane.paused_until, lane.why) == (T0 + MINUTE, "429")
        self.pass_time(MINUTE)
        assert self.names() == ["room2"]

    def test_a_shorter_retry_after_does_not_shorten_the_pause(self) -> None:
        self.adopt(rooms=2)
        first, second = self.claim()
        for work, pause in ((first, HOUR), (second, MINUTE)):
            self.store.finish(work, Settled(after=DAY, error="429", pause_lane=pause))
        assert next(lane for lane in self.store.lanes() if lane.name == "office").paused_until == T0 + HOUR

    def test_a_claim_that_was_taken_over_pauses_nothing(self) -> None:
        self.adopt()
        lost = self.claim_one()
        self.pass_time(LEASE)
        self.claim_one()
        self.store.finish(lost, Settled(after=MINUTE, error="429", pause_lane=HOUR))
        assert all(lane.paused_until is None for lane in self.store.lanes())

    def test_what_was_claimed_before_its_lane_was_paused_does_not_begin(self) -> None:
        self.adopt()
        work = self.claim_one()
        self.store.pause("office", T0 + MINUTE, "Retry-After")
        assert not self.store.begin(work)
        assert not self.row().leased
        self.pass_time(MINUTE)
        assert self.names() == ["room1"]

    def test_when_a_lane_resumes_what_is_overdue_begins_spread_over_a_minute(self) -> None:
        self.adopt(rooms=10, caps={"office": 4})
        self.store.pause("office", T0 + HOUR, "outage")
        self.pass_time(HOUR)
        begun = self.claim()
        assert len(begun) == 4
        later = sorted(row.due for row in self.store.work() if not row.leased)
        assert later == [self.clock.time + n * 10 * SECOND for n in range(1, 7)]

    def test_when_a_lane_resumes_who_meets_soon_goes_first(self) -> None:
        rooms = tuple(a_room(n) for n in range(1, 9))
        endpoints = tuple(an_endpoint(name=f"codec{n}", rooms=(f"room{n}",)) for n in range(1, 9))
        self.adopt(rooms=rooms, endpoints=endpoints, caps={"office": 2, "hq": 2})
        for number, start in ((7, 2 * HOUR), (5, HOUR + 5 * MINUTE), (3, 30 * MINUTE)):
            booking = a_booking(room=f"room{number}", start=T0 + start, end=T0 + 9 * HOUR)
            self.store.put_part(f"codec{number}", f"room{number}", (booking,))
        self.store.pause("office", T0 + HOUR, "outage")
        self.store.pause("hq", T0 + HOUR, "outage")
        self.pass_time(HOUR)
        # room3's meeting began half an hour ago
        assert {work.name for work in self.claim()} == {"room5", "room7", "codec5", "codec7"}

    def test_a_lane_that_resumes_with_little_to_do_does_it_at_once(self) -> None:
        self.adopt(rooms=4, caps={"office": 4})
        self.store.pause("office", T0 + HOUR, "outage")
        self.pass_time(HOUR)
        assert len(self.claim()) == 4

    # lanes that find their size ---------------------------------------------------------------------------------------

    def paced(self, name: str = "office") -> LaneState:
        return next(lane for lane in self.store.lanes() if lane.name == name)

    def adopt_paced(self, *, rooms: int = 1, budget: int = 0, cap: int = 2, most: int = 8) -> None:
        self.adopt(rooms=rooms, caps={"office": LaneSize(cap=cap, most=most, budget=budget)})

    def test_good_answers_let_a_lane_run_more_at_once_up_to_its_limit(self) -> None:
        self.adopt_paced(rooms=20)
        assert len(self.names()) == 2
        self.pass_time(LEASE)
        for _ in range(20):
            for work in self.claim():
                self.store.finish(work, Settled(after=SECOND, requests=150))
            self.pass_time(MINUTE)
        assert (self.paced().cap, self.paced().most) == (8, 8)
        assert len(self.claim()) == 8

    def test_a_busy_answer_halves_the_cap_and_the_lane_is_paused(self) -> None:
        self.adopt_paced(cap=8)
        self.run(error="429", code="busy", pause_lane=MINUTE, requests=1)
        assert (self.paced().cap, self.paced().paused_until) == (4, T0 + MINUTE)

    def test_a_found_size_outlives_a_restart_and_ends_with_other_settings(self) -> None:
        self.adopt_paced(cap=8)
        self.run(error="429", code="busy", pause_lane=SECOND)
        self.adopt_paced(cap=8)
        assert self.paced().cap == 4
        self.adopt_paced(cap=6)
        assert self.paced().cap == 6

    def test_requests_are_counted_for_the_day_and_a_used_up_budget_pauses_until_midnight(self) -> None:
        self.adopt_paced(budget=10)
        self.run(after=MINUTE, requests=5)
        assert (self.paced().asked, self.paced().budget) == (5, 10)
        standing = self.store.standing("room1")
        assert (standing.asked, standing.budget) == (5, 10)
        self.pass_time(MINUTE)
        self.run(after=MINUTE, requests=4)
        until = self.paced().paused_until
        assert until is not None
        assert until - T0 <= DAY
        self.pass_time(until - self.clock.time)
        assert self.store.standing("room1").asked == 0
        assert self.names() == ["room1"]

    def test_a_larger_budget_ends_the_pause(self) -> None:
        self.adopt_paced(budget=2)
        self.run(after=MINUTE, requests=1)
        assert self.paced().paused_until is not None
        self.adopt_paced(budget=100)
        assert self.paced().paused_until is None

    def test_changed_settings_end_the_pause_that_a_wrong_one_brought(self) -> None:
        self.adopt()
        self.run(error="the secret is wrong", code="denied", pause_lane=MINUTE)
        self.adopt()
        assert self.names() == []
        self.adopt(digest="the right secret")
        assert self.names() == ["room1"]

    def test_changed_settings_do_not_give_back_a_budget_that_is_used_up(self) -> None:
        size = {"office": LaneSize(cap=2, most=8, budget=2)}
        self.adopt(caps=size)
        self.run(requests=1)
        self.adopt(caps=size, digest="other settings")
        assert self.names() == []

    def test_the_requests_of_a_lost_claim_change_no_lane(self) -> None:
        self.adopt_paced()
        lost = self.claim_one()
        self.pass_time(LEASE)
        self.claim_one()
        self.store.finish(lost, Settled(after=MINUTE, requests=5))
        assert self.paced().asked == 0

    # when to look again -----------------------------------------------------------------------------------------------

    def test_without_work_nothing_is_due(self) -> None:
        assert self.store.next_due() is None

    def test_the_next_row_is_due_when_it_can_be_claimed(self) -> None:
        self.adopt(rooms=2, caps={"office": 1})
        assert self.store.next_due() == T0
        self.claim_one()
        assert self.store.next_due() == T0 + LEASE  # the lane is full until then

    def test_leases_of_the_dead_are_given_back(self) -> None:
        self.adopt(rooms=3)
        mine = self.claim(limit=1, owner="run:a/1")
        theirs = self.claim(limit=1, owner="run:b/1")
        assert self.store.release("run:a") == 1
        assert self.store.release("run:a") == 0
        assert not self.store.begin(mine[0])
        assert self.store.begin(theirs[0])
        assert "room1" in self.names()

    def test_an_owners_name_is_no_pattern(self) -> None:
        self.adopt()
        self.claim(owner="run_a")
        assert self.store.release("run%") == 0
        assert self.store.release("run-") == 0
