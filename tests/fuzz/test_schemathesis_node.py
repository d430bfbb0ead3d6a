"""Everything that the node's OpenAPI document allows and forbids, against real nodes with a real manager."""

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
import requests
from schemathesis import Case
from schemathesis.core.transport import Response

from telegraph.protocol.node_api import API_PREFIX, TOKEN_FILE
from telegraph.testing.processes import PASSWORD

if TYPE_CHECKING:
    from tests.fuzz.conftest import Fuzz, Started

_SECONDS = 30
_SECONDS_NEW = 15
_LONG_SECONDS = 180

_REGISTERS_AFTER = 500
"""Calls on a new node before its first account: until then every call meets a node that belongs to nobody."""


AWAY = "dave"
"""Somebody with an account whose node does not run: what is sent to him waits."""


CHOOSE = "PUT /api/v1/organisation"


class Stage:
    """A node of one person, who writes with bob. Whoever logs out is logged in again."""

    def __init__(self, node: "Started", name: str, manager: str) -> None:
        """``manager`` is the URL of the one that answers: of others the node says that they do not."""
        self.name = name
        self._manager = manager
        self.password = PASSWORD
        self._token = (node.data / TOKEN_FILE).read_text().strip()
        self._url = node.url + API_PREFIX
        self._http = requests.Session()
        self._numbers = itertools.count()
        self._calls = 0
        self._logged_in = False
        self._message: str | None = None

    def register(self) -> None:
        """Makes the account."""
        self.post("/account", username=self.name, password=self.password)
        self._logged_in = True

    def post(self, path: str, **body: str) -> Any:
        """A call that must succeed: its answer."""
        headers = {"Authorization": f"Bearer {self._token}"}
        answer = self._http.post(self._url + path, json=body, headers=headers, timeout=20)
        assert answer.ok, answer.text
        return answer.json()

    def token(self) -> str:
        """See tests/fuzz/conftest.py."""
        return self._token

    def make_plausible(self, case: Case[Any]) -> None:
        """See tests/fuzz/conftest.py."""
        if isinstance(case.body, dict):
            path = case.operation.path.removeprefix(API_PREFIX)
            deletes = case.operation.label == f"DELETE {API_PREFIX}/account"
            case.body |= self._plausible_body("/account-deletion" if deletes else path, case.body)
        if "session" in case.path_parameters and self._logged_in:
            case.path_parameters["session"] = self._own_session()
        if "user" in case.path_parameters:
            case.path_parameters["user"] = "bob"
        if "message" in case.path_parameters and self._logged_in:
            case.path_parameters["message"] = self.post("/messages", to=AWAY, text="waits")["id"]
        if case.query.get("before") and self._message:
            case.query["before"] = self._message
        if "query" in case.query:
            case.query["query"] = "bo"

    def _own_session(self) -> str:
        """The id of this node's session; nonsense if it has none."""
        headers = {"Authorization": f"Bearer {self._token}"}
        answer = self._http.get(self._url + "/sessions", headers=headers, timeout=20)
        return str(answer.json()["sessions"][0]["id"]) if answer.ok else "0"

    def _plausible_body(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        match path:
            case "/account" if not self._logged_in and self._calls < _REGISTERS_AFTER:
                return {}
            case "/account" | "/session":
                return {"username": self.name, "password": self.password}
            case "/account-deletion":  # with everything: what is left of a deleted account answers to little
                self._calls += 1
                return {"password": self.password if self._calls % 4 else "a wrong password", "erase": True}
            case "/password":
                return {"old": self.password, "new": f"another password {next(self._numbers)}"}
            case "/messages":
                reply_to = self._message if body.get("reply_to") else None
                return {"to": "bob", "text": body.get("text") or "hello", "reply_to": reply_to}
        given: dict[str, dict[str, Any]] = {
            "/recovery-code": {"password": self.password},
            "/browser": {"token": self._token},
            "/organisation/look": {"address": self._manager},
            "/organisation": {"managers": [self._manager], "fingerprint": None},
        }
        return given.get(path, {})

    def happened(self, case: Case[Any], response: Response) -> None:
        """See tests/fuzz/conftest.py."""
        self._calls += 1
        match case.operation.label.replace(API_PREFIX, ""), response.status_code:
            case "POST /account", 201:  # some drawn names are legal
                assert isinstance(case.body, dict)
                self.name, self.password, self._logged_in = str(case.body["username"]), str(case.body["password"]), True
            case "DELETE /account", 200:
                self.name, self._message = f"{self.name[:20]}.{next(self._numbers)}", None
                self.register()
            case "DELETE /sessions/{session}", 200:
                self.post("/session", username=self.name, password=self.password)
            case "DELETE /session", 200:
                self.post("/session", username=self.name, password=self.password)
            case "POST /password", 200:
                assert isinstance(case.body, dict)
                self.password = str(case.body["new"])
            case "POST /messages", 201:
                self._message = response.json()["id"]


@pytest.mark.parametrize(
    ("seconds", "seconds_new"),
    [
        (_SECONDS, _SECONDS_NEW),
        pytest.param(
            _LONG_SECONDS,
            _LONG_SECONDS // 2,
            marks=[pytest.mark.long, pytest.mark.timeout(3 * _LONG_SECONDS)],
        ),
    ],
)
def test_the_node_answers_everything_as_its_document_says(
    start: "Callable[[str], Started]", manager: "Started", fuzz: "Fuzz", seconds: int, seconds_new: int
) -> None:
    nodes = {name: start(name) for name in ("alice", "bob", "carol")}
    stages = {name: Stage(node, name, manager.url) for name, node in nodes.items()}
    for name in ("alice", "bob"):
        stages[name].register()
    away = start(AWAY)
    Stage(away, AWAY, manager.url).register()
    away.process.kill()
    for number in range(5):
        stages["bob"].post("/messages", to="alice", text=f"number {number}")

    outcome = fuzz(_document(nodes["alice"]), stages["alice"], seconds=seconds)
    new = fuzz(_document(nodes["carol"]), stages["carol"], seconds=seconds_new)

    assert not outcome.problems
    assert not new.problems
    for process in (manager, *nodes.values()):
        assert process.lives
        assert not process.crashes
    assert {*outcome.never_succeeded} == {"POST /api/v1/account", CHOOSE}  # alice has an account; carol begins without
    assert {*new.never_succeeded} <= {CHOOSE}  # which is possible only at the very beginning


def _document(node: "Started") -> str:
    return f"{node.url}/schema/openapi.json"
