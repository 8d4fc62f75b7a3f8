"""What a worker process holds: the centre, started when the worker is, and the work that is under way in it."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any

from celery import Celery

from otd import settings as otd_settings
from otd import wire
from otd.cli.logs import configure
from otd.model import Work
from otd.wiring import Centre
from workers.claimer import LEASE, CeleryExecutor

_UNDER_WAY = 4  # times its threads: as many tasks a process has on their way at the most
_lock = threading.Lock()
_centre: Centre | None = None
_on_their_way: dict[tuple[str, int], float] = {}  # until when (monotonic) its lease holds; then it counts as lost


def start(app: Celery) -> None:
    """Build the centre from OTD_CONFIG (otd.toml), and begin to claim. Raises BadSetting."""
    global _centre
    found = otd_settings.load(Path(os.environ.get("OTD_CONFIG", "otd.toml")), os.environ)
    configure(found.run.log)

    def room() -> int:
        with _lock:
            for lost in [claim for claim, until in _on_their_way.items() if until < time.monotonic()]:
                del _on_their_way[lost]
            return _UNDER_WAY * found.run.threads - len(_on_their_way)

    def publish(work: Work) -> None:
        with _lock:
            _on_their_way[work.key, work.token] = time.monotonic() + LEASE.total_seconds()
        name = f"otd.{work.kind if work.kind in ('refresh', 'deliver') else 'other'}"
        app.send_task(name, args=[wire.plain(work)], queue=name, routing_key=name)

    _centre = Centre(
        found, executor=lambda store, _: CeleryExecutor(store, publish, owner=f"worker-{os.getpid()}", room=room)
    )
    _centre.start()


def stop() -> None:
    """Claim nothing more, say goodbye to the relays, close."""
    if _centre is not None:
        _centre.stop()


def carry_out(claim: dict[str, Any]) -> None:
    """Do the work of this claim, unless it was taken over."""
    work = wire.value(Work, claim)
    try:
        if _centre is not None and _centre.store.begin(work):
            _centre.store.finish(work, _centre.pipeline.carry_out(work))
            _centre.executor.wake()
    finally:
        with _lock:
            _on_their_way.pop((work.key, work.token), None)
