"""The simulated Graph's change notifications: subscriptions, the handshake, and notifications that are lost or doubled.

    graph.subscriptions.losses = 0.2        # one in five is never sent
    graph.subscriptions.copies = 3          # each of the others comes three times, as Graph's do
    graph.subscriptions.tell("room1@example.com", "missed")

What is asked of a subscriber is what Graph asks: the token within ten seconds, an answer of 2xx within three.
"""

from __future__ import annotations

import json
import random
import re
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from queue import SimpleQueue
from typing import Any
from urllib.parse import quote, urlsplit
from uuid import uuid4

import httpx

from otd.lab.graph_query import Refusal
from otd.lab.mailboxes import Mailbox, Mailboxes
from otd.lab.web import Answer, Call

LONGEST = timedelta(minutes=10_080)  # for events
SHORTEST = timedelta(minutes=45)  # less is raised to it
HANDSHAKE = 10.0
ANSWER = 3.0
ATTEMPTS = 3
AGAIN = 0.3  # seconds before the second attempt; doubles
SENDERS = 4
PATH = re.compile(r"/v1\.0/subscriptions(?:/(?P<id>[^/]+)(?P<again>/reauthorize)?)?", re.IGNORECASE)
_EVENTS = re.compile(r"/?users/(?P<mailbox>[^/]+)/(?:calendar/)?events", re.IGNORECASE)


@dataclass(slots=True)
class _Held:
    id: str
    mailbox: str
    resource: str
    change_type: str
    changes: str
    lifecycle: str
    client_state: str
    expires: datetime

    def stated(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "resource": self.resource,
            "changeType": self.change_type,
            "clientState": None,  # Graph never gives it back
            "notificationUrl": self.changes,
            "lifecycleNotificationUrl": self.lifecycle or None,
            "expirationDateTime": f"{self.expires:%Y-%m-%dT%H:%M:%S}Z",
        }


