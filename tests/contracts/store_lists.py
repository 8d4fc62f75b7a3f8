"""Readings, parts and desired lists."""

from __future__ import annotations

import pytest

from otd.errors import Denied, Missing, Unreachable, Unsupported
from otd.model import (
    Failed,
)
from tests.contracts.store_case import StoreCase, a_list, a_reading, a_room
from tests.values import HOUR, MINUTE, T0, a_booking, a_receipt, an_endpoint


class ListsContract(StoreCase):
    """Readings, parts and desired lists."""

    def test_a_reading_is_remembered(self) -> None:
        self.adopt()
        assert self.store.rooms()[0].read_at is None
        self.store.save_reading(a_reading(meetings=3, problems=("standup.ics cannot be read",)))
        (state,) = self.store.rooms()
        assert (state.room, state.read_at, state.meetings) == (a_room(), T0, 3)
        assert state.problems == ("standup.ics cannot be read",)

    def test_an_empty_reading_is_a_reading(self) -> None:
        self.adopt()
        self.store.save_reading(a_reading(meetings=3))
        self.pass_time(MINUTE)
        self.store.save_reading(a_reading(meetings=0))
        (state,) = self.store.rooms()
        assert (state.read_at, state.meetings, state.problems) == (T0 + MINUTE, 0, ())

    def test_a_failed_reading_says_since_when_and_leaves_the_last_good_one(self) -> None:
        self.adopt()
        self.store.save_reading(a_reading(meetings=3))
        self.pass_time(MINUTE)
        self.store.save_reading(Failed(room="room1", taken_at=T0, error=Unreachable("graph", "no answer")))
        self.pass_time(MINUTE)
        self.store.save_reading(Failed(room="room1", taken_at=T0, error=Denied("graph", "refused", "new secret")))
        (state,) = self.store.rooms()
        assert (state.read_at, state.meetings, state.failing_since) == (T0, 3, T0 + MINUTE)
        assert (state.error, state.code, state.mend) == ("refused", "denied", "new secret")
        self.store.save_reading(a_reading(meetings=1))
        (state,) = self.store.rooms()
        assert (state.failing_since, state.error, state.code, state.mend) == (None, "", "", "")

    def test_a_part_comes_back_as_it_was_put(self) -> None:
        self.adopt(endpoints=(an_endpoint(),))
        assert self.store.part("codec1", "room1") is None
        odd = a_booking(
            id="b2", title="emoji \U0001f600, lone \ud800 and \x00", dial=None, reason="no_join", private=True
        )
        self.store.put_part("codec1", "room1", (a_booking(), odd))
        assert self.store.part("codec1", "room1") == (a_booking(), odd)
        self.store.put_part("codec1", "room1", ())
        assert self.store.part("codec1", "room1") == ()

    def test_a_part_for_a_room_that_the_endpoint_does_not_show_is_refused(self) -> None:
        self.adopt(rooms=2, endpoints=(an_endpoint(),))
        with pytest.raises(Missing):
            self.store.put_part("codec1", "room2", ())

    def test_a_desired_list_gets_a_revision_and_is_due_at_once(self) -> None:
        self.adopt(rooms=0, endpoints=(an_endpoint(),))
        assert self.store.desired("codec1") is None
        self.run(after=HOUR)
        self.pass_time(MINUTE)
        revision = self.store.put_desired(a_list("b1"), "d1")
        desired = self.store.desired("codec1")
        assert desired is not None
        assert (desired.revision, desired.digest, desired.list, desired.since) == (
            revision,
            "d1",
            a_list("b1"),
            T0 + MINUTE,
        )
        assert self.state().desired == desired
        assert self.names() == ["codec1"]

    def test_revisions_follow_the_clock_and_never_go_back(self) -> None:
        self.adopt(endpoints=(an_endpoint(),))
        milliseconds = int(T0.timestamp() * 1000)
        assert self.store.put_desired(a_list("b1"), "d1") == milliseconds
        assert self.store.put_desired(a_list("b2"), "d2") == milliseconds + 1
        self.pass_time(-HOUR)
        assert self.store.put_desired(a_list("b3"), "d3") == milliseconds + 2
        self.pass_time(2 * HOUR)
        assert self.store.put_desired(a_list("b4"), "d4") == milliseconds + 3_600_000

    def test_a_list_is_numbered_above_what_a_relay_has_seen(self) -> None:
        self.adopt(endpoints=(an_endpoint(),))
        before = self.store.put_desired(a_list("b1"), "d1")
        assert self.store.renumber("codec1", before + 500) == before + 501
        desired = self.store.desired("codec1")
        assert desired is not None
        assert (desired.revision, desired.list) == (before + 501, a_list("b1"))
        with pytest.raises(Missing):
            self.store.renumber("elsewhere", 1)

    def test_a_revision_that_no_centre_can_have_given_is_not_followed(self) -> None:
        self.adopt(endpoints=(an_endpoint(),))
        revision = self.store.put_desired(a_list("b1"), "d1")
        with pytest.raises(Unsupported):
            self.store.renumber("codec1", 2**63)
        assert self.store.endpoint("codec1").revision == revision

    def test_an_endpoint_that_is_not_configured_is_missing(self) -> None:
        with pytest.raises(Missing):
            self.state()
        with pytest.raises(Missing):
            self.store.put_desired(a_list("b1"), "d1")
        with pytest.raises(Missing):
            self.store.sending("codec1", "put", 1, "")
        assert self.store.desired("codec1") is None
        assert not self.store.apply(a_receipt())
