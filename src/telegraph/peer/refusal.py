"""Errors as answers to a call: ``{"message", "status", "error"}``, the same shape everywhere (DESIGN.md section 3)."""

import msgspec

from telegraph.errors import TelegraphError
from telegraph.peer.port import Reply
from telegraph.protocol.language import language_of
from telegraph.protocol.manager_api import ErrorAnswer


def refusal(error: TelegraphError, accept_language: str) -> Reply:
    """The error answer; in Spanish, the report's language, unless the caller asks for English first."""
    sentence = error.sentence(language_of(accept_language))
    return Reply(error.status, msgspec.json.encode(ErrorAnswer(sentence, error.status, error.code)))
