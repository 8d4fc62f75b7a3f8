"""Settings -> what `otd serve` answers. Whoever has routes of his own adds them to `routes`."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from starlette.routing import BaseRoute

from otd import wiring
from otd.certificates import CertificateFiles
from otd.inbound import Server, serve
from otd.serve import pairing
from otd.serve.app import application
from otd.serve.health import health
from otd.serve.notifications import notifications
from otd.settings import Settings

if TYPE_CHECKING:
    from otd.store.sql import SqlStore


def routes(settings: Settings, store: SqlStore) -> list[BaseRoute]:
    """All that is answered."""
    return [*health(store.now), *pairing.routes(_centre(store)), *notifications(store.notified)]


def _centre(store: SqlStore) -> pairing.Centre:
    from otd.bus.seal import public_signing

    return pairing.Centre(
        requests=store.pairings,
        members=store.members,
        key=public_signing(wiring.signing_key(store)),
        secret=store.kept_secret("challenges", lambda: secrets.token_hex(32)).encode(),
        lane=wiring.HOUSE,
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
    app = application(routes(settings, store), proxies=said.proxies)
    return serve(app, name="centre", address=said.address, port=said.port, certificate=files)
