"""What a worker process holds: the centre, started when the worker is, and what watches over it."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import structlog
from celery import Celery

from otd import settings as otd_settings
from otd.bus.broker import tls_options
from otd.cli.logs import configure
from otd.errors import Garbled
from otd.settings import Settings
from otd.wiring import Centre, work_broker
from workers import messages
from workers.claimer import LEASE, CeleryExecutor
from workers.publisher import TaskPublisher
from workers.watchdog import Watchdog

# Times its threads: as many rows has a claimer leased at the most. So what waits for a thread is begun before its lease
# runs out, even when each that runs takes its whole time (45 s): a lease starts anew when it is begun.
UNDER_WAY = 2
STUCK = 2 * LEASE
IDLE = timedelta(seconds=90)
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Running:
    centre: Centre
    watchdog: Watchdog
    publishers: tuple[TaskPublisher, ...]


_running: _Running | None = None


def enter(app: Celery, settings: Settings) -> None:
    """Point Celery at the broker of these settings. Raises BadSetting."""
    broker = work_broker(settings)
    from urllib.parse import quote

    user, password, vhost = (quote(text, safe="") for text in (broker.user, broker.password, broker.vhost))
    app.conf.broker_url = f"amqp://{user}:{password}@{broker.host}:{broker.port}/{vhost}"
    app.conf.broker_use_ssl = tls_options(broker) if broker.tls else False


def start(app: Celery) -> None:
    """Build the centre from OTD_CONFIG (otd.toml), and begin to claim. Raises BadSetting."""
    global _running
    found = otd_settings.load(Path(os.environ.get("OTD_CONFIG", "otd.toml")), os.environ)
    configure(found.run.log)
    enter(app, found)
    tasks, looks = TaskPublisher(app), TaskPublisher(app)
    threads = found.run.threads
    owner = f"worker-{socket.gethostname()}-{os.getpid()}"
    centre = Centre(
        found,
        executor=lambda store, _: CeleryExecutor(store, tasks.publish, owner=owner, under_way=UNDER_WAY * threads),
    )
    watchdog = Watchdog(
        waiting=lambda: looks.waiting(tuple(app.amqp.queues.consume_from)),
        threads=threads,
        stuck_after=STUCK,
        idle_after=IDLE,
    )
    _running = _Running(centre, watchdog, (tasks, looks))
    centre.start()
    watchdog.start()


def stop() -> None:
    """Claim nothing more, close."""
    if _running is not None:
        _running.watchdog.stop()
        _running.centre.stop()
        for publisher in _running.publishers:
            publisher.close()


def carry_out(message: Any) -> None:
    """Do the work of this claim, unless it was taken over."""
    if _running is None:
        return
    centre = _running.centre
    try:
        work = messages.read(message)
    except Garbled as error:
        log.warning("task dropped", why=error.why)
        return
    _running.watchdog.begin()
    try:
        if centre.store.begin(work):
            centre.store.finish(work, centre.pipeline.carry_out(work))
            centre.executor.wake()
    finally:
        _running.watchdog.done()
