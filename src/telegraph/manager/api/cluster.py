"""``/cluster/join``: what managers of one group ask each other before they share a directory."""

from typing import Any

from litestar import Request, post
from litestar.params import JSONBody

from telegraph.errors import (
    BodyTooLarge,
    IllegalCsr,
    IllegalSite,
    MalformedBody,
    NoCluster,
    SiteTaken,
    TooManyJoins,
    UnsupportedMedia,
    WrongToken,
)
from telegraph.manager.api.language import sentence
from telegraph.manager.api.refusals import answers
from telegraph.manager.api.session import TheCore, TheLanguage, remote_of
from telegraph.manager.cluster.formation import FormationAnswer, FormationRequest
from telegraph.manager.cluster.group import Group
from telegraph.manager.core import Core
from telegraph.protocol.cluster_api import (
    PATH_FORMATION,
    PATH_JOIN,
    PATH_SITE,
    JoinAnswer,
    JoinRequest,
    SiteAnswer,
    SiteRequest,
)
from telegraph.rest.bodies import StrictJson

_BODY = (MalformedBody, BodyTooLarge, UnsupportedMedia)


def _group(core: Core) -> Group:
    if core.group is None:
        raise NoCluster
    return core.group


@post(
    PATH_JOIN,
    status_code=200,
    dto=StrictJson,
    return_dto=None,
    responses=answers(WrongToken, TooManyJoins, NoCluster, IllegalCsr, *_BODY),
)
async def join(
    data: JSONBody[JoinRequest], request: Request[Any, Any, Any], core: TheCore, language: TheLanguage
) -> JoinAnswer:
    """Signs the certificates of a newcomer that has the join token, and gives it what a manager needs."""
    return await _group(core).admit(data, remote_of(request), sentence("welcome", language))


@post(
    PATH_FORMATION,
    status_code=200,
    dto=StrictJson,
    return_dto=None,
    responses=answers(WrongToken, TooManyJoins, NoCluster, *_BODY),
)
async def formation(
    data: JSONBody[FormationRequest], request: Request[Any, Any, Any], core: TheCore, language: TheLanguage
) -> FormationAnswer:
    """Tells managers that were started to form a group that there is one, so that they join it."""
    return await _group(core).stand(data, remote_of(request), sentence("welcome", language))


@post(
    PATH_SITE,
    status_code=200,
    dto=StrictJson,
    return_dto=None,
    responses=answers(WrongToken, TooManyJoins, NoCluster, IllegalSite, SiteTaken, *_BODY),
)
async def site(
    data: JSONBody[SiteRequest], request: Request[Any, Any, Any], core: TheCore, language: TheLanguage
) -> SiteAnswer:
    """Gives the first manager of a new site, which has the join token, what makes it one of the same organisation."""
    return await _group(core).admit_site(data, remote_of(request), sentence("welcome", language))


HANDLERS = [join, formation, site]
