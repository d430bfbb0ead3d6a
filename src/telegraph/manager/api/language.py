"""What a manager answers, in both languages. Pure."""

from typing import Final, Literal

from telegraph.errors import Language

Said = Literal[
    "registered",
    "logged_in",
    "heartbeat",
    "moved",
    "logged_out",
    "password",
    "certificate",
    "session_ended",
    "deleted",
    "alive",
    "ready",
    "not_ready",
    "welcome",
]

_SENTENCES: Final[dict[Said, tuple[str, str]]] = {
    "registered": ("Registro exitoso", "Registration successful"),
    "logged_in": ("Login exitoso", "Login successful"),
    "heartbeat": ("heartbeat recibido", "heartbeat received"),
    "moved": ("IP actualizada exitosamente", "IP updated successfully"),
    "logged_out": ("Sesión cerrada", "Logged out"),
    "password": ("Contraseña actualizada exitosamente", "Password updated successfully"),
    "certificate": ("Certificado renovado exitosamente", "Certificate renewed successfully"),
    "session_ended": ("Sesión terminada", "Session ended"),
    "deleted": ("Cuenta eliminada", "Account deleted"),
    "alive": ("vivo", "alive"),
    "ready": ("listo", "ready"),
    "welcome": ("Bienvenido al grupo", "Welcome to the group"),
    "not_ready": ("no está listo", "not ready"),
}


def sentence(said: Said, language: Language) -> str:
    """The sentence of an answer."""
    spanish, english = _SENTENCES[said]
    return english if language == "en" else spanish
