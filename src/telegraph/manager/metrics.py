"""What Prometheus can ask of a manager. Labels never carry names, addresses or anything else of a person."""

from collections.abc import Callable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, generate_latest

from telegraph.protocol.version import __version__

_PREFIX: Final = "telegraph_manager"


class Metrics:
    """One manager's counters, in a registry of their own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._counted: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        Info(_PREFIX, "The manager's release", registry=self._registry).info({"version": __version__})
        self._requests = Counter(
            f"{_PREFIX}_http_requests_total",
            "HTTP requests, by method, route and status",
            ["method", "route", "status"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            f"{_PREFIX}_http_request_duration_seconds",
            "Time from a request's head to the end of its answer",
            ["route"],
            registry=self._registry,
        )
        self.marked_offline = Counter(
            f"{_PREFIX}_marked_offline_total", "Users marked offline for their silence", registry=self._registry
        )
        self.disconnects = Counter(
            f"{_PREFIX}_disconnect_calls_total",
            "POST /disconnect calls to nodes, by whether the node heard",
            ["heard"],
            registry=self._registry,
        )

    def count_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """An HTTP request was answered; ``route`` is the route's pattern, not the path."""
        key = (method, route, status)
        counted = self._counted.get(key)
        if counted is None:  # looking a label up takes longer than counting
            counted = self._counted[key] = (
                self._requests.labels(method, route, str(status)),
                self._seconds.labels(route),
            )
        counted[0].inc()
        counted[1].observe(seconds)

    def watch(self, name: str, description: str, read: Callable[[], int]) -> None:
        """A number that is read whenever somebody asks."""
        Gauge(f"{_PREFIX}_{name}", description, registry=self._registry).set_function(read)

    def text(self) -> bytes:
        """Everything in Prometheus's text format."""
        return generate_latest(self._registry)
