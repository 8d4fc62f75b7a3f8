"""What receipts teach beside the list, and pools that are cut over."""

from __future__ import annotations

from datetime import timedelta

import pytest

from otd.errors import Missing
from otd.model import Difference, Facts
from tests.contracts.store_case import StoreCase, a_list
from tests.values import MINUTE, T0, a_receipt, an_endpoint

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
