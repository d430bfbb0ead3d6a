"""Calls to etcd with deadlines and failover over all members.

A call that may be repeated gets a short deadline at each member and goes on to the next. One that may not (a commit)
is sent once: before that a connection must be there and the member must know a leader, so that most failures are
certain not to have done anything; if it is not certain, :class:`telegraph.errors.FateUnknown` says so. All of a call
together keeps to a budget, after which the cause is told; and to that of the API's call that it is made for
(:mod:`telegraph.directory.quorum`).
"""

import asyncio
import math
from collections.abc import Collection, Sequence
from typing import Any, cast

import grpc
import msgspec

from telegraph.directory.etcd.calls import RANGE, Answer, Call, Request
from telegraph.directory.etcd.channels import EOF, HAS_LEADER, Channels, EtcdTls
from telegraph.directory.etcd.diagnosis import refusal
from telegraph.directory.etcd.endpoints import Endpoints
from telegraph.directory.etcd.failures import Elsewhere, meaning
from telegraph.directory.etcd.rpc_pb2 import RangeRequest, RangeResponse
from telegraph.directory.quorum import waiting_until
from telegraph.errors import (
    DirectoryRefused,
    DirectorySlow,
    DirectoryUnavailable,
    DirectoryUnreachable,
    FateUnknown,
    NoQuorum,
)

_AGAIN_AFTER = 0.05
"""Seconds until the members are asked again when all have refused at once, as during an election."""

_PROBE_EVERY = 0.5
_RETRY_AFTER = 1.0
_SHORTEST = 0.2
"""Seconds that a member gets at least; a commit that has less left is not begun, for it might be done all the same."""


class Patience(msgspec.Struct, frozen=True):
    """How long to wait, in seconds.

    ``attempt`` at one member with a call that may be repeated, ``connect`` for a connection, ``budget`` for a call as a
    whole, however many members are asked.
    """

    attempt: float = 0.4
    connect: float = 0.3
    budget: float = 1.5


