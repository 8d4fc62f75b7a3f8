"""Endpoints tell a relay that they restarted (HttpFeedback), and the relay tells the centre with its next hello.

    POST /otd/feedback/MARK/ENDPOINT/TOKEN    200, whoever asks and whatever it says

MARK is that of the pool, so that its relays know one another's addresses on an endpoint; TOKEN is this relay's for that
endpoint, and nobody else can make one. What is posted is not looked at: that a post came is all that counts, and it is
no more than a hint to look at the endpoint. An endpoint that is answered otherwise than 200 posts again and again.
"""

from __future__ import annotations

import asyncio
import hmac
import re
import threading
import time
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import timedelta
from typing import Any

from otd.relay.memory import Memory

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
ROOT = "/otd/feedback"
LIMIT = 64 * 1024  # bytes of a post; they have about one kilobyte
WITHIN = timedelta(seconds=10)  # for a post to come in
QUIET = timedelta(seconds=10)  # from one hint of an endpoint to its next, at least
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_LENGTH = 32  # hexadecimal digits of a mark or a token: 128 bits


class Feedback:
    """The addresses of one relay (otd.ports.Hooks), and who has called there. Safe from several threads."""

    def __init__(self, *, key: bytes, shared: bytes, pool: str, registered: Memory, quiet: timedelta = QUIET) -> None:
        """`key` is this relay's own secret, `shared` is the same for all relays of the installation. Until `listening`
        there are no addresses, and those that were given are taken back; `registered` remembers to whom."""
        self._key = hmac.digest(key, b"feedback", "sha256")
        self._mark = _digest(shared, f"feedback of pool {pool}")
        self._registered, self._quiet = registered, quiet.total_seconds()
        self._root = ""
        self._self_signed: Callable[[], bool] = lambda: False
        self.wake: Callable[[], None] = lambda: None  # whoever says hello sets it
        self._guard = threading.Lock()
        self._called: set[str] = set()
        self._told: dict[str, float] = {}  # monotonic

    def listening(self, root: str, *, self_signed: Callable[[], bool] = lambda: False) -> None:
        """From now on endpoints are told addresses under this one, https://HOST:PORT. Whether the certificate that they
        see there is `self_signed` may change."""
        self._root, self._self_signed = root.rstrip("/"), self_signed

    # for the driver -----------------------------------------------------------------------------------------------

    @property
    def self_signed(self) -> bool:
        return self._self_signed()

    def url(self, endpoint: str) -> str:
        return f"{self._root}{ROOT}/{self._mark}/{endpoint}/{self._token(endpoint)}" if self._root else ""

    def is_ours(self, url: str, endpoint: str) -> bool:
        at_our_door = bool(self._root) and url.startswith(f"{self._root}{ROOT}/")
        return at_our_door or url.endswith(f"/{endpoint}/{self._token(endpoint)}")

    def is_of_pool(self, url: str, endpoint: str) -> bool:
        return f"{ROOT}/{self._mark}/{endpoint}/" in url

    def is_hooked(self, endpoint: str) -> bool:
        return self._registered.is_hooked(endpoint)

    def hook(self, endpoint: str, hooked: bool) -> None:
        self._registered.hook(endpoint, hooked)

    # for the server -----------------------------------------------------------------------------------------------

    def post(self, path: str) -> None:
        """Somebody posted to this path."""
        name, _, token = path.removeprefix(f"{ROOT}/{self._mark}/").partition("/")
        if not _NAME.fullmatch(name) or not hmac.compare_digest(token.encode(), self._token(name).encode()):
            return
        with self._guard:
            self._called.add(name)
            now_at_once = self._may_be_told(name, time.monotonic())
        if now_at_once:
            self.wake()

    # for the hello ------------------------------------------------------------------------------------------------

    def take(self) -> tuple[str, ...]:
        """The endpoints that called since they were last taken; one that was taken a moment ago comes later."""
        now = time.monotonic()
        with self._guard:
            taken = tuple(sorted(name for name in self._called if self._may_be_told(name, now)))
            self._called.difference_update(taken)
            self._told |= dict.fromkeys(taken, now)
        return taken

    def _may_be_told(self, name: str, now: float) -> bool:
        return now - self._told.get(name, float("-inf")) >= self._quiet

    def _token(self, endpoint: str) -> str:
        return _digest(self._key, endpoint)


def _digest(key: bytes, text: str) -> str:
    return hmac.digest(key, text.encode(), "sha256").hex()[:_LENGTH]


class FeedbackApp:
    """What is served to endpoints. An ASGI app, which needs no more of a web framework than this."""

    def __init__(self, feedback: Feedback, *, within: timedelta = WITHIN) -> None:
        self._feedback, self._within = feedback, within

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        try:
            async with asyncio.timeout(self._within.total_seconds()):
                size = await _size(receive)
        except TimeoutError:
            await _answer(send, 408, (b"connection", b"close"))
            return
        if size is None:  # it is gone
            return
        if size > LIMIT:
            await _answer(send, 413, (b"connection", b"close"))
        elif scope["method"] != "POST":
            await _answer(send, 405, (b"allow", b"POST"))
        else:
            self._feedback.post(scope["path"])
            await _answer(send, 200)


async def _size(receive: Receive) -> int | None:
    """How many bytes were sent, as far as that is of interest; None when the connection was closed before the end."""
    size, more = 0, True
    while more and size <= LIMIT:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    return size


async def _answer(send: Send, status: int, *headers: tuple[bytes, bytes]) -> None:
    start = {"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0"), *headers]}
    await send(start)
    await send({"type": "http.response.body", "body": b""})
