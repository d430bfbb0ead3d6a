"""Everything that can go wrong and that somebody should be told of, as one tree.

The first sentence of a class's docstring is what the user reads; ``{names}`` in it are filled from the
keyword arguments given when the error is raised. ``spanish`` is the same sentence in Spanish.

::

    TelegraphError (500)
    ├── RemoteError (500)
    ├── BadInput (400)          MalformedBody · IllegalName · IllegalPassword · IllegalAddress · IllegalText
    │                           IllegalPassphrase · IllegalSite
    │                           IllegalInvite · IllegalCsr · IllegalQuery · IllegalSafetyNumber
    │                           BodyTooLarge (413) · UnsupportedMedia (415)
    ├── Refused (403)           NotLoggedIn (401) · WrongCredentials (401) · ForeignSession · WrongRole
    │                           RegistrationClosed · InviteNeeded · ForeignOrigin · ForgedFrame · BadSignature
    │                           WrongApiToken (401) · WrongPassword (401) · RevokedKey
    │                           WrongToken (401) · WrongPassphrase (401)
    ├── Missing (404)           UnknownUser · UnknownPath · UnknownMessage · UnknownSession · AccountDeleted
    │                           UnknownMember · NobodyThere · WrongMethod (405)
    ├── Conflict (409)          NameTaken · Renamed · WrongState · StaleCounter · OtherAccount · SequenceGap · KeyChanged
    │                           SafetyNumberDiffers · NoDeviceKey · NameHeld · MemberExists · NoCluster · SiteTaken
    │                           RequestIdUsed
    ├── TooMany (429)           RateLimited · Busy · TooManyJoins · TooManyDevices
    ├── Unavailable (503)       ManagerAway · NoManagerFound · FateUnknown · PeerAway · NodeAway · DiskFailed
    │                           DirectoryUnavailable, of which: NoQuorum · DirectorySlow · DirectoryUnreachable
    │                           DirectoryRefused · DirectoryFull · MembersUnsettled · LearnerBehind
    └── CannotStart (500)       PortTaken · DataInUse · DataUnreadable · CaUnreadable · CaUnknown · CaMismatch
                                InsecureOffLoopback · TestingOnly · NewerSchema · KeyFileUnreadable · BackupUnreadable
                                BackupNotWritten · OriginNeeded · PageCertificateUnreadable
                                EtcdMissing · EtcdTooOld · SealBroken · NotInCluster · CannotJoin · CannotLeave
                                LockLost
"""

from collections.abc import Mapping
from typing import ClassVar, Literal

Language = Literal["en", "es"]


class TelegraphError(Exception):
    """Something went wrong inside Telegraph; the log of the process has the details.

    Attributes:
        code: stable machine-readable name, the ``error`` field of every error answer.
        status: the HTTP status that it is answered with.
        retry_after: seconds after which trying again makes sense, or None.
        details: what fills the sentence's placeholders.
    """

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500
    spanish: ClassVar[str] = "Algo falló dentro de Telegraph; el registro del proceso tiene los detalles."

    def __init__(self, *, retry_after: float | None = None, **details: object) -> None:
        self.details: Mapping[str, object] = details
        self.retry_after = retry_after
        self._received: str | None = None
        super().__init__(details)

    def __str__(self) -> str:
        return self.sentence()

    def sentence(self, language: Language = "en") -> str:
        """The one plain sentence for the user; one that another process worded is given as received."""
        if self._received is not None:
            return self._received
        template = self.spanish if language == "es" else (self.__doc__ or "").split("\n", 1)[0]
        return template.format_map(_Blanks(self.details))

    @classmethod
    def received(cls, code: str, sentence: str, retry_after: float | None = None) -> "TelegraphError":
        """The error behind an error answer ``{"error": code, "message": sentence, …}`` of another process.

        An unknown code (from a newer version) becomes a :class:`RemoteError`.
        """
        error = cls.of_code(code, retry_after)
        error._received = sentence  # noqa: SLF001 - our own class
        return error

    @classmethod
    def of_code(cls, code: str, retry_after: float | None = None) -> "TelegraphError":
        """The error with a code, in this version's words; an unknown code becomes a :class:`RemoteError`."""
        return _by_code().get(code, RemoteError)(retry_after=retry_after, code=code)


