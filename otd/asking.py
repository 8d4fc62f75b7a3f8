"""What an endpoint shows, asked through a relay: a person's question goes out with an order to look, and what the relay
saw comes back sealed for whoever asked. The broker and the database carry what they cannot open."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from otd import wire
from otd.causes import CAUSES
from otd.deliveries import ELSEWHERE, UNASKED, Park, Timing, Wait, is_alive, step
from otd.errors import Busy, Denied, Garbled, OtdError, Retryable, Unreachable, Unsupported, Untrusted
from otd.model import EndpointState, Facts, Question, Receipt, WorkState
from otd.ports import Seen, Store

AT_ONCE = 32  # endpoints that are asked and have not answered, so that what relays look at anyway finds its turn
MOST = 1000  # bookings that are told of
LARGEST = 1024 * 1024  # bytes of an answer before it is sealed
LOOK = 0.2  # seconds between two looks for answers
TAKEN = timedelta(seconds=3)  # where somebody works, what is due is begun sooner, or something else is being done
IDLE = timedelta(seconds=10)  # if it was not begun by then, and nothing else was, nobody works
OBSTACLES = 1.0  # seconds between two looks at what may keep them from coming
_ALG, _ENC = "ECDH-ES", "A256GCM"
_KINDS: dict[str, type[OtdError]] = {"denied": Denied, "untrusted": Untrusted, "unsupported": Unsupported}


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A booking (otd.ports.Seen) as a relay told of it."""

    id: str
    end: datetime
    fields: tuple[tuple[str, str], ...] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What should be there and what is, each as the driver compares it; nothing is told of more than can be."""

    wanted: tuple[Told, ...] = field(repr=False)
    held: tuple[Told, ...] = field(repr=False)
    left_out: int = 0  # how many there are, when they are too many


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What was seen of one endpoint; `facts` only where they were asked for, and it said them."""

    wanted: Sequence[Seen] = field(repr=False)
    held: Sequence[Seen] = field(repr=False)
    certificate: str  # by which it was known
    facts: Facts | None = None
    relay: str = ""  # that looked; "" for a look from here


def seal(wanted: Sequence[Seen], held: Sequence[Seen], key: str) -> str:
    """The answer for whoever has the private half of this key: a JWE (RFC 7516, ECDH-ES over X25519, A256GCM)."""
    from joserfc import jwe
    from joserfc.jwk import OKPKey

    answer = Answer(wanted=_told(wanted), held=_told(held))
    number = max(len(wanted), len(held))
    document = wire.dump(answer) if number <= MOST else b""
    if not 0 < len(document) <= LARGEST:
        document = wire.dump(Answer(wanted=(), held=(), left_out=number))
    public = OKPKey.import_key({"kty": "OKP", "crv": "X25519", "x": key})
    return jwe.encrypt_compact({"alg": _ALG, "enc": _ENC}, document, public, algorithms=[_ALG, _ENC])


def unseal(answer: str, private: Any, where: str) -> Answer:
    """What a relay told. Raises Garbled."""
    from joserfc import jwe
    from joserfc.errors import JoseError

    try:
        document = jwe.decrypt_compact(answer, private, algorithms=[_ALG, _ENC]).plaintext or b""
    except (JoseError, ValueError, TypeError, KeyError):
        raise Garbled(where, "the relay's answer was not sealed for this question", "ask again") from None
    found: Answer = wire.load(Answer, document, where)
    if found.left_out:
        raise Garbled(where, f"it holds {found.left_out} bookings, more than a relay tells of")
    seen = (*found.wanted, *found.held)
    forms = {tuple(name for name, _ in one.fields) for one in seen}
    if len(forms) > 1 or any("start" not in form for form in forms) or any(one.end.utcoffset() is None for one in seen):
        raise Garbled(where, "the relay's answer cannot be compared", "bring the relay to the centre's version")
    return found


def _told(seen: Iterable[Seen]) -> tuple[Told, ...]:
    return tuple(
        Told(id=_clean(one.id), end=one.end, fields=tuple((name, _clean(value)) for name, value in one.fields))
        for one in seen
    )


