"""What relays say over HTTPS: they ask to be let in, and collect what makes them relays. See otd.pairing for the steps.

    POST /pairing                     {"commitment", "host", "version"}    201 {"id", "code", "expires_in"}
    POST /pairing/ID                  {} | {"signing", "sealing", "nonce"} 200 {"state", "expires_in", ...}
    POST /pairing/ID/identity         {"signature"}                        200 {"identity"}, once
    POST /relays/NAME/challenge       {}                                   200 {"challenge"}
    POST /relays/NAME/identity        {"challenge", "signature", "renew"}  200 {"identity"} | 202

Bytes are base64url. Until an administrator typed the code nothing is given out but the code; the identity is sealed for
the relay's own key, so that whoever reads it on the way has nothing. It writes rows only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Protocol

import structlog
from pydantic import AfterValidator, Field, TypeAdapter, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from otd import pairing
from otd.errors import Busy, Denied, Missing, OtdError, Retryable
from otd.pairing import Keys, Member, Pairing
from otd.serve.app import error
from otd.serve.bodies import body

CHALLENGE = timedelta(minutes=1)
log = structlog.get_logger(__name__)


class Requests(Protocol):
    """The rows of requests: otd.store.pairings.Pairings."""

    def ask(self, *, id: str, code: str, commitment: bytes, address: str, host: str, version: str) -> Pairing: ...

    def get(self, id: str) -> Pairing: ...

    def show(self, id: str, keys: Keys, nonce: bytes) -> Pairing: ...

    def collect(self, id: str) -> bytes: ...


class Members(Protocol):
    """The rows of relays that were let in: otd.store.members.Members."""

    def get(self, relay: str) -> Member: ...

    def identity(self, relay: str) -> bytes | None: ...

    def renew(self, relay: str, *, lane: str) -> Member: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Centre:
    """What the routes need of the centre."""

    requests: Requests
    members: Members
    key: str  # its public signing key
    secret: bytes  # by which it recognises its own challenges
    lane: str  # of the work that makes broker users
    chance: Callable[[int], bytes]
    now: Callable[[], datetime]


def routes(centre: Centre) -> list[Route]:
    """See above."""
    spoken = _Spoken(centre)
    table: dict[str, Callable[[Request, bytes], Response]] = {
        "/pairing": spoken.ask,
        "/pairing/{id}": spoken.look,
        "/pairing/{id}/identity": spoken.collect,
        "/relays/{name}/challenge": spoken.challenge,
        "/relays/{name}/identity": spoken.identity,
    }
    return [Route(path, _answered(step), methods=["POST"]) for path, step in table.items()]


def _answered(step: Callable[[Request, bytes], Response]) -> Callable[[Request], Any]:
    async def answer(request: Request) -> Response:
        said = await body(request)
        try:
            return await run_in_threadpool(step, request, said)
        except (Busy, Denied, Missing) as refused:
            status = 429 if isinstance(refused, Busy) else 404 if isinstance(refused, Missing) else 403
            after = str(int(refused.retry_after.total_seconds()) + 1) if isinstance(refused, Busy) else "0"
            log.info("relay refused", path=request.url.path, address=_address(request), why=refused.why)
            return error(status, refused.code, refused.why, refused.mend, retry_after=after)
        except Retryable:
            raise
        except OtdError as refused:
            log.warning("relay refused", path=request.url.path, address=_address(request), why=refused.why)
            return error(409, refused.code, refused.why, refused.mend)

    return answer


class _Spoken:
    def __init__(self, centre: Centre) -> None:
        self._centre = centre

    def ask(self, request: Request, said: bytes) -> Response:
        asked, centre = _read(_ASKED, said), self._centre
        found = centre.requests.ask(
            id=centre.chance(16).hex(),
            code=pairing.code(centre.chance(16)),
            commitment=pairing.data(asked.commitment),
            address=_address(request),
            host=asked.host,
            version=asked.version,
        )
        log.info("relay asks to be let in", address=found.address, host=found.host, version=found.version)
        answer = {"id": found.id, "code": found.code, "expires_in": self._left(found)}
        return JSONResponse(answer, 201)

    def look(self, request: Request, said: bytes) -> Response:
        shown, centre = _read(_SHOWN, said), self._centre
        found = centre.requests.get(request.path_params["id"])
        if shown.nonce:
            keys = _read_keys(shown)
            found = centre.requests.show(found.id, keys, pairing.data(shown.nonce))
        answer: dict[str, Any] = {"state": found.state, "expires_in": self._left(found)}
        if found.state != "asked":
            answer |= {"name": found.name, "pool": found.pool}
            answer |= {"centre": centre.key, "nonce": pairing.text(found.centre_nonce)}
        if found.state == "confirmed":
            answer["ready"] = centre.members.identity(found.name) is not None
            answer["challenge"] = pairing.text(found.challenge)
        return JSONResponse(answer)

    def collect(self, request: Request, said: bytes) -> Response:
        signed, centre = _read(_SIGNED, said), self._centre
        found = centre.requests.get(request.path_params["id"])
        if found.keys is None or not found.challenge:
            raise Denied("pairing", f"there is no identity to collect: the request is {found.state}")
        if not pairing.is_proof(
            found.keys.signing, f"collect {found.id}", found.challenge, pairing.data(signed.signature)
        ):
            raise Denied("pairing", "the challenge was not answered with the relay's key")
        sealed = centre.requests.collect(found.id)
        log.info("relay collected its identity", relay=found.name, pool=found.pool, address=_address(request))
        return JSONResponse({"identity": sealed.decode("ascii")})

    def challenge(self, request: Request, said: bytes) -> Response:
        until = self._centre.now() + CHALLENGE
        made = pairing.passing_challenge(self._centre.secret, request.path_params["name"], int(until.timestamp()))
        return JSONResponse({"challenge": pairing.text(made)})

    def identity(self, request: Request, said: bytes) -> Response:
        signed, centre, name = _read(_RENEWAL, said), self._centre, request.path_params["name"]
        challenge, now = pairing.data(signed.challenge), int(centre.now().timestamp())
        refused = Denied(f"relay {name[:64]}", "the challenge was not answered with its key", "pair it anew")
        if not pairing.is_passing_challenge(centre.secret, name, challenge, now):
            raise refused
        try:
            member = centre.members.get(name)
        except Missing:
            raise refused from None  # who asks is not told which relays there are
        if not pairing.is_proof(member.keys.signing, f"identity {name}", challenge, pairing.data(signed.signature)):
            raise refused
        if member.revoked_at is not None:
            raise Denied(f"relay {name}", "it was shut out", "pair it anew")
        if signed.renew:
            centre.members.renew(name, lane=centre.lane)
        sealed = centre.members.identity(name)
        if sealed is None:
            return JSONResponse({"ready": False}, 202)
        return JSONResponse({"ready": True, "identity": sealed.decode("ascii")})

    def _left(self, found: Pairing) -> int:
        return max(0, int((found.expires_at - self._centre.now()).total_seconds()))


# --- what is said -------------------------------------------------------------------------------------------------

_Line = Annotated[str, Field(max_length=255)]


def _base64(text: str) -> str:
    if len(text) > 200 or text != pairing.text(pairing.data(text)):
        raise ValueError("not base64url")
    return text


def _base64_of_32(text: str) -> str:
    pairing.raw(text)
    return _base64(text)


_Bytes = Annotated[str, AfterValidator(_base64)]
_Bytes32 = Annotated[str, AfterValidator(_base64_of_32)]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    commitment: _Bytes32
    host: _Line = ""
    version: _Line = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shown:
    signing: _Bytes = ""
    sealing: _Bytes = ""
    nonce: Annotated[str, AfterValidator(lambda text: text and _base64_of_32(text))] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Signed:
    signature: _Bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class _Renewal:
    challenge: _Bytes
    signature: _Bytes
    renew: bool = False


_ASKED, _SHOWN = TypeAdapter(_Asked), TypeAdapter(_Shown)
_SIGNED, _RENEWAL = TypeAdapter(_Signed), TypeAdapter(_Renewal)


def _read(form: TypeAdapter[Any], said: bytes) -> Any:
    try:
        return form.validate_json(said)
    except ValidationError as wrong:
        place = ".".join(map(str, wrong.errors(include_input=False)[0]["loc"])) or "the body"
        raise HTTPException(400, f"{place} is not as it should be") from None


def _read_keys(shown: _Shown) -> Keys:
    try:
        return Keys(signing=shown.signing, sealing=shown.sealing)
    except ValueError:
        raise HTTPException(400, "these are no public keys") from None


def _address(request: Request) -> str:
    return request.client.host if request.client else ""
