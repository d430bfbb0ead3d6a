from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from telegraph.directory import records
from telegraph.directory.memory import MemoryDirectory
from telegraph.directory.port import Delete, Entry, Put, Unchanged
from telegraph.directory.records import Account, Presence
from telegraph.errors import (
    BadSignature,
    Conflict,
    FateUnknown,
    IllegalAddress,
    IllegalCsr,
    IllegalName,
    IllegalPassword,
    NameTaken,
    NotLoggedIn,
    RateLimited,
    StaleCounter,
    TelegraphError,
    WrongCredentials,
)
from telegraph.manager import accounts
from telegraph.manager.sessions import Caller
from telegraph.node.keys import DeviceKey
from telegraph.protocol.addresses import Address
from telegraph.protocol.identity import Holder, holder_of
from telegraph.protocol.manager_api import RegisterRequest

if TYPE_CHECKING:
    from tests.unit.manager.conftest import House

PASSWORD = "correct horse"


async def presence_of(house: House, user_id: str) -> Presence:
    entry = await house.directory.get(records.presence_key(user_id))
    assert entry is not None
    return records.decode(entry.value, Presence)


async def valid(house: House, tokens: Sequence[str]) -> list[bool]:
    found = []
    for token in tokens:
        try:
            await house.caller(token)
        except NotLoggedIn:
            found.append(False)
        else:
            found.append(True)
    return found


# --- register ---


async def test_alice_registers_and_is_found_offline_at_her_address(house: House) -> None:
    user_id = await house.register("Alice")
    alice = await house.people.find("alice")
    assert (alice.username, alice.user_id, alice.status) == ("Alice", user_id, "offline")
    assert (alice.ip, alice.port, alice.last_seen, alice.device_key) == ("10.0.0.1", 8000, None, None)


async def test_the_password_is_stored_as_a_bcrypt_hash_only(house: House) -> None:
    user_id = await house.register("alice")
    content = await house.content()
    assert not any(PASSWORD.encode() in value for value in content.values())
    account = records.decode(content[records.account_key(user_id)], Account)
    assert account.password_hash.startswith("$2b$")


@pytest.mark.parametrize("name", ["alice", "ALICE", "ａｌｉｃｅ", "Alice"])
async def test_a_name_that_looks_the_same_is_taken(house: House, name: str) -> None:
    await house.register("alice")
    before = await house.content()
    with pytest.raises(NameTaken):
        await house.register(name)
    assert await house.content() == before


async def test_of_many_who_want_a_name_at_once_exactly_one_gets_it(house: House) -> None:
    results = await asyncio.gather(*(house.register("alice") for _ in range(8)), return_exceptions=True)
    assert sum(isinstance(result, str) for result in results) == 1
    assert sum(isinstance(result, NameTaken) for result in results) == 7
    assert len((await house.directory.scan(records.ACCOUNTS)).entries) == 1


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"username": ""}, IllegalName),
        ({"username": "a b"}, IllegalName),
        ({"username": "x" * 65}, IllegalName),
        ({"username": "\ud800"}, IllegalName),
        ({"password": "short"}, IllegalPassword),
        ({"password": "x" * 73}, IllegalPassword),
        ({"ip": "nowhere/at all"}, IllegalAddress),
        ({"port": 0}, IllegalAddress),
    ],
)
async def test_what_cannot_be_used_is_refused_and_changes_nothing(
    house: House, changes: dict[str, str | int], error: type[TelegraphError]
) -> None:
    fields: dict[str, Any] = {"username": "alice", "password": PASSWORD, "ip": "10.0.0.1", "port": 8000, **changes}
    with pytest.raises(error):
        await house.accounts.register(RegisterRequest(**fields))
    assert await house.content() == {}


async def test_a_repeated_registration_finds_its_own_work(house: House) -> None:
    first = await house.register("alice", request_id="r" * 16)
    assert await house.register("alice", request_id="r" * 16) == first
    assert len((await house.directory.scan(records.ACCOUNTS)).entries) == 1


@pytest.mark.parametrize("changes", [{"request_id": "s" * 16}, {"password": "another one"}, {"request_id": None}])
async def test_only_the_very_same_registration_is_a_repeated_one(house: House, changes: dict[str, str | None]) -> None:
    await house.register("alice", request_id="r" * 16)
    fields: dict[str, Any] = {"password": PASSWORD, "request_id": "r" * 16, **changes}
    with pytest.raises(NameTaken):
        await house.register("alice", **fields)


