"""The application: routes from several places behind one door that says where a request really comes from."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address
from typing import Any

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from otd.errors import OtdError, Unreachable

log = structlog.get_logger(__name__)


def application(routes: Sequence[BaseRoute], *, proxies: Sequence[str] = ()) -> ASGIApp:
    """One application of these routes. `proxies` are the addresses of reverse proxies in front of it: only from them is
    X-Forwarded-For believed. Errors are JSON: {"error": CODE, "why": ..., "mend": ...}."""
    handlers: dict[Any, Any] = {HTTPException: _refused, OtdError: _failed, Exception: _broken}
    return _Door(Starlette(routes=list(routes), exception_handlers=handlers), frozenset(proxies))


class _Door:
    """Puts the address that really asks into the scope's `client`."""

    def __init__(self, app: ASGIApp, proxies: frozenset[str]) -> None:
        self._app, self._proxies = app, proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self._proxies and (client := scope.get("client")):
            scope = {**scope, "client": (_behind(str(client[0]), scope["headers"], self._proxies), client[1])}
        await self._app(scope, receive, send)


def _behind(address: str, headers: Sequence[tuple[bytes, bytes]], proxies: frozenset[str]) -> str:
    """The nearest address that is not one of our own proxies: what stands further left anybody may have written."""
    said = ",".join(value.decode("latin-1") for name, value in headers if name == b"x-forwarded-for")
    for hop in reversed([hop.strip() for hop in said.split(",") if hop.strip()]):
        if address not in proxies:
            break
        try:
            address = str(ip_address(hop))
        except ValueError:
            break
    return address


def error(status: int, code: str, why: str, mend: str = "", **headers: str) -> JSONResponse:
    """What a caller is told when it does not get what it wants."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return JSONResponse({"error": code, "why": why, "mend": mend}, status, named)


async def _refused(_: Request, refused: Exception) -> Response:
    status = refused.status_code if isinstance(refused, HTTPException) else 500
    return error(status, "refused", refused.detail if isinstance(refused, HTTPException) else "")


async def _failed(request: Request, failed: Exception) -> Response:
    """The database is away, say. What exactly is for the log, not for whoever asks."""
    log.warning("request failed", path=request.url.path, why=str(failed))
    code = failed.code if isinstance(failed, OtdError) else "error"
    away = isinstance(failed, Unreachable)
    return error(503 if away else 500, code, "the centre cannot answer now", "try again in a moment", retry_after="5")


async def _broken(request: Request, broken: Exception) -> Response:
    log.error("request broke", path=request.url.path, error=type(broken).__name__)
    return error(500, "error", "the centre cannot answer this")
