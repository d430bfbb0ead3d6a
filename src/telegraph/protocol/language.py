"""An answer's language: Spanish, as in the report, unless the caller likes English better. Pure."""

from collections.abc import Iterator
from typing import Final

from telegraph.errors import Language

_MAX_HEADER: Final = 1000


def language_of(accept_language: str) -> Language:
    """The better liked of our two languages (RFC 9110, section 12.5.4), of two liked alike the one named first.

    Spanish if neither is named.
    """
    best: Language = "es"
    most = 0.0
    for language, weight in _ranges(accept_language[:_MAX_HEADER]):
        if weight > most and language in ("es", "en"):
            best, most = ("en" if language == "en" else "es"), weight
    return best


def _ranges(header: str) -> Iterator[tuple[str, float]]:
    for item in header.lower().split(","):
        language, _, parameter = item.partition(";")
        yield language.strip().split("-")[0], _weight(parameter)


def _weight(parameter: str) -> float:
    name, _, value = parameter.partition("=")
    if name.strip() != "q":
        return 1.0
    whole = value.strip()
    return float(whole) if whole.replace(".", "", 1).isdecimal() and whole.isascii() else 0.0
