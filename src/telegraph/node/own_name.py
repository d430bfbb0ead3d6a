"""This node's own name, which a heal between sites may change: ``bob`` becomes ``bob~lima``. Pure."""

import msgspec

from telegraph.errors import OtherAccount
from telegraph.node.account import Account
from telegraph.protocol.manager_api import User
from telegraph.protocol.names import HEALED, may_be_same


def name_to_log_in(account: Account | None, typed: str) -> str:
    """Under which name to log in here: who was renamed may go on typing the name of before.

    Raises:
        OtherAccount: the data directory is somebody else's.
    """
    if account is None:
        return typed
    if not may_be_same(account.username, typed):
        raise OtherAccount(username=account.username)
    return typed if HEALED in typed else account.username


def named(account: Account, user: User) -> Account | None:
    """The account as the directory names it; None if that is no news, or of somebody else."""
    if user.user_id != account.user_id:
        return None
    after = msgspec.structs.replace(account, username=user.username, provisional=user.provisional)
    return None if after == account else after
