"""What a node says to a manager."""

import pytest

from telegraph.errors import BadInput
from telegraph.node.manager_client import ManagerClient
from telegraph.protocol.manager_api import Answer, PasswordRequest


async def test_what_is_not_unicode_is_refused_without_repeating_it() -> None:
    client = ManagerClient(None)
    with pytest.raises(BadInput) as refusal:
        await client.call("http://127.0.0.1:9", "POST", "/password", Answer, body=PasswordRequest("secret\ud800", "x"))
    await client.close()
    assert "secret" not in str(refusal.value)
    assert refusal.value.__cause__ is None
