"""Runs schemathesis over the OpenAPI document of a real process, and counts what came of it.

Schemathesis sends what the document allows, what it forbids, and its boundary values, each call with every check that
applies. Random data alone would mostly be refused (no random name is somebody's), so a :class:`Stage` makes every
second allowed call plausible: it fills in who is logged in, who exists, what the password is.
"""

import contextlib
import itertools
import os
import time
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest
import schemathesis
from schemathesis import Case, GenerationMode, HookContext
from schemathesis.config import SchemathesisConfig
from schemathesis.core.result import Ok
from schemathesis.core.transport import Response
from schemathesis.engine import Status, StopReason, events, from_schema
from schemathesis.generation.meta import TestPhase
from schemathesis.schemas import BaseSchema

from telegraph.testing.processes import RunningProcess, start_manager, start_node

SEED = int(os.environ.get("TELEGRAPH_FUZZ_SEED", "20240611"))
"""Of every run here; the server's answers take part in what is tried next, so it repeats a run only nearly."""

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "unsupported_method",
    "ignored_auth",
)
"""Schemathesis's that look at one answer, but for two.

positive_data_acceptance: no schema says who exists. allow_header_conformance: Litestar (2.25) answers OPTIONS with the
methods of one handler only where two handlers share a path; the ``Allow`` of a 405 is right, and checked.
"""


class Stage(Protocol):
    """What one API needs around its calls."""

    def token(self) -> str:
        """A session's token that is good now."""
        ...

    def make_plausible(self, case: Case[Any]) -> None:
        """Fills in what a random call cannot know."""
        ...

    def happened(self, case: Case[Any], response: Response) -> None:
        """A call was answered; a session or a password may have ended with it."""
        ...


