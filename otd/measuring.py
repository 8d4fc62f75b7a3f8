"""Settings -> where Prometheus finds metrics."""

from __future__ import annotations

from prometheus_client import CollectorRegistry
from starlette.routing import Route

from otd.inbound import Server, serve
from otd.metrics import Metrics
from otd.ports import Secrets
from otd.serve.app import application
from otd.serve.metrics import Rows, StoreCollector, metrics, registry, text
from otd.settings import Settings


def listen(settings: Settings, store: Rows, counted: Metrics, secrets: Secrets) -> Server | None:
    """Serve this process's metrics where the settings say, None for nowhere. Raises BadSetting."""
    if settings.metrics.listen is None:
        return None
    address, port = settings.metrics.listen
    app = application(routes(settings, store, secrets, counted.registry))
    return serve(app, name="metrics", address=address, port=port, certificate=None)


def routes(settings: Settings, store: Rows, secrets: Secrets, *counted: CollectorRegistry) -> list[Route]:
    """GET /metrics: what the rows say, and what was counted. Raises BadSetting when the token is not to be had."""
    token = secrets.get(settings.metrics.token) if settings.metrics.token else ""
    return metrics(*counted, registry(StoreCollector(store)), token=token)


def shown(store: Rows) -> bytes:
    """What the rows say, in the text format."""
    return text(registry(StoreCollector(store)))
