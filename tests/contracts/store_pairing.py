"""Relays that ask to be let in, and those that were."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from otd.errors import Busy, Denied, Missing, Untrusted
from otd.pairing import PENDING, PENDING_OF_ONE, VALID, WRONG_CODES, Keys, Pairing, code, commitment, text
from tests.contracts.store_case import CAPS, StoreCase, a_hello
from tests.values import MINUTE, SECOND

NONCE = bytes(range(32))
KEYS = Keys(signing=text(b"s" * 32), sealing=text(b"e" * 32))
OTHERS = Keys(signing=text(b"t" * 32), sealing=text(b"f" * 32))
CODE = code(bytes(16))
ANOTHER = code(b"another code" * 2)


class PairingContract(StoreCase):
    """Asked, named, shown, confirmed, collected; and everything that may come instead."""

    def a_request(self, number: int = 0, **overrides: Any) -> Pairing:
        self.adopt(caps=CAPS)
        said: dict[str, Any] = {
            "id": f"{number:032x}",
            "code": code(number.to_bytes(16, "big")),
            "commitment": commitment(KEYS, NONCE),
            "address": "192.0.2.7",
            "host": "site-a",
            "version": "0.1",
        }
        return self.store.pairings.ask(**(said | overrides))

    def code_typed(self, found: Pairing, **overrides: Any) -> Pairing:
        said = {"administrator": "anna", "name": "relay1", "pool": "hq", "nonce": bytes(32)}
        return self.store.pairings.name(found.code, **(said | overrides))

    def its_keys_shown(self) -> Pairing:
        return self.store.pairings.show(self.code_typed(self.a_request()).id, KEYS, NONCE)

    def let_in(self) -> Pairing:
        found = self.its_keys_shown()
        return self.store.pairings.confirm(found.id, administrator="anna", challenge=b"c" * 32, lane="house")

    def a_member(self) -> None:
        self.let_in()
        assert self.store.members.provisioned(self.store.members.get("relay1"), b"sealed")

    def test_a_relay_is_let_in_step_by_step_and_collects_its_identity_once(self) -> None:
        found = self.let_in()
        assert (found.state, found.keys, found.challenge) == ("confirmed", KEYS, b"c" * 32)
        with pytest.raises(Denied, match="not there yet"):
            self.store.pairings.collect(found.id)
        assert self.store.members.provisioned(self.store.members.get("relay1"), b"sealed")
        assert self.store.pairings.collect(found.id) == b"sealed"
        with pytest.raises(Denied, match="the request is collected"):
            self.store.pairings.collect(found.id)

    def test_confirming_makes_the_work_that_makes_the_broker_user(self) -> None:
        self.let_in()
        assert [work.key for work in self.claim(kinds=("provision",))] == ["provision:relay1"]
        member = self.store.members.get("relay1")
        assert (member.pool, member.keys, member.admitted_by, member.is_ready) == ("hq", KEYS, "anna", False)

    def test_each_step_may_be_repeated(self) -> None:
        found = self.let_in()
        again = self.store.pairings.confirm(found.id, administrator="anna", challenge=b"other", lane="house")
        assert again == found
        assert self.store.pairings.show(found.id, KEYS, NONCE) == found

    def test_keys_that_were_not_committed_to_end_the_request(self) -> None:
        found = self.code_typed(self.a_request())
        with pytest.raises(Untrusted):
            self.store.pairings.show(found.id, OTHERS, NONCE)
        assert self.store.pairings.get(found.id).state == "refused"
        with pytest.raises(Denied):
            self.store.pairings.show(found.id, KEYS, NONCE)

    def test_keys_are_not_shown_before_the_code_was_typed(self) -> None:
        found = self.a_request()
        with pytest.raises(Denied, match="when the code was typed"):
            self.store.pairings.show(found.id, KEYS, NONCE)

    def test_nothing_is_confirmed_that_was_not_shown(self) -> None:
        found = self.code_typed(self.a_request())
        with pytest.raises(Denied, match="it is named"):
            self.store.pairings.confirm(found.id, administrator="anna", challenge=b"c", lane="house")

    def test_after_fifteen_minutes_a_code_is_nothing(self) -> None:
        found = self.a_request()
        self.pass_time(VALID)
        with pytest.raises(Missing, match="15 minutes are over"):
            self.code_typed(found)
        with pytest.raises(Denied, match="15 minutes"):
            self.store.pairings.get(found.id)

    def test_a_code_is_used_for_one_relay_only(self) -> None:
        found = self.a_request()
        assert self.code_typed(found) == self.code_typed(found)
        with pytest.raises(Denied, match="used already, for relay relay1 of pool hq"):
            self.code_typed(found, name="relay2")

    def test_two_relays_are_not_paired_under_one_name(self) -> None:
        self.code_typed(self.a_request(1))
        with pytest.raises(Denied, match="another relay is being paired"):
            self.code_typed(self.a_request(2))

    def test_a_name_that_is_taken_is_taken_until_its_relay_is_gone(self) -> None:
        self.a_member()
        with pytest.raises(Denied, match="`otd relays revoke relay1`"):
            self.code_typed(self.a_request(2))
        self.store.members.revoke("relay1", lane="house")
        with pytest.raises(Denied, match="not gone yet"):
            self.code_typed(self.a_request(3))
        self.store.members.removed("relay1")
        assert self.code_typed(self.a_request(4)).state == "named"

    def test_at_most_five_requests_of_one_address_wait(self) -> None:
        for number in range(PENDING_OF_ONE):
            self.a_request(number)
        with pytest.raises(Busy):
            self.a_request(PENDING_OF_ONE)
        self.a_request(PENDING_OF_ONE, address="192.0.2.8")
        self.pass_time(VALID)
        self.a_request(PENDING_OF_ONE + 1)

    def test_a_whole_network_of_ipv6_counts_as_one_address(self) -> None:
        for number in range(PENDING_OF_ONE):
            self.a_request(number, address=f"2001:db8:0:7:{number}::1")
        with pytest.raises(Busy):
            self.a_request(PENDING_OF_ONE, address="2001:db8:0:7:ffff::1")
        self.a_request(PENDING_OF_ONE, address="2001:db8:0:8::1")

    def test_at_most_a_hundred_requests_wait(self) -> None:
        for number in range(PENDING):
            self.a_request(number, address=f"192.0.2.{number // PENDING_OF_ONE}")
        with pytest.raises(Busy):
            self.a_request(PENDING, address="198.51.100.1")

    def test_wrong_codes_count_for_each_administrator(self) -> None:
        found = self.a_request()
        wrong = replace(found, code=ANOTHER)
        for _ in range(WRONG_CODES):
            with pytest.raises(Missing):
                self.code_typed(wrong)
        with pytest.raises(Busy, match="10 wrong codes") as refused:
            self.code_typed(found)
        assert refused.value.retry_after <= 15 * MINUTE
        assert self.code_typed(found, administrator="ben").state == "named"

    def test_wrong_codes_are_forgotten_after_a_while(self) -> None:
        wrong = replace(self.a_request(), code=ANOTHER)
        for _ in range(WRONG_CODES):
            with pytest.raises(Missing):
                self.code_typed(wrong)
        self.pass_time(15 * MINUTE + SECOND)
        assert self.code_typed(self.a_request(1)).state == "named"

    def test_a_refused_request_is_over(self) -> None:
        found = self.its_keys_shown()
        self.store.pairings.refuse(found.id)
        with pytest.raises(Denied, match="it is refused"):
            self.store.pairings.confirm(found.id, administrator="anna", challenge=b"c", lane="house")
        assert self.store.pairings.waiting() == ()

    def test_a_relay_that_is_shut_out_has_no_identity_any_more(self) -> None:
        self.a_member()
        assert self.store.members.identity("relay1") == b"sealed"
        gone = self.store.members.revoke("relay1", lane="house")
        assert gone.revoked_at is not None
        assert self.store.members.identity("relay1") is None
        assert not self.store.members.provisioned(gone, b"late")
        with pytest.raises(Denied, match="shut out"):
            self.store.members.renew("relay1", lane="house")

    def test_a_renewal_is_ready_when_the_new_password_is(self) -> None:
        self.a_member()
        self.pass_time(timedelta(days=31))
        assert not self.store.members.renew("relay1", lane="house").is_ready
        assert self.store.members.identity("relay1") is None
        self.pass_time(SECOND)
        assert self.store.members.provisioned(self.store.members.get("relay1"), b"sealed anew")
        assert self.store.members.identity("relay1") == b"sealed anew"

    def test_a_relay_set_up_by_hand_needs_no_work(self) -> None:
        self.adopt(caps=CAPS)
        self.store.members.adopt("relay1", "hq", KEYS, administrator="anna")
        assert self.claim(kinds=("provision",)) == ()
        assert self.store.members.get("relay1").by_hand
        with pytest.raises(Denied, match="by hand"):
            self.store.members.renew("relay1", lane="house")

    def test_maintenance_is_remembered_with_its_reason(self) -> None:
        self.a_member()
        self.store.heard(a_hello())
        assert not self.store.rests(a_hello())
        self.store.members.rest("relay1", True, "new disk")
        found = self.store.members.get("relay1")
        assert (found.maintenance, found.maintenance_why) == (True, "new disk")
        assert self.store.rests(a_hello())
        assert [relay.resting for relay in self.store.relays()] == [True]
        self.store.members.rest("relay1", False)
        assert not self.store.members.get("relay1").maintenance
        with pytest.raises(Missing):
            self.store.members.rest("relay9", True)
