"""Every cause that the doctor and "why isn't it sent?" can name: how bad it is, what is so, and what to do. Pure.

The page, the command line and docs/reference/causes.md all have these sentences from here.
"""

from typing import Final

import msgspec

from telegraph.errors import Language
from telegraph.protocol.doctor_api import Area, Cause, Level


class Words(msgspec.Struct, frozen=True):
    """A cause in words. Each is (English, Spanish); what stands in braces is filled in."""

    area: Area
    level: Level
    says: tuple[str, str]
    advice: tuple[str, str] = ("", "")

    def filled(self, language: Language, **values: object) -> tuple[str, str]:
        """What is so, and what to do."""
        at = 0 if language == "en" else 1
        return self.says[at].format_map(_Dashes(values)), self.advice[at].format_map(_Dashes(values))


class _Dashes(dict[str, object]):
    def __missing__(self, key: str) -> str:
        return "–"


CAUSES: Final[dict[Cause, Words]] = {
    # --- the session ---
    "session_open": Words(
        "session", "good", ("You are logged in as {subject}.", "La sesión de {subject} está abierta.")
    ),
    "no_account": Words(
        "session",
        "problem",
        ("Nobody has an account on this node yet.", "Aún nadie tiene una cuenta en este nodo."),
        ("Register, or log in.", "Registre una cuenta, o inicie sesión."),
    ),
    "locked": Words(
        "session",
        "problem",
        ("The messages on this machine are locked.", "Los mensajes de este equipo están bloqueados."),
        ("Log in: the password opens them.", "Inicie sesión: la contraseña los abre."),
    ),
    "session_ended": Words(
        "session",
        "problem",
        ("The session ended here: {detail}.", "La sesión terminó aquí: {detail}."),
        ("Log in again; what waits then goes out.", "Inicie sesión de nuevo; lo que espera saldrá entonces."),
    ),
    "name_provisional": Words(
        "session",
        "notice",
        (
            "The name {subject} is provisional: not every site has confirmed it.",
            "El nombre {subject} es provisional: no todos los sitios lo han confirmado.",
        ),
        (
            "You can use it. If somebody else registered it first elsewhere, you will be told.",
            "Puede usarse. Si otra persona lo registró antes en otro sitio, se le avisará.",
        ),
    ),
    # --- the managers ---
    "managers_work": Words(
        "managers",
        "good",
        ("The identity managers answer: {count}.", "Los gestores de identidades responden: {count}."),
    ),
    "no_manager_known": Words(
        "managers",
        "problem",
        ("No identity manager is known here.", "Aquí no se conoce ningún gestor de identidades."),
        (
            "Start the node with --manager or --invite, or with --scan and the range of your network.",
            "Arranque el nodo con --manager o --invite, o con --scan y el rango de su red.",
        ),
    ),
    "no_manager": Words(
        "managers",
        "problem",
        (
            "No identity manager can do its work for you right now.",
            "Ningún gestor de identidades funciona ahora.",
        ),
        (
            "Messages to people you know still go. Check your own network, then tell whoever runs the managers.",
            "Los mensajes a quienes ya conoce siguen saliendo. Revise su red; luego avise a quien lleva los gestores.",
        ),
    ),
    "no_stream": Words(
        "managers",
        "notice",
        (
            "Managers answer, but this node is not attached to one yet.",
            "Hay gestores que responden, pero este nodo aún no está unido a uno.",
        ),
        ("It is tried again by itself; wait some seconds.", "Se intenta de nuevo por sí solo; espere unos segundos."),
    ),
    "manager_away": Words(
        "managers",
        "notice",
        ("This manager does not answer.", "Este gestor no responde."),
        (
            "While another one works, there is nothing to do.",
            "Mientras otro funcione, no hay nada que hacer.",
        ),
    ),
    "manager_foreign": Words(
        "managers",
        "problem",
        (
            "Whoever answers there is no manager of your organisation.",
            "Quien responde allí no es un gestor de su organización.",
        ),
        (
            "Nothing was told to them. Check the address with whoever runs the managers.",
            "No se le dijo nada. Compruebe la dirección con quien lleva los gestores.",
        ),
    ),
    "manager_dates": Words(
        "managers",
        "problem",
        (
            "By this machine's clock the manager's certificate is not valid now.",
            "Según el reloj de este equipo, el certificado del gestor no vale ahora.",
        ),
        (
            "Set date and time of this machine right; if they are, tell whoever runs the managers.",
            "Ponga bien la fecha y la hora de este equipo; si lo están, avise a quien lleva los gestores.",
        ),
    ),
    "no_quorum": Words(
        "managers",
        "notice",
        (
            "This manager reaches too few of the others of its site (no quorum).",
            "Este gestor alcanza a muy pocos de los otros de su sitio (sin quórum).",
        ),
        (
            "Meanwhile it finds people, but nobody can register or log in at it. It mends itself when they are back.",
            "Mientras tanto halla personas, pero nadie se registra ni inicia sesión. Se arregla solo cuando vuelvan.",
        ),
    ),
    "manager_not_ready": Words(
        "managers",
        "notice",
        ("This manager cannot do its work: {detail}.", "Este gestor no puede hacer su trabajo: {detail}."),
        ("While another one works, there is nothing to do.", "Mientras otro funcione, no hay nada que hacer."),
    ),
    "site_cut": Words(
        "managers",
        "notice",
        (
            "The site {subject} is cut off from the managers here.",
            "El sitio {subject} está aislado de los gestores de aquí.",
        ),
        (
            "Messages still go wherever machines reach each other. What is known of people there is of before.",
            "Los mensajes siguen saliendo si los equipos se alcanzan. Lo que se sabe de la gente de allí es de antes.",
        ),
    ),
    # --- the clock ---
    "clock_right": Words(
        "clock", "good", ("The clock agrees with the managers'.", "El reloj coincide con el de los gestores.")
    ),
    "clock_off": Words(
        "clock",
        "problem",
        (
            "The clock of this machine is {seconds} s away from the managers' ({detail}).",
            "El reloj de este equipo está a {seconds} s del de los gestores ({detail}).",
        ),
        (
            "Set it right, best with NTP: the times that are shown depend on it, and certificates from two days on.",
            "Póngalo en hora, mejor con NTP: de él dependen las horas que se ven y, desde dos días, los certificados.",
        ),
    ),
    # --- the certificate of this device ---
    "certificate_valid": Words(
        "certificate",
        "good",
        ("The certificate of this device is valid.", "El certificado de este dispositivo es válido."),
    ),
    "certificate_old": Words(
        "certificate",
        "notice",
        (
            "The certificate of this device should have been renewed by now.",
            "El certificado de este dispositivo ya debería haberse renovado.",
        ),
        (
            "It happens by itself once a manager answers. After it has run out, nobody speaks with this node.",
            "Ocurre solo en cuanto responda un gestor. Cuando venza, nadie hablará con este nodo.",
        ),
    ),
    "certificate_early": Words(
        "certificate",
        "problem",
        (
            "By this machine's clock the certificate of this device is not valid yet.",
            "Según el reloj de este equipo, el certificado de este dispositivo aún no vale.",
        ),
        ("Set date and time of this machine right.", "Ponga bien la fecha y la hora de este equipo."),
    ),
    "certificate_expired": Words(
        "certificate",
        "problem",
        (
            "The certificate of this device has run out, so nobody speaks with this node.",
            "El certificado de este dispositivo venció, así que nadie habla con este nodo.",
        ),
        (
            "Check date and time. It is renewed once a manager answers; or log in again.",
            "Revise la fecha y la hora. Se renueva en cuanto responda un gestor; o inicie sesión de nuevo.",
        ),
    ),
    # --- reaching this node ---
    "port_reached": Words(
        "port",
        "good",
        ("A manager reached this node at {subject}.", "Un gestor alcanzó este nodo en {subject}."),
    ),
    "port_blocked": Words(
        "port",
        "problem",
        (
            "A manager did not reach this node at {subject}: a firewall or a router (NAT) is probably in between.",
            "Un gestor no alcanzó este nodo en {subject}: tal vez hay un cortafuegos o un enrutador (NAT) en medio.",
        ),
        (
            "Open that TCP port, or forward one and name it with --advertise HOST:PORT.",
            "Abra ese puerto TCP, o redirija uno y nómbrelo con --advertise HOST:PUERTO.",
        ),
    ),
    "port_unchecked": Words(
        "port",
        "notice",
        (
            "Whether others reach this node at {subject} could not be checked.",
            "No se pudo comprobar si otros alcanzan este nodo en {subject}.",
        ),
        (
            "A manager checks it when asked, a few times a minute at most; ask again later.",
            "Lo comprueba un gestor cuando se le pide, a lo sumo unas veces por minuto; pregunte de nuevo más tarde.",
        ),
    ),
    # --- the disk ---
    "disk_roomy": Words(
        "disk",
        "good",
        ("{detail} are free on the disk of the messages.", "Hay {detail} libres en el disco de los mensajes."),
    ),
    "disk_low": Words(
        "disk",
        "notice",
        ("Only {detail} are left on the disk of the messages.", "Solo quedan {detail} en el disco de los mensajes."),
        ("Make room soon.", "Haga sitio pronto."),
    ),
    "disk_full": Words(
        "disk",
        "problem",
        (
            "The disk of the messages is full: {detail} are left.",
            "El disco de los mensajes está lleno: quedan {detail}.",
        ),
        (
            "Make room. What does not fit on the disk is neither sent nor acknowledged.",
            "Haga sitio. Lo que no cabe en el disco no se envía ni se confirma.",
        ),
    ),
    # --- the store ---
    "store_whole": Words(
        "store", "good", ("The store of the messages is whole.", "El almacén de los mensajes está íntegro.")
    ),
    "store_damaged": Words(
        "store",
        "problem",
        (
            "The store of the messages is damaged: {detail}.",
            "El almacén de los mensajes está dañado: {detail}.",
        ),
        (
            'Save what can be read ("telegraph export"), then bring back a backup ("telegraph restore").',
            'Guarde lo que se pueda leer ("telegraph export") y recupere una copia ("telegraph restore").',
        ),
    ),
    # --- what waits, and why ---
    "nothing_waits": Words("waiting", "good", ("No message waits.", "No espera ningún mensaje.")),
    "linked": Words(
        "waiting",
        "good",
        ("You are connected: messages go at once.", "Hay conexión: los mensajes salen al momento."),
    ),
    "blocked": Words(
        "waiting",
        "notice",
        ("You have blocked them.", "Esa persona está bloqueada."),
        ("Unblock them to send what waits.", "Desbloquéela para enviar lo que espera."),
    ),
    "key_changed": Words(
        "waiting",
        "problem",
        ("Their device key is said to have changed.", "Se dice que la clave de su dispositivo cambió."),
        (
            "Compare the safety number with them, then decide.",
            "Compare con esa persona el número de seguridad y decida.",
        ),
    ),
    "account_deleted": Words(
        "waiting",
        "problem",
        ("Their account was deleted.", "Su cuenta fue eliminada."),
        ("Nothing can reach them any more.", "Ya nada puede llegarle."),
    ),
    "logged_out": Words(
        "waiting",
        "problem",
        ("Your session has ended here.", "La sesión de aquí terminó."),
        ("Log in again; what waits then goes out.", "Inicie sesión de nuevo; lo que espera saldrá entonces."),
    ),
    "not_tried": Words(
        "waiting",
        "notice",
        ("It is about to be tried.", "Está a punto de intentarse."),
        ("Wait a moment.", "Espere un momento."),
    ),
    "no_address": Words(
        "waiting",
        "notice",
        ("It is not known yet where their machine is.", "Aún no se sabe dónde está su equipo."),
        ("It goes out as soon as they come online.", "Saldrá en cuanto se conecte."),
    ),
    "offline": Words(
        "waiting",
        "notice",
        ("They are away.", "Esa persona no está conectada."),
        (
            "It goes out within a second of their return. There is nothing to do.",
            "Saldrá en menos de un segundo cuando vuelva. No hay nada que hacer.",
        ),
    ),
    "refused": Words(
        "waiting",
        "notice",
        (
            "Their machine is there, but Telegraph does not run on it.",
            "Su equipo está ahí, pero Telegraph no está en marcha en él.",
        ),
        ("It goes out when they start it.", "Saldrá cuando lo inicie."),
    ),
    "no_answer": Words(
        "waiting",
        "problem",
        (
            "Their machine does not answer; a firewall or another network may be in between.",
            "Su equipo no responde; puede haber un cortafuegos u otra red en medio.",
        ),
        (
            "Ask them to let their Telegraph port through, or to be in the same network.",
            "Pídale que deje pasar el puerto de Telegraph, o que esté en la misma red.",
        ),
    ),
    "no_route": Words(
        "waiting",
        "problem",
        (
            "There is no way from this network to their machine.",
            "No hay camino de esta red a su equipo.",
        ),
        ("Check your own connection.", "Compruebe su propia conexión."),
    ),
    "certificate": Words(
        "waiting",
        "problem",
        (
            "Somebody else answers at their address, or a clock is wrong.",
            "En su dirección responde otro, o hay un reloj mal puesto.",
        ),
        (
            "Check the date and time of this machine. Nothing was sent to whoever is there.",
            "Revise la fecha y la hora de este equipo. A quien está allí no se le envió nada.",
        ),
    ),
    "revoked": Words(
        "waiting",
        "problem",
        ("The key of their device was revoked.", "La clave de su dispositivo fue revocada."),
        ("They must log in again.", "Esa persona debe iniciar sesión de nuevo."),
    ),
    "unknown": Words(
        "waiting",
        "notice",
        ("The connection failed.", "La conexión falló."),
        ("It is tried again by itself.", "Se intenta de nuevo por sí solo."),
    ),
    # --- said by the command line, which finds nobody to ask ---
    "node_away": Words(
        "session",
        "problem",
        ("No node is running for {subject}.", "No hay ningún nodo en marcha para {subject}."),
        (
            "Start one with: telegraph node run --data {subject}",
            "Inícielo con: telegraph node run --data {subject}",
        ),
    ),
}

ENDINGS: Final[dict[str, tuple[str, str]]] = {
    "logged_out": ("you logged out", "se cerró aquí"),
    "logged_in_elsewhere": ("you logged in on another device", "se inició en otro dispositivo"),
    "ended_elsewhere": ("it was ended from elsewhere", "se terminó desde otro lugar"),
    "password_changed": ("the password was changed elsewhere", "la contraseña se cambió en otro lugar"),
    "removed": ("the account was deleted", "la cuenta fue eliminada"),
}
"""Why a session ended, as ``session_ended`` says it."""


def ending(reason: str, language: Language) -> str:
    """Why a session ended; a reason of a newer version shows by its name."""
    return ENDINGS.get(reason, (reason, reason))[0 if language == "en" else 1]
