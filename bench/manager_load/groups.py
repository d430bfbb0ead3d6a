"""What is asked of a group of managers."""

import asyncio
import contextlib
import http.client
import itertools
import threading
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import NamedTuple, Self

from manager_load import wrk
from manager_load.calls import Caller
from manager_load.wrk import Person
from telegraph.directory import records
from telegraph.directory.etcd.client import Patience
from telegraph.directory.etcd.directory import EtcdDirectory
from telegraph.directory.port import Put, Unchanged
from telegraph.directory.records import Account, NameClaim, Presence
from telegraph.manager.cluster.certificates import client_identity
from telegraph.manager.cluster.links import open_links
from telegraph.manager.cluster.organisation import load_etcd_authority
from telegraph.manager.passwords import Passwords
from telegraph.manager.sessions import new_user_id
from telegraph.testing.groups import ManagerGroup

_CALLERS = 64
_numbers = itertools.count()


def people(group: ManagerGroup, count: int) -> list[Person]:
    """People who registered and logged in at the first manager."""
    with Caller(group.urls[0], group.ca) as caller:
        return [(name, caller.join(name)) for name in (f"user{number:05}" for number in range(count))]


# --- registrations ---


class Rates(NamedTuple):
    """Of one round, a second: registrations at the managers; raw creates; those with a hash each; those gathered."""

    ours: float
    raw: float
    hashed: float
    gathered: float


async def registrations(group: ManagerGroup, seconds: float, rounds: int) -> list[Rates]:
    """The rates of each round, :data:`_CALLERS` in flight."""
    identity = client_identity(load_etcd_authority(group.data(0)), datetime.now(UTC))
    urls = [f"https://127.0.0.1:{group.etcd_port(number)}" for number in range(len(group.urls))]
    found = []
    async with open_links(urls, identity, Patience(budget=10.0)) as links:
        raw = EtcdDirectory(links.directory.client, "/bench/", gather=False)
        gathered = EtcdDirectory(links.directory.client, "/bench/")
        passwords = Passwords(4, max_waiting=_CALLERS)
        for at in range(rounds + 1):
            ours = await asyncio.to_thread(_register, group, f"p{at}x", seconds)
            bare = await _rate(lambda number: _create(raw, number), seconds)
            hashed = await _rate(lambda number: _hash_and_create(passwords, raw, number), seconds)
            found.append(Rates(ours, bare, hashed, await _rate(lambda number: _create(gathered, number), seconds)))
        passwords.close()
    return found[1:]


def _register(group: ManagerGroup, prefix: str, seconds: float) -> float:
    scripts = []
    for number in range(len(group.urls)):
        scripts.append(group.root / f"register{number}.lua")
        scripts[-1].write_text(wrk.registrations(f"{prefix}{number}x"))
    return wrk.run_several(group.urls, scripts, _CALLERS, seconds)


async def _rate(work: Callable[[int], Awaitable[None]], seconds: float) -> float:
    begun, count = time.perf_counter(), 0

    async def caller() -> None:
        nonlocal count
        while time.perf_counter() - begun < seconds:
            await work(next(_numbers))
            count += 1

    await asyncio.gather(*(caller() for _ in range(_CALLERS)))
    return count / (time.perf_counter() - begun)


async def _hash_and_create(passwords: Passwords, directory: EtcdDirectory, number: int) -> None:
    await passwords.hash(b"a password for benches")
    await _create(directory, number)


async def _create(directory: EtcdDirectory, number: int) -> None:
    """The same keys and values as a registration's."""
    user_id, name = new_user_id(), f"person{number}"
    account, claim = records.account_key(user_id), records.name_record_key(name)
    conditions = [Unchanged(claim, 0), Unchanged(account, 0), Unchanged(records.name_tombstone_key(name), 0)]
    stored = Account(user_id, name, "$2b$04$" + "x" * 53, datetime.now(UTC).isoformat(), user_id)
    writes = [
        Put(claim, records.encode(NameClaim(user_id))),
        Put(account, records.encode(stored)),
        Put(records.presence_key(user_id), records.encode(Presence("10.0.0.1", 8000, 1))),
    ]
    if await directory.commit(conditions, writes) is None:
        raise RuntimeError("it was there already")


# --- a leader dies ---


class _Reader:
    """Looks somebody up again and again, at those who are left in turn, and notes the longest pause."""

    def __init__(self, group: ManagerGroup, numbers: list[int], person: Person) -> None:
        self._callers = [Caller(group.urls[number], group.ca, timeout=1.0) for number in numbers]
        self._person = person
        self._stop = threading.Event()
        self.longest = 0.0
        self._thread = threading.Thread(target=self._read)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _read(self) -> None:
        last = time.monotonic()
        for caller in itertools.cycle(self._callers):
            if self._stop.is_set():
                return
            with contextlib.suppress(OSError, http.client.HTTPException):
                status, _ = caller.try_call("GET", f"/users/{self._person[0]}", token=self._person[1])
                if status == 200:
                    now = time.monotonic()
                    self.longest, last = max(self.longest, now - last), now
            self._stop.wait(0.01)


def kill_leader(group: ManagerGroup, number: int) -> tuple[float, float]:
    """Seconds until the first registration after etcd's leader was killed, and the longest pause of look-ups."""
    leader = group.urls.index(group.say(0, "status")["raft_leader"])
    left = [other for other in range(len(group.urls)) if other != leader]
    with Caller(group.urls[left[0]], group.ca) as caller:
        person = (f"reader{number}", caller.join(f"reader{number}"))
        caller.call("GET", f"/users/{person[0]}", token=person[1])
    with Caller(group.urls[left[1]], group.ca) as other:
        other.call("GET", f"/users/{person[0]}", token=person[1])
    with _Reader(group, left, person) as reader:
        time.sleep(0.5)
        group.kill(leader)
        begun = time.monotonic()
        _write(group, left, number)
        took = time.monotonic() - begun
        time.sleep(2.0)
    group.start(leader)
    time.sleep(2.0)
    return took, reader.longest


def _write(group: ManagerGroup, left: list[int], number: int) -> None:
    for attempt in itertools.count():
        body = {
            "username": f"after{number}x{attempt}",
            "password": "a password for benches",
            "ip": "10.0.0.1",
            "port": 1,
        }
        with (
            contextlib.suppress(OSError, http.client.HTTPException),
            Caller(group.urls[left[attempt % 2]], group.ca, 2.0) as caller,
        ):
            if caller.try_call("POST", "/register", body)[0] == 201:
                return
        time.sleep(0.05)
