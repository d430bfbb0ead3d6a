import asyncio

from telegraph.node.links import LinkTable, OpenLink
from telegraph.protocol.identity import Holder

ALICE, BOB = b"a" * 32, b"b" * 32


class FakeLink:
    def __init__(self, *, outgoing: bool) -> None:
        self.remote = Holder("user", "bob-id", BOB)
        self.outgoing = outgoing
        self.open = True

    @property
    def local_host(self) -> str | None:
        return None

    async def send(self, data: bytes) -> None:
        raise NotImplementedError

    def arrived(self) -> list[bytes]:
        return []

    async def receive(self) -> bytes:
        raise NotImplementedError

    async def close(self) -> None:
        self.open = False


def link(*, outgoing: bool, since: float = 0.0, received: int = 0) -> OpenLink:
    return OpenLink(FakeLink(outgoing=outgoing), 1, since, received)


def is_open(one: OpenLink) -> bool:
    assert isinstance(one.link, FakeLink)
    return one.link.open


async def test_the_newest_link_replaces_the_one_before() -> None:
    table, old, new = LinkTable(ALICE), link(outgoing=True), link(outgoing=True, since=1)

    assert table.add(old) is None
    assert table.add(new) is old

    assert table.of(1) is new
    assert old.closed.is_set()


async def test_of_two_dialled_at_once_the_smaller_keys_stays() -> None:
    table, ours, bobs = LinkTable(ALICE), link(outgoing=True), link(outgoing=False, since=0.01)

    assert table.add(ours) is None
    assert table.add(bobs) is bobs

    assert table.of(1) is ours
    assert bobs.closed.is_set()


async def test_a_link_that_is_gone_is_not_used() -> None:
    table, one = LinkTable(ALICE), link(outgoing=True)
    table.add(one)

    table.remove(one)

    assert table.of(1) is None
    assert one.closed.is_set()


async def test_removing_an_old_link_leaves_its_successor() -> None:
    table, old, new = LinkTable(ALICE), link(outgoing=True), link(outgoing=True, since=1)
    table.add(old)
    table.add(new)

    table.remove(old)

    assert table.of(1) is new


async def test_closing_the_table_closes_every_link() -> None:
    table, one = LinkTable(ALICE), link(outgoing=False)
    table.add(one)

    await asyncio.wait_for(table.close(), 1)

    assert not is_open(one)
    assert table.of(1) is None


def test_what_the_other_end_has_already_is_not_in_flight() -> None:
    one = link(outgoing=True, received=5)

    one.sent = 8

    assert one.in_flight == 3
