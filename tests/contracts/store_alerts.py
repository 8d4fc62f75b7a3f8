"""Alerts and their outbox, and what the guard looks at."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

from otd.model import Alert, Expiry, Facts, Joinless, NoticeEvent, Settled
from tests.contracts.store_case import DAY, StoreCase, a_hello, a_list, a_reading
from tests.values import HOUR, MINUTE, T0, a_booking, an_endpoint

BEFORE, AFTER = 15 * MINUTE, 10 * MINUTE
ALERT = Alert(cause="no_relay", thing="pool:hq", detail="3 endpoints", mend="start one")
OTHER = Alert(cause="relay_gone", thing="relay:hq-1")
BOTH = ("mail", "webhook")


class AlertsContract(StoreCase):
    """Alerts and their outbox, and what the guard looks at."""

    def settle(self, *found: Alert, notes: dict[tuple[str, str], str] | None = None) -> tuple[list[str], list[str]]:
        raised, cleared = self.store.settle_alerts(found, BOTH, notes or {})
        return [one.alert.thing for one in raised], [one.alert.thing for one in cleared]

    def outbox(self, channel: str = "mail") -> list[tuple[NoticeEvent, str]]:
        return [(notice.event, notice.alert.thing) for notice in self.store.untold(channel, 100)]

    def test_an_alert_is_raised_once_and_cleared_once(self) -> None:
        self.adopt()
        assert self.settle(ALERT) == (["pool:hq"], [])
        assert self.settle(ALERT) == ([], [])
        self.pass_time(MINUTE)
        assert self.settle() == ([], ["pool:hq"])
        assert self.settle() == ([], [])
        assert self.outbox() == [("raised", "pool:hq"), ("cleared", "pool:hq")]

    def test_it_says_when_and_why_it_was_cleared(self) -> None:
        self.adopt()
        self.settle(ALERT)
        (state,) = self.store.alerts()
        assert (state.alert, state.raised_at, state.cleared_at) == (ALERT, T0, None)
        self.pass_time(MINUTE)
        self.settle(notes={("no_relay", "pool:hq"): "hq-2 is there"})
        assert self.store.alerts() == ()
        (state,) = self.store.alerts(cleared=True)
        assert (state.cleared_at, state.note) == (T0 + MINUTE, "hq-2 is there")
        assert self.store.untold("mail", 9)[1].note == "hq-2 is there"

    def test_it_can_be_raised_again_and_is_told_again(self) -> None:
        self.adopt()
        for _ in range(2):
            self.settle(ALERT)
            self.pass_time(MINUTE)
            self.settle()
            self.pass_time(MINUTE)
        self.settle(ALERT)
        (state,) = self.store.alerts()
        assert (state.times, state.raised_at) == (3, T0 + 4 * MINUTE)
        ids = [notice.id for notice in self.store.untold("mail", 9)]
        assert ids == [f"no_relay/pool:hq/{n}" for n in range(1, 6)]

    def test_what_is_found_of_it_may_change_without_telling_anybody(self) -> None:
        self.adopt()
        self.settle(ALERT)
        newer = replace(ALERT, detail="4 endpoints")
        assert self.settle(newer) == ([], [])
        assert self.store.alerts()[0].alert == newer
        assert len(self.outbox()) == 1

    def test_each_channel_has_its_own_outbox_and_is_hinted(self) -> None:
        self.adopt(rooms=0)
        for channel in BOTH:
            self.store.add_work("notify", channel, "house")
        for work in self.claim():
            self.store.finish(work, Settled(after=HOUR))
        self.settle(ALERT, OTHER)
        assert sorted(self.names()) == ["mail", "webhook"]
        self.store.told("mail", [notice.id for notice in self.store.untold("mail", 1)])
        assert len(self.outbox("mail")) == 1
        assert len(self.outbox("webhook")) == 2

    def test_a_channel_is_not_told_of_its_own_failing(self) -> None:
        self.adopt()
        self.settle(Alert(cause="alert_unsent", thing="channel:mail"))
        assert self.outbox("mail") == []
        assert self.outbox("webhook") == [("raised", "channel:mail")]

    def test_however_many_find_the_same_one_of_them_raises_it(self) -> None:
        self.adopt()
        found = [Alert(cause="relay_gone", thing=f"relay:r{n}") for n in range(20)]
        with ThreadPoolExecutor(8) as pool:
            results = list(pool.map(lambda _: self.store.settle_alerts(found, BOTH, {})[0], range(16)))
        assert sorted(one.alert.thing for raised in results for one in raised) == sorted(one.thing for one in found)
        assert len(self.outbox()) == 20
        with ThreadPoolExecutor(8) as pool:
            results = list(pool.map(lambda _: self.store.settle_alerts([], BOTH, {})[1], range(16)))
        assert sum(map(len, results)) == 20
        assert len(self.outbox()) == 40

    def test_what_was_told_and_what_is_over_is_forgotten_after_a_while(self) -> None:
        self.adopt()
        self.settle(ALERT, OTHER)
        self.settle(ALERT)
        self.pass_time(15 * DAY)
        self.store.tidy(timedelta(days=14))
        assert [state.alert for state in self.store.alerts(cleared=True)] == [ALERT]
        assert self.outbox() == []

    def test_what_runs_out_is_remembered_by_what_was_last_said(self) -> None:
        self.adopt()
        first = Expiry(cause="face_expires", thing="relay:hq-1", at=T0 + DAY)
        newer = replace(first, at=T0 + 400 * DAY)
        for one in (first, replace(first, thing="relay:hq-2"), newer):
            self.store.put_expiry(one)
        assert self.store.expiries() == (replace(first, thing="relay:hq-2"), newer)

    def test_an_endpoint_and_a_relay_tell_when_their_certificates_run_out(self) -> None:
        self.with_meeting(after=HOUR)
        self.deliver(verb="read", facts=Facts(certificate_until=T0 + 30 * DAY))
        self.store.heard(a_hello(face_until=T0 + 20 * DAY))
        self.store.heard(a_hello(face_until=T0 + 380 * DAY))
        assert self.store.expiries() == (
            Expiry(cause="endpoint_expires", thing="endpoint:codec1", at=T0 + 30 * DAY),
            Expiry(cause="face_expires", thing="relay:relay1", at=T0 + 380 * DAY),
        )

    # what the guard looks at --------------------------------------------------------------------------------------

    def with_meeting(self, after: timedelta) -> None:
        self.adopt(endpoints=(an_endpoint(),))
        booking = a_booking(start=T0 + after, end=T0 + after + HOUR)
        self.store.put_part("codec1", "room1", (booking,))
        self.store.put_desired(replace(a_list(), bookings=(booking,)), "d")

    def watched(self) -> list[str]:
        return [state.endpoint.name for state in self.store.watched(BEFORE, AFTER)]

    def test_an_endpoint_whose_list_is_not_confirmed_is_watched_when_a_meeting_is_near(self) -> None:
        self.with_meeting(after=20 * MINUTE)
        assert self.watched() == []
        self.pass_time(5 * MINUTE)
        assert self.watched() == ["codec1"]
        self.deliver()
        assert self.watched() == []
        self.deliver("unreachable", verb="read")
        assert self.watched() == ["codec1"]
        self.pass_time(26 * MINUTE)
        assert self.watched() == []

    def test_an_endpoint_that_needs_a_person_is_watched_always(self) -> None:
        self.with_meeting(after=20 * HOUR)
        self.deliver("denied", reason="password")
        assert self.watched() == ["codec1"]
        assert self.store.watched(BEFORE, AFTER) == (self.state(),)

    # in numbers ---------------------------------------------------------------------------------------------------

    def test_everything_is_counted_by_its_state(self) -> None:
        names = ("codec1", "codec2", "codec3")
        self.adopt(rooms=2, endpoints=tuple(an_endpoint(name=name, pool="hq") for name in names))
        self.store.save_reading(a_reading())
        self.store.put_part("codec1", "room1", (a_booking(), a_booking(id="b2", dial=None, reason="no_rule")))
        for name in names[:2]:
            self.store.put_desired(a_list(endpoint=name), "d")
        self.deliver()
        self.settle(ALERT)
        self.pass_time(MINUTE)
        found = self.store.counts()
        assert {(c.lane, c.state, c.number) for c in found.endpoints} == {
            ("hq", "confirmed", 1),
            ("hq", "waiting", 1),
            ("hq", "unread", 1),
        }
        assert {(c.state, c.number) for c in found.rooms} == {("read", 1), ("unread", 1)}
        assert {(b.platform, b.reason, b.number) for b in found.bookings} == {("teams", "", 1), ("teams", "no_rule", 1)}
        lanes = {lane.name: (lane.rows, lane.due, lane.lateness) for lane in found.lanes}
        assert lanes["office"] == (2, 2, 60)
        assert lanes["lab"] == (0, 0, 0)
        assert found.alerts == (("no_relay", 1),)
        assert found.untold == (("mail", 1), ("webhook", 1))

    def test_endpoints_that_are_not_as_they_should_be_are_found_without_opening_the_others(self) -> None:
        names = ("codec1", "codec2", "codec3")
        self.adopt(endpoints=tuple(an_endpoint(name=name) for name in names))
        self.store.put_desired(a_list(endpoint="codec1"), "d")
        self.store.put_desired(a_list(endpoint="codec2"), "d")
        self.deliver()
        assert {state.endpoint.name for state in self.store.unsettled(10)} == {"codec2", "codec3"}
        assert len(self.store.unsettled(1)) == 1
        self.deliver("unreachable", verb="read")
        assert {state.endpoint.name for state in self.store.unsettled(10)} == set(names)

    def test_a_list_remembers_when_its_room_was_read_before(self) -> None:
        self.adopt(endpoints=(an_endpoint(),))
        assert self.store.standing("room1").read_at is None
        self.store.save_reading(a_reading())
        self.pass_time(MINUTE)
        before = self.store.standing("room1").read_at
        assert before == T0
        self.store.put_desired(a_list(), "d", after=before)
        desired = self.store.desired("codec1")
        assert desired is not None
        assert (desired.after, desired.since) == (T0, T0 + MINUTE)

    def test_meetings_without_join_are_known_by_their_reason(self) -> None:
        self.adopt(endpoints=(an_endpoint(),))
        start = T0 + 10 * MINUTE
        joinless = a_booking(id="b2", start=start, dial=None, reason="no_rule")
        self.store.put_part("codec1", "room1", (a_booking(start=start), joinless))
        assert self.store.joinless(BEFORE, AFTER) == (Joinless(room="room1", start=start, reason="no_rule"),)
        assert self.store.joinless(5 * MINUTE, AFTER) == ()
