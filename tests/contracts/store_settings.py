"""How rows follow the settings."""

from __future__ import annotations

from datetime import timedelta

import pytest

from otd.errors import Missing
from otd.model import (
    Empty,
    Settled,
    Work,
)
from tests.contracts.store_case import LEASE, StoreCase, a_list, a_room
from tests.values import HOUR, MINUTE, T0, WINDOW, a_booking, an_endpoint


class SettingsContract(StoreCase):
    """How rows follow the settings."""

    def test_time_is_aware_and_utc(self) -> None:
        assert self.store.now() == T0
        assert self.store.now().utcoffset() == timedelta(0)

    def test_a_new_room_is_due_now_in_its_calendars_lane(self) -> None:
        self.adopt()
        assert self.claim_one() == Work(
            kind="refresh",
            name="room1",
            lane="office",
            token=1,
            attempt=0,
            due=T0,
            lease_until=T0 + LEASE,
            hinted=True,
        )

    def test_a_new_endpoint_is_due_now_in_its_pools_lane(self) -> None:
        self.adopt(endpoints=(an_endpoint(),))
        (delivery,) = self.claim(kinds=("deliver",))
        assert (delivery.name, delivery.lane) == ("codec1", "hq")

    def test_the_same_settings_again_change_nothing(self) -> None:
        self.adopt()
        self.run(after=MINUTE)
        self.adopt()
        assert self.claim() == ()

    def test_other_settings_make_everything_due_and_unpark_it(self) -> None:
        self.adopt(rooms=2)
        first, second = self.claim()
        self.store.finish(first, Settled(after=MINUTE))
        self.store.finish(second, Settled(after=MINUTE, error="refused", code="denied", parked=True))
        self.adopt(rooms=2, digest="other settings")
        assert self.names() == ["room1", "room2"]
        assert [row.attempt for row in self.store.work()] == [0, 0]

    def test_a_room_that_is_gone_takes_its_work_and_its_parts_along(self) -> None:
        both = an_endpoint(rooms=("room1", "room2"))
        self.adopt(rooms=2, endpoints=(both,))
        self.store.put_part("codec1", "room2", (a_booking(room="room2"),))
        self.adopt(rooms=1, endpoints=(an_endpoint(),))
        assert [state.room.name for state in self.store.rooms()] == ["room1"]
        assert self.store.part("codec1", "room2") is None
        assert {row.name for row in self.store.work()} == {"room1", "codec1"}

    def test_a_refresh_that_was_running_when_its_room_went_ends_without_harm(self) -> None:
        self.adopt(rooms=2)
        running = self.claim()[1]
        self.adopt(rooms=1)
        self.store.finish(running, Settled(after=MINUTE))
        assert {row.name for row in self.store.work()} == {"room1"}
        with pytest.raises(Missing):
            self.store.save_reading(Empty(room="room2", window=WINDOW, taken_at=T0))

    def test_a_room_that_moves_to_another_calendar_moves_to_its_lane_and_is_due(self) -> None:
        self.adopt()
        self.run(after=HOUR)
        self.adopt(rooms=(a_room(calendar="lab"),))
        assert self.claim_one().lane == "lab"

    def test_a_cap_that_changes_holds_from_then_on(self) -> None:
        self.adopt(rooms=6, caps={"office": 1})
        assert len(self.claim()) == 1
        self.adopt(rooms=6, caps={"office": 5})
        assert len(self.claim()) == 4

    def test_a_lane_that_nothing_needs_any_more_goes(self) -> None:
        self.adopt(caps={"spare": 2})
        assert "spare" in {lane.name for lane in self.store.lanes()}
        self.adopt()
        assert "spare" not in {lane.name for lane in self.store.lanes()}

    def test_an_endpoint_that_was_delivered_to_and_is_removed_stays_until_it_was_told_to_forget(self) -> None:
        self.adopt(endpoints=(an_endpoint(),))
        self.store.put_desired(a_list("b1"), "d1")
        self.deliver()
        self.adopt(endpoints=())
        state = self.state()
        assert (state.removed, state.leaving) == (True, an_endpoint())
        assert state.desired is not None, "what the forget needs to tell our bookings from others'"
        assert state.leaving_since == T0
        assert [work.name for work in self.claim(kinds=("deliver",))] == ["codec1"]
        assert self.deliver("forgotten", verb="forget")
        with pytest.raises(Missing):
            self.state()
        assert {row.name for row in self.store.work()} == {"room1"}

    def test_a_removed_endpoint_that_nobody_can_tell_to_forget_is_given_up(self) -> None:
        self.adopt(endpoints=(an_endpoint(),))
        self.deliver()
        self.adopt(endpoints=())
        self.store.give_up("codec1")
        assert self.store.endpoints() == ()
        assert {row.name for row in self.store.work()} == {"room1"}
        self.store.give_up("codec1")  # once more does no harm

    def test_an_endpoint_whose_old_pool_does_not_answer_owes_it_nothing_any_more(self) -> None:
        self.adopt(endpoints=(an_endpoint(),))
        self.deliver()
        self.adopt(endpoints=(an_endpoint(pool="lab"),))
        self.store.give_up("codec1")
        assert (self.state().leaving, self.state().leaving_since) == (None, None)
        assert self.state().endpoint == an_endpoint(pool="lab")

    def test_a_removed_endpoint_gets_no_list(self) -> None:
        self.adopt(endpoints=(an_endpoint(),))
        self.store.put_desired(a_list("b1"), "d1")
        self.deliver()
        self.adopt(endpoints=())
        with pytest.raises(Missing):
            self.store.put_desired(a_list("b2"), "d2")

    def test_an_endpoint_that_nothing_was_ever_sent_to_goes_at_once(self) -> None:
        self.adopt(endpoints=(an_endpoint(),))
        self.adopt(endpoints=())
        assert self.store.endpoints() == ()
        assert {row.name for row in self.store.work()} == {"room1"}

    def test_a_removed_endpoint_that_comes_back_is_delivered_to_anew(self) -> None:
        self.adopt(endpoints=(an_endpoint(),))
        revision = self.store.put_desired(a_list("b1"), "d1")
        self.deliver()
        self.adopt(endpoints=())
        self.adopt(endpoints=(an_endpoint(),))
        state = self.state()
        assert (state.removed, state.leaving, state.confirmed_revision) == (False, None, 0)
        assert state.desired is not None
        assert state.desired.revision == revision

    def test_an_endpoint_that_moves_to_another_pool_leaves_the_old_one(self) -> None:
        self.adopt(endpoints=(an_endpoint(),))
        self.store.put_desired(a_list("b1"), "d1")
        self.deliver()
        moved = an_endpoint(pool="lab")
        self.adopt(endpoints=(moved,))
        state = self.state()
        assert (state.endpoint, state.leaving, state.confirmed_revision) == (moved, an_endpoint(), 0)
        assert self.row("codec1").lane == "lab"
        assert self.deliver("forgotten", verb="forget", pool="hq")
        assert self.state().leaving is None

    def test_an_endpoint_that_moves_on_within_ten_minutes_still_leaves_the_first_pool(self) -> None:
        self.adopt(endpoints=(an_endpoint(),))
        self.deliver()
        self.adopt(endpoints=(an_endpoint(pool="lab"),))
        self.pass_time(9 * MINUTE)
        self.adopt(endpoints=(an_endpoint(pool="house"),))
        assert self.state().leaving == an_endpoint()
        self.pass_time(2 * MINUTE)
        self.adopt(endpoints=(an_endpoint(pool="office"),))
        assert self.state().leaving == an_endpoint(pool="house")

    def test_an_endpoint_that_moves_back_owes_nothing(self) -> None:
        self.adopt(endpoints=(an_endpoint(),))
        self.deliver()
        self.adopt(endpoints=(an_endpoint(pool="lab"),))
        self.adopt(endpoints=(an_endpoint(),))
        assert self.state().leaving is None

    def test_an_endpoint_at_another_address_is_not_confirmed_there(self) -> None:
        self.adopt(endpoints=(an_endpoint(),))
        self.store.put_desired(a_list("b1"), "d1")
        self.deliver()
        self.adopt(endpoints=(an_endpoint(address="127.0.0.1:2"),))
        assert self.state().confirmed_revision == 0
        assert self.claim(kinds=("deliver",))

    def test_a_room_whose_mailbox_moved_is_read_in_its_new_calendars_lane(self) -> None:
        self.adopt()
        work = self.claim_one()
        assert self.store.begin(work)
        self.store.moved("room1", "lab")
        self.store.finish(work, Settled(after=MINUTE))
        assert self.row().lane == "lab"
        assert [state.read_on for state in self.store.rooms()] == ["lab"]
        assert self.store.standing("room1").read_on == "lab"

    def test_it_stays_there_until_its_settings_change(self) -> None:
        self.adopt()
        self.store.moved("room1", "lab")
        self.adopt()
        assert self.row().lane == "lab"
        self.adopt(rooms=(a_room(label="Atrium"),))
        assert self.row().lane == "office"
