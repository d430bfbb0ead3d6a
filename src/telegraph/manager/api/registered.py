"""The answer to a registration, the same whichever way it came."""

from telegraph.directory.records import Account
from telegraph.errors import Language
from telegraph.manager.api.language import sentence
from telegraph.protocol.manager_api import Registered


def registered(account: Account, language: Language) -> Registered:
    """201 of ``POST /register``."""
    return Registered(
        message=sentence("registered", language),
        user_id=account.user_id,
        username=account.username,
        provisional=account.name_state == "provisional",
    )
