"""Change notifications as hints."""

from __future__ import annotations

from dataclasses import replace

from otd.model import ChangeEvent, ChangeNotice, LaneSize, Settled, Subscription
from tests.contracts.store_case import DAY, StoreCase, a_room
from tests.values import HOUR, MINUTE, SECOND, T0

HELD = Subscription(room="room1", id="s1", client_state="only we know", since=T0, expires_at=T0 + DAY)


class SubscriptionsContract(StoreCase):
    """Change notifications as hints."""

    def adopt_subscribed(self, *, rooms: int = 1, subscribed: tuple[str, ...] = ("room1",), budget: int = 0) -> None:
        caps = {"office": LaneSize(cap=4, most=8, budget=budget), "hq": 4, "house": 4}
        self.store.adopt(tuple(a_room(n + 1) for n in range(rooms)), (), caps, "settings", subscribed=subscribed)

    def settle_all(self) -> None:
        for work in self.claim():
            self.store.finish(work, Settled(after=HOUR))

    def notice(self, event: ChangeEvent = "changed", *, id: str = "s1", state: str = "only we know") -> int:
        return self.store.notified((ChangeNotice(subscription=id, client_state=state, event=event),))

    def due(self) -> list[str]:
        return sorted(work.key for work in self.claim())

    def subscribed(self) -> None:
        """Room 1 is subscribed, and nothing is due."""
        self.adopt_subscribed()
        self.store.put_subscription(HELD)
        self.settle_all()
        assert self.due() == []

    def test_rooms_that_are_to_be_told_of_have_subscribe_work_and_others_have_not(self) -> None:
        self.adopt_subscribed(rooms=2)
        assert self.due() == ["refresh:room1", "refresh:room2", "subscribe:room1"]
        self.adopt_subscribed(rooms=2, subscribed=("room2",))
        assert {row.name for row in self.store.work() if row.kind == "subscribe"} == {"room2"}

    def test_the_subscription_of_a_room_that_is_no_longer_to_be_told_of_is_to_be_taken_back(self) -> None:
        self.subscribed()
        self.adopt_subscribed(subscribed=())
        assert self.store.subscription("room1") == HELD
        assert self.due() == ["subscribe:room1"]
        self.store.unsubscribed("room1")
        assert self.store.subscription("room1") is None
        assert {row.kind for row in self.store.work()} == {"refresh"}

    def test_a_subscription_that_is_wanted_again_before_it_was_taken_back_stays(self) -> None:
        self.subscribed()
        self.adopt_subscribed(subscribed=())
        self.adopt_subscribed()
        assert self.store.subscription("room1") == HELD
        assert [row.key for row in self.claim()] == ["subscribe:room1"]

    def test_a_room_that_is_gone_loses_its_subscription(self) -> None:
        self.subscribed()
        self.store.adopt((), (), {"office": 4}, "other")
        assert self.store.subscription("room1") is None
        assert self.store.work() == ()

    def test_a_room_that_moved_to_another_calendar_loses_its_subscription(self) -> None:
        self.subscribed()
        caps = {"office": 4, "lab": 4, "house": 4}
        self.store.adopt((a_room(1, calendar="lab"),), (), caps, "other", subscribed=("room1",))
        assert self.store.subscription("room1") is None
        assert {(row.kind, row.lane) for row in self.store.work()} == {("refresh", "lab"), ("subscribe", "lab")}

    def test_a_subscription_is_remembered_and_its_room_read(self) -> None:
        self.adopt_subscribed()
        self.settle_all()
        self.store.put_subscription(HELD)
        assert self.store.subscription("room1") == HELD
        assert self.due() == ["refresh:room1"]
        assert self.store.subscribed() == {"office": 1}
        self.pass_time(DAY)
        assert self.store.subscribed() == {}

    def test_a_subscription_of_a_room_that_is_gone_is_not_remembered(self) -> None:
        self.adopt_subscribed()
        self.store.adopt((), (), {"office": 4}, "settings")
        self.store.put_subscription(HELD)
        assert self.store.subscription("room1") is None

    def test_a_notification_makes_its_room_due_at_once(self) -> None:
        self.subscribed()
        assert self.notice() == 1
        assert self.due() == ["refresh:room1"]

    def test_one_without_the_client_state_or_of_an_unknown_subscription_changes_nothing(self) -> None:
        self.subscribed()
        assert self.notice(state="guessed") == self.notice(id="s2") == self.notice("removed", state="") == 0
        assert self.due() == []
        assert self.store.subscription("room1") == HELD

    def test_notifications_of_one_change_are_one_reading_now_and_one_five_seconds_later(self) -> None:
        self.subscribed()
        self.notice()
        self.settle_all()
        self.notice()
        self.notice()
        assert self.due() == []
        self.pass_time(5 * SECOND)
        assert self.due() == ["refresh:room1"]

    def test_under_a_tight_budget_hints_are_listened_to_more_seldom(self) -> None:
        self.adopt_subscribed(budget=100)
        self.store.put_subscription(HELD)
        self.settle_all()
        self.notice()
        self.settle_all()
        self.notice()
        self.pass_time(5 * SECOND)
        assert self.due() == []
        self.pass_time(5 * MINUTE)
        assert self.due() == ["refresh:room1"]

    def test_missed_notifications_make_the_room_due(self) -> None:
        self.subscribed()
        self.notice("missed")
        assert self.due() == ["refresh:room1"]

    def test_a_subscription_that_is_to_be_authorised_anew_says_so_until_it_is(self) -> None:
        self.subscribed()
        self.notice("reauthorize")
        assert self.due() == ["refresh:room1", "subscribe:room1"]
        found = self.store.subscription("room1")
        assert found is not None
        assert found.renew
        self.store.renewed(replace(HELD, expires_at=T0 + 2 * DAY))
        found = self.store.subscription("room1")
        assert found is not None
        assert (found.renew, found.expires_at) == (False, T0 + 2 * DAY)

    def test_a_subscription_that_was_removed_is_forgotten_and_begun_anew(self) -> None:
        self.subscribed()
        self.notice("removed")
        assert self.store.subscription("room1") is None
        assert self.due() == ["refresh:room1", "subscribe:room1"]
