"""The shell of :mod:`telegraph.manager.cluster.formation`: asks, answers, and keeps on disk what was promised."""

import asyncio
import contextlib
import hmac
import random
from pathlib import Path
from typing import Any, Final

import msgspec
import structlog

from telegraph.discovery.dns import urls_of_alias
from telegraph.errors import CannotJoin, DirectoryUnavailable, TelegraphError, WrongToken
from telegraph.manager.cluster.asking import gather_answers
from telegraph.manager.cluster.doorkeeper import Doorkeeper
from telegraph.manager.cluster.formation import (
    Action,
    Candidate,
    FormationAnswer,
    FormationRequest,
    Standing,
    Wait,
    consider,
    step,
)
from telegraph.manager.cluster.organisation import Organisation
from telegraph.manager.cluster.place import Place
from telegraph.manager.places import DIRECTORY_FILE, certificate_hosts
from telegraph.manager.server import Identity, server_context
from telegraph.protocol.cluster_api import PATH_FORMATION
from telegraph.protocol.manager_api import ErrorAnswer
from telegraph.rest.client import manager_context
from telegraph.rest.server import Server
from telegraph.storage.datadir import read_record, write_record

log = structlog.get_logger(__name__)

STANDING_FILE: Final = "formation.json"
_ASK_EVERY: Final = 0.5
_MAX_BODY: Final = 64 * 1024


def load_standing(data: Path) -> Standing | None:
    """What a manager has promised so far, None if it never took part in a formation.

    Raises:
        DataUnreadable: it is damaged.
    """
    return read_record(data, STANDING_FILE, Standing)


class Gathering:
    """One manager's part in a formation. ``await result()`` until there is something to do; answers meanwhile."""

    def __init__(self, place: Place, organisation: Organisation) -> None:
        """Takes up what an earlier start has promised.

        Raises:
            CannotJoin: this manager has a directory of its own already.
            DataUnreadable: what it promised is damaged.
        """
        if (place.data / DIRECTORY_FILE).exists():
            raise CannotJoin(detail=f"{place.data} holds a directory of its own; use another --data")
        self._place = place
        self._organisation = organisation
        self._door = Doorkeeper(place.clock)
        me = Candidate(place.manager_id, place.url, place.new_member().peer_url)
        known = load_standing(place.data)
        if known is None or known.me.id != me.id:
            self._keep(Standing(me))
        else:
            self._keep(known if known.decided is not None else msgspec.structs.replace(known, me=me))

    def _keep(self, standing: Standing) -> None:
        """Durable before anybody can see it."""
        if getattr(self, "standing", None) != standing:
            write_record(self._place.data, STANDING_FILE, standing)
        self.standing = standing

    async def serve(self, stack: contextlib.AsyncExitStack) -> None:
        """Answers other managers from now on, on the manager's own port, until the stack is closed."""
        now, settings = self._place.clock().utc, self._place.settings
        authority = self._organisation.authority()
        hosts = certificate_hosts(settings)
        credentials = Identity(authority, self._place.manager_id, hosts, settings.certificate_lifetime).issue(now)
        server = Server(self, server_context(credentials))
        serving = await server.start(self._place.listening.dup())  # the server closes what it is given
        stack.push_async_callback(server.stop, serving)

    async def result(self) -> Action:
        """Asks until this manager is to begin as one of a group, or to join one."""
        context = manager_context(self._organisation.ca)
        while True:
            action = await self._ask(context)
            if not isinstance(action, Wait):
                return action
            await asyncio.sleep(_ASK_EVERY * random.uniform(0.5, 1.5))  # noqa: S311 - no secret

    async def _ask(self, context: Any) -> Action:
        answers = await gather_answers(await self._urls(), PATH_FORMATION, self._request(), FormationAnswer, context)
        expect = self._place.settings.cluster.expect
        standing, action = step(self.standing, [answer.standing for answer in answers.values()], expect)
        is_news = standing != self.standing
        self._keep(standing)
        if is_news:
            log.info("formation", seen=len(answers), accepted=_names(standing), decided=standing.decided is not None)
            if standing.decided is None:
                return await self._ask(context)  # shows what is new at once
        return action

    async def _urls(self) -> list[str]:
        port = self._place.listening.getsockname()[1]
        found = await asyncio.gather(*(urls_of_alias(name, port) for name in self._place.settings.cluster.peers_dns))
        named = self.standing.accepted.members if self.standing.accepted else ()
        urls = [url for each in found for url in each] + [member.url for member in named]
        return [url for url in dict.fromkeys(urls) if url != self._place.url]

    def _request(self) -> FormationRequest:
        held = self.standing.accepted
        own = held if held is not None and held.proposer == self.standing.me.id else None
        return FormationRequest(self._organisation.join_secret, own)

    def answer(self, request: FormationRequest, remote: str) -> FormationAnswer:
        """How this manager stands, after it has considered what it was shown.

        Raises:
            WrongToken: whoever asks was not invited.
            TooManyJoins: too many that were not have called from there (``remote``, an IP address).
        """
        with self._door.knock(remote):
            if not hmac.compare_digest(request.secret.encode(), self._organisation.join_secret.encode()):
                raise WrongToken
        if request.proposal is not None:
            self._keep(consider(self.standing, request.proposal))
        return FormationAnswer("", 200, self.standing)

    # --- the little that it serves ---

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """One request: of a manager that asks how this one stands; everybody else is to try again."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1013})
            return
        if scope["type"] != "http":
            return
        try:
            if scope["method"] != "POST" or scope["path"] != PATH_FORMATION:
                raise DirectoryUnavailable(retry_after=1)
            request = msgspec.json.decode(await _body(receive), type=FormationRequest)
            status, answer = 200, msgspec.json.encode(self.answer(request, (scope.get("client") or ("",))[0]))
        except (TelegraphError, msgspec.DecodeError) as problem:
            error = problem if isinstance(problem, TelegraphError) else WrongToken()
            status, answer = error.status, msgspec.json.encode(ErrorAnswer(str(error), error.status, error.code))
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": answer})


async def _body(receive: Any) -> bytes:
    body = bytearray()
    while len(body) <= _MAX_BODY:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return bytes(body)
    raise WrongToken


def _names(standing: Standing) -> str:
    return ",".join(member.id for member in standing.accepted.members) if standing.accepted else "-"