class LosingAnswers(MemoryDirectory):
    """Commits, or not, and says that it does not know."""

    def __init__(self, *, commits: bool) -> None:
        super().__init__()
        self.commits = commits
        self.losing = True

    async def commit(self, conditions: Sequence[Unchanged], writes: Sequence[Put | Delete]) -> int | None:
        if not self.losing:
            return await super().commit(conditions, writes)
        self.losing = False
        if self.commits:
            await super().commit(conditions, writes)
        raise FateUnknown


async def test_a_create_whose_answer_got_lost_recognises_itself(make_house: type[House]) -> None:
    house = make_house(directory=LosingAnswers(commits=True))
    user_id = await house.register("alice")
    assert (await house.people.find("alice")).user_id == user_id


class LosingSight(LosingAnswers):
    """From then on nothing is answered at all."""

    async def get(self, key: str, *, stale: bool = False) -> Entry | None:
        if not self.losing:
            await asyncio.Event().wait()
        return await super().get(key, stale=stale)


async def test_what_became_of_a_create_is_not_waited_for_long(
    make_house: type[House], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounts, "_LOOK_AGAIN", 0.0)
    with pytest.raises(FateUnknown):
        await make_house(directory=LosingSight(commits=True)).register("alice")


async def test_a_create_that_did_not_happen_is_not_claimed_to_have(make_house: type[House]) -> None:
    house = make_house(directory=LosingAnswers(commits=False))
    with pytest.raises(FateUnknown):
        await house.register("alice")
    assert await house.content() == {}


# --- log in ---


async def test_alice_logs_in_and_is_online_at_once(house: House) -> None:
    await house.register("alice")
    done = await house.log_in("Alice", host="10.0.0.7")
    caller = await house.caller(done.token)
    assert (caller.username, caller.device) == ("alice", False)
    alice = await house.people.find("alice")
    assert (alice.status, alice.ip, alice.port, alice.last_seen) == ("online", "10.0.0.7", 8001, house.clock().text)
    assert alice.counter == done.counter
    assert done.certificate is None


async def test_a_token_is_stored_as_its_hash_only(house: House) -> None:
    await house.register("alice")
    token = (await house.log_in("alice")).token
    secret = token.partition(".")[2]
    assert not any(secret in key or secret.encode() in value for key, value in (await house.content()).items())


async def test_a_device_gets_a_certificate_for_its_key_and_user_id(house: House) -> None:
    key = DeviceKey.create()
    user_id = await house.register("alice")
    done = await house.log_in("alice", key=key)
    assert done.certificate is not None
    certificate = x509.load_pem_x509_certificate(done.certificate.encode())
    assert holder_of(certificate.public_bytes(Encoding.DER)) == Holder("user", user_id, key.public)
    assert certificate.not_valid_after_utc - house.clock().utc == timedelta(days=30)
    assert (await house.people.find("alice")).device_key == b64encode(key.public).decode()


async def test_a_wrong_password_and_an_unknown_name_get_the_same_answer(house: House) -> None:
    await house.register("alice")
    before = await house.content()
    sentences = set()
    for name in ("alice", "bob", "\ud800", "", "a" * 256):
        with pytest.raises(WrongCredentials) as refused:
            await house.log_in(name, "battery staple")
        sentences.add(str(refused.value))
    assert len(sentences) == 1
    assert await house.content() == before


async def test_too_many_failures_are_refused_even_with_the_right_password(house: House) -> None:
    await house.register("alice")
    for _ in range(20):
        with pytest.raises(WrongCredentials):
            await house.log_in("alice", "battery staple")
    with pytest.raises(RateLimited):
        await house.log_in("ALICE")
    await house.log_in("alice", remote="192.0.2.99")
    house.clock.forward(60)
    await house.log_in("alice")


async def test_log_ins_that_succeed_are_never_too_many(house: House) -> None:
    await house.register("alice")
    for _ in range(25):
        await house.log_in("alice")


async def test_a_second_device_ends_the_first_ones_session_and_where_it_was_is_told(house: House) -> None:
    await house.register("alice")
    old = await house.log_in("alice", key=DeviceKey.create(), host="10.0.0.7")
    new = await house.log_in("alice", key=DeviceKey.create(), host="10.0.0.8")
    assert await valid(house, [old.token, new.token]) == [False, True]
    (ended,) = house.ended
    assert ended.reason == "logged_in_elsewhere"
    assert ended.token_hashes == (records.secret_hash(old.token),) == (ended.device_hash,)
    assert ended.device == Address("10.0.0.7", 8001)