class _Blanks(dict[str, object]):
    """Details of an error; a missing one shows as a dash instead of hiding the error behind a KeyError."""

    def __missing__(self, key: str) -> str:
        return "-"


class RemoteError(TelegraphError):
    """The other side answered with an error that this version does not know: {code}."""

    code = "remote"
    spanish = "El otro lado respondió con un error que esta versión no conoce: {code}."


def _by_code() -> dict[str, type[TelegraphError]]:
    found: dict[str, type[TelegraphError]] = {}
    waiting: list[type[TelegraphError]] = [TelegraphError]
    while waiting:
        kind = waiting.pop()
        found[kind.code] = kind
        waiting.extend(kind.__subclasses__())
    return found


# --- bad input -------------------------------------------------------------------------------------------


class BadInput(TelegraphError):
    """The request is not understood: {detail}."""

    code = "bad_input"
    status = 400
    spanish = "No se entiende la solicitud: {detail}."


class MalformedBody(BadInput):
    """The body of the request does not have the documented shape: {detail}."""

    code = "malformed_body"
    spanish = "El cuerpo de la solicitud no tiene la forma documentada: {detail}."


class IllegalName(BadInput):
    """That name cannot be used: {detail}."""

    code = "illegal_name"
    spanish = "Ese nombre no se puede usar: {detail}."


class IllegalPassword(BadInput):
    """That password cannot be used: it must have at least 8 characters and at most 72 bytes in UTF-8."""

    code = "illegal_password"
    spanish = "Esa contraseña no se puede usar: debe tener al menos 8 caracteres y a lo sumo 72 bytes en UTF-8."


class IllegalPassphrase(BadInput):
    """That passphrase is too short for a backup: whoever finds the file can try many, so it must have at least 12 characters."""

    code = "illegal_passphrase"
    spanish = "Esa frase de paso es demasiado corta para una copia de seguridad: quien halle el archivo puede probar muchas, así que debe tener al menos 12 caracteres."


class IllegalAddress(BadInput):
    """That is not an address that others could reach: {detail}."""

    code = "illegal_address"
    spanish = "Esa no es una dirección a la que otros puedan llegar: {detail}."


class IllegalText(BadInput):
    """That text cannot be sent: it must have between 1 character and 64 KiB in UTF-8."""

    code = "illegal_text"
    spanish = "Ese texto no se puede enviar: debe tener entre 1 carácter y 64 KiB en UTF-8."


class IllegalInvite(BadInput):
    """That invite cannot be used: {detail}; ask for a new one."""

    code = "illegal_invite"
    spanish = "Esa invitación no se puede usar: {detail}; pida una nueva."


class IllegalCsr(BadInput):
    """The certificate signing request cannot be used: {detail}."""

    code = "illegal_csr"
    spanish = "La solicitud de firma de certificado no se puede usar: {detail}."


class IllegalQuery(BadInput):
    """A parameter of the request cannot be used: {detail}."""

    code = "illegal_query"
    spanish = "Un parámetro de la solicitud no se puede usar: {detail}."


class IllegalSafetyNumber(BadInput):
    """That is no safety number: {detail}."""

    code = "illegal_safety_number"
    spanish = "Eso no es un número de seguridad: {detail}."


class IllegalSite(BadInput):
    """That name of a site cannot be used: it has 1 to 16 characters of a-z, 0-9 and the hyphen, which is not its first."""

    code = "illegal_site"
    spanish = (
        "Ese nombre de sitio no se puede usar: tiene de 1 a 16 caracteres de a-z, 0-9 y el guion, que no es el primero."
    )


class BodyTooLarge(BadInput):
    """The body of the request is larger than 1 MiB."""

    code = "body_too_large"
    status = 413
    spanish = "El cuerpo de la solicitud pasa de 1 MiB."


