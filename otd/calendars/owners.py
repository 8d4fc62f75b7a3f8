"""Which mailbox each item was last read from. An item's id names its mailbox, so no two mailboxes may hold the same.

That is how an answer is found out that is for another room: nothing else in it says whose it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from threading import Lock

from otd.errors import Garbled


class Owners:
    """The ids of the last reading of every mailbox; safe from several threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._held: dict[str, frozenset[str]] = {}
        self._owner: dict[str, str] = {}

    def claim(self, mailbox: str, ids: Iterable[str], where: str) -> None:
        """These ids, and no longer those of its last reading, are this mailbox's.

        Raises Garbled when another mailbox holds one of them; then nothing changes.
        """
        mailbox, ids = mailbox.casefold(), frozenset(ids)
        with self._lock:
            other = next((owner for i in ids if (owner := self._owner.get(i, mailbox)) != mailbox), None)
            if other is not None:
                raise Garbled(
                    where,
                    f"the answer holds meetings of the mailbox {other}",
                    "if both addresses are of one mailbox, give its primary SMTP address to both rooms",
                )
            for gone in self._held.get(mailbox, frozenset()) - ids:
                del self._owner[gone]
            self._held[mailbox] = ids
            self._owner.update(dict.fromkeys(ids, mailbox))