def _clean(text: str) -> str:
    """Without lone surrogates, which no document can hold."""
    return text.encode("utf-8", "replace").decode("utf-8")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    state: EndpointState
    until: float  # monotonic


class Asking:
    """Endpoints asked through relays of their pools, under a key that lives as long as this. Use it as a context: at
    its end nothing is asked any more."""

    def __init__(
        self, store: Store, found: dict[str, Look | OtdError], *, within: timedelta, anew: bool = False
    ) -> None:
        """`found` is filled as answers come, by endpoint: what it shows, or why nobody says so. `within` is how long an
        answer of each is waited for; `anew`: what they are is asked, too."""
        from joserfc.jwk import OKPKey

        self._store, self._within, self._anew = store, within, anew
        self._private: Any = OKPKey.generate_key("X25519")
        self._public = str(self._private.as_dict(private=False)["x"])
        self._asked: dict[str, _Asked] = {}  # those that are waited for
        self._shut: dict[str, OtdError] = {}  # lanes in which nobody is to be asked, and why
        self._found = found

    def __enter__(self) -> Asking:
        return self

    def __exit__(self, *_: object) -> None:
        if self._asked:
            self._store.withdraw(self._public, tuple(self._asked))

    def run(self, states: Sequence[EndpointState]) -> None:
        """Until each of them is answered, or given up."""
        waiting = deque(states)
        next_look = time.monotonic() + OBSTACLES
        while waiting or self._asked:
            self._fill(waiting)
            for name, receipt in self._store.answers(self._public).items():
                if name in self._asked:
                    self._found[name] = self._look(self._asked.pop(name).state, receipt)
            now = time.monotonic()
            self._end([name for name, asked in self._asked.items() if now >= asked.until])
            if now >= next_look:
                self._give_up()
                next_look = now + OBSTACLES
            if self._asked:
                time.sleep(LOOK)

    def _fill(self, waiting: deque[EndpointState]) -> None:
        new = [waiting.popleft() for _ in range(min(AT_ONCE - len(self._asked), len(waiting)))]
        if not new:
            return
        work = _deliveries(self._store.work())
        left = {state.endpoint.name: state for state in new}
        for row in (work[name] for name in tuple(left) if name in work):
            shut = self._shut.get(row.lane)
            if row.parked or shut is not None:
                del left[row.name]
                self._found[row.name] = (
                    self._parked(row) if shut is None else Unreachable(row.name, shut.why, shut.mend)
                )
        if left:
            self._store.ask(tuple(left), self._public, within=self._within, anew=self._anew)
            until = time.monotonic() + self._within.total_seconds()
            self._asked |= {name: _Asked(state=state, until=until) for name, state in left.items()}

    def _give_up(self) -> None:
        """Wait no longer where the centre has looked at it and cannot have it answered, or nobody is there to look."""
        rows, now = self._store.work(), self._store.now()
        work, is_idle = _deliveries(rows), not any(row.leased for row in rows)
        asked = [work[name] for name in self._asked if name in work]
        left = [row.name for row in asked if is_idle and row.due < now - IDLE]
        seen = [row.name for row in asked if row.due > now]
        self._end([*left, *(name for name in seen if self._obstacle(name, now) is not None)])

    def _obstacle(self, name: str, now: datetime) -> OtdError | None:
        """What keeps an answer from coming, as far as the rows tell."""
        state, relays = self._store.endpoint(name), self._store.relays()
        if state.leaving is not None:
            return Unsupported(name, "it is leaving: removed, or moved to another pool", "ask again in ten minutes")
        question = state.question
        if question is not None and question.receipt is not None and question.sequence < 0:
            mine = (relay.name for relay in relays if relay.pool == state.endpoint.pool and is_alive(relay, now))
            others = any(relay not in state.unreachable_from for relay in mine)
            return None if others else _failed(question.receipt)
        found = step(state, relays, now, Timing())
        if isinstance(found, Park) or (isinstance(found, Wait) and found.code in UNASKED):
            kind: type[OtdError] = Unreachable if found.code == "no_relay" else Denied
            return kind(name, found.error, found.mend, reason=found.code)
        return None

    def _end(self, names: Sequence[str]) -> None:
        """These are not waited for any more."""
        if not names:
            return
        rows, now = self._store.work(), self._store.now()
        is_idle = not any(row.leased for row in rows)
        work = _deliveries(rows)
        obstacles = {name: self._obstacle(name, now) for name in names}
        left = self._store.withdraw(self._public, names)
        for name in names:
            state, question, row = self._asked.pop(name).state, left.get(name), work.get(name)
            if question is not None and question.receipt is not None:
                self._found[name] = self._look(state, question.receipt)
            elif row is not None and row.parked:
                self._found[name] = self._parked(row)
            elif row is not None and is_idle and row.due < now - min(TAKEN, self._within / 2):
                self._found[name] = self._shut[row.lane] = self._not_taken(row)
            elif (obstacle := obstacles[name]) is not None:
                self._found[name] = obstacle
                if row is not None and obstacle.reason == "no_relay":
                    self._shut[row.lane] = obstacle
            else:
                self._found[name] = self._unanswered(name, question)

    def _not_taken(self, row: WorkState) -> OtdError:
        is_paused = any(lane.paused_until for lane in self._store.lanes() if lane.name == row.lane)
        cause = CAUSES["lane_paused" if is_paused else "work_stopped"]
        return Unreachable(row.name, _phrase(cause.sentence), _phrase(cause.mend))

    def _unanswered(self, name: str, question: Question | None) -> OtdError:
        seconds = f"{self._within.total_seconds():g} s"
        if question is None or question.sequence < 0:
            mend = "`otd status` says what is done instead; --within waits longer"
            return Retryable(name, f"it was not its turn within {seconds}", mend)
        sent = self._store.endpoint(name).sent
        who = f"relay {sent.relay}" if sent is not None and sent.relay else "the relay that took the question"
        return Unreachable(name, f"{who} has not answered within {seconds}", "is it well? See `otd relays list`")

    def _parked(self, row: WorkState) -> OtdError:
        """It needs a person first, and is not tried before: then what was found counts."""
        receipt = self._store.endpoint(row.name).receipt
        when = f", found by {receipt.relay} at {receipt.at:%Y-%m-%d %H:%M} UTC" if receipt is not None else ""
        kind = _KINDS.get(row.code, Unsupported)
        return kind(row.name, f"not tried, since it needs a person first: {row.error}{when}", row.mend)

    def _look(self, state: EndpointState, receipt: Receipt) -> Look | OtdError:
        """What the relay saw, or why it saw nothing."""
        name, trust = receipt.endpoint, state.endpoint.trust
        if receipt.outcome not in ("confirmed", "differs"):
            return _failed(receipt)
        if not receipt.answer:
            why = f"relay {receipt.relay} runs an older version, which does not tell what it sees"
            return Unsupported(name, why, "bring it to the centre's version")
        try:
            answer = unseal(receipt.answer, self._private, name)
        except Garbled as error:
            return error
        return Look(
            wanted=answer.wanted,
            held=answer.held,
            certificate=receipt.pin if trust == "pin" else trust,
            facts=receipt.facts,
            relay=receipt.relay,
        )


def _failed(receipt: Receipt) -> OtdError:
    """What a relay said that could not look."""
    why = f"relay {receipt.relay}: {receipt.detail or receipt.outcome}"
    if receipt.outcome == "busy":
        return Busy(receipt.endpoint, why, receipt.retry_after or timedelta(0), receipt.mend)
    kind = _KINDS.get(receipt.outcome, Unreachable if receipt.outcome in ELSEWHERE else Retryable)
    return kind(receipt.endpoint, why, receipt.mend)


def _deliveries(rows: Iterable[WorkState]) -> dict[str, WorkState]:
    return {row.name: row for row in rows if row.kind == "deliver"}


def _phrase(sentence: str) -> str:
    return f"{sentence[:1].lower()}{sentence[1:].rstrip('.')}"