class UnsupportedMedia(BadInput):
    """The body of the request must be JSON (Content-Type: application/json)."""

    code = "unsupported_media"
    status = 415
    spanish = "El cuerpo de la solicitud debe ser JSON (Content-Type: application/json)."


# --- refused ---------------------------------------------------------------------------------------------


class Refused(TelegraphError):
    """That is not allowed."""

    code = "refused"
    status = 403
    spanish = "Eso no está permitido."


class NotLoggedIn(Refused):
    """You are not logged in here, or your session has ended; log in and try again."""

    code = "not_logged_in"
    status = 401
    spanish = "No ha iniciado sesión aquí, o su sesión terminó; inicie sesión e inténtelo de nuevo."


class WrongCredentials(Refused):
    """The name or the password is wrong."""

    code = "wrong_credentials"
    status = 401
    spanish = "El nombre o la contraseña no son correctos."


class WrongPassword(Refused):
    """That password does not open the messages on this machine; if it was changed elsewhere, give the old one or the recovery code too."""

    code = "wrong_password"
    status = 401
    spanish = "Esa contraseña no abre los mensajes de este equipo; si se cambió en otro, dé también la anterior o el código de recuperación."


class WrongPassphrase(Refused):
    """That passphrase does not open the backup {path}, or the beginning of the file was changed; nothing was restored."""

    code = "wrong_passphrase"
    status = 401
    spanish = "Esa frase de paso no abre la copia de seguridad {path}, o el comienzo del archivo fue alterado; no se restauró nada."


class WrongApiToken(Refused):
    """This page or program is not logged in to the node; give the token of its data directory or log in."""

    code = "wrong_api_token"
    status = 401
    spanish = "Esta página o programa no tiene acceso al nodo; dé el token de su directorio de datos o inicie sesión."


class ForeignSession(Refused):
    """Your session can act for your own name only."""

    code = "foreign_session"
    spanish = "Su sesión solo puede actuar en su propio nombre."


class WrongRole(Refused):
    """The certificate that was shown does not have the role that this call needs."""

    code = "wrong_role"
    spanish = "El certificado mostrado no tiene el papel que esta llamada necesita."


class RegistrationClosed(Refused):
    """Registration is closed here; ask the people who run this Telegraph for an account."""

    code = "registration_closed"
    spanish = "El registro está cerrado aquí; pida una cuenta a quienes administran este Telegraph."


class InviteNeeded(Refused):
    """Registration here needs an invite; ask the people who run this Telegraph for one."""

    code = "invite_needed"
    spanish = "Para registrarse aquí hace falta una invitación; pídala a quienes administran este Telegraph."


class ForeignOrigin(Refused):
    """The request came from another web site, or names another host than this node."""

    code = "foreign_origin"
    spanish = "La solicitud vino de otro sitio web, o nombra un equipo que no es este nodo."


class ForgedFrame(Refused):
    """What the other machine sent does not fit its certificate: {detail}."""

    code = "forged_frame"
    spanish = "Lo que envió la otra máquina no corresponde a su certificado: {detail}."


class BadSignature(Refused):
    """The address is not signed by this account's device."""

    code = "bad_signature"
    spanish = "La dirección no está firmada por el dispositivo de esta cuenta."


class WrongToken(Refused):
    """That join token is not valid here, or not any more; print the present one (telegraph manager token --data DIR)."""

    code = "wrong_token"
    status = 401
    spanish = "Ese token no es válido aquí, o ya no lo es; vea el actual (telegraph manager token --data DIR)."


class RevokedKey(Refused):
    """The key of this device was revoked; log in again on it to get a new one."""

    code = "revoked_key"
    spanish = "La clave de este dispositivo fue revocada; inicie sesión de nuevo en él para obtener otra."


# --- missing ---------------------------------------------------------------------------------------------


class Missing(TelegraphError):
    """There is no such thing here."""

    code = "missing"
    status = 404
    spanish = "Aquí no hay nada así."


class UnknownUser(Missing):
    """Nobody here is called {username}; check the spelling."""

    code = "unknown_user"
    spanish = "Aquí nadie se llama {username}; revise cómo se escribe."


