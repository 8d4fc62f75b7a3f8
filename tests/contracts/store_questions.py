"""What people at a terminal ask of endpoints: carried by a delivery, answered once, gone when it is fetched or late."""

from __future__ import annotations

import pytest

from otd.errors import Missing
from otd.model import Difference, Question, Settled
from tests.contracts.store_case import StoreCase, a_list
from tests.values import MINUTE, SECOND, a_receipt, an_endpoint

WITHIN = 30 * SECOND
FOREIGN = (Difference(id="elsewhere-1", fields=("foreign",)),)


class QuestionsContract(StoreCase):
    """What people at a terminal ask of endpoints."""

    def both(self) -> None:
        self.adopt(rooms=0, endpoints=(an_endpoint(), an_endpoint(name="codec2")))
        self.store.put_desired(a_list("b1"), "d1")
        for work in self.claim():
            assert self.store.begin(work)
            self.store.finish(work, Settled(after=60 * MINUTE))

    def carried(self, key: str = "k1", relay: str = "relay1") -> int:
        return self.store.sending("codec1", "read", self.state().revision, relay, ask=key)

    def came_back(self, sequence: int, outcome: str = "confirmed", **more: object) -> bool:
        about = {"verb": "read", "revision": self.state().revision, "sequence": sequence, "outcome": outcome}
        return self.store.apply(a_receipt(**about, **more)) is not None

    def test_a_question_makes_the_endpoint_due_and_stands_with_what_is_known_of_it(self) -> None:
        self.both()
        self.store.ask(("codec1",), "k1", within=WITHIN, anew=True)
        assert self.names() == ["codec1"]
        assert self.state().question == Question(endpoint="codec1", key="k1", anew=True)
        assert self.store.endpoint("codec2").question is None

    def test_a_parked_endpoint_is_not_due_for_a_question(self) -> None:
        self.both()
        self.store.hint("deliver", "codec1")
        self.run(parked=True, error="refused", code="denied")
        self.store.ask(("codec1",), "k1", within=WITHIN)
        assert self.names() == []

    def test_it_is_known_with_which_delivery_it_went_out(self) -> None:
        self.both()
        self.store.ask(("codec1",), "k1", within=WITHIN)
        sequence = self.carried()
        question = self.state().question
        assert question is not None
        assert question.sequence == sequence
        assert self.state().sent is not None

    def test_the_answer_is_fetched_once_by_who_asked_and_kept_nowhere_else(self) -> None:
        self.both()
        self.store.ask(("codec1",), "k1", within=WITHIN)
        assert self.came_back(self.carried(), "differs", differences=FOREIGN, answer="sealed")
        assert self.state().question is None
        assert self.store.answers("k2") == {}
        (answer,) = self.store.answers("k1").values()
        assert (answer.outcome, answer.answer, answer.differences) == ("differs", "sealed", FOREIGN)
        assert self.store.answers("k1") == {}
        receipt = self.state().receipt
        assert receipt is not None
        assert (receipt.outcome, receipt.answer) == ("differs", "")

    def test_several_endpoints_are_asked_with_one_key_and_one_endpoint_with_several(self) -> None:
        self.both()
        self.store.ask(("codec1", "codec2"), "k1", within=WITHIN)
        first = self.carried()
        self.store.ask(("codec1",), "k2", within=WITHIN)
        question = self.state().question
        assert question is not None
        assert (question.key, question.sequence) == ("k2", -1), "what went out already does not go before it"
        second = self.carried("k2")
        assert self.came_back(first, answer="one")
        assert self.came_back(second, answer="two")
        assert {name: receipt.answer for name, receipt in self.store.answers("k1").items()} == {"codec1": "one"}
        assert {name: receipt.answer for name, receipt in self.store.answers("k2").items()} == {"codec1": "two"}
        assert list(self.store.withdraw("k1", ("codec1", "codec2"))) == ["codec2"]

    def test_an_answer_counts_though_what_was_found_since_is_newer(self) -> None:
        self.both()
        self.store.ask(("codec1",), "k1", within=WITHIN)
        sequence = self.carried()
        assert self.deliver()
        assert not self.came_back(sequence, answer="sealed")
        assert self.store.answers("k1")["codec1"].answer == "sealed"

    def test_no_relay_of_another_pool_answers(self) -> None:
        self.both()
        self.store.ask(("codec1",), "k1", within=WITHIN)
        assert not self.came_back(self.carried(), answer="a lie", pool="lab")
        assert self.store.answers("k1") == {}

    def test_after_a_relay_that_does_not_reach_it_the_question_is_open_and_says_so(self) -> None:
        self.both()
        self.store.ask(("codec1",), "k1", within=WITHIN)
        assert self.came_back(self.carried(), "unreachable", detail="no route")
        assert self.store.answers("k1") == {}
        question = self.state().question
        assert question is not None
        assert question.receipt is not None
        assert (question.sequence, question.receipt.detail) == (-1, "no route")
        assert self.came_back(self.carried(relay="relay2"), relay="relay2", answer="sealed")
        assert self.store.answers("k1")["codec1"].relay == "relay2"

    def test_who_waits_no_longer_is_told_what_became_of_it(self) -> None:
        self.both()
        self.store.ask(("codec1", "codec2"), "k1", within=WITHIN)
        sequence = self.carried()
        left = self.store.withdraw("k1", ("codec1", "codec2"))
        assert {name: question.sequence for name, question in left.items()} == {"codec1": sequence, "codec2": -1}
        assert self.state().question is None
        assert self.came_back(sequence, answer="sealed")
        assert self.store.answers("k1") == {}

    def test_what_nobody_withdraws_is_over_with_its_time_and_goes_by_itself(self) -> None:
        self.both()
        self.store.add_work("tidy", "house", "house")
        self.run(after=60 * MINUTE)
        assert self.names() == []
        self.store.ask(("codec1", "codec2"), "k1", within=WITHIN)
        assert self.came_back(self.carried(), answer="sealed")
        self.pass_time(WITHIN)
        assert self.store.endpoint("codec2").question is None
        assert "house" in self.names()
        self.store.tidy(60 * MINUTE)
        assert self.store.answers("k1") == {}
        assert self.store.withdraw("k1", ("codec1", "codec2")) == {}

    def test_a_look_before_there_is_a_list_is_no_failure(self) -> None:
        self.adopt(rooms=0, endpoints=(an_endpoint(),))
        self.store.ask(("codec1",), "k1", within=WITHIN)
        assert self.came_back(self.carried(), "differs", differences=FOREIGN, answer="sealed")
        assert (self.state().failures, self.state().overwrites) == (0, 0)
        assert self.store.answers("k1")["codec1"].answer == "sealed"

    def test_nobody_asks_of_what_is_not_configured(self) -> None:
        self.both()
        with pytest.raises(Missing):
            self.store.ask(("codec1", "nowhere"), "k1", within=WITHIN)
        assert self.state().question is None
