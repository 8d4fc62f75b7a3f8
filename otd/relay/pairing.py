"""A relay's side of pairing: asks the centre to be let in, and collects its identity. See otd.pairing for the steps."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from otd import __version__
from otd.errors import Busy, Denied, Garbled, Missing, OtdError, Retryable, Unreachable, Untrusted
from otd.outbound import Answer, Http
from otd.pairing import VALID, Keys, commitment, data, fingerprint, grouped, proof, text

WITHIN = timedelta(seconds=20)  # for one request
LOOK_EVERY = 2.0  # seconds
STALLED_EVERY = 5.0  # seconds between two tries of what failed
_LIMIT = 256 * 1024  # bytes of an answer
_CERTIFICATE = "if its CA is your own, name it: --ca FILE, or [relay] ca; if not, something in between re-signs it"
_PLAIN = 300  # characters of the centre's words that are shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """The keys that this relay made for itself: private ones as in otd.bus.seal, and what may be shown of them."""

    signing: str
    public: Keys
    nonce: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """What came of it. `sealed` is for otd.bus.seal.open_order."""

    relay: str
    pool: str
    centre: str  # its public signing key, whose fingerprint was compared
    sealed: bytes


class Door:
    """The centre's address, as a relay speaks to it."""

    def __init__(self, http: Http, centre: str) -> None:
        self._http, self._centre = http, centre.rstrip("/")
        self.where = f"the centre {self._centre}"

    def say(self, path: str, said: Mapping[str, object], *needed: str) -> dict[str, Any]:
        """What the centre answers, in which everything `needed` is. Raises Busy, Denied, Missing, Untrusted as the
        centre says, or why it said nothing that can be used."""
        try:
            answer = self._http.request(
                "POST",
                self._centre + path,
                where=self.where,
                within=WITHIN,
                headers={"content-type": "application/json"},
                content=json.dumps(said).encode(),
                limit=_LIMIT,
            )
        except Untrusted as error:
            raise Untrusted(self.where, error.why, _CERTIFICATE) from error
        try:
            found = json.loads(answer.body)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise self._not_ours(answer)
        if answer.status not in (200, 201, 202):
            raise self._refusal(answer, found)
        if not set(needed) <= found.keys():
            raise self._not_ours(answer)
        return found

    def _not_ours(self, answer: Answer) -> OtdError:
        if answer.status in (502, 503, 504):
            return Unreachable(self.where, f"something in front of it answers {answer.status}", "is `otd serve` up?")
        mend = "is this the address at which `otd serve` answers?"
        return Garbled(self.where, f"the answer ({answer.status}) is not one of the centre's", mend)

    def _refusal(self, answer: Answer, found: Mapping[str, Any]) -> OtdError:
        why, mend = _plain(found.get("why")) or f"it answers {answer.status}", _plain(found.get("mend"))
        if answer.status == 429:
            after = answer.headers.get("retry-after", "")
            return Busy(self.where, why, timedelta(seconds=int(after) if after.isdigit() else 60), mend)
        if answer.status >= 500:
            return Unreachable(self.where, why, mend)
        kinds: dict[int, type[OtdError]] = {403: Denied, 409: Untrusted}
        if answer.status == 404 and "error" in found:
            return Missing(self.where, why, mend or "is this the address at which `otd serve` answers?")
        return kinds.get(answer.status, Denied)(self.where, why, mend)