class UnknownPath(Missing):
    """There is nothing at this path; the OpenAPI page lists what there is."""

    code = "unknown_path"
    spanish = "No hay nada en esta ruta; la página OpenAPI dice lo que hay."


class UnknownMessage(Missing):
    """There is no such message in this conversation."""

    code = "unknown_message"
    spanish = "No hay tal mensaje en esta conversación."


class UnknownSession(Missing):
    """You have no such session; look at the list of your sessions again."""

    code = "unknown_session"
    spanish = "Usted no tiene tal sesión; mire de nuevo la lista de sus sesiones."


class AccountDeleted(Missing):
    """The account {username} was deleted; nothing can reach it any more."""

    code = "account_deleted"
    spanish = "La cuenta {username} fue eliminada; ya nada puede llegarle."


class UnknownMember(Missing):
    """The directory of this site has no such member; look at the list of its members again."""

    code = "unknown_member"
    spanish = "El directorio de este sitio no tiene tal miembro; mire de nuevo la lista de sus miembros."


class NobodyThere(Missing):
    """Nobody answers at {address}; check how it is written, and whether a manager runs there."""

    code = "nobody_there"
    spanish = "En {address} no responde nadie; revise cómo está escrito, y si allí funciona un gestor."


class WrongMethod(Missing):
    """This path does not take that method; the OpenAPI page lists those it takes."""

    code = "wrong_method"
    status = 405
    spanish = "Esta ruta no acepta ese método; la página OpenAPI dice cuáles acepta."


# --- conflict --------------------------------------------------------------------------------------------


class Conflict(TelegraphError):
    """Somebody else changed this at the same moment; try again."""

    code = "conflict"
    status = 409
    spanish = "Otra persona cambió esto en el mismo momento; inténtelo de nuevo."


class NameTaken(Conflict):
    """The name {username} is taken, or looks the same as one that is; choose another."""

    code = "name_taken"
    spanish = "El nombre {username} ya está ocupado, o se ve igual que uno que lo está; elija otro."


class Renamed(Conflict):
    """Another site's user holds this name since the sites met again; your account goes on as {username}: log in by that."""

    code = "renamed"
    spanish = (
        "Desde que los sitios se reencontraron, este nombre es de otra persona; su cuenta sigue como {username}:"
        " inicie sesión con ese nombre."
    )


class WrongState(Conflict):
    """That message is {state}, and this can no longer be done to it."""

    code = "wrong_state"
    spanish = "Ese mensaje está en estado {state}, y eso ya no se le puede hacer."


class StaleCounter(Conflict):
    """A newer address of this device is already known; announce again with a counter above {counter}."""

    code = "stale_counter"
    spanish = "Ya se conoce una dirección más nueva de este dispositivo; anuncie de nuevo con un contador mayor que {counter}."


class OtherAccount(Conflict):
    """This data directory belongs to {username}; use another --data directory for another account."""

    code = "other_account"
    spanish = "Este directorio de datos es de {username}; use otro --data para otra cuenta."


class SequenceGap(Conflict):
    """Messages before this one are missing; send again from number {expected}."""

    code = "sequence_gap"
    spanish = "Faltan mensajes anteriores a este; envíe de nuevo desde el número {expected}."


class KeyChanged(Conflict):
    """The device key of {username} is not the one known so far; check with them before you go on."""

    code = "key_changed"
    spanish = "La clave del dispositivo de {username} no es la conocida hasta ahora; confirme con esa persona antes de seguir."


class SafetyNumberDiffers(Conflict):
    """That is not the safety number that you have with {username}; somebody may be between you, so do not go on before you know why."""

    code = "safety_number_differs"
    spanish = "Ese no es el número de seguridad que usted tiene con {username}; alguien podría estar entre ustedes: no siga antes de saber por qué."


class NoDeviceKey(Conflict):
    """{username} has never logged in, so there is no key to compare or verify yet."""

    code = "no_device_key"
    spanish = "{username} nunca ha iniciado sesión, así que aún no hay clave que comparar o verificar."