async def test_the_same_device_logging_in_again_has_nobody_else_to_tell(house: House) -> None:
    key = DeviceKey.create()
    await house.register("alice")
    old, new = await house.log_in("alice", key=key), await house.log_in("alice", key=key)
    assert await valid(house, [old.token, new.token]) == [False, True]
    assert [ended.device for ended in house.ended] == [None]


async def test_a_plain_log_in_ends_nothing_and_leaves_the_device_where_it_is(house: House) -> None:
    key = DeviceKey.create()
    await house.register("alice")
    device = await house.log_in("alice", key=key, host="10.0.0.7")
    plain = await house.log_in("alice", host="10.0.0.99")
    assert await valid(house, [device.token, plain.token]) == [True, True]
    alice = await house.people.find("alice")
    assert (alice.ip, alice.device_key) == ("10.0.0.7", b64encode(key.public).decode())


async def test_plain_sessions_do_not_pile_up_without_end(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts, "MAX_PLAIN_SESSIONS", 3)
    await house.register("alice")
    tokens = []
    for _ in range(5):
        tokens.append((await house.log_in("alice")).token)
        house.clock.forward(1)
    assert await valid(house, tokens) == [False, False, True, True, True]


async def test_of_two_devices_logging_in_at_once_exactly_one_session_is_valid(house: House) -> None:
    await house.register("alice")
    done = await asyncio.gather(*(house.log_in("alice", key=DeviceKey.create()) for _ in range(6)))
    assert sum(await valid(house, [each.token for each in done])) == 1
    assert len((await house.directory.scan(records.SESSIONS)).entries) == 1


async def test_two_managers_cannot_both_give_a_device_session(house: House, make_house: type[House]) -> None:
    other = make_house(directory=house.directory)
    other.ca = house.ca
    await house.register("alice")
    done = await asyncio.gather(
        *(each.log_in("alice", key=DeviceKey.create()) for each in (house, other) for _ in range(3))
    )
    assert sum(await valid(house, [each.token for each in done])) == 1


async def test_a_signed_address_is_kept_with_its_counter(house: House) -> None:
    key = DeviceKey.create()
    user_id = await house.register("alice")
    counter = (await presence_of(house, user_id)).counter + 1
    signature = key.sign_address(user_id, "10.0.0.7", 8001, counter).signature
    await house.log_in("alice", key=key, host="10.0.0.7", counter=counter, signature=b64encode(signature).decode())
    stored = await presence_of(house, user_id)
    assert (stored.counter, stored.signature) == (counter, signature)


async def test_a_bad_signature_a_stale_counter_or_a_bad_request_start_no_session(house: House) -> None:
    key = DeviceKey.create()
    user_id = await house.register("alice")
    before = await house.content()
    counter = (await presence_of(house, user_id)).counter
    elsewhere = b64encode(key.sign_address(user_id, "10.9.9.9", 8001, counter + 1).signature).decode()
    with pytest.raises(BadSignature):
        await house.log_in("alice", key=key, counter=counter + 1, signature=elsewhere)
    with pytest.raises(StaleCounter):
        await house.log_in("alice", key=key, counter=counter)
    with pytest.raises(IllegalPassword):
        await house.log_in("alice", "x" * 73)
    key.csr = lambda: "no request"  # type: ignore[method-assign]
    with pytest.raises(IllegalCsr):
        await house.log_in("alice", key=key)
    assert await house.content() == before


# --- log out ---


async def test_whoever_logs_out_is_offline_at_once_and_the_token_is_worth_nothing(house: House) -> None:
    caller = await house.join("alice")
    house.clock.forward(5)
    await house.accounts.log_out(caller)
    alice = await house.people.find("alice")
    assert (alice.status, alice.last_seen) == ("offline", house.clock().text)
    assert caller.user_id not in house.live
    assert (await house.directory.scan(records.SESSIONS)).entries == ()
    assert [ended.reason for ended in house.ended] == ["logged_out"]


async def test_logging_out_a_plain_session_leaves_the_device_online(house: House) -> None:
    await house.join("alice", key=DeviceKey.create())
    plain = await house.caller((await house.log_in("alice")).token)
    await house.accounts.log_out(plain)
    assert (await house.people.find("alice")).status == "online"


