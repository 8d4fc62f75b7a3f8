"""Several threads on one store."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor

from otd.model import (
    Receipt,
    Settled,
)
from tests.contracts.store_case import DAY, LEASE, StoreCase, a_list
from tests.values import HOUR, a_receipt, an_endpoint


class ThreadsContract(StoreCase):
    """Several threads on one store."""

    def test_threads_share_the_work_without_ever_sharing_a_row(self) -> None:
        self.adopt(rooms=40, caps={"office": 6})
        running: set[str] = set()
        done: list[str] = []
        wrong: list[str] = []
        guard = threading.Lock()

        def work_on(owner: int) -> None:
            while len(done) < 40:
                for work in self.store.claim(f"thread{owner}", limit=3, lease=LEASE):
                    with guard:
                        if work.name in running:
                            wrong.append(f"{work.name} runs twice")
                        running.add(work.name)
                        if len(running) > 6:
                            wrong.append(f"{len(running)} run at once")
                    assert self.store.begin(work)
                    self.store.hint("refresh", "room1", delay=HOUR)
                    with guard:
                        running.discard(work.name)
                        done.append(work.name)
                    self.store.finish(work, Settled(after=DAY))

        with ThreadPoolExecutor(6) as threads:
            for future in [threads.submit(work_on, n) for n in range(6)]:
                future.result()
        assert wrong == []
        assert sorted(done) == sorted(f"room{n}" for n in range(1, 41))

    def test_revisions_of_threads_are_all_different(self) -> None:
        self.adopt(endpoints=(an_endpoint(),))
        with ThreadPoolExecutor(6) as threads:
            futures = [threads.submit(self.store.put_desired, a_list(f"b{n}"), f"d{n}") for n in range(30)]
            revisions = [future.result() for future in futures]
        assert len(set(revisions)) == 30
        desired = self.store.desired("codec1")
        assert desired is not None
        assert desired.revision == max(revisions)
        assert desired.digest == f"d{revisions.index(max(revisions))}"

    def test_of_receipts_in_any_order_the_newest_stays(self) -> None:
        self.adopt(endpoints=(an_endpoint(),))
        revision = self.store.put_desired(a_list("b1"), "d1")
        sent = [self.store.sending("codec1", "put", revision, "") for _ in range(20)]
        receipts: list[Receipt] = [a_receipt(revision=revision, sequence=one, outcome="busy") for one in sent[:-1]]
        receipts.append(a_receipt(revision=revision, sequence=sent[-1]))
        random.Random(7).shuffle(receipts)  # noqa: S311 - an order, not a secret
        with ThreadPoolExecutor(6) as threads:
            list(threads.map(self.store.apply, receipts))
        state = self.state()
        assert state.receipt is not None
        assert (state.receipt.sequence, state.confirmed_revision, state.failures) == (sent[-1], revision, 0)
