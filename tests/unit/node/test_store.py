"""A data directory's store: made, locked, unlocked, moved out of the way."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from telegraph.errors import DataUnreadable, KeyFileUnreadable, NotLoggedIn, RateLimited, WrongPassword
from telegraph.node.store import Store
from telegraph.node.unattended import KeyFile, Keyring
from telegraph.storage.stretching import Stretching

QUICK = Stretching(iterations=1, lanes=1, memory=8)
PASSWORD = "correct horse battery"
SECRET = "meet me at the old bridge at nine"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """An established store with a secret in it."""
    made = Store(tmp_path, QUICK)
    await made.make(PASSWORD)
    await made.establish(PASSWORD)
    await made.database.set(secret=SECRET.encode())
    yield made
    await made.lock()


def files_in(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


async def reopened(tmp_path: Path, password: str) -> bytes | None:
    again = Store(tmp_path, QUICK)
    await again.unlock(password)
    value = again.database.setting("secret")
    await again.lock()
    return value


async def test_what_is_in_it_is_there_again_with_the_password(store: Store, tmp_path: Path) -> None:
    await store.lock()
    assert await reopened(tmp_path, PASSWORD) == SECRET.encode()


async def test_a_locked_one_gives_nothing(store: Store, tmp_path: Path) -> None:
    await store.lock()
    again = Store(tmp_path, QUICK)
    assert again.state == "locked"
    with pytest.raises(NotLoggedIn):
        _ = again.database
    with pytest.raises(WrongPassword):
        await again.unlock("a wrong password")
    assert again.state == "locked"


async def test_nothing_readable_lies_on_the_disk_while_it_is_open_or_afterwards(store: Store, tmp_path: Path) -> None:
    def readable() -> list[str]:
        return [file.name for file in tmp_path.iterdir() if SECRET.encode() in file.read_bytes()]

    assert (tmp_path / "store.sqlite3-wal").stat().st_size > 0
    assert readable() == []
    await store.lock()
    assert readable() == []
    assert not (tmp_path / "store.sqlite3").read_bytes().startswith(b"SQLite format 3")


async def test_whoever_guesses_has_to_wait(store: Store, tmp_path: Path) -> None:
    await store.lock()
    again = Store(tmp_path, QUICK)
    for number in range(5):
        with pytest.raises(WrongPassword):
            await again.unlock(f"guess {number}")
    with pytest.raises(RateLimited):
        await again.unlock(PASSWORD)


async def test_before_an_account_is_in_it_it_can_be_made_anew(tmp_path: Path) -> None:
    first = Store(tmp_path, QUICK)
    await first.make("a first try")
    await first.lock()

    second = Store(tmp_path, QUICK)
    assert second.state == "none"
    await second.make("a second try")
    await second.establish("a second try")
    await second.lock()

    assert Store(tmp_path, QUICK).state == "locked"
    assert await reopened(tmp_path, "a second try") is None


async def test_an_established_one_is_never_discarded(store: Store, tmp_path: Path) -> None:
    await store.discard()
    await store.lock()
    assert await reopened(tmp_path, PASSWORD) == SECRET.encode()


async def test_a_database_without_its_vault_is_left_alone(store: Store, tmp_path: Path) -> None:
    await store.lock()
    (tmp_path / "vault.json").unlink()
    with pytest.raises(DataUnreadable):
        await Store(tmp_path, QUICK).make("another password")
    assert (tmp_path / "store.sqlite3").exists()


def test_messages_of_before_encryption_are_neither_opened_nor_removed(tmp_path: Path) -> None:
    (tmp_path / "messages.sqlite3").write_bytes(b"old")
    with pytest.raises(DataUnreadable):
        Store(tmp_path, QUICK)
    assert (tmp_path / "messages.sqlite3").read_bytes() == b"old"


async def test_one_that_nobody_can_open_is_moved_aside_and_can_still_be_opened_there(store: Store) -> None:
    folder = await store.set_aside()
    assert store.state == "none"
    await store.make("a new beginning")
    await store.establish("a new beginning")
    assert store.database.setting("secret") is None
    assert await reopened(folder, PASSWORD) == SECRET.encode()


@pytest.mark.parametrize("moves", [1, 2, 3])
async def test_a_move_aside_that_is_cut_off_anywhere_is_seen_and_carried_on_with(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moves: int
) -> None:
    as_of_a_crash = [(file, file.read_bytes()) for file in (tmp_path / "store.sqlite3", tmp_path / "store.sqlite3-wal")]
    await store.lock()
    for file, content in as_of_a_crash:  # the last commits are in the log alone
        file.write_bytes(content)
    rename, left = Path.rename, [None] * (moves - 1)

    def cut_off(source: Path, target: Path) -> Path:
        if not left:
            raise OSError(5, "power cut")
        left.pop()
        return rename(source, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", cut_off)
        with pytest.raises(DataUnreadable):
            await Store(tmp_path, QUICK).set_aside()

    again = Store(tmp_path, QUICK)
    assert again.state == "locked"
    if moves > 1:
        with pytest.raises(DataUnreadable, match="--set-aside"):
            await again.unlock(PASSWORD)
    folder = await again.set_aside()
    assert await reopened(folder, PASSWORD) == SECRET.encode()
    again.put_back(folder)
    assert await reopened(tmp_path, PASSWORD) == SECRET.encode()


async def test_a_store_aside_does_not_come_back_over_a_new_one(store: Store) -> None:
    folder = await store.set_aside()
    await store.make("a new beginning")
    await store.establish("a new beginning")
    await store.discard()
    store.put_back(folder)
    assert await reopened(folder, PASSWORD) == SECRET.encode()


async def test_a_damaged_store_is_closed_again(store: Store, tmp_path: Path) -> None:
    await store.lock()
    damaged = bytearray((tmp_path / "store.sqlite3").read_bytes())
    for at in range(3 * 4096, len(damaged), 4096):
        damaged[at + 50] ^= 1
    (tmp_path / "store.sqlite3").write_bytes(damaged)
    with pytest.raises(DataUnreadable):
        await store.unlock(PASSWORD)
    assert store.state == "locked"
    assert "messages-writer" not in {thread.name for thread in threading.enumerate()}


async def test_changes_of_what_opens_it_do_not_undo_each_other(store: Store, tmp_path: Path) -> None:
    kept = KeyFile(tmp_path / "a.key")
    code, *_ = await asyncio.gather(
        store.renew_recovery_code(), store.establish(PASSWORD), store.allow_unattended(kept), store.admit("another one")
    )
    await store.lock()
    for secret in (code, PASSWORD, "another one"):
        assert await reopened(tmp_path, secret) == SECRET.encode()
    assert await store.unlock_unattended(kept)


async def test_a_changed_password_opens_it_and_the_one_before_does_not(store: Store, tmp_path: Path) -> None:
    await store.admit("the next password")
    await store.establish("the next password")
    await store.lock()
    assert await reopened(tmp_path, "the next password") == SECRET.encode()
    with pytest.raises(WrongPassword):
        await reopened(tmp_path, PASSWORD)


async def test_a_change_that_was_interrupted_leaves_both_passwords(store: Store, tmp_path: Path) -> None:
    await store.admit("perhaps the next")
    await store.lock()
    assert await reopened(tmp_path, PASSWORD) == await reopened(tmp_path, "perhaps the next") == SECRET.encode()


async def test_a_change_that_was_refused_leaves_the_old_password_alone(store: Store, tmp_path: Path) -> None:
    await store.withdraw(await store.admit("refused by the managers"))
    await store.lock()
    assert await reopened(tmp_path, PASSWORD) == SECRET.encode()
    with pytest.raises(WrongPassword):
        await reopened(tmp_path, "refused by the managers")


async def test_a_new_recovery_code_opens_it(store: Store, tmp_path: Path) -> None:
    code = await store.renew_recovery_code()
    await store.lock()
    assert await reopened(tmp_path, code) == SECRET.encode()


async def test_a_key_file_opens_it_from_the_next_start_on(store: Store, tmp_path: Path) -> None:
    kept = KeyFile(tmp_path / "elsewhere.key")
    assert not await Store(tmp_path, QUICK).unlock_unattended(kept)
    await store.allow_unattended(kept)
    await store.allow_unattended(kept)  # again changes nothing
    await store.lock()

    again = Store(tmp_path, QUICK)
    assert await again.unlock_unattended(kept)
    assert again.database.setting("secret") == SECRET.encode()
    await again.lock()
    assert (tmp_path / "elsewhere.key").stat().st_mode & 0o777 == 0o600


async def test_another_key_file_opens_nothing(store: Store, tmp_path: Path) -> None:
    await store.allow_unattended(KeyFile(tmp_path / "right.key"))
    await store.lock()
    KeyFile(tmp_path / "other.key").make()
    again = Store(tmp_path, QUICK)
    assert not await again.unlock_unattended(KeyFile(tmp_path / "other.key"))
    assert again.state == "locked"


@pytest.mark.parametrize("content", ["", "not hex", "abcd", "é"])
def test_a_file_that_holds_no_key_is_said_so(tmp_path: Path, content: str) -> None:
    (tmp_path / "bad.key").write_text(content)
    with pytest.raises(KeyFileUnreadable):
        KeyFile(tmp_path / "bad.key").read()


def test_a_key_file_is_never_overwritten(tmp_path: Path) -> None:
    kept = KeyFile(tmp_path / "a.key")
    secret = kept.make()
    with pytest.raises(KeyFileUnreadable):
        kept.make()
    assert kept.read() == secret


def test_a_full_disk_leaves_no_half_a_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(KeyFileUnreadable):
        KeyFile(tmp_path / "a.key").make()
    assert KeyFile(tmp_path / "a.key").read() is None


async def test_the_keyring_of_the_session_opens_it(store: Store, tmp_path: Path) -> None:
    import keyring
    from keyring.backend import KeyringBackend

    class InMemory(KeyringBackend):
        priority = 1.0
        kept: dict[tuple[str, str], str]

        def get_password(self, service: str, username: str) -> str | None:
            return self.kept.get((service, username))

        def set_password(self, service: str, username: str, password: str) -> None:
            self.kept[service, username] = password

        def delete_password(self, service: str, username: str) -> None:
            del self.kept[service, username]

    InMemory.kept = {}
    before = keyring.get_keyring()
    keyring.set_keyring(InMemory())  # type: ignore[no-untyped-call]  # theirs
    try:
        await store.allow_unattended(Keyring(store.node_id))
        await store.lock()
        again = Store(tmp_path, QUICK)
        assert await again.unlock_unattended(Keyring(again.node_id))
        await again.lock()
        assert not await Store(tmp_path, QUICK).unlock_unattended(Keyring("another node"))
    finally:
        keyring.set_keyring(before)


async def test_an_erased_store_leaves_no_file_and_the_next_account_begins_anew(store: Store, tmp_path: Path) -> None:
    (tmp_path / "store-version-1.sqlite3").write_bytes(b"a copy of before an upgrade")
    await store.erase()
    assert files_in(tmp_path) == []
    assert store.state == "none"
    await store.make("another password")
    assert store.database.setting("secret") is None


async def test_an_erasure_that_was_interrupted_can_be_repeated(store: Store, tmp_path: Path) -> None:
    await store.lock()
    (tmp_path / "store.sqlite3").unlink()  # the vault goes last
    again = Store(tmp_path, QUICK)
    with pytest.raises(DataUnreadable):
        await again.unlock(PASSWORD)
    await again.erase()
    assert files_in(tmp_path) == []
    assert again.state == "none"
