"""What all tests share: a clock that stands still, and values that are valid by default."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import HealthCheck, settings

# a busy machine is slow, not wrong
settings.register_profile("otd", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("otd")


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Two processes for each core: scenarios wait for servers and clocks about half of their time."""
    return 2 * (os.cpu_count() or 1)


@pytest.fixture(autouse=True)
def quiet_logs() -> Iterator[None]:
    """Logs of the software under test go nowhere, unless a test captures them."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()
