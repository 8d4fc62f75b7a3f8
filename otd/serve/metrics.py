"""Metrics in the Prometheus text format: what was counted in this process, and what the rows say.

Names follow the Prometheus conventions: base units, `_total` for what only grows. Labels are names from the settings
and closed sets, so that their number stays bounded; the client library quotes them.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Protocol

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from otd import __version__
from otd.deliveries import is_alive
from otd.model import Brake, Counts, LaneState, RelayState

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_HERE = frozenset({"127.0.0.1", "::1"})


class Rows(Protocol):
    """What of `otd.ports.Store` is looked at."""

    def now(self) -> datetime: ...
    def counts(self) -> Counts: ...
    def lanes(self) -> tuple[LaneState, ...]: ...
    def relays(self) -> tuple[RelayState, ...]: ...
    def brakes(self) -> tuple[Brake, ...]: ...


class StoreCollector(Collector):
    """What the rows say; looked up when it is asked for. Every process of an installation gives the same."""

    def __init__(self, store: Rows) -> None:
        self._store = store

    def collect(self) -> Iterable[Metric]:
        now, counts = self._store.now(), self._store.counts()
        yield _gauge("otd_rooms", "Rooms by calendar and state.", ("calendar", "state"), _by_state(counts.rooms))
        yield _gauge("otd_endpoints", "Endpoints by pool and state.", ("pool", "state"), _by_state(counts.endpoints))
        yield _gauge(
            "otd_bookings",
            "Bookings on endpoints by platform, and by the reason why they have no Join.",
            ("platform", "reason"),
            {(one.platform or "none", one.reason or "none"): one.number for one in counts.bookings},
        )
        yield _gauge("otd_alerts", "Alerts that stand, by cause.", ("cause",), {(c,): n for c, n in counts.alerts})
        yield _gauge(
            "otd_alerts_untold", "What a channel has still to tell.", ("channel",), {(c,): n for c, n in counts.untold}
        )
        yield from self._lanes(counts, now)
        yield from self._relays(now)
        held = {(brake.name,): brake.things for brake in self._store.brakes()}
        yield _gauge("otd_brake_held", "What the brake holds, by calendar or rules.", ("name",), held)

    def _lanes(self, counts: Counts, now: datetime) -> Iterable[Metric]:
        label = ("lane",)
        lanes = {(lane.name,): lane for lane in self._store.lanes()}
        work = {(lane.name,): lane for lane in counts.lanes}
        yield _gauge("otd_lane_capacity", "How many a lane may run at once.", label, _each(lanes, lambda x: x.cap))
        yield _gauge("otd_lane_running", "How many a lane runs now.", label, _each(lanes, lambda x: x.leased))
        yield _gauge(
            "otd_lane_paused_seconds",
            "How long a lane is still paused.",
            label,
            _each(lanes, lambda x: max(0.0, (x.paused_until - now).total_seconds()) if x.paused_until else 0.0),
        )
        budgets = {key: lane for key, lane in lanes.items() if lane.budget}
        yield _gauge("otd_lane_requests_budget", "Requests for a day.", label, _each(budgets, lambda x: x.budget))
        yield _gauge("otd_lane_requests_today", "Requests made today (UTC).", label, _each(lanes, lambda x: x.asked))
        yield _gauge("otd_lane_work", "Rows of work of a lane.", label, _each(work, lambda x: x.rows))
        yield _gauge("otd_lane_due", "Rows that are due and not begun.", label, _each(work, lambda x: x.due))
        yield _gauge("otd_lane_parked", "Rows that need a person.", label, _each(work, lambda x: x.parked))
        yield _gauge(
            "otd_lane_lateness_seconds",
            "How late the latest row is that is due and not begun.",
            label,
            _each(work, lambda x: x.lateness),
        )

    def _relays(self, now: datetime) -> Iterable[Metric]:
        label = ("relay", "pool")
        relays = {(relay.name, relay.pool): relay for relay in self._store.relays()}
        yield _gauge("otd_relay_up", "Whether a relay is alive.", label, _each(relays, lambda x: int(is_alive(x, now))))
        yield _gauge(
            "otd_relay_clock_offset_seconds",
            "How far a relay's clock is ahead.",
            label,
            _each(relays, lambda x: x.clock_offset.total_seconds()),
        )


class RelayCollector(Collector):
    """How a relay that is a process of its own says that it is, see otd.site."""

    def __init__(self, how_it_is: Callable[[], Mapping[str, Any]]) -> None:
        self._how_it_is = how_it_is

    def collect(self) -> Iterable[Metric]:
        found = self._how_it_is()
        orders = CounterMetricFamily("otd_relay_orders", "Deliveries carried out, by outcome.", labels=["outcome"])
        for outcome, number in sorted(found["orders"].items()):
            orders.add_metric([outcome], number)
        yield orders
        connected = int(found["broker"]["connected"])
        yield _gauge("otd_relay_connected", "Whether the broker is reached.", (), {(): connected})
        yield _gauge("otd_relay_clock_ahead_seconds", "How far its clock is ahead.", (), {(): found["clock_offset"]})
        if face := found["face"]:
            yield _gauge("otd_relay_lists", "Lists that its face serves.", (), {(): face["lists"]})
            yield _gauge("otd_relay_lists_missing", "Lists that it has still to be given.", (), {(): face["missing"]})
            if until := face["certificate_until"]:
                at = datetime.fromisoformat(until).timestamp()
                about = "When the certificate of its face runs out."
                yield _gauge("otd_relay_face_certificate_expiry_timestamp_seconds", about, (), {(): at})


class _Version(Collector):
    def collect(self) -> Iterable[Metric]:
        yield _gauge("otd_build_info", "Which OTD this is.", ("version",), {(__version__,): 1})


def registry(*collectors: Collector) -> CollectorRegistry:
    """These, and which OTD it is."""
    found = CollectorRegistry()
    for collector in (_Version(), *collectors):
        found.register(collector)
    return found


def text(*registries: CollectorRegistry) -> bytes:
    """All of them in the text format."""
    return b"".join(generate_latest(one) for one in registries)


def metrics(*registries: CollectorRegistry, token: str = "") -> list[Route]:
    """GET /metrics, for whoever shows the token; without one, for this machine alone."""

    async def answer(request: Request) -> Response:
        if not _may_ask(request, token):
            return PlainTextResponse("not for you: see token under [metrics]\n", 403)
        return Response(await run_in_threadpool(text, *registries), media_type=CONTENT_TYPE)

    return [Route("/metrics", answer)]


def _may_ask(request: Request, token: str) -> bool:
    if token:
        said = request.headers.get("authorization", "")
        return hmac.compare_digest(said.encode(), f"Bearer {token}".encode())
    return request.client is not None and request.client.host in _HERE


def _gauge(name: str, about: str, labels: tuple[str, ...], values: Mapping[Any, float]) -> GaugeMetricFamily:
    found = GaugeMetricFamily(name, about, labels=labels)
    for key, value in values.items():
        found.add_metric(list(key), value)
    return found


def _by_state(counts: Iterable[Any]) -> dict[tuple[str, ...], float]:
    return {(one.lane, one.state): one.number for one in counts}


def _each(things: Mapping[Any, Any], value: Callable[[Any], float]) -> dict[Any, float]:
    return {key: value(thing) for key, thing in things.items()}
