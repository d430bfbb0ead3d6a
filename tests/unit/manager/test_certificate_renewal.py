from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from telegraph.directory import records
from telegraph.directory.port import Delete
from telegraph.errors import IllegalCsr, NotLoggedIn
from telegraph.node.keys import DeviceKey
from telegraph.protocol.identity import Holder, holder_of

if TYPE_CHECKING:
    from tests.unit.manager.conftest import House


async def test_a_device_gets_a_new_certificate_for_the_same_key(house: House) -> None:
    key = DeviceKey.create()
    alice = await house.join("alice", key=key)
    house.clock.forward(20 * 86400)
    renewed = x509.load_pem_x509_certificate((await house.accounts.renew_certificate(alice, key.csr())).encode())
    assert holder_of(renewed.public_bytes(Encoding.DER)) == Holder("user", alice.user_id, key.public)
    assert renewed.not_valid_after_utc - house.clock().utc == timedelta(days=30)


async def test_another_key_needs_a_log_in(house: House) -> None:
    alice = await house.join("alice", key=DeviceKey.create())
    with pytest.raises(IllegalCsr):
        await house.accounts.renew_certificate(alice, DeviceKey.create().csr())


async def test_a_session_without_device_gets_no_certificate(house: House) -> None:
    key = DeviceKey.create()
    await house.join("alice", key=key)
    plain = await house.caller((await house.log_in("alice")).token)
    with pytest.raises(IllegalCsr):
        await house.accounts.renew_certificate(plain, key.csr())


async def test_what_is_no_request_and_whoever_is_no_user_get_none(house: House) -> None:
    key = DeviceKey.create()
    alice = await house.join("alice", key=key)
    with pytest.raises(IllegalCsr):
        await house.accounts.renew_certificate(alice, "no request")
    await house.directory.commit([], [Delete(records.account_key(alice.user_id))])
    with pytest.raises(NotLoggedIn):
        await house.accounts.renew_certificate(alice, key.csr())
