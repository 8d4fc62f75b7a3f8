"""What goes into the bundle of a relay: each piece is chosen; a new field stays out until somebody lets it in."""

from __future__ import annotations

import platform
import ssl
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from otd.errors import OtdError

if TYPE_CHECKING:
    from otd.settings.relay import SiteRelay

PACKAGES = ("amqp", "celery", "cryptography", "httpcore", "httpx", "joserfc", "kombu", "starlette", "uvicorn")


def contents(settings: SiteRelay) -> dict[str, Any]:
    """Name of the file in the archive -> what stands in it, as plain values."""
    from otd.cli.log_file import events
    from otd.cli.relay_checks import everything
    from otd.cli.relay_look import report

    return {
        "versions.json": _versions(),
        "settings.json": _settings(settings),
        "identity.json": _identity(settings),
        "status.json": _or_why(lambda: report(settings)),
        "checks.json": _or_why(lambda: [asdict(line) for line in everything(settings)]),
        "endpoints.json": _or_why(lambda: _endpoints(settings)),
        "log.json": list(events(settings.state / "relay.log")),
    }


def _or_why(look: Any) -> Any:
    try:
        return look()
    except OtdError as error:
        return {"error": error.code, "why": error.why}


def _versions() -> dict[str, Any]:
    from importlib.metadata import PackageNotFoundError, version

    from otd import __version__

    found: dict[str, Any] = {
        "otd": __version__,
        "python": sys.version.split()[0],
        "openssl": ssl.OPENSSL_VERSION,
        "system": platform.platform(),
    }
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return found


def _settings(settings: SiteRelay) -> dict[str, Any]:
    """Names of secrets, never secrets; relay.toml itself stays out, since comments may hold anything."""
    face, proxy = settings.face, settings.proxy
    served = face and {
        "address": face.address,
        "port": face.port,
        "certificate": str(face.certificate or ""),
        "host": face.host,
    }
    feedback = settings.feedback and {
        "address": settings.feedback.address,
        "port": settings.feedback.port,
        "certificate": str(settings.feedback.certificate or ""),
        "told": settings.feedback.root,
    }
    return {
        "centre": settings.centre,
        "ca": str(settings.ca_file or ""),
        "state": str(settings.state),
        "concurrency": settings.concurrency,
        "proxy": {
            "url": proxy.url,
            "with_username": bool(proxy.username),
            "password_named": proxy.password,
            "bypass": proxy.bypass,
        },
        "reach": {"networks": [str(network) for network in settings.reach.networks], "lab": settings.reach.lab},
        "face": served,
        "feedback": feedback,
        "cas": {name: str(path) for name, path in settings.cas.items()},
    }


def _identity(settings: SiteRelay) -> Any:
    from otd.bus.identity import load
    from otd.bus.seal import public_sealing, public_signing

    try:
        found = load(settings.identity)
    except OtdError as error:
        return {"error": error.code, "why": error.why}
    broker = found.broker
    return {
        "relay": found.relay,
        "pool": found.pool,
        "broker": {
            "host": broker.host,
            "port": broker.port,
            "vhost": broker.vhost,
            "user": broker.user,
            "tls": broker.tls,
        },
        "public_keys": {"signing": public_signing(found.signing), "sealing": public_sealing(found.sealing)},
        "centre_key": found.centre,
        "written_at": settings.identity.stat().st_mtime,
    }


def _endpoints(settings: SiteRelay) -> list[dict[str, Any]]:
    from otd.relay.memory import Memory

    path = settings.state / "relay.db"
    if not path.exists():
        return []
    memory = Memory(path)
    try:
        return [
            {
                "name": one.name,
                "kind": one.kind,
                "address": one.address,
                "trust": one.trust,
                "pinned": memory.get(one.name),
                "highest_revision": memory.highest(one.name),
            }
            for one in memory.endpoints()
        ]
    finally:
        memory.close()
