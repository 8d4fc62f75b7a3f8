"""What the store remembers for the brake."""

from __future__ import annotations

from otd.model import Booking, SavedRuling, Settled
from tests.contracts.store_case import StoreCase, a_room
from tests.values import HOUR, MINUTE, T0, a_booking, an_endpoint

ROOMS = 60
SETTLED = Settled(after=24 * HOUR)


def a_ruling(digest: str) -> SavedRuling:
    return SavedRuling(digest=digest, text=f'{{"rules": "{digest}"}}')


class BrakesContract(StoreCase):
    """Rooms that go empty, and rules."""

    def floor(self, rooms: int = ROOMS) -> None:
        self.adopt(rooms=tuple(a_room(n + 1) for n in range(rooms)), endpoints=(an_endpoint(),))

    def shown(self, room: str) -> tuple[tuple[str, tuple[Booking, ...]], ...]:
        return (("codec1", (a_booking(room=room, title=f"in {room}"),)),)

    def empty(self, *numbers: int) -> list[list[str]]:
        """The rooms that are held after each of these went empty."""
        return [
            [one.room for one in self.store.emptying(f"room{n}", "office", self.shown(f"room{n}"))] for n in numbers
        ]

    def test_some_rooms_may_go_empty(self) -> None:
        self.floor()
        assert self.empty(*range(1, 20)) == [[]] * 19
        assert self.store.brakes() == ()

    def test_the_brake_holds_those_before_too_when_it_begins_to_hold(self) -> None:
        self.floor()
        self.empty(*range(1, 20))
        held = self.store.emptying("room20", "office", self.shown("room20"))
        assert {one.room for one in held} == {f"room{n}" for n in range(1, 21)}
        assert {one.room: one.parts for one in held}["room7"] == self.shown("room7")
        (brake,) = self.store.brakes()
        assert (brake.name, brake.since, brake.things) == ("office", T0, 20)
        assert "20 of 60 rooms" in brake.why
        assert self.empty(21) == [["room21"]]
        assert self.store.brakes()[0].things == 21

    def test_a_room_that_is_noted_again_counts_once_and_keeps_what_it_showed_first(self) -> None:
        self.floor()
        self.empty(*[1] * 30)
        assert self.store.emptying("room1", "office", ()) == ()
        self.empty(*range(2, 20))
        held = self.store.emptying("room20", "office", self.shown("room20"))
        assert {one.room: one.parts for one in held}["room1"] == self.shown("room1")

    def test_rooms_that_went_empty_long_ago_do_not_count(self) -> None:
        self.floor()
        for number in range(1, 61):
            assert self.empty(number) == [[]]
            self.pass_time(35 * MINUTE / 60)
        assert self.store.brakes() == ()

    def test_a_slow_trickle_within_ten_minutes_counts(self) -> None:
        self.floor()
        held = [self.empty(number)[0] for number in range(1, 21) if self.pass_time(MINUTE / 3) is None]
        assert [len(one) for one in held] == [0] * 19 + [20]

    def test_a_tenth_of_a_large_fleet_may_go_empty(self) -> None:
        self.floor(250)
        assert self.empty(*range(1, 26)) == [[]] * 25
        assert len(self.empty(26)[0]) == 26

    def test_calendars_are_counted_apart(self) -> None:
        rooms = [a_room(n, calendar="office" if n % 2 else "hq") for n in range(1, 61)]
        self.adopt(rooms=tuple(rooms))
        for room in rooms[:38]:
            assert self.store.emptying(room.name, room.calendar, self.shown(room.name)) == ()
        assert len(self.store.emptying("room39", "office", self.shown("room39"))) == 20
        assert [brake.name for brake in self.store.brakes()] == ["office"]

    def test_a_room_that_has_bookings_again_is_let_go_and_the_last_one_releases_the_brake(self) -> None:
        self.floor()
        self.empty(*range(1, 21))
        self.store.filled("room3")
        assert self.store.brakes()[0].things == 19
        assert not self.store.standing("room3").emptied
        assert self.store.standing("room4").emptied
        for number in range(1, 21):
            self.store.filled(f"room{number}")
        assert self.store.brakes() == ()
        assert self.empty(30) == [[]]

    def test_what_is_held_stays_held_after_ten_minutes(self) -> None:
        self.floor()
        self.empty(*range(1, 21))
        self.pass_time(HOUR / 2)
        assert self.empty(5) == [["room5"]]
        assert self.store.brakes()[0].things == 20

    def test_a_held_room_whose_bookings_are_over_is_held_no_longer(self) -> None:
        self.floor()
        self.empty(*range(1, 21))
        self.pass_time(3 * HOUR)
        assert self.empty(5) == [[]]
        assert self.store.brakes()[0].things == 19

    def test_a_room_that_only_showed_what_is_over_is_not_noted(self) -> None:
        self.floor()
        self.pass_time(3 * HOUR)
        assert self.empty(*range(1, 60)) == [[]] * 59
        assert not self.store.standing("room1").emptied

    def test_a_person_lets_the_rooms_of_a_calendar_go(self) -> None:
        self.floor()
        self.empty(*range(1, 21))
        assert self.store.let_go("hq") == 0
        assert self.store.let_go("office") == 20
        assert self.store.brakes() == ()
        assert self.store.let_go("office") == 0
        # what goes with it may go too, for a while
        assert self.empty(*range(1, 41)) == [[]] * 40
        self.pass_time(11 * MINUTE)
        assert self.empty(*range(1, 20)) == [[]] * 19
        assert len(self.empty(20)[0]) == 20

    def test_rooms_that_are_let_go_are_read_at_once(self) -> None:
        self.adopt(rooms=tuple(a_room(n + 1) for n in range(30)), caps={"office": 99})
        for work in self.claim():
            self.store.finish(work, SETTLED)
        self.empty(*range(1, 21))
        assert self.names() == []
        self.store.let_go("office")
        assert sorted(self.names()) == sorted(f"room{n}" for n in range(1, 21))

    def test_rooms_that_are_removed_are_held_no_longer(self) -> None:
        self.floor()
        self.empty(*range(1, 21))
        self.floor(0)
        assert self.store.brakes() == ()

    # rules --------------------------------------------------------------------------------------------------------

    def test_rules_are_put_in_force(self) -> None:
        self.adopt()
        assert self.store.ruling("force") is None
        assert self.store.standing("room1").rules == ""
        self.store.put_ruling(a_ruling("a"))
        self.store.put_ruling(a_ruling("a"))
        assert self.store.ruling("force") == a_ruling("a")
        self.store.put_ruling(a_ruling("b"))
        assert self.store.ruling("force") == a_ruling("b")
        assert self.store.standing("room1").rules == "b"
        self.store.put_ruling(a_ruling("a"))
        assert self.store.ruling("force") == a_ruling("a")

    def test_rules_that_are_held_do_not_count_until_they_are_released(self) -> None:
        self.adopt()
        self.store.put_ruling(a_ruling("a"))
        assert not self.store.release_rules()
        self.pass_time(MINUTE)
        self.store.put_ruling(a_ruling("b"), held_for=(7, "7 of 10 dial strings"), frozen=True)
        standing = self.store.standing("room1")
        assert (standing.rules, standing.frozen) == ("a", True)
        assert self.store.ruling("held") == a_ruling("b")
        (brake,) = self.store.brakes()
        assert (brake.name, brake.since, brake.things, brake.why) == ("rules", T0 + MINUTE, 7, "7 of 10 dial strings")
        self.run(after=HOUR)
        assert self.store.release_rules()
        assert self.store.ruling("force") == a_ruling("b")
        assert self.store.ruling("held") is None
        assert self.store.brakes() == ()
        assert not self.store.standing("room1").frozen
        assert self.names() == ["room1"]

    def test_other_rules_take_the_place_of_those_that_are_held(self) -> None:
        self.adopt()
        self.store.put_ruling(a_ruling("a"))
        self.store.put_ruling(a_ruling("b"), held_for=(7, "much"))
        self.store.put_ruling(a_ruling("c"), held_for=(8, "more"))
        assert self.store.ruling("held") == a_ruling("c")
        assert [brake.why for brake in self.store.brakes()] == ["more"]
        self.store.put_ruling(a_ruling("a"))
        assert self.store.ruling("held") is None
        assert self.store.brakes() == ()

    def test_rules_that_are_held_are_refused(self) -> None:
        self.adopt()
        self.store.put_ruling(a_ruling("a"))
        self.store.put_ruling(a_ruling("b"), held_for=(7, "much"))
        assert not self.store.is_refused("b")
        assert self.store.revert_rules() == a_ruling("a")
        assert self.store.is_refused("b")
        assert self.store.ruling("held") is None
        assert self.store.brakes() == ()

    def test_rules_in_force_are_gone_back_from(self) -> None:
        self.adopt()
        assert self.store.revert_rules() is None
        self.store.put_ruling(a_ruling("a"))
        assert self.store.revert_rules() is None
        assert self.store.ruling("force") == a_ruling("a")
        for digest in "bc":
            self.pass_time(MINUTE)
            self.store.put_ruling(a_ruling(digest))
        self.run(after=HOUR)
        self.pass_time(MINUTE)
        assert self.store.revert_rules() == a_ruling("b")
        assert self.store.is_refused("c")
        assert self.names() == ["room1"]
        self.pass_time(MINUTE)
        assert self.store.revert_rules() == a_ruling("a")
        assert self.store.revert_rules() is None

    def test_what_was_refused_may_be_put_in_force_again(self) -> None:
        self.adopt()
        self.store.put_ruling(a_ruling("a"))
        self.store.put_ruling(a_ruling("b"), held_for=(7, "much"))
        self.store.revert_rules()
        self.store.put_ruling(a_ruling("b"))
        assert self.store.ruling("force") == a_ruling("b")
        assert not self.store.is_refused("b")

    def test_only_some_old_rules_stay(self) -> None:
        self.adopt()
        for number in range(30):
            self.store.put_ruling(a_ruling(str(number)))
            self.pass_time(MINUTE)
        gone_back = 0
        while self.store.revert_rules() is not None:
            gone_back += 1
            self.pass_time(MINUTE)
        assert 3 <= gone_back <= 12