class Subscriptions:
    """Those of one tenant. `trust` is for subscribers whose certificate no public CA vouches for."""

    def __init__(self, mailboxes: Mailboxes, *, trust: ssl.SSLContext | None = None, seed: int = 1) -> None:
        self.copies = 1
        self.losses = 0.0
        self.sent = 0  # notifications that a subscriber took
        self._mailboxes, self._trust = mailboxes, trust
        self._rng = random.Random(seed)
        self._held: dict[str, _Held] = {}
        self._waiting: SimpleQueue[tuple[str, dict[str, Any]] | None] = SimpleQueue()
        self._senders: list[threading.Thread] = []
        self._lock = threading.Lock()

    def of(self, mailbox: str) -> tuple[str, ...]:
        """The ids of the subscriptions to a mailbox that hold."""
        now = datetime.now(UTC)
        with self._lock:
            return tuple(h.id for h in self._held.values() if h.mailbox == mailbox.casefold() and h.expires > now)

    def tell(self, mailbox: str, event: str) -> None:
        """A lifecycle event: missed, reauthorizationRequired, or subscriptionRemoved, which takes it away."""
        for identity in self.of(mailbox):
            held = self._held[identity]
            if event == "subscriptionRemoved":
                self.forget(mailbox)
            self._send(held.lifecycle, held, {"lifecycleEvent": event})

    def forget(self, mailbox: str) -> None:
        """Take the mailbox's subscriptions away without a word."""
        with self._lock:
            for identity in [h.id for h in self._held.values() if h.mailbox == mailbox.casefold()]:
                del self._held[identity]

    def close(self) -> None:
        """Send nothing more."""
        for _ in self._senders:
            self._waiting.put(None)
        for sender in self._senders:
            sender.join(ATTEMPTS * (ANSWER + 1))
        self._senders.clear()

    # what is asked ------------------------------------------------------------------------------------------------

    def answer(self, call: Call) -> Answer:
        """Blocks while the subscriber is called. Raises Refusal."""
        found = PATH.fullmatch(call.path)
        identity = found["id"] if found else None
        if identity is None:
            if call.method != "POST":
                raise Refusal(405, "Request_BadRequest", "A subscription is posted.")
            return Answer(status=201, payload=self._begin(_document(call.body)).stated())
        with self._lock:
            held = self._held.get(identity)
        if held is None or held.expires <= datetime.now(UTC):
            raise Refusal(404, "ResourceNotFound", "The object was not found.")
        if found and found["again"] and call.method == "POST":
            return Answer(status=204)
        match call.method:
            case "GET":
                return Answer(payload=held.stated())
            case "PATCH":
                held.expires = _expiry(_document(call.body))
                return Answer(payload=held.stated())
            case "DELETE":
                with self._lock:
                    self._held.pop(identity, None)
                return Answer(status=204)
            case _:
                raise Refusal(405, "Request_BadRequest", f"The HTTP method {call.method} is not allowed here.")

    def _begin(self, asked: Mapping[str, Any]) -> _Held:
        for name in ("changeType", "notificationUrl", "resource", "expirationDateTime"):
            if not isinstance(asked.get(name), str):
                raise Refusal(400, "ValidationError", f"The property {name} is missing.")
        wrong = set(asked["changeType"].split(",")) - {"created", "updated", "deleted"}
        if wrong or len(str(asked.get("clientState", ""))) > 128:
            raise Refusal(400, "ValidationError", "changeType or clientState is not valid.")
        found = _EVENTS.fullmatch(asked["resource"])
        mailbox = self._mailboxes.get(found["mailbox"]) if found else None
        if mailbox is None or not mailbox.here:
            raise Refusal(404, "ResourceNotFound", "The resource to subscribe to was not found.")
        held = _Held(
            id=str(uuid4()),
            mailbox=mailbox.address.casefold(),
            resource=asked["resource"],
            change_type=asked["changeType"],
            changes=asked["notificationUrl"],
            lifecycle=asked.get("lifecycleNotificationUrl") or "",
            client_state=asked.get("clientState") or "",
            expires=_expiry(asked),
        )
        for url in filter(None, (held.changes, held.lifecycle)):
            self._shake(url)
        self._start()
        with self._lock:
            self._held[held.id] = held
        if self._told not in mailbox.watchers:
            mailbox.watchers.append(self._told)
        return held

    def _shake(self, url: str) -> None:
        """A token goes there and must come back as it was."""
        parts = urlsplit(url)
        if parts.scheme != "https" and parts.hostname != "127.0.0.1":
            raise Refusal(400, "ValidationError", "The notificationUrl must be https.")
        token = f"Validation: Testing client application reachability for subscription <{uuid4()}>"
        try:
            with self._client(HANDSHAKE) as client:
                said = client.post(f"{url}?validationToken={quote(token)}")
        except httpx.HTTPError as error:
            raise Refusal(400, "ValidationError", f"The validation request failed: {type(error).__name__}.") from None
        if said.status_code != 200 or said.text != token or not said.headers["content-type"].startswith("text/plain"):
            raise Refusal(400, "ValidationError", "The validation request got another answer than the token.")

    # what is told -------------------------------------------------------------------------------------------------

    def _told(self, mailbox: Mailbox) -> None:
        for identity in self.of(mailbox.address):
            held = self._held[identity]
            item = {"@odata.type": "#Microsoft.Graph.Event", "id": str(uuid4())}
            for _ in range(self.copies):
                if self._rng.random() >= self.losses:
                    self._send(held.changes, held, {"changeType": "updated", "resourceData": item})

    def _send(self, url: str, held: _Held, more: Mapping[str, Any]) -> None:
        if url:
            value = {
                "subscriptionId": held.id,
                "subscriptionExpirationDateTime": held.stated()["expirationDateTime"],
                "clientState": held.client_state,
                "resource": held.resource,
                "tenantId": str(uuid4()),
                **more,
            }
            self._waiting.put((url, {"value": [value]}))

    def _start(self) -> None:
        with self._lock:
            if not self._senders:
                self._senders = [threading.Thread(target=self._sending, daemon=True) for _ in range(SENDERS)]
                for sender in self._senders:
                    sender.start()

    def _sending(self) -> None:
        with self._client(ANSWER) as client:
            while (waiting := self._waiting.get()) is not None:
                url, document = waiting
                for attempt in range(ATTEMPTS):
                    if self._taken(client, url, document):
                        break
                    time.sleep(AGAIN * 2**attempt)

    def _taken(self, client: httpx.Client, url: str, document: Mapping[str, Any]) -> bool:
        try:
            good = client.post(url, json=document).is_success
        except httpx.HTTPError:
            return False
        with self._lock:
            self.sent += good
        return good

    def _client(self, within: float) -> httpx.Client:
        return httpx.Client(verify=self._trust or True, timeout=within, trust_env=False)


def _document(body: bytes) -> Mapping[str, Any]:
    try:
        stated = json.loads(body)
    except ValueError:
        stated = None
    if not isinstance(stated, dict):
        raise Refusal(400, "BadRequest", "The body is not a JSON object.")
    return stated


def _expiry(asked: Mapping[str, Any]) -> datetime:
    now = datetime.now(UTC)
    try:
        wanted = datetime.fromisoformat(str(asked.get("expirationDateTime")).replace("Z", "+00:00"))
    except ValueError:
        raise Refusal(400, "ValidationError", "expirationDateTime is not a time.") from None
    if wanted > now + LONGEST or wanted <= now:
        raise Refusal(400, "ValidationError", "Subscription expiration can only be up to 10080 minutes ahead.")
    return max(wanted, now + SHORTEST)