class RequestIdUsed(Conflict):
    """Under this request_id another message was sent; take a new one for each message."""

    code = "request_id_used"
    spanish = "Con este request_id se envió otro mensaje; use uno nuevo para cada mensaje."


class NoCluster(Conflict):
    """This manager is a single one, which nobody can join; start it with --cluster-init to let others join."""

    code = "no_cluster"
    spanish = "Este gestor está solo y nadie puede unirse a él; arránquelo con --cluster-init para que otros se unan."


class SiteTaken(Conflict):
    """There is a site called {site} already; choose another --site for the new one."""

    code = "site_taken"
    spanish = "Ya hay un sitio llamado {site}; elija otro --site para el nuevo."


class NameHeld(Conflict):
    """The directory gives the name {username} to somebody else than the person whom you know by it; that is not taken over."""

    code = "name_held"
    spanish = "El directorio da el nombre {username} a otra persona que la que usted conoce con él; eso no se acepta."


class MemberExists(Conflict):
    """The directory of this site already has a member at that address; remove it first, or choose another port."""

    code = "member_exists"
    spanish = "El directorio de este sitio ya tiene un miembro en esa dirección; quítelo antes, o elija otro puerto."


# --- too many --------------------------------------------------------------------------------------------


class TooMany(TelegraphError):
    """Too many requests; wait a moment and try again."""

    code = "too_many"
    status = 429
    spanish = "Demasiadas solicitudes; espere un momento e inténtelo de nuevo."


class RateLimited(TooMany):
    """Too many failed log-ins; wait a minute and try again."""

    code = "rate_limited"
    spanish = "Demasiados intentos fallidos de inicio de sesión; espere un minuto e inténtelo de nuevo."


class Busy(TooMany):
    """This machine is busy with other log-ins; try again in a moment."""

    code = "busy"
    spanish = "Este equipo está ocupado con otros inicios de sesión; inténtelo de nuevo en un momento."


class TooManyJoins(TooMany):
    """Too many wrong join tokens from this address; wait a minute and try again with the present one."""

    code = "too_many_joins"
    spanish = (
        "Demasiados tokens de unión incorrectos desde esta dirección; espere un minuto y pruebe de nuevo con el actual."
    )


class TooManyDevices(TooMany):
    """This account moved between devices too often within an hour; wait and try again."""

    code = "too_many_devices"
    spanish = "Esta cuenta cambió de dispositivo demasiadas veces en una hora; espere e inténtelo de nuevo."


# --- unavailable -----------------------------------------------------------------------------------------


class Unavailable(TelegraphError):
    """That is not available right now; try again."""

    code = "unavailable"
    status = 503
    spanish = "Eso no está disponible ahora; inténtelo de nuevo."


class ManagerAway(Unavailable):
    """No identity manager answers right now; messages to people you know still go, the rest must wait."""

    code = "manager_away"
    spanish = "Ningún gestor de identidades responde ahora; los mensajes a quienes ya conoce siguen saliendo, lo demás debe esperar."


class NoManagerFound(Unavailable):
    """No identity manager was found; give one with --manager or --invite, or a range with --scan."""

    code = "no_manager_found"
    spanish = "No se encontró ningún gestor de identidades; dé uno con --manager o --invite, o un rango con --scan."


class DirectoryUnavailable(Unavailable):
    """The directory cannot be written or read right now; try again in a moment."""

    code = "directory_unavailable"
    spanish = "El directorio no se puede leer ni escribir ahora; inténtelo de nuevo en un momento."


class NoQuorum(DirectoryUnavailable):
    """Too few identity managers of this site reach each other, so the directory is closed for now; try again in a moment."""

    code = "no_quorum"
    spanish = "Muy pocos gestores de identidades de este sitio se alcanzan entre sí, y el directorio está cerrado por ahora; inténtelo de nuevo en un momento."


class DirectorySlow(DirectoryUnavailable):
    """The directory takes too long to answer, and nothing of this was done; try again in a moment."""

    code = "directory_slow"
    spanish = "El directorio tarda demasiado en responder, y nada de esto se hizo; inténtelo de nuevo en un momento."


