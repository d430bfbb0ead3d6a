"""Alice registers, logs in and out, and is interrupted at the worst moments. Her managers are simulated."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from telegraph.errors import (
    KeyFileUnreadable,
    ManagerAway,
    NotLoggedIn,
    RateLimited,
    TelegraphError,
    WrongCredentials,
    WrongPassword,
)
from telegraph.node import backup, membership, running
from telegraph.node.account import Account
from telegraph.node.app import Node
from telegraph.node.database import FILE
from telegraph.node.settings import NodeSettings
from telegraph.node.store import Store
from telegraph.protocol.manager_api import LoggedIn, Registered
from telegraph.storage.stretching import Stretching

QUICK = Stretching(memory=32)
PASSWORD = "correct horse battery"
OTHER = "another password of hers"


class Managers:
    """What the managers know, and answers by path that a test puts in their place: an error, or something to await."""

    def __init__(self) -> None:
        self.password: str | None = None
        self.instead: dict[str, Any] = {}

    def __call__(self, _ca: str | None) -> "Managers":
        return self

    async def close(self) -> None:
        """They are not a connection."""

    async def probe(self, _url: str) -> None:
        raise ManagerAway

    async def open_stream(self, *_: object) -> None:
        raise ManagerAway

    async def call(self, _url: str, _method: str, path: str, *_: object, body: Any = None, **__: object) -> Any:
        if isinstance(self.instead.get(path), TelegraphError):
            raise self.instead[path]
        if path in self.instead:
            await self.instead[path]()
        if path == "/register":
            self.password = body.password
            return Registered("welcome", "u1", body.username)
        if path == "/login":
            if body.password != self.password:
                raise WrongCredentials
            return LoggedIn("welcome", "a token", "u1", body.username, "a CA", 10.0, 30.0, "a", 1, "a certificate")
        if path == "/password":
            if body.old != self.password:
                raise WrongCredentials
            self.password = body.new
        return None


@pytest.fixture
def managers(monkeypatch: pytest.MonkeyPatch) -> Managers:
    made = Managers()
    monkeypatch.setattr(running, "ManagerClient", made)
    monkeypatch.setattr(membership, "_CONNECTED_WITHIN", 0.01)
    monkeypatch.setenv("TELEGRAPH_TESTING", "1")
    return made


class Alices(Node):
    """Alice's node; ``on_links`` runs when links would be accepted: from then on messages come."""

    on_links: Callable[[], object] = staticmethod(lambda: None)

    async def logged_in(self, _account: Account) -> None:
        self.on_links()


def node(data: Path, **settings: Any) -> Alices:
    url = "http://127.0.0.1:9"
    return Alices.with_settings(
        NodeSettings(data=data, managers=(url,), host="127.0.0.1", peer_port=0, argon2_memory=QUICK.memory, **settings)
    )


@pytest.fixture
async def alice(managers: Managers, tmp_path: Path) -> AsyncIterator[Alices]:
    assert managers.password is None
    async with node(tmp_path / "alice") as made:
        yield made


def on_disk(alice: Node) -> str:
    """What a start after a crash at this moment would find."""
    return Store(alice.settings.data, QUICK).state


async def test_before_the_first_message_can_come_the_store_is_kept_for_good(alice: Alices) -> None:
    found: list[str] = []
    alice.on_links = lambda: found.append(on_disk(alice))

    await alice.register("alice", PASSWORD)

    assert found == ["locked"], "a crash now would throw away what was acknowledged"


async def test_a_first_log_in_that_is_cut_short_after_links_are_there_keeps_the_store(
    alice: Alices, managers: Managers
) -> None:
    managers.password = PASSWORD
    task = asyncio.create_task(alice.login("alice", PASSWORD))
    alice.on_links = task.cancel

    with pytest.raises(asyncio.CancelledError):
        await task

    assert (alice.account_state, on_disk(alice)) == ("locked", "locked")
    assert (await alice.login("alice", PASSWORD)).username == "alice"


async def test_a_refused_first_log_in_leaves_nothing(alice: Alices) -> None:
    with pytest.raises(WrongCredentials):
        await alice.login("alice", PASSWORD)
    assert (alice.account_state, on_disk(alice)) == ("none", "none")
    assert not list(alice.settings.data.glob("store*"))