async def test_a_session_that_was_moved_cannot_put_the_new_device_offline(house: House) -> None:
    old = await house.join("alice", key=DeviceKey.create())
    await house.log_in("alice", key=DeviceKey.create())
    with pytest.raises(NotLoggedIn):
        await house.accounts.log_out(old)
    assert (await house.people.find("alice")).status == "online"


# --- password ---


async def test_a_changed_password_is_the_only_one_that_works(house: House) -> None:
    caller = await house.join("alice")
    await house.accounts.change_password(caller, PASSWORD, "battery staple", "192.0.2.1")
    with pytest.raises(WrongCredentials):
        await house.log_in("alice")
    await house.log_in("alice", "battery staple")


async def test_changing_the_password_ends_the_users_other_sessions_and_no_one_elses(house: House) -> None:
    bob = await house.join("bob")
    device = await house.join("alice", key=DeviceKey.create())
    plain = await house.caller((await house.log_in("alice")).token)
    await house.accounts.change_password(plain, PASSWORD, "battery staple", "192.0.2.1")
    stored = {entry.key for entry in (await house.directory.scan(records.SESSIONS)).entries}
    assert stored == {bob.alive.key, plain.alive.key}
    (ended,) = house.ended
    assert (ended.reason, ended.device_hash) == ("password_changed", device.token_hash)
    assert ended.device == Address("10.0.0.2", 8001)


async def test_a_wrong_old_password_or_an_illegal_new_one_changes_nothing(house: House) -> None:
    caller = await house.join("alice")
    before = await house.content()
    with pytest.raises(WrongCredentials):
        await house.accounts.change_password(caller, "wrong", "battery staple", "192.0.2.1")
    with pytest.raises(IllegalPassword):
        await house.accounts.change_password(caller, PASSWORD, "short", "192.0.2.1")
    assert await house.content() == before


async def test_guessing_the_old_password_with_a_stolen_session_is_limited(house: House) -> None:
    caller = await house.join("alice")
    for _ in range(20):
        with pytest.raises(WrongCredentials):
            await house.accounts.change_password(caller, "wrong", "battery staple", "192.0.2.1")
    with pytest.raises(RateLimited):
        await house.accounts.change_password(caller, PASSWORD, "battery staple", "192.0.2.1")


async def test_an_ended_session_changes_no_password(house: House) -> None:
    caller = await house.join("alice")
    await house.directory.commit([], [Delete(caller.alive.key)])
    with pytest.raises(NotLoggedIn):
        await house.accounts.change_password(caller, PASSWORD, "battery staple", "192.0.2.1")
    await house.log_in("alice")


async def test_of_two_changes_at_once_one_wins_and_the_other_hears_of_it(house: House) -> None:
    caller = await house.join("alice")
    news = [f"battery staple {number}" for number in range(4)]
    results = await asyncio.gather(
        *(house.accounts.change_password(caller, PASSWORD, new, "192.0.2.1") for new in news), return_exceptions=True
    )
    assert results.count(None) == 1
    assert sum(isinstance(result, WrongCredentials) for result in results) == 3
    await house.log_in("alice", news[results.index(None)])


class NeverQuickEnough(MemoryDirectory):
    """Somebody else always writes in between."""

    refusing = False

    async def commit(self, conditions: Sequence[Unchanged], writes: Sequence[Put | Delete]) -> int | None:
        return None if self.refusing and conditions else await super().commit(conditions, writes)


async def test_trying_again_has_an_end(make_house: type[House]) -> None:
    directory = NeverQuickEnough()
    house = make_house(directory=directory)
    alice: Caller = await house.join("alice")
    directory.refusing = True
    with pytest.raises(Conflict):
        await house.register("bob")
    with pytest.raises(Conflict):
        await house.log_in("alice")
    with pytest.raises(Conflict):
        await house.accounts.log_out(alice)
    with pytest.raises(Conflict):
        await house.accounts.change_password(alice, PASSWORD, "battery staple", "192.0.2.1")


class Trailing(MemoryDirectory):
    """Reads that may trail have not heard of anybody yet."""

    async def get(self, key: str, *, stale: bool = False) -> Entry | None:
        return None if stale else await super().get(key)


async def test_a_name_that_only_looks_free_is_not_given_twice(make_house: type[House]) -> None:
    house = make_house(directory=Trailing())
    first = await house.register("alice", request_id="r" * 16)
    with pytest.raises(NameTaken):
        await house.register("Alice")
    assert await house.register("alice", request_id="r" * 16) == first
