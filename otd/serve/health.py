"""Whether this process lives, and whether it can do its work."""

from __future__ import annotations

from collections.abc import Callable

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from otd.errors import OtdError


def health(ready: Callable[[], object]) -> list[Route]:
    """GET /health (both), /health/live (restart it when this fails) and /health/ready (send it nothing when this
    fails). `ready` raises OtdError while the work cannot be done; why is for the log, not for whoever asks."""

    async def look() -> str:
        try:
            await run_in_threadpool(ready)
        except OtdError as error:
            return error.code
        return ""

    async def live(_: Request) -> Response:
        return JSONResponse({"live": True})

    async def both(_: Request) -> Response:
        missing = await look()
        answer = {"live": True, "ready": not missing} | ({"database": missing} if missing else {})
        return JSONResponse(answer, 503 if missing else 200)

    return [Route("/health", both), Route("/health/ready", both), Route("/health/live", live)]
