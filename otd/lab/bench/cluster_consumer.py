"""A bare kombu consumer that does with tasks what a worker does, without Celery: the floor of `otd bench cluster`.

OTD_CONFIG=otd.toml python -m otd.lab.bench.cluster_consumer THREADS
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
from pathlib import Path

from otd import settings as otd_settings
from otd import wire, wiring
from otd.bus.consuming import Consumer, Taken
from otd.model import Work


def main(threads: str) -> None:
    found = otd_settings.load(Path(os.environ["OTD_CONFIG"]), os.environ)
    store = wiring.store(found)
    taken: queue.SimpleQueue[Taken] = queue.SimpleQueue()
    consumer = Consumer(wiring.work_broker(found), ("otd.other",), taken.put, name="bare", prefetch=int(threads))

    def work() -> None:
        while True:
            message = taken.get()
            arguments, _, _ = json.loads(message.body)
            item: Work = wire.value(Work, arguments[0]["claim"])
            if store.begin(item):
                raise RuntimeError("a claim held that should not")
            consumer.ack(message)

    for _ in range(int(threads)):
        threading.Thread(target=work, daemon=True).start()
    consumer.start()
    threading.Event().wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
