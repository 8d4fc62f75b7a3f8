"""Settings -> what `otd serve` answers. Whoever has routes of his own adds them to `routes`."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING

from starlette.routing import BaseRoute

from otd import measuring, wiring
from otd.certificates import CertificateFiles
from otd.inbound import Server, serve
from otd.model import HOUSE
from otd.serve import pairing
from otd.serve.app import application
from otd.serve.health import health
from otd.serve.notifications import notifications
from otd.serve.shown import shown
from otd.settings import Settings

if TYPE_CHECKING:
    from otd.store.sql import SqlStore


def routes(settings: Settings, store: SqlStore, fingerprint: Callable[[], str]) -> list[BaseRoute]:
    """All that is answered. `fingerprint` is that of the certificate which is shown, "" without."""
    signing = wiring.signing_key(store)
    return [
        *health(store.now),
        *shown(fingerprint, signing),
        *pairing.routes(_centre(store, signing)),
        *notifications(store.notified),
        *measuring.routes(settings, store, wiring.secrets(settings)),
    ]


def _centre(store: SqlStore, signing: str) -> pairing.Centre:
    from otd.bus.seal import public_signing

    return pairing.Centre(
        requests=store.pairings,
        members=store.members,
        key=public_signing(signing),
        secret=store.kept_secret("challenges", lambda: secrets.token_hex(32)).encode(),
        lane=HOUSE,
        chance=secrets.token_bytes,
        now=store.now,
    )


def start(settings: Settings, store: SqlStore) -> Server:
    """Serve it where the settings say. Raises BadSetting when the address or the certificate cannot be used."""
    said = settings.serve
    files = None
    if said.certificate is not None:
        password = wiring.secrets(settings).get(said.passphrase) if said.passphrase else ""
        files = CertificateFiles(
            certificate=said.certificate, key=said.key, password=password, minimum=said.minimum_tls
        )
    served: list[Server] = []

    def fingerprint() -> str:
        return served[0].fingerprint if served else ""

    app = application(routes(settings, store, fingerprint), proxies=said.proxies)
    served.append(serve(app, name="centre", address=said.address, port=said.port, certificate=files))
    return served[0]