class DirectoryUnreachable(DirectoryUnavailable):
    """No member of the directory answers; try again in a moment.

    Which ones were asked is not for users of the API to know; ``details["members"]`` has it.
    """

    code = "directory_unreachable"
    spanish = "Ningún miembro del directorio responde; inténtelo de nuevo en un momento."


class DirectoryRefused(DirectoryUnavailable):
    """The directory and this manager do not accept each other's certificate ({detail}); let the manager join again."""

    code = "directory_refused"
    spanish = "El directorio y este gestor no aceptan sus certificados ({detail}); haga que el gestor se una de nuevo."


class DirectoryFull(DirectoryUnavailable):
    """The directory has reached its quota of disk space, and takes nothing more until there is room."""

    code = "directory_full"
    spanish = "El directorio alcanzó su cuota de disco, y no admite nada más hasta que haya sitio."


class MembersUnsettled(DirectoryUnavailable):
    """The members of the directory are still settling after a change ({detail}); try again in some seconds."""

    code = "members_unsettled"
    spanish = (
        "Los miembros del directorio aún se acomodan tras un cambio ({detail}); inténtelo de nuevo en unos segundos."
    )


class LearnerBehind(DirectoryUnavailable):
    """The new member of the directory has not caught up yet; try again in a moment."""

    code = "learner_behind"
    spanish = "El nuevo miembro del directorio aún no está al día; inténtelo de nuevo en un momento."


class DiskFailed(Unavailable):
    """Nothing was written, because this machine's disk is full or fails ({detail}); make room on it and try again."""

    code = "disk_failed"
    spanish = "No se escribió nada, porque el disco de este equipo está lleno o falla ({detail}); haga sitio e inténtelo de nuevo."


class FateUnknown(Unavailable):
    """It is not known whether that was done; ask again before you repeat it."""

    code = "fate_unknown"
    spanish = "No se sabe si eso llegó a hacerse; pregunte antes de repetirlo."


class PeerAway(Unavailable):
    """{username} cannot be reached right now; the message waits here and goes out by itself."""

    code = "peer_away"
    spanish = "No se puede llegar a {username} ahora; el mensaje espera aquí y saldrá por sí solo."


class NodeAway(Unavailable):
    """No node is running for {data}; start one with: telegraph node run --data {data}"""

    code = "node_away"
    spanish = "No hay ningún nodo en marcha para {data}; inícielo con: telegraph node run --data {data}"


# --- cannot start ----------------------------------------------------------------------------------------


class CannotStart(TelegraphError):
    """Telegraph cannot start: {detail}."""

    code = "cannot_start"
    spanish = "Telegraph no puede arrancar: {detail}."


class PortTaken(CannotStart):
    """Port {port} on {host} is already in use; stop what uses it or choose another with {option}."""

    code = "port_taken"
    spanish = "El puerto {port} de {host} ya está en uso; detenga lo que lo usa o elija otro con {option}."


class DataInUse(CannotStart):
    """The data directory {data} is in use by another Telegraph process; stop it or choose another --data."""

    code = "data_in_use"
    spanish = "Otro proceso de Telegraph usa el directorio de datos {data}; deténgalo o elija otro --data."


class DataUnreadable(CannotStart):
    """The data directory {data} cannot be used: {detail}."""

    code = "data_unreadable"
    spanish = "El directorio de datos {data} no se puede usar: {detail}."


class NewerSchema(CannotStart):
    """The data in {data} was written by a newer Telegraph; install that version or a newer one."""

    code = "newer_schema"
    spanish = "Los datos de {data} los escribió un Telegraph más nuevo; instale esa versión o una posterior."


class KeyFileUnreadable(CannotStart):
    """The key file {path} cannot be used: {detail}."""

    code = "key_file_unreadable"
    spanish = "El archivo de clave {path} no se puede usar: {detail}."


class OriginNeeded(CannotStart):
    """Off this machine the page is served under addresses that are named; add --api-origin https://HOST:PORT, as browsers will write it."""

    code = "origin_needed"
    spanish = "Fuera de este equipo la página se sirve bajo direcciones nombradas; añada --api-origin https://HOST:PUERTO, como la escribirán los navegadores."


