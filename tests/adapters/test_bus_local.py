"""The bus within one process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from otd.bus.local import LocalBus, LocalRelayBus
from tests.contracts.bus import BusContract


class LocalNet:
    def __init__(self) -> None:
        self.bus = LocalBus(concurrency=2)
        self.sides: dict[str, LocalRelayBus] = {}

    def relay(self, name: str, pool: str = "hq") -> LocalRelayBus:
        self.sides[name] = self.bus.relay(name, pool)
        return self.sides[name]

    def lose_power(self, name: str) -> None:
        self.sides[name].cut()


class TestLocalBus(BusContract):
    @pytest.fixture
    def net(self) -> Iterator[LocalNet]:
        net = LocalNet()
        yield net
        net.bus.close()
