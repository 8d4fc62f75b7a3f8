"""A request's body, bounded in size and time."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

LIMIT = 16 * 1024
WITHIN = timedelta(seconds=10)


async def body(request: Request, *, limit: int = LIMIT, within: timedelta = WITHIN) -> bytes:
    """The whole body. Answers 413 to one that is larger, 408 to one that does not come to its end in time."""
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        raise HTTPException(413, f"the body is larger than {limit} bytes")
    found = bytearray()
    try:
        async with asyncio.timeout(within.total_seconds()):
            async for part in request.stream():
                found += part
                if len(found) > limit:
                    raise HTTPException(413, f"the body is larger than {limit} bytes")
    except TimeoutError:
        raise HTTPException(408, "the body did not come in time") from None
    except ClientDisconnect:
        raise HTTPException(400, "the connection was closed") from None
    return bytes(found)