class PageCertificateUnreadable(CannotStart):
    """The certificate of the page cannot be used, {path}: {detail}."""

    code = "page_certificate_unreadable"
    spanish = "El certificado de la página no se puede usar, {path}: {detail}."


class BackupUnreadable(CannotStart):
    """The backup {path} cannot be used: {detail}."""

    code = "backup_unreadable"
    spanish = "La copia de seguridad {path} no se puede usar: {detail}."


class BackupNotWritten(CannotStart):
    """The backup {path} was not written: {detail}."""

    code = "backup_not_written"
    spanish = "La copia de seguridad {path} no se escribió: {detail}."


class CaUnreadable(CannotStart):
    """The CA file {path} cannot be used: {detail}."""

    code = "ca_unreadable"
    spanish = "El archivo de la CA {path} no se puede usar: {detail}."


class CaUnknown(CannotStart):
    """The manager at {url} shows a CA not known here, SHA-256 {fingerprint}; if that is right, start again with --ca-fingerprint {fingerprint}"""

    code = "ca_unknown"
    spanish = "El gestor en {url} muestra una CA desconocida aquí, SHA-256 {fingerprint}; si es correcta, arranque de nuevo con --ca-fingerprint {fingerprint}"


class CaMismatch(CannotStart):
    """The manager at {url} does not belong to the CA that was named (it shows {fingerprint}); do not use it."""

    code = "ca_mismatch"
    spanish = "El gestor en {url} no pertenece a la CA indicada (muestra {fingerprint}); no lo use."


class EtcdMissing(CannotStart):
    """Several managers together need etcd 3.4 or newer, and there is none on PATH; install it (apt install etcd-server)."""

    code = "etcd_missing"
    spanish = "Varios gestores juntos necesitan etcd 3.4 o posterior, y no hay ninguno en PATH; instálelo (apt install etcd-server)."


class EtcdTooOld(CannotStart):
    """The etcd on PATH is version {version}; several managers together need 3.4 or newer."""

    code = "etcd_too_old"
    spanish = (
        "El etcd que hay en PATH es la versión {version}; varios gestores juntos necesitan la 3.4 o una posterior."
    )


class SealBroken(CannotStart):
    """The sealed {name} cannot be opened with this manager's cluster-secret; it belongs to another organisation, or was changed."""

    code = "seal_broken"
    spanish = (
        "El {name} sellado no se abre con el cluster-secret de este gestor; es de otra organización, o fue alterado."
    )


class NotInCluster(CannotStart):
    """This manager is not part of a cluster: {detail}."""

    code = "not_in_cluster"
    spanish = "Este gestor no es parte de un grupo: {detail}."


class CannotJoin(CannotStart):
    """This manager cannot join: {detail}."""

    code = "cannot_join"
    spanish = "Este gestor no puede unirse: {detail}."


class LockLost(CannotStart):
    """Another manager may change the members of this group by now, because this one was silent for too long; try again."""

    code = "lock_lost"
    spanish = "Otro gestor puede estar cambiando los miembros de este grupo, porque este calló demasiado tiempo; inténtelo de nuevo."


class CannotLeave(CannotStart):
    """This manager cannot leave: {detail}."""

    code = "cannot_leave"
    spanish = "Este gestor no puede salir del grupo: {detail}."


class InsecureOffLoopback(CannotStart):
    """Plain HTTP is for tests on this machine only; leave out --insecure-http or use --host 127.0.0.1."""

    code = "insecure_off_loopback"
    spanish = "HTTP sin cifrar es solo para pruebas en este equipo; quite --insecure-http o use --host 127.0.0.1."


class TestingOnly(CannotStart):
    """{option} weakens security and is for tests only; it needs TELEGRAPH_TESTING=1 in the environment."""

    __test__ = False  # pytest: an error class, not a test class

    code = "testing_only"
    spanish = "{option} debilita la seguridad y es solo para pruebas; necesita TELEGRAPH_TESTING=1 en el entorno."