def pair(door: Door, own: Own, *, host: str, say: Callable[[str], None], rest: Callable[[float], None]) -> Collected:
    """Ask, show the code and later the fingerprint, and collect. `say` prints a step, and why one stalls; `rest` waits.
    Raises what needs a person, such as Denied when the fifteen minutes are over."""
    steps = _Steps(door, say, rest)
    promise = {"commitment": text(commitment(own.public, own.nonce)), "host": host[:255], "version": __version__}
    say(f"asking {door.where} to let this relay in")
    asked = steps.insist("/pairing", promise, "id", "code")
    steps.until = time.monotonic() + VALID.total_seconds()
    code, path = grouped(str(asked["code"])), f"/pairing/{asked['id']}"
    say(f"registration code: {code}   (valid {VALID // timedelta(minutes=1)} minutes)")
    say(f"now somebody types at the centre: otd relays add {code} --name NAME --pool POOL")
    named = steps.wait(path, lambda found: found["state"] != "asked", "name", "pool", "centre", "nonce")
    relay, pool, centre = str(named["name"]), str(named["pool"]), str(named["centre"])
    say(f"the code was typed: this is to become relay {relay} of pool {pool}")
    keys = {"signing": own.public.signing, "sealing": own.public.sealing, "nonce": text(own.nonce)}
    steps.insist(path, keys)
    shown = fingerprint(own.public, own.nonce, centre, _bytes(named["nonce"]))
    say(f"fingerprint: {grouped(shown)}   (the administrator's screen must show the same; if not, somebody is between)")
    confirmed = steps.wait(path, lambda found: found["state"] == "confirmed", "ready", "challenge")
    say("the fingerprint was confirmed; the centre makes this relay's account at the broker")
    steps.until = time.monotonic() + STUCK
    if not confirmed["ready"]:
        confirmed = steps.wait(path, lambda found: bool(found.get("ready")), "challenge", stalls=_NOT_READY)
    challenge = _bytes(confirmed["challenge"])
    answer = {"signature": text(proof(own.signing, f"collect {asked['id']}", challenge))}
    found = steps.insist(f"{path}/identity", answer, "identity")
    return Collected(relay=relay, pool=pool, centre=centre, sealed=str(found["identity"]).encode())


STUCK = 3600.0  # seconds that a confirmed relay waits for its account
_NOT_READY = "the account is not made yet: is `otd run` or a worker at work, with [provision] set?"


class _Steps:
    """Repeats what may succeed later, and says once why it does not yet."""

    def __init__(self, door: Door, say: Callable[[str], None], rest: Callable[[float], None]) -> None:
        self._door, self._say, self._rest = door, say, rest
        self._said = ""
        self.until = float("inf")  # monotonic: when the code runs out

    def insist(self, path: str, said: Mapping[str, object], *needed: str) -> dict[str, Any]:
        while True:
            try:
                found = self._door.say(path, said, *needed)
            except Retryable as error:
                self._stall(f"waiting: {error}; it is tried again, `otd relay check` says more, Ctrl-C ends it")
                self._rest(max(STALLED_EVERY, error.retry_after.total_seconds() if isinstance(error, Busy) else 0.0))
                continue
            if self._said.startswith("waiting: "):
                self._say("going on")
            self._said = ""
            return found

    def wait(
        self, path: str, enough: Callable[[Mapping[str, Any]], bool], *needed: str, stalls: str = ""
    ) -> dict[str, Any]:
        """Look until the answer is enough; then everything `needed` must be in it."""
        began = time.monotonic()
        while True:
            found = self.insist(path, {}, "state")
            if found["state"] == "refused":
                raise Denied(self._door.where, "the administrator refused this relay", "ask why, then start again")
            if found["state"] == "collected":
                raise Denied(self._door.where, "the identity was collected already", "if not by you: otd relays revoke")
            if enough(found):
                if not set(needed) <= found.keys():
                    raise Garbled(self._door.where, "its answer does not hold what it must")
                return found
            if stalls and time.monotonic() - began > STALLED_EVERY:
                self._stall(stalls)
            self._rest(LOOK_EVERY)

    def _stall(self, why: str) -> None:
        if time.monotonic() > self.until:
            raise Denied(self._door.where, "the time is over", "start again")
        if why != self._said:
            self._say(why)
            self._said = why


def renewed(door: Door, *, relay: str, signing: str, renew: bool) -> bytes | None:
    """This relay's identity as the centre has it now, sealed; with `renew` a new password is asked for first. None when
    it is not ready yet. Raises Denied for a relay that was shut out."""
    challenge = str(door.say(f"/relays/{relay}/challenge", {}, "challenge")["challenge"])
    answer = text(proof(signing, f"identity {relay}", _bytes(challenge)))
    said = {"challenge": challenge, "signature": answer, "renew": renew}
    found = door.say(f"/relays/{relay}/identity", said)
    return str(found["identity"]).encode() if found.get("ready") and "identity" in found else None


def _bytes(said: object) -> bytes:
    try:
        return data(str(said))
    except ValueError:
        raise Garbled("the centre", "what it said cannot be read") from None


def _plain(words: object) -> str:
    return "".join(ch for ch in str(words or "")[:_PLAIN] if ch.isprintable())
