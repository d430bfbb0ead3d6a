import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import pytest

from telegraph.node import event_log, streams
from telegraph.node.broker import Broker
from telegraph.node.database import Database
from telegraph.node.model import AccountChanged, Event, MessageSent, PresenceChanged, Reset, StateChanged


async def opened(directory: Path) -> Database:
    database = Database.open(directory, bytes(32))
    await database.write(
        lambda db: db.execute("INSERT INTO contacts (user_id, username, name_key) VALUES ('b', 'bob', 'bob')").rowcount
    )
    return database


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    made = await opened(tmp_path)
    yield made
    await made.close()


def me() -> str:
    return "alice"


async def write(database: Database, broker: Broker, text: str) -> None:
    await database.write(lambda db: streams.append(db, 1, text, 1, Random(text)))
    broker.wake()


async def take(stream: AsyncIterator[tuple[int, Event]], count: int) -> list[tuple[int, Event]]:
    async with asyncio.timeout(5):
        return [await anext(stream) for _ in range(count)]


async def test_a_follower_hears_what_happens_from_now_on(database: Database) -> None:
    broker = Broker(database)
    await write(database, broker, "before")
    stream = broker.follow(me)
    first = asyncio.create_task(take(stream, 1))
    await asyncio.sleep(0)

    await write(database, broker, "after")

    [(cursor, event)] = await first
    assert isinstance(event, MessageSent)
    assert event.message.text == "after"
    assert cursor == broker.head()


async def test_a_follower_who_was_away_misses_nothing(database: Database) -> None:
    broker = Broker(database)
    for text in ("one", "two", "three"):
        await write(database, broker, text)
    [(cursor, _)] = await take(broker.follow(me, 0), 1)
    await database.write(lambda db: streams.stored_by_peer(db, 1, 3))

    told = [event for _, event in await take(broker.follow(me, cursor), 5)]

    assert [type(event) for event in told] == [MessageSent, MessageSent, StateChanged, StateChanged, StateChanged]


async def test_more_than_one_batch_is_told_without_a_break(database: Database) -> None:
    broker = Broker(database)
    await asyncio.gather(*(write(database, broker, str(number)) for number in range(300)))

    told = await take(broker.follow(me, 0), 300)

    assert [cursor for cursor, _ in told] == list(range(1, 301))


async def test_presence_is_told_between_messages(database: Database) -> None:
    broker = Broker(database)
    stream = broker.follow(me)
    hearing = asyncio.create_task(take(stream, 2))
    await asyncio.sleep(0)

    broker.publish(PresenceChanged("bob", online=True))
    await write(database, broker, "hello")

    assert {type(event) for _, event in await hearing} == {PresenceChanged, MessageSent}


async def test_who_was_there_from_the_start_is_not_reset_though_the_first_messages_came_together(
    database: Database,
) -> None:
    drafts = [streams.Draft(1, text, 1) for text in ("one", "two", "three")]
    await database.write(lambda db: streams.append_all(db, drafts, Random(1)))

    told = [event for _, event in await take(Broker(database).follow(me, 0), 3)]

    assert [event.message.text for event in told if isinstance(event, MessageSent)] == ["one", "two", "three"]


@pytest.mark.parametrize("cursor", [0, 99])
async def test_a_cursor_that_is_not_known_here_resets(
    database: Database, cursor: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = Broker(database)
    monkeypatch.setattr(event_log, "KEPT", 1)
    for text in ("one", "two", "three"):
        await write(database, broker, text)
    await database.write(event_log.forget)

    [(resumed, event)] = await take(broker.follow(me, cursor), 1)

    assert isinstance(event, Reset)
    assert resumed == broker.head()


async def test_a_follower_who_comes_while_it_is_locked_goes_on_at_their_own_cursor(database: Database) -> None:
    broker = Broker(database)
    for text in ("one", "two"):
        await write(database, broker, text)
    broker.detach()
    stream = broker.follow(me, 1)
    broker.publish(AccountChanged("locked", None))
    [(shown, _)] = await take(stream, 1)
    broker.attach(database)

    [(_, event)] = await take(broker.follow(me, shown), 1)
    assert isinstance(event, MessageSent)
    assert event.message.text == "two"
    assert [type(event) for _, event in await take(stream, 1)] == [MessageSent]


async def test_a_follower_hears_that_another_store_was_opened_and_misses_nothing_in_it(
    database: Database, tmp_path: Path
) -> None:
    broker = Broker(database)
    for text in ("one", "two"):
        await write(database, broker, text)
    stream = broker.follow(me, 0)
    await take(stream, 2)
    broker.detach()
    (tmp_path / "new").mkdir()
    begun_anew = await opened(tmp_path / "new")
    broker.attach(begun_anew)

    assert [(cursor, type(event)) for cursor, event in await take(stream, 1)] == [(0, Reset)]
    await write(begun_anew, broker, "first")

    [(cursor, event)] = await take(stream, 1)
    assert isinstance(event, MessageSent)
    assert (cursor, event.message.text) == (1, "first")
    await begun_anew.close()


async def test_from_now_on_means_from_the_call_on(database: Database) -> None:
    broker = Broker(database)
    stream = broker.follow(me)

    await write(database, broker, "before anybody asked for the first event")
    broker.publish(PresenceChanged("bob", online=True))

    assert [type(event) for _, event in await take(stream, 2)] == [MessageSent, PresenceChanged]


async def test_followers_come_to_their_end_when_the_node_closes(database: Database) -> None:
    broker = Broker(database)
    hearing = asyncio.create_task(take(broker.follow(me), 1))
    await asyncio.sleep(0)

    broker.close()

    with pytest.raises(StopAsyncIteration):
        await hearing
