"""Damage to the store is noticed, and said."""

from pathlib import Path
from random import Random

import pytest

from telegraph.errors import DataUnreadable
from telegraph.node import integrity, streams
from telegraph.node.database import FILE, Database

KEY = bytes(range(32))
PAGE = 4096


async def filled(tmp_path: Path, messages: int = 200) -> None:
    database = Database.open(tmp_path, KEY)
    await database.write(
        lambda db: db.execute("INSERT INTO contacts (user_id, username, name_key) VALUES ('b', 'bob', 'bob')").rowcount
    )
    rng = Random(1)
    for number in range(messages):
        await database.write(lambda db, text=f"{number} " * 50: streams.append(db, 1, text, 1, rng))  # type: ignore[misc]
    await database.close()


def damage(tmp_path: Path, pages: range) -> None:
    content = bytearray((tmp_path / FILE).read_bytes())
    for page in pages:
        content[page * PAGE + 100] ^= 0xFF
    (tmp_path / FILE).write_bytes(content)


async def test_a_whole_store_is_whole(tmp_path: Path) -> None:
    await filled(tmp_path)
    database = Database.open(tmp_path, KEY)
    integrity.look(database.reader, tmp_path)
    assert await integrity.check(database) == []
    await database.close()


async def test_a_page_that_was_changed_is_found_by_the_full_check(tmp_path: Path) -> None:
    await filled(tmp_path)
    pages = (tmp_path / FILE).stat().st_size // PAGE
    database = Database.open(tmp_path, KEY)
    damage(tmp_path, range(pages // 2, pages // 2 + 1))
    assert await integrity.check(database) != []
    await database.close()


async def test_damage_where_the_last_commits_wrote_is_said_at_the_opening(tmp_path: Path) -> None:
    await filled(tmp_path)
    pages = (tmp_path / FILE).stat().st_size // PAGE
    damage(tmp_path, range(2, pages))
    with pytest.raises(DataUnreadable):
        await look(tmp_path)


async def look(tmp_path: Path) -> None:
    database = Database.open(tmp_path, KEY)
    try:
        integrity.look(database.reader, tmp_path)
    finally:
        await database.close()


async def test_only_a_stop_in_order_leaves_its_mark(tmp_path: Path) -> None:
    async def start() -> bool:
        return await integrity.opened(database)

    database = Database.open(tmp_path, KEY)
    assert await start(), "the first start of all"
    await database.set(device_key=b"k" * 32)
    await integrity.closing(database)
    assert await start()
    assert not await start(), "as after a crash"
    await database.close()