async def test_messages_are_set_aside_only_if_the_log_in_succeeds(alice: Alices, managers: Managers) -> None:
    await alice.register("alice", PASSWORD)
    await alice.logout()
    managers.password = OTHER

    with pytest.raises(WrongCredentials):
        await alice.login("alice", "a wrong guess", set_aside=True)

    assert (alice.account_state, on_disk(alice)) == ("locked", "locked")
    assert not list(alice.settings.data.glob("set-aside-*"))
    await alice.login("alice", OTHER, unlock=PASSWORD)


async def test_a_key_file_that_cannot_be_made_is_said_before_there_is_an_account(
    managers: Managers, tmp_path: Path
) -> None:
    async with node(tmp_path / "alice", key_file=tmp_path / "nowhere" / "a.key") as alice:
        with pytest.raises(KeyFileUnreadable):
            await alice.register("alice", PASSWORD)
        assert managers.password is None
        assert alice.account_state == "none"


@pytest.mark.usefixtures("managers")
async def test_a_key_file_that_cannot_be_made_leaves_a_locked_store_locked(tmp_path: Path) -> None:
    async with node(tmp_path / "alice") as alice:
        await alice.register("alice", PASSWORD)
    async with node(tmp_path / "alice", key_file=tmp_path / "nowhere" / "a.key") as alice:
        with pytest.raises(KeyFileUnreadable):
            await alice.login("alice", PASSWORD)
        assert alice.account_state == "locked"


@pytest.mark.parametrize("refusal", [WrongCredentials(), RateLimited(retry_after=9)])
async def test_a_password_that_the_managers_refused_opens_nothing(
    alice: Alices, managers: Managers, refusal: TelegraphError
) -> None:
    await alice.register("alice", PASSWORD)
    managers.instead["/password"] = refusal
    with pytest.raises(type(refusal)):
        await alice.change_password(PASSWORD, OTHER)
    await alice.logout()

    with pytest.raises(WrongPassword):
        await alice.login("alice", OTHER)
    await alice.login("alice", PASSWORD)


async def test_a_refusal_takes_back_no_password_that_was_let_in_before(alice: Alices, managers: Managers) -> None:
    await alice.register("alice", PASSWORD)
    managers.instead["/password"] = ManagerAway()  # in truth it was changed, and the answer was lost
    managers.password = OTHER
    with pytest.raises(ManagerAway):
        await alice.change_password(PASSWORD, OTHER)
    del managers.instead["/password"]
    with pytest.raises(WrongCredentials):
        await alice.change_password(PASSWORD, OTHER)
    await alice.logout()

    await alice.login("alice", OTHER)


async def test_a_restored_node_is_another_device_so_that_no_number_is_used_twice(
    alice: Alices, managers: Managers, tmp_path: Path
) -> None:
    await alice.register("alice", PASSWORD)
    await alice.back_up(tmp_path / "copy.tar")
    backup.restore(tmp_path / "copy.tar", tmp_path / "again")
    before = alice.database.setting("device_key")

    managers.instead["/login"] = ManagerAway()
    async with node(tmp_path / "again") as restored:
        await restored.login("alice", PASSWORD)
        key, account = restored.database.setting("device_key"), restored.account
        assert key not in (None, before)
        assert account is not None
        assert (account.token, account.certificate) == (None, None)
        await restored.logout()
        await restored.login("alice", PASSWORD)
        assert restored.database.setting("device_key") == key, "once is enough"


async def test_closing_waits_for_a_log_in_under_way_and_lets_no_other_in(alice: Alices) -> None:
    await alice.register("alice", PASSWORD)
    await alice.logout()
    first, second = (asyncio.create_task(alice.login("alice", PASSWORD)) for _ in range(2))
    await asyncio.sleep(0)
    await alice.close()

    assert (await first).username == "alice"
    with pytest.raises(NotLoggedIn):
        await second
    assert alice._store.state == "locked"
    assert not (alice.settings.data / f"{FILE}-wal").exists()
