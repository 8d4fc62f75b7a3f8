"""Which certificate this process shows, signed by the centre: whoever sees another one has somebody in between."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from otd.pairing import proof, text

PURPOSE = "certificate"


def shown(fingerprint: Callable[[], str], signing: str) -> list[Route]:
    """GET /certificate: {"certificate": "sha256:HEX", "signature"}; "" where TLS ends at a proxy in front. `signing` is
    the centre's private key, whose public half every relay has."""

    async def answer(_: Request) -> Response:
        found = fingerprint()
        return JSONResponse({"certificate": found, "signature": text(proof(signing, PURPOSE, found.encode()))})

    return [Route("/certificate", answer)]
