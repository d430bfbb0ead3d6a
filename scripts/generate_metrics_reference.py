"""Writes docs/reference/metrics.md from a manager that runs for a moment; with ``--check`` only compares."""

import asyncio
import logging
import sys
import tempfile
import urllib.request
from pathlib import Path

import structlog
from generated import write_or_check
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from telegraph.manager.app import Manager
from telegraph.manager.metrics import Metrics
from telegraph.manager.settings import ManagerSettings

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "metrics.md"

INTRODUCTION = """\
# Metrics of a manager

<!-- Made from a running manager by scripts/generate_metrics_reference.py (`make docs`); do not edit. -->

`GET /metrics` answers in Prometheus's text format: to this machine's loopback, and elsewhere to whoever shows the token
of `--metrics-token` (or `TELEGRAPH_METRICS_TOKEN`) as `Authorization: Bearer <token>`. No label carries a name, an
address or anything else of a person: `route` is a pattern such as `/users/{username:str}`, `none` where no route fits.
A counter also has a series `…_created`, when it began, as the client library adds it. A node has no metrics.
"""


def page() -> str:
    """The whole page: one row a metric."""
    labels = {family.name: _labels(family) for family in text_string_to_metric_families(_exercised())}
    running = text_string_to_metric_families(asyncio.run(_scraped()))
    rows = [_row(family, labels.get(family.name, "")) for family in running if not family.name.endswith("_created")]
    return "\n".join([INTRODUCTION, "| name | kind | labels | what |", "|---|---|---|---|", *rows, ""])


async def _scraped() -> str:
    """What a manager that has just started answers."""
    with tempfile.TemporaryDirectory() as folder:
        settings = ManagerSettings(data=Path(folder) / "manager", port=0, udp_port=0, insecure_http=True)
        async with Manager(settings) as manager:
            return await asyncio.to_thread(_get, f"{manager.url}/metrics")


def _get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - the manager that this script started
        text: str = answer.read().decode()
    return text


def _exercised() -> str:
    """Metrics of which each was counted once, since labels show only then."""
    metrics = Metrics()
    metrics.count_request("GET", "/livez", 200, 0.0)
    metrics.disconnects.labels("true").inc()
    return metrics.text().decode()


def _labels(family: Metric) -> str:
    found = {name: None for sample in family.samples for name in sample.labels}
    return ", ".join(f"`{name}`" for name in found if name not in ("le", "version"))


def _row(family: Metric, labels: str) -> str:
    name = f"{family.name}_total" if family.type == "counter" else family.name
    return f"| `{name}` | {family.type} | {labels} | {family.documentation} |"


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))  # its start is no news
    sys.exit(write_or_check({PAGE: page()}, "what a manager answers"))