class EtcdClient:
    """Calls to the members of one etcd cluster; belongs to the event loop that it is used in."""

    def __init__(self, endpoints: Sequence[str], tls: EtcdTls | None = None, patience: Patience | None = None) -> None:
        """``endpoints`` are ``HOST:PORT`` in order of preference; nothing is connected yet. No ``tls``: loopback."""
        self._endpoints = Endpoints(endpoints)
        self.patience = patience or Patience()
        self._tls = tls
        self._channels = Channels(tls)
        self.watching = Channels(tls)
        self._probe: asyncio.Task[None] | None = None
        self._doubts: dict[str, asyncio.Task[None]] = {}
        self.closing = asyncio.Event()

    @property
    def addresses(self) -> tuple[str, ...]:
        """The members' addresses, in order of preference."""
        return self._endpoints.addresses

    async def use(self, endpoints: Sequence[str]) -> None:
        """Other members from now on, in order of preference; connections to those that stay, stay."""
        gone = set(self._endpoints.addresses) - set(endpoints)
        self._endpoints.replace(endpoints)
        for address in gone:
            await self._channels.drop(address)
            await self.watching.drop(address)

    async def call(
        self,
        call: Call[Request, Answer],
        request: Request,
        *,
        need_leader: bool = True,
        budget: float | None = None,
        at: str | None = None,
        until: float = math.inf,
    ) -> Answer:
        """Makes one call.

        Args:
            call: what to call.
            request: what to send.
            need_leader: whether a member without a leader shall refuse at once.
            budget: seconds for all of it, instead of the client's.
            at: ask this member only.
            until: by when whoever asked must be answered, by the event loop's clock, if it is not this task's own call.

        Raises:
            DirectoryUnavailable: a subclass for the cause; nothing was done.
            FateUnknown: it may have been done, and may not be repeated.
            LeaseGone, HistoryGone, UnknownMember, MemberExists, ValueError: what was asked cannot be.
        """
        clock = asyncio.get_running_loop().time
        until = min(until, waiting_until())
        budget = min(self.patience.budget if budget is None else budget, until - clock())
        deadline = clock() + budget
        tried: set[str] = set()
        failures: list[Elsewhere] = []
        while not self.closing.is_set() and (left := deadline - clock()) > 0:
            if left < _SHORTEST and not call.repeatable:
                break
            address = self.best(tried) if at is None else _unless(at in tried, at)
            if address is None:
                tried.clear()
                await asyncio.sleep(min(_AGAIN_AFTER, left))
                continue
            tried.add(address)
            within = self._share(budget, left) if call.repeatable else left
            answer = await self._attempt(address, call, request, within, need_leader)
            if not isinstance(answer, Elsewhere):
                return answer
            failures.append(answer)
            self.suspect(address)
            if answer.done == "perhaps" and not call.repeatable:
                raise FateUnknown(retry_after=_RETRY_AFTER)
        raise await self._why(failures, hurried=until < math.inf)

    async def _why(self, failures: Sequence[Elsewhere], *, hurried: bool) -> DirectoryUnavailable:
        """One cause for all that was tried: the most telling one. ``hurried``: somebody waits for it."""
        causes = {failure.cause for failure in failures}
        if "no_quorum" in causes:
            return NoQuorum(retry_after=_RETRY_AFTER)
        if not failures and not self.closing.is_set():
            return DirectorySlow(retry_after=_RETRY_AFTER)
        ask = self._tls is not None and not self.closing.is_set() and not hurried
        refused = await refusal(self.addresses, cast("EtcdTls", self._tls)) if ask else None
        if refused or "refused" in causes:
            return DirectoryRefused(retry_after=_RETRY_AFTER, detail=refused or "TLS")
        return DirectoryUnreachable(retry_after=_RETRY_AFTER, members=", ".join(self.addresses))

    def _share(self, budget: float, left: float) -> float:
        """With many members each gets less, so that more of them can be asked."""
        fair = budget / (len(self.addresses) + 1)
        return min(left, max(_SHORTEST, min(self.patience.attempt, fair)))

    async def _attempt(
        self, address: str, call: Call[Request, Answer], request: Request, within: float, need_leader: bool
    ) -> Answer | Elsewhere:
        if not await self._channels.ready(address, min(within, self.patience.connect)):
            return Elsewhere("no", "away", "no connection")
        metadata = HAS_LEADER if need_leader else None
        doubt = asyncio.get_running_loop().call_later(self.patience.attempt, self._doubt, address)
        try:
            if call.stream:
                stream = self._channels.stream(address, call)(timeout=within, metadata=metadata)
                answer: Answer | Elsewhere = await _exchange(stream, request)
            else:
                answer = await self._channels.unary(address, call)(request, timeout=within, metadata=metadata)
        except grpc.aio.AioRpcError as failure:
            return told(failure)
        except (asyncio.CancelledError, asyncio.InvalidStateError, grpc.aio.UsageError):  # the channel was closed
            if cancelled():
                raise
            return Elsewhere("perhaps", "away", "closed")
        finally:
            doubt.cancel()
        return answer

    # --- which member to ask ---

    def suspect(self, address: str) -> None:
        """It did not answer as it should: it is asked last from now on, until a probe finds it well."""
        self._endpoints.failed(address)
        if self._probe is None and not self.closing.is_set():
            self._probe = asyncio.ensure_future(self._probe_suspects())

    def best(self, tried: Collection[str] = ()) -> str | None:
        """The member to ask next, None if all were tried."""
        return self._endpoints.next(tried)

    def _doubt(self, address: str) -> None:
        """A commit takes its time there, which may be the disk's: if the member hangs, new calls go elsewhere."""
        if address not in self._doubts and not self.closing.is_set():
            self._doubts[address] = asyncio.ensure_future(self._check(address))

    async def _check(self, address: str) -> None:
        try:
            if not await _answers(self._channels, address, _PULSE, self.patience.attempt):
                self.suspect(address)
        finally:
            del self._doubts[address]

    async def _probe_suspects(self) -> None:
        try:
            while suspects := self._endpoints.suspected:
                await asyncio.gather(*map(self._look_at, suspects))
                if self._endpoints.suspected:
                    await asyncio.sleep(_PROBE_EVERY)
        finally:
            self._probe = None

    async def _look_at(self, address: str) -> None:
        if await _answers(self._channels, address, _PROBE, self.patience.attempt):
            self._endpoints.worked(address)

    async def follows(self, address: str, within: float) -> bool:
        """Whether a member answers within some seconds on the connection of its watches, and knows a leader."""
        return await _answers(self.watching, address, _PULSE, within)

    async def applied(self, address: str, within: float) -> int | None:
        """The revision up to which a member has applied what was committed before; None if it cannot tell in time."""
        answer = await _asked(self.watching, address, _PROBE, within)
        return None if answer is None else answer.header.revision

    async def close(self) -> None:
        """Ends all that is under way, and all connections."""
        self.closing.set()
        looking = [task for task in (self._probe, *self._doubts.values()) if task is not None]
        for task in looking:
            task.cancel()
        await asyncio.gather(*looking, return_exceptions=True)
        await self.watching.close()
        await self._channels.close()


_PROBE = RangeRequest(key=b"\0", count_only=True)
"""Linearizable, so that a learner or one without a majority does not answer; the key is none of ours."""

_PULSE = RangeRequest(key=b"\0", count_only=True, serializable=True)
"""Costs a member next to nothing."""


async def _answers(channels: Channels, address: str, request: RangeRequest, within: float) -> bool:
    return await _asked(channels, address, request, within) is not None


async def _asked(channels: Channels, address: str, request: RangeRequest, within: float) -> RangeResponse | None:
    try:
        answer: RangeResponse = await channels.unary(address, RANGE)(request, timeout=within, metadata=HAS_LEADER)
    except (grpc.aio.AioRpcError, grpc.aio.UsageError):
        return None
    except asyncio.CancelledError:
        if cancelled():
            raise
        return None
    return answer


async def _exchange(stream: Any, request: Any) -> Any:
    """One request and its answer over a call that is a stream."""
    try:
        await stream.write(request)
        answer = await stream.read()
        return Elsewhere("perhaps", "away", "no answer") if answer is EOF else answer
    finally:
        stream.cancel()


def cancelled() -> bool:
    """Whether the running task was asked to end; gRPC raises the same error for a call that was ended here."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _unless(condition: bool, value: str) -> str | None:
    return None if condition else value


def told(failure: grpc.aio.AioRpcError) -> Elsewhere:
    """What a failed call means.

    Raises:
        Exception: the final answer, if it is one.
    """
    verdict = meaning(failure.code().name, failure.details() or "")
    if isinstance(verdict, Elsewhere):
        return verdict
    raise verdict from failure
