"""Streaming notifications of the simulated Exchange Server: subscriptions, and an answer that goes on for minutes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

from otd.lab.ews_soap import EwsError, failure, response, success
from otd.lab.identities import ews_change_key, folder_id
from otd.lab.mailboxes import Mailbox

HEARTBEAT = 1.0  # seconds between two signs of life
_LOOK = 0.05  # seconds between two looks at the mailboxes


@dataclass(slots=True)
class _Subscription:
    mailbox: Mailbox
    version: int  # of the mailbox, as it was last told


class Subscriptions:
    """The subscriptions of one server; they are forgotten when it restarts."""

    def __init__(self) -> None:
        self._known: dict[str, _Subscription] = {}

    def __len__(self) -> int:
        return len(self._known)

    def forget(self) -> None:
        """As after a restart of the server."""
        self._known.clear()

    def add(self, mailbox: Mailbox) -> str:
        identity = f"JgBsYWI{uuid4().hex}"
        self._known[identity] = _Subscription(mailbox, mailbox.version)
        return identity

    async def stream(self, ids: Sequence[str], seconds: float) -> AsyncIterator[str]:
        """The envelopes of one GetStreamingEvents, as they come to be sent."""
        if any(one not in self._known for one in ids):
            error = EwsError("ErrorSubscriptionNotFound", "The subscription is not known.")
            yield response("GetStreamingEvents", failure("GetStreamingEvents", error))
            return
        yield _status("OK")
        beat = end = asyncio.get_running_loop().time()
        end += seconds
        while (now := asyncio.get_running_loop().time()) < end:
            told = "".join(self._told(one) for one in ids if one in self._known)
            if told:
                content = f"<m:Notifications>{told}</m:Notifications>"
                yield response("GetStreamingEvents", success("GetStreamingEvents", content))
            elif now - beat >= HEARTBEAT:
                beat = now
                yield _status("OK")
            await asyncio.sleep(_LOOK)
        yield _status("Closed")

    def _told(self, identity: str) -> str:
        """A notification when something changed since it was last told; "" when nothing did."""
        one = self._known[identity]
        if one.mailbox.version == one.version:
            return ""
        one.version = one.mailbox.version
        folder = folder_id(one.mailbox.guid, "calendar")
        return (
            f"<m:Notification><t:SubscriptionId>{identity}</t:SubscriptionId><t:ModifiedEvent>"
            f"<t:TimeStamp>{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}</t:TimeStamp>"
            f'<t:FolderId Id="{folder}" ChangeKey="{ews_change_key(one.mailbox.guid, one.version)}"/>'
            f'<t:ParentFolderId Id="{folder}" ChangeKey="AQAAAA=="/></t:ModifiedEvent></m:Notification>'
        )


def _status(word: str) -> str:
    content = f"<m:ConnectionStatus>{word}</m:ConnectionStatus>"
    return response("GetStreamingEvents", success("GetStreamingEvents", content))
