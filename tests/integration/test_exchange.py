"""Two sites that talk over real sockets and TLS, their directories in memory: who is refused, what arrives."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, aclosing

import aiohttp
import msgspec
import pytest

from telegraph.directory import records
from telegraph.directory.cluster_records import LinkRecord, ManagerRecord, OwnSite, decode, link_key, manager_key
from telegraph.directory.memory import MemoryDirectory
from telegraph.directory.port import Put
from telegraph.directory.records import Cursor, Site
from telegraph.errors import ManagerAway, NoQuorum, SiteTaken, UnknownPath, WrongRole
from telegraph.manager.background import keep_running
from telegraph.manager.clock import read_clock
from telegraph.manager.cluster.members import Members
from telegraph.manager.jobs import Fence
from telegraph.manager.sites.calling import Caller
from telegraph.manager.sites.exchange import Exchange
from telegraph.manager.sites.listener import Asked, Listener
from telegraph.manager.sites.registering import Registration
from telegraph.peer.credentials import Credentials
from telegraph.protocol.identity import MANAGER_ALIAS
from telegraph.protocol.sites import PATH_CHANGES, PATH_REGISTER, PATH_SNAPSHOT, PATH_STATE, SiteState
from telegraph.rest.client import manager_context
from telegraph.testing.certificates import Organisation

US, THEM = Organisation("Us"), Organisation("Them")


class Managers:
    """A site: its directory, and one or more managers that serve and, if they lead, hear others."""

    def __init__(self, name: str, stack: AsyncExitStack, kept_changes: int = 1000) -> None:
        self.name, self.stack = name, stack
        self.directory = MemoryDirectory(kept_changes)
        self.running: list[Exchange] = []
        self.urls: list[str] = []
        self.applied: list[tuple[dict[str, bytes], Cursor | None]] = []
        self.trouble: Callable[[], None] = lambda: None
        self.closing: list[AsyncExitStack] = []

    async def apply(self, _site: str, entries: Mapping[str, bytes], cursor: Cursor | None, fence: Fence) -> None:
        """Takes whatever comes; what merging makes of it is tried elsewhere."""
        self.trouble()
        puts = [Put(key, value) for key, value in entries.items()]
        noted = [] if cursor is None else [Put(records.cursor_key(_site), records.encode(cursor))]
        await self.directory.commit(fence, [*puts, *noted])
        self.applied.append((dict(entries), cursor))

    async def add(self) -> Exchange:
        """One more manager."""
        sock = socket.create_server(("127.0.0.1", 0))
        url = f"https://127.0.0.1:{sock.getsockname()[1]}"
        number = len(self.running)
        record = ManagerRecord(f"{self.name}{number}", url, self.name, "", "", exchange=url)
        await self.directory.commit([], [Put(manager_key(record.id), records.encode(record))])
        members = Members(self.directory)
        await members.load()
        own = OwnSite(self.name, f"id-{self.name}")
        exchange = Exchange(self.directory, own, members, US.manager(record.id), self.apply, read_clock)
        closing = await self.stack.enter_async_context(AsyncExitStack())
        closing.push_async_callback(exchange.close)
        await exchange.sites.load()
        await exchange.start(sock)
        works = [*exchange.tasks().values(), members.follow]
        tasks = [asyncio.create_task(keep_running("test", work)) for work in works]
        closing.push_async_callback(end, *tasks)
        self.running.append(exchange)
        self.urls.append(url)
        self.closing.append(closing)
        return exchange

    def lead(self, number: int = 0) -> "asyncio.Task[None]":
        task = asyncio.create_task(self.running[number].lead(()))
        self.stack.push_async_callback(end, task)
        return task

    async def put(self, key: str, value: bytes = b"1") -> int:
        revision = await self.directory.commit([], [Put(key, value)])
        assert revision is not None
        return revision

    async def has(self, key: str, value: bytes | None = b"1") -> None:
        """Waits until a key has a value (None: any)."""
        async with asyncio.timeout(10):
            async for change in self.directory.watch(key, after=0):
                if change.key == key and value in (None, change.value):
                    return

    async def knows(self, other: "Managers") -> None:
        site = Site(other.name, exchange=tuple(other.urls), version=1, id=f"id-{other.name}")
        await self.directory.commit([], [Put(records.site_key(other.name), records.encode(site))])


async def end(*tasks: "asyncio.Task[None]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def eventually(what: Callable[[], bool]) -> None:
    """A follower of the directory in memory needs some turns of the loop."""
    async with asyncio.timeout(5):
        while not what():  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0)


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
async def lima(stack: AsyncExitStack) -> Managers:
    site = Managers("lima", stack)
    await site.add()
    return site


@pytest.fixture
async def cusco(stack: AsyncExitStack) -> Managers:
    site = Managers("cusco", stack)
    await site.add()
    return site


async def caller(stack: AsyncExitStack, credentials: Credentials) -> Caller:
    made = Caller(credentials)
    stack.push_async_callback(made.close)
    return made


# --- who may call ---


async def test_a_user_of_the_organisation_is_refused_whatever_is_asked(lima: Managers, stack: AsyncExitStack) -> None:
    await lima.put("account/alice")
    alice = await caller(stack, US.device("alice").credentials)
    with pytest.raises(WrongRole):
        await alice.ask(lima.urls[0], PATH_STATE, SiteState)
    for path in (PATH_CHANGES, PATH_SNAPSHOT):
        with pytest.raises(WrongRole):
            await anext(alice.stream(lima.urls[0], path, {"after": "0"}, 3.0))
    with pytest.raises(WrongRole):
        await alice.ask(lima.urls[0], PATH_REGISTER, SiteState, Registration(Site("evil", id="x")))
    with pytest.raises(WrongRole):
        await alice.ask(lima.urls[0], "/no/such/path", SiteState)


async def test_a_stranger_and_a_manager_of_another_organisation_do_not_get_past_the_handshake(
    lima: Managers, stack: AsyncExitStack
) -> None:
    for credentials in (THEM.manager(), THEM.device("mallory").credentials):
        with pytest.raises(ManagerAway):
            await (await caller(stack, credentials)).ask(lima.urls[0], PATH_STATE, SiteState)
    async with aiohttp.ClientSession() as session:  # one without any certificate
        with pytest.raises(aiohttp.ClientError):
            await session.get(lima.urls[0] + PATH_STATE, ssl=manager_context(US.ca.pem), server_hostname=MANAGER_ALIAS)


async def test_a_user_who_listens_there_is_not_taken_for_a_manager(stack: AsyncExitStack) -> None:
    asked: list[Asked] = []

    async def lie(request: Asked) -> SiteState:
        asked.append(request)
        return SiteState("lima", "x", 1)

    listener = Listener(US.device("mallory").credentials, {f"GET {PATH_STATE}": lie}, {})
    sock = socket.create_server(("127.0.0.1", 0))
    await listener.start(sock)
    stack.push_async_callback(listener.close)
    url, honest = f"https://127.0.0.1:{sock.getsockname()[1]}", await caller(stack, US.manager())
    with pytest.raises(ManagerAway):
        await honest.ask(url, PATH_STATE, SiteState)
    assert asked == []


async def test_a_renewed_certificate_is_shown_from_the_next_connection_on(
    lima: Managers, stack: AsyncExitStack
) -> None:
    lima.running[0].replace_credentials(US.manager("m-new"))
    cusco = await caller(stack, US.manager("c"))
    assert (await cusco.ask(lima.urls[0], PATH_STATE, SiteState)).site == "lima"


# --- what is asked once ---


async def test_the_state_has_a_hash_only_if_it_is_asked_for(lima: Managers, stack: AsyncExitStack) -> None:
    revision = await lima.put("account/alice")
    cusco = await caller(stack, US.manager())
    plain = await cusco.ask(lima.urls[0], PATH_STATE, SiteState)
    whole = await cusco.ask(lima.urls[0], PATH_STATE, SiteState, query={"hash": "1"})
    assert plain.state_hash == ""
    assert len(whole.state_hash) == 64
    assert whole.revision >= revision
    assert not whole.leads


async def test_a_new_site_is_registered_once_and_again_under_its_id_only(lima: Managers, stack: AsyncExitStack) -> None:
    cusco = await caller(stack, US.manager())

    async def ask(name: str, site_id: str, *, replace: bool = False) -> SiteState:
        site = Site(name, ("https://127.0.0.1:1",), ("https://127.0.0.1:2",), id=site_id)
        return await cusco.ask(lima.urls[0], PATH_REGISTER, SiteState, Registration(site, replace=replace))

    assert (await ask("cusco", "one")).site == "lima"
    assert await lima.directory.get(records.SEVERAL) is not None
    await ask("cusco", "one")
    for name, site_id in (("cusco", "two"), ("lima", "one")):
        with pytest.raises(SiteTaken):
            await ask(name, site_id)
    await lima.put(link_key("cusco"), records.encode(LinkRecord(up=True)))
    with pytest.raises(SiteTaken):
        await ask("cusco", "two", replace=True)
    await lima.put(link_key("cusco"), records.encode(LinkRecord(up=False)))
    await ask("cusco", "two", replace=True)
    entry = await lima.directory.get(records.site_key("cusco"))
    assert entry is not None
    assert records.decode(entry.value, Site).id == "two"


async def test_other_parts_answer_other_sites_too(lima: Managers, cusco: Managers) -> None:
    async def reserve(asked: Asked) -> dict[str, str]:
        return {"by": asked.remote.id, "said": msgspec.msgpack.decode(asked.body, type=str)}

    await cusco.knows(lima)
    await cusco.has(records.site_key("lima"), None)
    lima.running[0].serve("/exchange/reserve", reserve)
    await eventually(lambda: bool(cusco.running[0].sites.others))
    answer = await cusco.running[0].ask("lima", "/exchange/reserve", dict[str, str], "bob")
    assert answer == {"by": "cusco0", "said": "bob"}
    with pytest.raises(UnknownPath):
        await cusco.running[0].ask("lima", "/exchange/settled", dict[str, str], "bob")
    with pytest.raises(ManagerAway):
        await cusco.running[0].ask("nowhere", "/exchange/reserve", dict[str, str], "bob")


# --- hearing ---


async def test_what_changes_at_one_site_is_at_the_other_at_once(lima: Managers, cusco: Managers) -> None:
    await lima.put("account/early")
    await cusco.knows(lima)
    cusco.lead()
    await cusco.has("account/early")
    await cusco.has(link_key("lima"), None)
    began = asyncio.get_running_loop().time()
    await lima.put("account/alice")
    await cusco.has("account/alice")
    assert asyncio.get_running_loop().time() - began < 0.5
    (link,) = cusco.running[0].links
    assert (link.site, link.up, link.problem) == ("lima", True, "")


async def test_a_new_leader_goes_on_where_the_last_one_was(lima: Managers, cusco: Managers) -> None:
    await cusco.knows(lima)
    first = cusco.lead()
    for name in "abc":
        await lima.put(f"account/{name}")
        await cusco.has(f"account/{name}")
    await end(first)
    assert cusco.running[0].links == ()
    await lima.put("account/d")
    await cusco.add()
    cusco.applied.clear()
    cusco.lead(1)
    await cusco.has("account/d")
    told = [key for entries, _ in cusco.applied for key in entries if key.startswith("account")]
    assert told in (["account/d"], ["account/c", "account/d"])  # the last commit may come twice


async def test_forgotten_history_is_made_up_for_by_a_snapshot(stack: AsyncExitStack, cusco: Managers) -> None:
    lima = Managers("lima", stack, kept_changes=3)
    await lima.add()
    await cusco.knows(lima)
    first = cusco.lead()
    await lima.put("account/a")
    await cusco.has("account/a")
    await end(first)
    for name in "bcdefgh":
        await lima.put(f"account/{name}")
    cusco.applied.clear()
    cusco.lead()
    await cusco.has("account/b")
    await cusco.has("account/h")
    assert "account/a" not in [key for entries, _ in cusco.applied for key in entries]  # known already
    await lima.put("account/i")
    await cusco.has("account/i")


async def test_when_one_manager_of_the_other_site_goes_the_next_is_heard(lima: Managers, cusco: Managers) -> None:
    await lima.add()
    await cusco.knows(lima)
    cusco.lead()
    await lima.put("account/a")
    await cusco.has("account/a")
    at = lima.urls.index(cusco.running[0].links[0].url)
    await lima.closing[at].aclose()
    await lima.put("account/b")
    await cusco.has("account/b")
    assert cusco.running[0].links[0].url == lima.urls[1 - at]
    entry = await cusco.directory.get(link_key("lima"))
    assert entry is not None
    assert decode(entry.value, LinkRecord).up


async def test_changes_wait_while_the_own_directory_has_no_quorum(lima: Managers, cusco: Managers) -> None:
    refused = asyncio.Event()

    def trouble() -> None:
        refused.set()
        raise NoQuorum

    await cusco.knows(lima)
    cusco.lead()
    await lima.put("account/a")
    await cusco.has("account/a")
    cusco.trouble = trouble
    await lima.put("account/b")
    await refused.wait()
    assert await cusco.directory.get("account/b") is None
    cusco.trouble = lambda: None
    await cusco.has("account/b")


async def test_a_site_that_moved_tells_the_others_where_it_is_when_it_hears_them(
    lima: Managers, cusco: Managers
) -> None:
    moved = Site("cusco", ("https://127.0.0.1:1",), ("https://127.0.0.1:2",), 7, "id-cusco")
    await lima.put(records.site_key("cusco"), records.encode(moved))
    await cusco.knows(lima)
    leading = cusco.lead()
    await lima.has(records.site_key("cusco"), records.encode(Site("cusco", *2 * (tuple(cusco.urls),), 8, "id-cusco")))
    await cusco.has(link_key("lima"), None)
    await end(leading)
    before = (await lima.directory.scan("")).revision
    await cusco.add()
    cusco.lead(1)  # a new leader says it again, and where one more manager is
    await lima.has(records.site_key("cusco"), records.encode(Site("cusco", *2 * (tuple(cusco.urls),), 9, "id-cusco")))
    assert (await lima.directory.scan("")).revision == before + 1


async def test_the_leader_tells_others_where_the_managers_of_its_site_are(lima: Managers) -> None:
    lima.lead()
    await lima.has(records.site_key("lima"), None)
    await lima.add()
    async with asyncio.timeout(5):
        async for change in lima.directory.watch(records.site_key("lima"), after=0):
            assert change.value is not None
            site = records.decode(change.value, Site)
            if len(site.exchange) == 2:
                break
    assert site.exchange == tuple(lima.urls)
    assert (site.id, site.version) == ("id-lima", 2)


async def test_a_reader_that_stops_reading_holds_up_nobody(lima: Managers, stack: AsyncExitStack) -> None:
    """Its changes wait in the directory's own history, not in the manager's memory."""
    slow = await caller(stack, US.manager("slow"))
    query = {"after": "0", "directory": (await slow.ask(lima.urls[0], PATH_STATE, SiteState)).directory_id}
    async with aclosing(slow.stream(lima.urls[0], PATH_CHANGES, query, 3.0)) as batches:
        await anext(batches)
        for number in range(300):
            await lima.put(f"account/{number}", b"x" * 50_000)
        other = await caller(stack, US.manager("other"))
        async with asyncio.timeout(10), aclosing(other.stream(lima.urls[0], PATH_CHANGES, query, 3.0)) as quick:
            seen = 0
            async for batch in quick:
                seen += len(batch.entries)
                if seen >= 300:
                    break
