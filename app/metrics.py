"""What Prometheus reads at /metrics: requests, and how much waits in the queues.

Counters are a process's own, unless PROMETHEUS_MULTIPROC_DIR names a folder shared by the workers of one gunicorn:
then a scrape of any of them covers all. Depths are read from the database at each scrape.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Histogram,
    disable_created_metrics,
    generate_latest,
    values,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector

from app.errors import ServiceUnavailable

CONTENT_TYPE = CONTENT_TYPE_LATEST

disable_created_metrics()  # type: ignore[no-untyped-call] # half of the text would be times at which counters began

_BUCKETS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds."""

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""A client may make up others; they must not make series."""

DEPTHS = {
    "outbox": "Changes not yet published.",
    "unfolded": "Ledger postings not yet added to their balances.",
    "jobs_due": "Jobs whose time has come.",
    "jobs_dead": "Jobs without attempts left; an operator replays them.",
    "payments_waiting": "Payments that need an operator's decision.",
    "withdrawals_waiting": "Withdrawals that need an operator's decision.",
    "webhooks_due": "Deliveries to merchants whose time has come.",
    "webhooks_dead": "Deliveries to merchants without attempts left.",
    "webhooks_waiting_seconds": "How long ago the delivery that waits longest was to be sent.",
    "event_head": "Number of the latest event.",
    "pushed_through": "Number of the latest event pushed to Socket.IO.",
}
"""Gauges, named malipo_<key>. `depths` (services/operator/health.py) gives these keys."""


class Metrics:
    """One application's metrics."""

    def __init__(self, depths: Callable[[], Mapping[str, int]]) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "malipo_requests", "Requests answered.", ["method", "route", "status"], registry=self._registry
        )
        self._seconds = Histogram(
            "malipo_request_seconds",
            "Time to answer.",
            ["method", "route"],
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self._provider_seconds = Histogram(
            "malipo_provider_call_seconds",
            "Time of a call to a payment provider; outcome: its state, or why there is none.",
            ["provider", "operation", "outcome"],
            buckets=(*_BUCKETS, 20.0, 30.0),
            registry=self._registry,
        )
        self._refused_callbacks = Counter(
            "malipo_callbacks_refused",
            "Callbacks that were not accepted, by the code of the error.",
            ["provider", "code"],
            registry=self._registry,
        )
        self._private_senders = Counter(
            "malipo_callbacks_from_private_addresses",
            "Callbacks that an address list refused although they came from inside: a proxy is not trusted.",
            ["provider"],
            registry=self._registry,
        )
        self._dropped_requests = Counter(
            "malipo_request_log_dropped",
            "Requests of merchants that were not kept: too many at once, or no database.",
            registry=self._registry,
        )
        self._depths = _Depths(depths)

    def count(self, method: str, route: str, *, status: int, duration_s: float) -> None:
        """One answered request; `route` is the template, so that ids make no series."""
        method = method if method in _METHODS else "other"
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(duration_s)

    def count_refused_callback(self, provider: str, code: str) -> None:
        """One callback that was answered with an error. provider: a known one, since the path is the sender's choice."""
        self._refused_callbacks.labels(provider, code).inc()

    def count_private_sender(self, provider: str) -> None:
        """One callback that was refused for its address, and that address is a private one."""
        self._private_senders.labels(provider).inc()

    def count_dropped_requests(self, count: int) -> None:
        """Rows of the request log that were not stored."""
        self._dropped_requests.inc(count)

    def count_provider_call(self, provider: str, operation: str, outcome: str, duration_s: float) -> None:
        """One finished call to a provider."""
        self._provider_seconds.labels(provider, operation, outcome).observe(duration_s)

    def text(self) -> bytes:
        """Prometheus' text format."""
        registry = self._registry
        if _is_shared():
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        depths = CollectorRegistry()
        depths.register(self._depths)
        return generate_latest(registry) + generate_latest(depths)


class _Depths:
    def __init__(self, read: Callable[[], Mapping[str, int]]) -> None:
        self._read = read

    def describe(self) -> list[GaugeMetricFamily]:
        return []  # registering asks for names; reading the database for them would be a waste

    def collect(self) -> Iterator[GaugeMetricFamily]:
        try:
            values = self._read()
        except ServiceUnavailable:
            values = {}
        yield GaugeMetricFamily(
            "malipo_database_up", "Whether the database answered.", value=float(bool(values))
        )
        for name, value in values.items():
            yield GaugeMetricFamily(f"malipo_{name}", DEPTHS[name], value=value)


def _is_shared() -> bool:
    """Whether prometheus_client found its folder in the environment when it was imported."""
    return values.ValueClass is not values.MutexValue
