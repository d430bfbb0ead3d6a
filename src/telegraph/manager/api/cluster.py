"""``/cluster/join``: what managers of one group ask each other before they share a directory."""

from litestar import post
from litestar.params import JSONBody

from telegraph.errors import BodyTooLarge, MalformedBody, NoCluster, UnsupportedMedia, WrongToken
from telegraph.manager.api.language import sentence
from telegraph.manager.api.refusals import answers
from telegraph.manager.api.session import TheCore, TheLanguage
from telegraph.manager.cluster.formation import FormationAnswer, FormationRequest
from telegraph.protocol.cluster_api import PATH_FORMATION, PATH_JOIN, JoinAnswer, JoinRequest
from telegraph.rest.bodies import StrictJson

_BODY = (MalformedBody, BodyTooLarge, UnsupportedMedia)


@post(PATH_JOIN, status_code=200, dto=StrictJson, return_dto=None, responses=answers(WrongToken, NoCluster, *_BODY))
async def join(data: JSONBody[JoinRequest], core: TheCore, language: TheLanguage) -> JoinAnswer:
    """Gives a newcomer that has the join token what makes it a manager; it then adds itself."""
    if core.group is None:
        raise NoCluster
    return await core.group.admit(data, sentence("welcome", language))


@post(
    PATH_FORMATION, status_code=200, dto=StrictJson, return_dto=None, responses=answers(WrongToken, NoCluster, *_BODY)
)
async def formation(data: JSONBody[FormationRequest], core: TheCore, language: TheLanguage) -> FormationAnswer:
    """Tells managers that were started to form a group that there is one, so that they join it."""
    if core.group is None:
        raise NoCluster
    return await core.group.stand(data, sentence("welcome", language))


HANDLERS = [join, formation]
