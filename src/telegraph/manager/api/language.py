"""An answer's language: Spanish, as in the report, unless the caller likes English better. Pure."""

from collections.abc import Iterator
from typing import Final, Literal

from telegraph.errors import Language

_MAX_HEADER: Final = 1000

Said = Literal[
    "registered",
    "logged_in",
    "heartbeat",
    "moved",
    "logged_out",
    "password",
    "certificate",
    "alive",
    "ready",
    "not_ready",
]

_SENTENCES: Final[dict[Said, tuple[str, str]]] = {
    "registered": ("Registro exitoso", "Registration successful"),
    "logged_in": ("Login exitoso", "Login successful"),
    "heartbeat": ("heartbeat recibido", "heartbeat received"),
    "moved": ("IP actualizada exitosamente", "IP updated successfully"),
    "logged_out": ("Sesión cerrada", "Logged out"),
    "password": ("Contraseña actualizada exitosamente", "Password updated successfully"),
    "certificate": ("Certificado renovado exitosamente", "Certificate renewed successfully"),
    "alive": ("vivo", "alive"),
    "ready": ("listo", "ready"),
    "not_ready": ("no está listo", "not ready"),
}


def sentence(said: Said, language: Language) -> str:
    """The sentence of an answer."""
    spanish, english = _SENTENCES[said]
    return english if language == "en" else spanish


def language_of(accept_language: str) -> Language:
    """The better liked of our two languages (RFC 9110, section 12.5.4); Spanish if neither is named or both alike."""
    best = {"es": 0.0, "en": 0.0}
    for language, weight in _ranges(accept_language[:_MAX_HEADER]):
        if language in best:
            best[language] = max(best[language], weight)
    return "en" if best["en"] > best["es"] else "es"


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
