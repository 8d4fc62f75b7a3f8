"""What can be made to go wrong on a simulated server, per mailbox or for all, while it runs; and who asked for what.

    lab.faults.put(faults.status(503, retry_after=5), mailbox="room1@example.com", times=2)
    lab.faults.clear()

A fault holds until it is cleared, or for so many requests. That of a mailbox goes before that for all. Which kinds a
server knows is in its `KNOWN`; putting another one is an error, so that no test waits for what cannot happen.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from dataclasses import dataclass
from typing import Literal

from otd.lab.wire import Cut, Drip, Flood, Sendable, Silence

Kind = Literal[
    "status",  # this HTTP status, with the body that the system gives with it
    "busy",  # EWS: ErrorServerBusy, with BackOffMilliseconds when `retry_after` is given
    "code",  # EWS: a SOAP fault with this response code
    "message",  # EWS: this response code in every response message, with status 200
    "html",  # a web page with status 200, as proxies and maintenance pages are
    "login",  # 302 to a login page
    "slow",  # the right answer, after `seconds`
    "silent",  # no answer, ever
    "drip",  # the right answer, byte by byte, `seconds` between them
    "cut",  # the right answer's head, then its body broken off in the middle
    "flood",  # `size` bytes of blanks, plain or (`text` "gzip") packed
    "halved",  # half of the answer's text, sent as if it were all
    "truncated",  # EWS: half of the items, and the answer says so (IncludesLastItemInRange)
    "repeat",  # Graph: every page carries a link to itself
    "elsewhere",  # Graph: the next page is on another host, `text` being its root
    "doubled",  # Graph: each page begins with the last item of the one before; EWS: every item twice
    "swapped",  # another mailbox's items: those of `text`
    "mixed",  # EWS: another mailbox's first item among one's own
    "shuffled",  # EWS: items in another order than they were asked for, or than time has them
    "zone",  # EWS: `text` as the time zone of every item, a name that nobody knows
]
WIRE: frozenset[Kind] = frozenset(("slow", "silent", "drip", "cut", "flood"))
EVERYONE = ""  # in place of a mailbox: what belongs to none, such as the token endpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that goes wrong. Made by the functions below."""

    kind: Kind
    status: int = 0
    retry_after: float | None = None
    seconds: float = 0.0
    size: int = 0
    text: str = ""


def status(code: int, *, retry_after: float | None = None) -> Fault:
    """401, 403, 404, 429, 500, 503, 504 ...; `retry_after` in seconds, left out when None."""
    return Fault(kind="status", status=code, retry_after=retry_after)


def busy(*, back_off: float | None = None) -> Fault:
    """EWS's ErrorServerBusy; `back_off` in seconds."""
    return Fault(kind="busy", retry_after=back_off)


def code(name: str) -> Fault:
    """Any EWS response code as a SOAP fault: ErrorNonExistentMailbox, ErrorImpersonateUserDenied ..."""
    return Fault(kind="code", text=name)


def message(name: str) -> Fault:
    """An EWS response code in the messages of an answer: ErrorMailboxMoveInProgress and the like."""
    return Fault(kind="message", text=name)


def html() -> Fault:
    return Fault(kind="html")


def login() -> Fault:
    return Fault(kind="login")


def slow(seconds: float) -> Fault:
    return Fault(kind="slow", seconds=seconds)


def silent() -> Fault:
    return Fault(kind="silent")


def drip(pause: float = 0.05) -> Fault:
    return Fault(kind="drip", seconds=pause)


def cut() -> Fault:
    return Fault(kind="cut")


def flood(size: int, *, packed: bool = False) -> Fault:
    """An answer of so many bytes; with `packed` they are sent as gzip, about a thousandth of that."""
    return Fault(kind="flood", size=size, text="gzip" if packed else "")


def halved() -> Fault:
    return Fault(kind="halved")


def truncated() -> Fault:
    return Fault(kind="truncated")


def repeat() -> Fault:
    return Fault(kind="repeat")


def elsewhere(root: str) -> Fault:
    return Fault(kind="elsewhere", text=root)


