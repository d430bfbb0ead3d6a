"""Many accounts, each with a session, written into a manager's directory before it starts."""

from collections.abc import Iterator
from pathlib import Path

from manager_load.wrk import Person
from telegraph.directory import records
from telegraph.directory.port import Put
from telegraph.directory.records import Account, NameClaim, Presence, Session
from telegraph.directory.sqlite import SqliteDirectory
from telegraph.manager.clock import read_clock
from telegraph.manager.places import DIRECTORY_FILE
from telegraph.manager.sessions import new_token, new_user_id

_AT_ONCE = 1000


async def write_people(data: Path, count: int) -> list[tuple[Person, str]]:
    """Writes them into an existing folder: name and token, and the user id, of each."""
    directory = SqliteDirectory(data / DIRECTORY_FILE)
    made, writes = [], list[Put]()
    for number in range(count):
        name, user_id = f"user{number:05}", new_user_id()
        token = new_token(user_id)
        made.append(((name, token), user_id))
        writes += _person(name, user_id, token)
        if len(writes) >= _AT_ONCE:
            await directory.commit([], writes)
            writes = []
    await directory.commit([], writes)
    await directory.close()
    return made


def _person(name: str, user_id: str, token: str) -> Iterator[Put]:
    now = read_clock().text
    yield Put(records.account_key(user_id), records.encode(Account(user_id, name, "-", now)))
    yield Put(records.name_record_key(name), records.encode(NameClaim(user_id)))
    yield Put(records.presence_key(user_id), records.encode(Presence("10.0.0.1", 8000, 1)))
    session = records.session_key(user_id, records.secret_hash(token))
    yield Put(session, records.encode(Session(device=True, created=now)))
