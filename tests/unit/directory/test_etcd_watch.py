"""Up to when a watch on everything has told all: only what the leader confirms and the watch has told counts."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Any

import grpc
import grpc.aio
import pytest

from telegraph.directory.etcd import rpc_pb2 as rpc
from telegraph.directory.etcd.client import EtcdClient
from telegraph.directory.etcd.directory import EtcdDirectory
from telegraph.directory.etcd.watch import PULSE
from telegraph.directory.port import Change
from telegraph.testing import virtual_time


class Member:
    """A follower: what it has applied, what its watch has sent so far, and whether the leader reaches it."""

    def __init__(self) -> None:
        self.applied = 1
        self.confirms = True
        self.sent: asyncio.Queue[rpc.WatchResponse] = asyncio.Queue()
        self.sent.put_nowait(rpc.WatchResponse(created=True))

    async def ready(self, _address: str, _within: float) -> bool:
        return True

    def unary(self, _address: str, _call: object) -> Callable[..., Awaitable[rpc.RangeResponse]]:
        async def ask(request: rpc.RangeRequest, **_: object) -> rpc.RangeResponse:
            if not request.serializable and not self.confirms:
                metadata = grpc.aio.Metadata()
                raise grpc.aio.AioRpcError(
                    grpc.StatusCode.DEADLINE_EXCEEDED, metadata, metadata, details="", debug_error_string=None
                )
            return rpc.RangeResponse(header=rpc.ResponseHeader(revision=self.applied))

        return ask

    def stream(self, _address: str, _call: object) -> Callable[..., "Member"]:
        return lambda **_: self

    async def write(self, _request: object) -> None:
        """The watch begins."""

    async def read(self) -> rpc.WatchResponse:
        return await self.sent.get()

    def cancel(self) -> None:
        """The watch ends; the story does as well."""

    async def close(self) -> None:
        """Nothing to close."""

    def tell(self, revision: int, *, fragment: bool = False) -> None:
        event = rpc.Event(kv=rpc.KeyValue(key=b"/a", value=b"1", mod_revision=revision))
        self.sent.put_nowait(rpc.WatchResponse(events=[event], fragment=fragment))


def now() -> float:
    return asyncio.get_running_loop().time()


def told(story: Callable[[EtcdDirectory, Member, list[Change]], Awaitable[None]], prefix: str = "") -> None:
    """Runs a story while somebody watches; what they were told is in the list."""

    async def live() -> None:
        member, heard = Member(), list[Change]()
        client = EtcdClient(["a"])
        stand_in: Any = member
        client._channels = client.watching = stand_in
        directory = EtcdDirectory(client, "/")

        async def follow() -> None:
            async with aclosing(directory.watch(prefix, after=1)) as changes:
                async for change in changes:
                    heard.append(change)

        following = asyncio.ensure_future(follow())
        await asyncio.sleep(0.1)
        await story(directory, member, heard)
        following.cancel()
        await asyncio.wait([following])
        await directory.close()

    virtual_time.run(live())


def test_a_watch_that_has_told_all_knows_it_up_to_the_last_question() -> None:
    async def story(directory: EtcdDirectory, _member: Member, _heard: list[Change]) -> None:
        await asyncio.sleep(10)
        assert now() - PULSE <= directory.heard <= now()

    told(story)


def test_what_the_member_has_applied_and_the_watch_has_not_told_is_not_known() -> None:
    async def story(directory: EtcdDirectory, member: Member, heard: list[Change]) -> None:
        await asyncio.sleep(1)
        before = now()
        member.applied = 5
        await asyncio.sleep(10)
        assert directory.heard <= before
        member.tell(4)
        await asyncio.sleep(0)
        member.tell(5, fragment=True)
        await asyncio.sleep(1)
        assert ([change.revision for change in heard], directory.heard <= before) == ([4, 5], True)
        member.tell(5)
        await asyncio.sleep(0.1)
        assert now() - 2 * PULSE <= directory.heard <= now()

    told(story)


def test_a_member_that_the_leader_does_not_confirm_is_stayed_with_and_not_trusted() -> None:
    async def story(directory: EtcdDirectory, member: Member, heard: list[Change]) -> None:
        await asyncio.sleep(1)
        before, member.confirms = now(), False
        await asyncio.sleep(10)
        assert directory.heard <= before
        member.tell(2)
        await asyncio.sleep(0.1)
        assert [change.revision for change in heard] == [2]

    told(story)


@pytest.mark.parametrize("prefix", ["a", "b/"])
def test_a_watch_on_a_part_says_nothing_about_the_whole(prefix: str) -> None:
    async def story(directory: EtcdDirectory, _member: Member, _heard: list[Change]) -> None:
        await asyncio.sleep(10)
        assert directory.heard == -math.inf

    told(story, prefix)
