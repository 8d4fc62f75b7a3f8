"""The Celery application: all policy about queues, acknowledgements and reconnecting is here.

Quorum queues with a delivery limit and dead letters, late acknowledgement, one task at a time for each thread, no
results, no beat, no remote control. The broker is that of [bus] in the settings that OTD_CONFIG names, read when a
worker starts; nothing is read or connected when this is imported.
"""

from __future__ import annotations

from typing import Any

from celery import Celery
from celery.signals import worker_init, worker_shutdown
from kombu.entity import Exchange, Queue

WORK = Exchange("otd.work", type="topic", durable=True)
DEAD = Exchange("otd.dead", type="fanout", durable=True)
DELIVERY_LIMIT = 8  # times a task is handed out again before it is set aside; its row is claimed anew all the same


def _queue(name: str) -> Queue:
    arguments = {
        "x-queue-type": "quorum",
        "x-delivery-limit": DELIVERY_LIMIT,
        "x-dead-letter-exchange": DEAD.name,
        "x-overflow": "reject-publish",
        "x-max-length": 200_000,
    }
    return Queue(name, WORK, routing_key=name, durable=True, queue_arguments=arguments)


QUEUES = {kind: f"otd.{kind}" for kind in ("refresh", "deliver", "other")}
_DEAD_QUEUE = Queue("otd.dead", DEAD, durable=True, queue_arguments={"x-queue-type": "quorum", "x-max-length": 10_000})

app = Celery("otd", include=["workers.tasks"])
app.conf.update(
    task_queues=[_queue(name) for name in QUEUES.values()],
    task_create_missing_queues=False,  # a wrong name fails, instead of making a queue that nobody reads
    task_default_queue="otd.other",
    task_default_exchange=WORK.name,
    task_default_exchange_type="topic",
    task_default_routing_key="otd.other",
    task_default_queue_type="quorum",
    worker_detect_quorum_queues=True,
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_acks_on_failure_or_timeout=True,  # a failure is a row; the message has done its part
    worker_prefetch_multiplier=1,
    task_ignore_result=True,
    result_backend=None,
    broker_transport_options={"confirm_publish": True, "write_timeout": 10, "read_timeout": 10},
    broker_connection_retry=True,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    broker_heartbeat=20,
    broker_connection_timeout=5,
    worker_enable_prefetch_count_reduction=False,  # with it workers were seen to stop consuming after a reconnect
    worker_cancel_long_running_tasks_on_connection_loss=False,  # threads cannot be cancelled
    worker_enable_remote_control=False,
    worker_send_task_events=False,
    worker_soft_shutdown_timeout=20,
    accept_content=["json"],
    task_serializer="json",
    worker_hijack_root_logger=False,
)


@worker_init.connect
def _begin(sender: Any = None, **_: Any) -> None:
    from workers import process

    process.start(app)


@worker_shutdown.connect
def _end(sender: Any = None, **_: Any) -> None:
    from workers import process

    process.stop()


def declare_dead_letters(channel: Any) -> None:
    """What holds the tasks that were handed out too often."""
    _DEAD_QUEUE(channel).declare()
