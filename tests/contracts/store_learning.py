"""What receipts teach beside the list, and pools that are cut over."""

from __future__ import annotations

from datetime import timedelta

import pytest

from otd.errors import Missing
from otd.model import Difference, Facts
from tests.contracts.store_case import StoreCase, a_list
from tests.values import MINUTE, T0, a_receipt, an_endpoint

PIN, OTHER = "sha256:" + 64 * "a", "sha256:" + 64 * "b"
FOREIGN = (Difference(id="elsewhere-1", fields=("foreign",)),)


class LearningContract(StoreCase):
    """What receipts teach beside the list, and pools that are cut over."""

    def one(self) -> None:
        self.adopt(rooms=0, endpoints=(an_endpoint(credential="codec"),))
        self.store.put_desired(a_list("b1"), "d1")

    def test_facts_are_kept_until_newer_ones_come(self) -> None:
        self.one()
        facts = Facts(software="ce11.14.4", role="admin", uptime=timedelta(hours=3), hides=("Title",))
        self.deliver(verb="read", facts=facts)
        assert self.state().facts == facts
        self.deliver("unreachable")
        assert self.state().facts == facts
        self.deliver(verb="read", facts=Facts(software="ce11.27"))
        assert self.state().facts == Facts(software="ce11.27")

    def test_an_endpoint_that_restarted_is_due_and_what_was_seen_of_it_counts_no_more(self) -> None:
        self.one()
        self.run(after=60 * MINUTE)
        self.deliver()
        self.run(after=60 * MINUTE)
        for _ in range(2):  # said twice is said once
            self.store.restarted("hq", ("codec1", "unheard-of"))
        state = self.state()
        assert state.receipt is not None
        assert state.restarted_sequence == state.receipt.sequence
        assert self.names() == ["codec1"]

    def test_a_restart_that_another_pool_tells_of_changes_nothing(self) -> None:
        self.one()
        self.run(after=60 * MINUTE)
        self.deliver()
        self.run(after=60 * MINUTE)
        self.store.restarted("branch", ("codec1",))
        assert self.state().restarted_sequence == -1
        assert self.names() == []

    def test_what_needs_a_person_stays_parked_when_it_restarts(self) -> None:
        self.one()
        self.deliver("denied")
        self.run(after=60 * MINUTE, parked=True, error="refused", code="denied")
        self.store.restarted("hq", ("codec1",))
        assert self.row("codec1").parked
        assert self.names() == []

    def test_two_relays_that_see_an_endpoint_differently_are_remembered_by_name(self) -> None:
        self.one()
        self.deliver(relay="relay1")
        assert self.state().confirmed_by == "relay1"
        self.deliver("differs", verb="read", relay="relay2")
        self.deliver(verb="read", relay="relay1")
        state = self.state()
        assert (state.disputed_by, state.disputed_at) == (("relay1", "relay2"), T0)
        assert state.receipt is not None
        assert state.disputed_sequence == state.receipt.sequence

    def test_a_list_that_was_put_again_meanwhile_is_no_disagreement(self) -> None:
        self.one()
        self.deliver(relay="relay1")
        self.deliver("differs", verb="read", relay="relay2")
        self.deliver(relay="relay1")
        assert self.state().disputed_at is None

    def test_overwrites_are_counted_until_a_read_back_finds_the_list_in_place(self) -> None:
        self.one()
        self.deliver("differs", differences=FOREIGN)
        self.deliver()
        self.deliver("differs", verb="read", differences=FOREIGN)
        self.deliver()
        assert (self.state().overwrites, self.state().found) == (2, "overwritten")
        self.deliver(verb="read")
        assert self.state().overwrites == 0

    def test_what_was_there_before_the_first_put_overwrites_nothing(self) -> None:
        self.one()
        self.deliver("differs", verb="read", differences=FOREIGN)
        assert (self.state().overwrites, self.state().found) == (0, "")

    def test_why_a_list_was_lost_is_remembered_with_its_time(self) -> None:
        self.one()
        self.deliver()
        self.pass_time(10 * MINUTE)
        missing = (Difference(id="b1", fields=("missing",)),)
        facts = Facts(uptime=timedelta(minutes=1))
        self.deliver("differs", verb="read", differences=missing, facts=facts, at=self.clock.now())
        self.deliver()
        assert (self.state().found, self.state().found_at) == ("rebooted", T0 + 10 * MINUTE)

    def test_who_looked_at_an_endpoint_lets_it_be_put_again(self) -> None:
        self.one()
        for _ in range(3):
            self.deliver("differs", differences=FOREIGN)
        assert (self.state().overwrites, self.state().same_difference) == (3, 3)
        self.store.unpark("deliver", "codec1")
        assert (self.state().overwrites, self.state().same_difference) == (0, 0)

    # certificates -----------------------------------------------------------------------------------------------------

    def test_the_first_receipt_that_tells_of_a_certificate_pins_it(self) -> None:
        self.one()
        assert self.state().endpoint.pin == ""
        self.deliver("unreachable")
        assert self.state().endpoint.pin == ""
        self.deliver(pin=PIN)
        assert self.state().endpoint.pin == PIN
        self.deliver(pin=OTHER, relay="relay2")
        self.deliver("untrusted", pin=PIN, shown=OTHER)
        assert self.state().endpoint.pin == PIN
        assert [state.endpoint.pin for state in self.store.endpoints()] == [PIN]
        assert self.state().receipt is not None
        assert self.state().receipt.shown == OTHER

    def test_a_pin_outlives_retries_and_other_settings(self) -> None:
        self.one()
        self.deliver("untrusted", pin=PIN, shown=OTHER)
        self.store.unpark("deliver", "codec1")
        self.store.cut_over("hq", "observe")
        self.adopt(rooms=0, endpoints=(an_endpoint(credential="another", pool="lab"),), digest="changed")
        state = self.state()
        assert state.endpoint.pin == PIN
        assert state.leaving == an_endpoint(credential="codec", pin=PIN), "the old pool lets go of the same one"

    @pytest.mark.parametrize("place", [{"address": "127.0.0.1:2"}, {"trust": "ca"}, {"kind": "cisco"}])
    def test_a_pin_is_of_one_address_and_receipts_from_before_do_not_bring_it_back(self, place: dict[str, str]) -> None:
        self.one()
        self.deliver(pin=PIN)
        late = self.store.sending("codec1", "read", self.state().revision, "relay1")
        self.adopt(rooms=0, endpoints=(an_endpoint(credential="codec", **place),), digest="moved")
        assert self.state().endpoint.pin == ""
        assert self.store.apply(a_receipt(revision=self.state().revision, sequence=late, verb="read", pin=PIN))
        assert self.state().endpoint.pin == ""
        self.deliver(pin=OTHER)
        assert self.state().endpoint.pin == ("" if "trust" in place else OTHER)

    def test_nor_does_the_very_first_receipt_from_before(self) -> None:
        self.one()
        late = self.store.sending("codec1", "put", self.state().revision, "relay1")
        self.adopt(rooms=0, endpoints=(an_endpoint(credential="codec", address="127.0.0.1:2"),), digest="moved")
        assert self.store.apply(a_receipt(revision=self.state().revision, sequence=late, pin=PIN))
        assert self.state().endpoint.pin == ""
        self.deliver(pin=OTHER)
        assert self.state().endpoint.pin == OTHER

    def test_what_is_found_at_the_old_address_while_it_leaves_is_not_pinned_for_the_new_one(self) -> None:
        self.one()
        self.deliver(pin=PIN)
        moved = an_endpoint(credential="codec", pool="lab", address="127.0.0.1:2")
        self.adopt(rooms=0, endpoints=(moved,), digest="moved")
        state = self.state()
        assert (state.endpoint.pin, state.leaving) == ("", an_endpoint(credential="codec", pin=PIN))
        assert self.deliver("unreachable", verb="forget", pin=PIN)
        assert self.state().endpoint.pin == ""

    def test_one_that_is_removed_is_let_go_of_under_its_pin_and_then_forgotten(self) -> None:
        self.one()
        self.deliver(pin=PIN)
        self.adopt(rooms=0, endpoints=(), digest="removed")
        assert self.state().leaving == an_endpoint(credential="codec", pin=PIN)
        assert self.deliver("forgotten", verb="forget")
        self.one()
        assert self.state().endpoint.pin == ""

    def test_a_person_accepts_another_certificate(self) -> None:
        self.one()
        self.deliver("untrusted", pin=PIN, shown=OTHER)
        self.run(after=60 * MINUTE, parked=True, error="another certificate", code="untrusted")
        self.store.pin("codec1", OTHER, why="accepted")
        assert (self.state().endpoint.pin, self.state().failures) == (OTHER, 0)
        assert self.names() == ["codec1"]
        (act,) = self.store.audit(("endpoint:codec1",), kinds=("act",))
        assert (act.word, act.why) == ("pin", "accepted")
        self.deliver(pin=PIN)
        assert self.state().endpoint.pin == OTHER

    def test_a_certificate_may_be_accepted_before_any_was_seen(self) -> None:
        self.one()
        self.store.pin("codec1", PIN)
        assert self.state().endpoint.pin == PIN
        with pytest.raises(Missing, match="codec9"):
            self.store.pin("codec9", PIN)

    # credentials ------------------------------------------------------------------------------------------------------

    def many(self) -> None:
        names = ("codec1", "codec2", "codec3", "codec4", "other")
        self.adopt(
            rooms=0,
            endpoints=tuple(an_endpoint(name=n, credential="x" if n == "other" else "codec") for n in names),
        )

    def answer(self, name: str, outcome: str, reason: str = "") -> None:
        sequence = self.store.sending(name, "put", 0, "")
        receipt = a_receipt(endpoint=name, revision=0, sequence=sequence, outcome=outcome, reason=reason)
        assert self.store.apply(receipt)

    def test_refusals_of_a_password_are_counted_over_the_fleet(self) -> None:
        self.many()
        for name in ("codec1", "codec2", "codec3"):
            self.answer(name, "denied", "password")
        assert {state.endpoint.name: state.refusals for state in self.store.endpoints()} == {
            "codec1": 2,
            "codec2": 2,
            "codec3": 2,
            "codec4": 3,
            "other": 0,
        }
        assert self.store.endpoint("codec4").refusals == 3

    def test_a_role_that_may_not_write_is_no_refusal_of_a_password(self) -> None:
        self.many()
        self.answer("codec1", "denied", "role")
        assert self.store.endpoint("codec4").refusals == 0

    def test_a_password_that_another_endpoint_has_accepted_since_is_not_wrong_everywhere(self) -> None:
        self.many()
        for name in ("codec1", "codec2", "codec3"):
            self.answer(name, "denied", "password")
        self.pass_time(MINUTE)
        self.answer("codec4", "differs")
        assert self.store.endpoint("codec4").refusals == 0

    def test_new_settings_and_a_person_forget_refusals(self) -> None:
        self.many()
        for name in ("codec1", "codec2"):
            self.answer(name, "denied", "password")
        self.store.unpark("deliver", "codec1")
        assert self.store.endpoint("codec4").refusals == 1
        self.adopt(
            rooms=0,
            endpoints=tuple(state.endpoint for state in self.store.endpoints()),
            digest="a new password",
        )
        assert self.store.endpoint("codec4").refusals == 0

    # modes ------------------------------------------------------------------------------------------------------------

    def test_a_mode_is_the_endpoints_own_or_what_its_pool_was_cut_over_to_or_its_pools(self) -> None:
        observed = an_endpoint(pool_mode="observe")
        self.adopt(rooms=0, endpoints=(observed, an_endpoint(name="codec2", mode="observe", pool_mode="observe")))
        assert [state.mode for state in self.store.endpoints()] == ["observe", "observe"]
        self.store.cut_over("hq", "deliver")
        assert [state.mode for state in self.store.endpoints()] == ["deliver", "observe"]
        assert self.store.modes() == {"hq": "deliver"}
        self.store.cut_over("hq", None)
        assert self.state().mode == "observe"

    def test_a_pool_that_is_cut_over_is_due_at_once_and_starts_afresh(self) -> None:
        self.one()
        for _ in range(3):
            self.deliver("differs", differences=FOREIGN)
        self.run(error="overwritten", parked=True)
        self.store.cut_over("hq", "observe")
        assert self.names() == ["codec1"]
        assert (self.state().overwrites, self.state().same_difference, self.state().failures) == (0, 0, 0)

    def test_a_pool_that_nobody_knows_cannot_be_cut_over(self) -> None:
        with pytest.raises(Missing, match="pool nowhere"):
            self.store.cut_over("nowhere", "deliver")
