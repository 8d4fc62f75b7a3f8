"""Waiting for something that other threads or processes bring about."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta


def until(reached: Callable[[], bool], within: timedelta, what: str) -> float:
    """Wait for it; how many seconds it took. Fails the test when it does not come."""
    began = time.monotonic()
    while not reached():
        assert time.monotonic() - began < within.total_seconds(), f"{what} did not come within {within}"
        threading.Event().wait(0.02)
    return time.monotonic() - began
