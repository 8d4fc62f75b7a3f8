"""The audit: what happened, who did what, and what an endpoint was to show at any time."""

from __future__ import annotations

from dataclasses import replace

from otd.errors import Unreachable
from otd.model import AuditLine, Difference, Facts, Failed, SavedRuling, Settled
from tests.contracts.store_case import DAY, StoreCase, a_list, a_reading
from tests.values import HOUR, MINUTE, T0, a_booking, a_receipt, an_endpoint

CODEC, ROOM = "endpoint:codec1", "room:room1"


class AuditContract(StoreCase):
    """The audit."""

    def start(self) -> None:
        self.adopt(endpoints=(an_endpoint(),))
        self.store.put_desired(a_list("b1"), "one")

    def lines(self, *things: str, **more: object) -> tuple[AuditLine, ...]:
        return self.store.audit(things, **more)  # type: ignore[arg-type]

    def told(self, *things: str) -> list[tuple[str, str]]:
        return [(line.kind, line.word) for line in self.lines(*things)]

    def test_it_tells_the_way_of_a_list_in_order(self) -> None:
        self.start()
        self.pass_time(MINUTE)
        assert self.deliver("unreachable", detail="no route", mend="look at the cable")
        self.pass_time(MINUTE)
        assert self.deliver("confirmed", relay="relay2")
        found = self.lines(CODEC)
        assert [(line.kind, line.word, line.relay) for line in found] == [
            ("list", "whole", ""),
            ("sent", "put", "relay1"),
            ("receipt", "unreachable", "relay1"),
            ("receipt", "confirmed", "relay2"),
        ]
        assert (found[2].why, found[2].mend, found[2].at) == ("no route", "look at the cable", T0 + MINUTE)
        assert {line.revision for line in found} == {self.state().revision}

    def test_what_stays_as_it_was_is_told_once(self) -> None:
        self.start()
        for _ in range(5):
            self.pass_time(MINUTE)
            self.deliver("confirmed", verb="read")
        assert self.told(CODEC) == [("list", "whole"), ("receipt", "confirmed")]
        for _ in range(5):
            self.pass_time(MINUTE)
            self.deliver("denied", reason="password")
        assert self.told(CODEC)[2:] == [("sent", "put"), ("receipt", "denied")]

    def test_another_difference_is_told_and_names_fields_only(self) -> None:
        self.start()
        one, other = Difference(id="b1", fields=("title",)), Difference(id="b1", fields=("missing",))
        for difference in (one, one, other):
            self.deliver("differs", differences=(difference,))
        receipts = self.lines(CODEC, kinds=("receipt",))
        assert [line.differences for line in receipts] == [(one,), (other,)]

    def test_what_an_endpoint_is_told_when_it_changed(self) -> None:
        self.start()
        facts = Facts(software="ce9", uptime=HOUR)
        for learned in (facts, replace(facts, uptime=2 * HOUR), replace(facts, hides=("Title",))):
            self.deliver("confirmed", facts=learned)
        assert [line.facts.hides for line in self.lines(CODEC, kinds=("facts",)) if line.facts] == [(), ("Title",)]

    def test_a_calendar_that_fails_is_told_when_it_begins_and_when_it_ends(self) -> None:
        self.start()
        failed = Failed(room="room1", taken_at=T0, error=Unreachable("office", "no answer", "look at the network"))
        for reading in (a_reading(), failed, failed, a_reading(), a_reading()):
            self.store.save_reading(reading)
        assert self.told(ROOM) == [("reading", "unreachable"), ("reading", "read")]
        assert self.lines(ROOM)[0].why == "no answer"

    def test_the_list_of_any_time_is_known(self) -> None:
        self.start()
        lists = [a_list(*(f"b{n:02}" for n in range(first, first + 3))) for first in range(50)]
        given = []
        for number, wanted in enumerate(lists):
            self.pass_time(MINUTE)
            revision = self.store.put_desired(wanted, f"digest {number}")
            given.append((self.clock.time, revision, wanted))
        for time, revision, wanted in given:
            known = self.store.list_at("codec1", time + MINUTE / 2)
            assert known is not None
            assert (known.revision, known.list, known.since) == (revision, wanted, time)
        assert self.store.list_at("codec1", T0 - MINUTE) is None
        assert self.store.list_at("other", T0) is None

    def test_a_booking_that_changed_is_known_as_it_was(self) -> None:
        self.start()
        before, after = a_booking(id="b1"), a_booking(id="b1", title="Moved", start=T0)
        self.pass_time(MINUTE)
        self.store.put_desired(replace(a_list("b1"), bookings=(after,)), "two")
        self.store.renumber("codec1", self.state().revision)
        for time, booking in ((T0, before), (T0 + MINUTE, after)):
            known = self.store.list_at("codec1", time)
            assert known is not None
            assert known.list.bookings == (booking,)
        assert known is not None
        assert known.revision == self.state().revision

    def test_who_did_what_and_why(self) -> None:
        self.adopt(endpoints=(an_endpoint(),))
        self.pass_time(MINUTE)
        self.store.unpark("deliver", "codec1", why="new password\nfrom Ann")
        self.store.unpark("refresh", "room1")
        self.store.cut_over("hq", "observe")
        self.store.put_ruling(SavedRuling(digest="r1", text="x"))
        self.store.put_ruling(SavedRuling(digest="r2", text="x"), held_for=(30, "too many"))
        self.store.release_rules(why="they are right")
        self.store.revert_rules()
        self.store.note_act("endpoint:codec1", "pin")
        acts = [(line.thing, line.word, line.why) for line in self.lines(kinds=("act",), since=T0 + MINUTE)]
        assert acts == [
            ("endpoint:codec1", "retry", "new password from Ann"),
            ("room:room1", "retry", ""),
            ("pool:hq", "cut over to observe", ""),
            ("rules", "release", "they are right"),
            ("rules", "revert", ""),
            ("endpoint:codec1", "pin", ""),
        ]
        assert {line.who for line in self.lines(kinds=("act",))} == {"ann"}
        assert [word for _, word in self.told("rules")] == [
            *("in force", "held", "in force", "release", "in force", "revert"),
        ]

    def test_what_fails_can_be_left_alone(self) -> None:
        self.adopt()
        assert not self.store.skip("refresh", "room1"), "it does not fail"
        assert not self.store.skip("deliver", "room1"), "there is none"
        self.run(error="no answer")
        assert self.store.skip("refresh", "room1", why="is rebuilt")
        row = self.row()
        assert (row.parked, row.code, row.error) == (True, "skipped", "skipped by ann: is rebuilt")
        self.store.hint("refresh", "room1")
        assert self.claim() == ()
        assert self.lines(ROOM)[-1].word == "skip"
        self.pass_time(DAY)
        assert self.names() == ["room1"]

    def test_whoever_is_at_what_is_left_alone_changes_it_no_more(self) -> None:
        self.adopt()
        self.run(error="no answer")
        self.pass_time(MINUTE)
        work = self.claim_one()
        assert self.store.skip("refresh", "room1")
        assert not self.store.begin(work)
        self.store.finish(work, Settled(after=MINUTE))
        assert self.row().parked

    def test_the_newest_lines_are_given_the_oldest_first(self) -> None:
        self.start()
        for number in range(5):
            self.pass_time(MINUTE)
            self.store.note_act(CODEC, f"act {number}")
        assert [line.word for line in self.lines(CODEC, limit=2)] == ["act 3", "act 4"]
        within = self.lines(CODEC, since=T0 + 2 * MINUTE, until=T0 + 3 * MINUTE)
        assert [line.word for line in within] == ["act 1", "act 2"]

    def test_lines_go_when_their_time_is_over_and_what_later_lists_need_stays(self) -> None:
        self.start()
        for number in range(30):
            self.pass_time(HOUR)
            self.store.put_desired(a_list(f"b{number}"), f"digest {number}")
        newest = self.store.list_at("codec1", self.clock.time)
        self.pass_time(20 * DAY)
        self.store.tidy(14 * DAY, audited=90 * DAY)
        kept = self.lines(kinds=("list",))
        assert len(kept) < 20
        assert self.store.list_at("codec1", self.clock.time) == newest
        assert self.lines(kinds=("act",)), "the settings were adopted less than ninety days ago"
        self.pass_time(90 * DAY)
        self.store.tidy(14 * DAY, audited=90 * DAY)
        assert self.lines(kinds=("act",)) == ()
        assert self.store.list_at("codec1", self.clock.time) == newest

    def test_a_placed_list_is_told_once_for_each_revision(self) -> None:
        self.adopt(endpoints=(an_endpoint(kind="polycom"),))
        self.store.put_desired(a_list("b1"), "one")
        for _ in range(3):
            revision = self.state().revision
            sequence = self.store.placing("codec1", revision, "relay1")
            receipt = a_receipt(revision=revision, sequence=sequence, outcome="placed")
            self.store.apply(receipt)
            self.store.apply(replace(receipt, outcome="fetched"))
        assert self.told(CODEC) == [
            *(("list", "whole"), ("sent", "put"), ("receipt", "placed"), ("receipt", "fetched")),
        ]