def doubled() -> Fault:
    return Fault(kind="doubled")


def swapped(mailbox: str) -> Fault:
    return Fault(kind="swapped", text=mailbox)


def mixed(mailbox: str) -> Fault:
    return Fault(kind="mixed", text=mailbox)


def shuffled() -> Fault:
    return Fault(kind="shuffled")


def zone(name: str) -> Fault:
    return Fault(kind="zone", text=name)


@dataclass(slots=True)
class _Placed:
    fault: Fault
    left: int | None
    operation: str


class Faults:
    """The switches of one server."""

    def __init__(self, known: frozenset[Kind], *, apart: frozenset[str] = frozenset()) -> None:
        """`apart` are the operations that a fault must name to reach them."""
        self._known = known
        self._apart = apart
        self._placed: dict[str | None, list[_Placed]] = {}
        self._lock = threading.Lock()

    def put(self, fault: Fault, *, mailbox: str | None = None, operation: str = "", times: int | None = None) -> None:
        """From now on; for all mailboxes when none is named, for every operation when none is named."""
        if fault.kind not in self._known:
            raise ValueError(f"this server does not know the fault {fault.kind}")
        with self._lock:
            key = None if mailbox is None else mailbox.casefold()
            self._placed.setdefault(key, []).append(_Placed(fault, times, operation))

    def clear(self, *, mailbox: str | None = None) -> None:
        """Everything is well again: for this mailbox, or for all of them."""
        with self._lock:
            if mailbox is None:
                self._placed.clear()
            else:
                self._placed.pop(mailbox.casefold(), None)

    def take(self, mailbox: str, operation: str) -> Fault | None:
        """The fault for this request, if any; counts it."""
        with self._lock:
            if not self._placed:
                return None
            candidates = [*self._placed.get(mailbox.casefold(), []), *self._placed.get(None, [])]
            for placed in candidates:
                if self._means(placed, operation) and (placed.left is None or placed.left > 0):
                    if placed.left is not None:
                        placed.left -= 1
                    return placed.fault
            return None

    def _means(self, placed: _Placed, operation: str) -> bool:
        return placed.operation == operation or (not placed.operation and operation not in self._apart)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request, as far as tests ask about it."""

    operation: str
    mailbox: str
    detail: str = ""


class Requests:
    """Who asked for what: counts for ever, and the last ten thousand requests themselves."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()
        self._last: deque[Asked] = deque(maxlen=10_000)
        self._lock = threading.Lock()

    def note(self, operation: str, mailbox: str = EVERYONE, detail: str = "") -> None:
        with self._lock:
            self._counts[mailbox.casefold(), operation] += 1
            self._last.append(Asked(operation=operation, mailbox=mailbox.casefold(), detail=detail))

    def count(self, *, mailbox: str | None = None, operation: str | None = None) -> int:
        """How many there were: in total, of a mailbox, of an operation, or of both."""
        with self._lock:
            return sum(
                times
                for (who, what), times in self._counts.items()
                if (mailbox is None or who == mailbox.casefold()) and (operation is None or what == operation)
            )

    def by_operation(self) -> dict[str, int]:
        """How many there were of each operation."""
        with self._lock:
            found: Counter[str] = Counter()
            for (_, what), times in self._counts.items():
                found[what] += times
            return dict(found)

    def last(self) -> tuple[Asked, ...]:
        """The latest ones, oldest first."""
        with self._lock:
            return tuple(self._last)

    def reset(self) -> None:
        with self._lock:
            self._counts.clear()
            self._last.clear()


def on_the_wire(fault: Fault | None, answer: Sendable) -> Sendable | Cut | Drip | Flood | Silence:
    """The answer as this fault lets it reach the client; "slow" is the caller's, who waits before it answers."""
    if fault is None:
        return answer
    if fault.kind == "silent":
        return Silence()
    if fault.kind == "cut":
        return Cut(answer)
    if fault.kind == "drip":
        return Drip(answer, pause=fault.seconds)
    if fault.kind == "flood":
        return Flood(size=fault.size, packed=fault.text == "gzip", media_type=answer.media_type or "text/plain")
    return answer
