"""The error answers that every call of a manager can give besides its own."""

from litestar.openapi.datastructures import ResponseSpec

from telegraph.errors import DirectoryUnavailable, TelegraphError
from telegraph.rest.errors import answers as answers_of


def answers(*errors: type[TelegraphError]) -> dict[int, ResponseSpec]:
    """The error answers of a call, for its OpenAPI entry."""
    return answers_of(*errors, DirectoryUnavailable)
