"""``GET /doctor``: what works and what does not, and what to do."""

from typing import Any

from litestar import Request, get
from litestar.di import NamedDependency

from telegraph.errors import Language
from telegraph.node.api import views
from telegraph.node.api.refusals import ALWAYS
from telegraph.node.app import Node
from telegraph.protocol import doctor_api
from telegraph.protocol.language import language_of
from telegraph.rest.errors import answers


@get("/doctor", responses=answers(*ALWAYS))
async def doctor(node: NamedDependency[Node], request: Request[Any, Any, Any]) -> doctor_api.Doctor:
    """Looks at everything that this node needs, managers, clock, certificate, port and disk, and at what waits.

    Takes some seconds if somebody does not answer. What is wrong comes with what to do.
    """
    return views.doctor(await node.examine(), language(request))


def language(request: Request[Any, Any, Any]) -> Language:
    """The language that the caller likes to read."""
    return language_of(request.headers.get("accept-language", ""))


CALLS = (doctor,)