class Outcome:
    """What came of a run: every operation with the statuses of its answers, and what was wrong."""

    def __init__(self) -> None:
        self.statuses: defaultdict[str, Counter[int]] = defaultdict(Counter)
        self.wrong_methods = 0
        self.checks: Counter[str] = Counter()
        self.problems: dict[str, str] = {}

    @property
    def calls(self) -> int:
        """Calls of documented operations."""
        return sum(sum(statuses.values()) for statuses in self.statuses.values())

    @property
    def never_succeeded(self) -> list[str]:
        """Operations that never answered with a 2xx: about them the run says little."""
        return [
            label for label, statuses in self.statuses.items() if not any(status // 100 == 2 for status in statuses)
        ]

    def count(self, case: Case[Any], status: int) -> None:
        """Takes note of an answer."""
        if case.method.upper() != case.operation.method.upper():
            self.wrong_methods += 1
        else:
            self.statuses[case.operation.label][status] += 1

    def take(self, event: events.EngineEvent) -> None:
        """Takes note of what schemathesis reports.

        Raises:
            AssertionError: schemathesis itself failed.
        """
        match event:
            case events.ScenarioFinished():
                for nodes in event.recorder.checks.values():
                    for node in nodes:
                        self.checks[node.name] += 1
                        if node.status is Status.FAILURE and node.failure_info is not None:
                            failure = node.failure_info.failure
                            key = f"{event.recorder.label}: {failure.title}: {failure.message}"
                            self.problems.setdefault(key, node.failure_info.code_sample)
            case events.NonFatalError():
                self.problems.setdefault(f"{event.label}: {event.info.title}", event.info.message)
            case events.FatalError():
                raise AssertionError("schemathesis failed") from event.exception
            case events.EngineFinished() if event.stop_reason not in (StopReason.COMPLETED, StopReason.MAX_TIME):
                self.problems.setdefault("the run", f"stopped early: {event.stop_reason}")

    def __str__(self) -> str:
        lines = [f"{len(self.statuses)} operations, {self.calls} calls, {self.wrong_methods} with a wrong method, "]
        lines[0] += f"{sum(self.checks.values())} checks, seed {SEED}"
        lines += [f"  {label:55} {_shown(statuses)}" for label, statuses in sorted(self.statuses.items())]
        lines += [f"PROBLEM {problem}\n  {sample}" for problem, sample in self.problems.items()]
        return "\n".join(lines)


def _shown(statuses: Counter[int]) -> str:
    return "  ".join(f"{status}: {count}" for status, count in sorted(statuses.items()))


class Started:
    """A process of ours with its data directory."""

    def __init__(self, running: RunningProcess, data: Path) -> None:
        assert running.match is not None
        self.process, self.data, self.url = running, data, running.match["url"]

    @property
    def lives(self) -> bool:
        """Whether it still runs."""
        return self.process.process.poll() is None

    @property
    def crashes(self) -> list[str]:
        """What it printed about errors that nobody foresaw."""
        pairs = itertools.pairwise(["", *self.process.output])
        return [
            line
            for before, line in pairs
            if any(word in line for word in _CRASHES) and _UVICORNS_OWN not in before and _NOBODY_THERE not in line
        ]


_CRASHES = ("Traceback", "request_crashed", "request_failed", "stream_failed", "Exception in", "never retrieved")
_NOBODY_THERE = "code=manager_away"
"""A made-up address of a manager, at which nobody answers: 503, as documented."""

_UVICORNS_OWN = "Invalid UTF-8 sequence received from client"
"""What uvicorn says, with a traceback, when it has closed a WebSocket with 1007 as it should."""


class Fuzz(Protocol):
    """The signature of :func:`fuzz`."""

    def __call__(self, document_url: str, stage: Stage, *, seconds: int, ca: Path | None = None) -> Outcome: ...


def fuzz(document_url: str, stage: Stage, *, seconds: int, ca: Path | None = None) -> Outcome:
    """Lets schemathesis at an API for so long; prints what came of it."""
    schema = schemathesis.openapi.from_url(
        document_url, config=_config(seconds), verify=str(ca) if ca else True, timeout=10
    )
    if ca is not None:
        schema.config.update(tls_verify=str(ca))
    outcome = Outcome()
    for result in schema.get_all_operations():
        assert isinstance(result, Ok), result
        outcome.statuses[result.ok().label] = Counter()  # an operation that is never called shall show in the table
    begun = time.monotonic()
    with _hooked(schema, stage, outcome):
        for event in from_schema(schema).execute():
            outcome.take(event)
    print(f"{document_url}, {time.monotonic() - begun:.0f} s: {outcome}")  # noqa: T201 - the figures of the run
    return outcome


_OWN_DATA = {"extra-data-sources": {"responses": False}}
"""Schemathesis would fill in names from earlier answers, so often that hardly an odd name is tried; a stage does it."""


def _config(seconds: int) -> SchemathesisConfig:
    return SchemathesisConfig.from_dict(
        {
            "seed": SEED,
            "max-time": seconds,
            "continue-on-failure": True,
            "request-timeout": 20.0,
            "cache": {"enabled": False},
            "analysis": {"constants": {"enabled": False}},
            "generation": {"max-examples": 25, "database": "none", "no-shrink": False},
            "phases": {
                "examples": {"fill-missing": True, **_OWN_DATA},
                "coverage": _OWN_DATA,
                "fuzzing": _OWN_DATA,
                "stateful": {"enabled": False},
            },
            "checks": {"enabled": False, **{name: {"enabled": True} for name in CHECKS}},
        }
    )


_TRANSPORT = frozenset(("connection", "content-length", "expect", "host", "te", "transfer-encoding", "upgrade"))
"""Headers of HTTP itself: with nonsense in them the server answers before there is a call to speak of."""


@contextlib.contextmanager
def _hooked(schema: BaseSchema, stage: Stage, outcome: Outcome) -> Iterator[None]:
    """Gives schemathesis's calls their sessions and plausible contents, and counts the answers."""
    handed_out: set[str] = set()

    @schema.auth(refresh_interval=None)
    class _Sessions:
        def get(self, _case: Case[Any], _context: Any) -> str:
            return stage.token()

        def set(self, case: Case[Any], token: str, _context: Any) -> None:
            header = f"Bearer {token}"
            handed_out.add(header)
            case.headers["Authorization"] = header

    def before_call(_context: HookContext, case: Case[Any], _kwargs: dict[str, Any]) -> None:
        if case.headers.get("Authorization") in handed_out:  # made in advance; the session may have ended since
            header = f"Bearer {stage.token()}"
            handed_out.add(header)
            case.headers["Authorization"] = header
        for name in [name for name in case.headers if name.lower() in _TRANSPORT]:
            del case.headers[name]
        if _may_change(case):
            stage.make_plausible(case)

    def after_call(_context: HookContext, case: Case[Any], response: Response) -> None:
        outcome.count(case, response.status_code)
        stage.happened(case, response)

    hooks = [schemathesis.hook(before_call), schemathesis.hook(after_call)]  # these hooks are for all schemas only
    try:
        yield
    finally:
        for hook in hooks:
            schemathesis.hooks.unregister(hook)


def _may_change(case: Case[Any]) -> bool:
    """Whether to make a call plausible: every example, half of the other allowed ones, none that is to be refused."""
    if case.meta is None or case.meta.generation.mode is not GenerationMode.POSITIVE:
        return False
    drawn = repr((case.path_parameters, case.query, case.body)).encode("utf-8", "replace")
    return case.meta.phase.name is TestPhase.EXAMPLES or zlib.crc32(drawn) % 2 == 0


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loopback is reached directly, whatever the environment says of proxies."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Started]:
    """A manager that allows any number of wrong passwords."""
    data = tmp_path / "manager"
    with start_manager(data, "--login-failures-per-minute", "0") as running:
        yield Started(running, data)


@pytest.fixture
def start(tmp_path: Path, manager: "Started") -> Iterator[Callable[[str], Started]]:
    """Starts somebody's node beside the manager."""
    with contextlib.ExitStack() as running:

        def started(name: str) -> Started:
            data = tmp_path / name
            return Started(running.enter_context(start_node(data, manager.url, manager.data / "ca.pem")), data)

        yield started


@pytest.fixture(name="fuzz")
def fuzz_fixture() -> Fuzz:
    """:func:`fuzz`."""
    return fuzz
