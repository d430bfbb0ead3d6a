"""Lines of the table that the bench prints: what, how much, and the bar that it is held against."""

import argparse
import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Self, TypeVar

Bench = TypeVar("Bench")


@dataclass
class Line:
    """One figure. ``spread`` are the values of the single rounds."""

    what: str
    value: str
    bar: str = ""
    holds: bool | None = None
    spread: list[float] = field(default_factory=list)

    @classmethod
    def _bounded(cls, what: str, value: float, unit: str, at_most: float | None) -> Self:
        shown = f"{value:.3f} s" if unit == "s" else f"{value:.1f} {unit}"
        bar = "" if at_most is None else f"≤ {at_most:g} {unit}"
        return cls(what, shown, bar, None if at_most is None else value <= at_most)

    @classmethod
    def seconds(cls, what: str, value: float, at_most: float | None = None) -> Self:
        """A time in seconds."""
        return cls._bounded(what, value, "s", at_most)

    @classmethod
    def milliseconds(cls, what: str, seconds: float, at_most: float | None = None) -> Self:
        """A time; the bar is in milliseconds."""
        return cls._bounded(what, seconds * 1000, "ms", at_most)

    @classmethod
    def megabytes(cls, what: str, value: float, at_most: float | None = None) -> Self:
        """Memory."""
        return cls._bounded(what, value, "MB", at_most)

    @classmethod
    def percent(cls, what: str, value: float, at_most: float | None = None) -> Self:
        """A share of one core."""
        return cls._bounded(what, value, "%", at_most)

    @classmethod
    def ratio(cls, what: str, value: float, *, at_least: float | None = None, at_most: float | None = None) -> Self:
        """How many times a baseline."""
        line = cls(what, f"{value:.2f} ×")
        if at_least is not None:
            line.bar, line.holds = f"≥ {at_least:g} ×", value >= at_least
        if at_most is not None:
            line.bar, line.holds = f"≤ {at_most:g} ×", value <= at_most
        return line


def show(lines: Iterable[Line]) -> None:
    """Prints lines as they come, with how busy the machine is: on a busy one only ratios mean something."""
    for line in lines:
        verdict = {None: "", True: "holds", False: "DOES NOT HOLD"}[line.holds]
        print(f"{line.what:58} {line.value:>12}  {line.bar:10} {verdict}".rstrip(), flush=True)
        if line.spread:
            rounds = " ".join(f"{value:,.0f}" for value in line.spread)
            print(f"    {len(line.spread)} rounds: {rounds}", flush=True)
    print(f"    load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n", flush=True)


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that so many are not above."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def run_figures(
    about: str | None,
    figures: Sequence[Callable[[Bench], Iterable[Line]]],
    running: Callable[..., AbstractContextManager[Bench]],
) -> None:
    """Runs the figures that the command line asks for, and prints each as it comes.

    ``about`` is what the bench says of itself, ``running(quick=...)`` gives what all figures need.
    """
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", choices=[figure.__name__ for figure in figures])
    options = parser.parse_args()
    with running(quick=options.quick) as bench:
        for figure in figures:
            if options.only in (None, figure.__name__):
                show(figure(bench))
