"""Everything that the manager's OpenAPI document allows and forbids, against a real manager."""

import itertools
from typing import TYPE_CHECKING, Any

import pytest
import requests
from schemathesis import Case
from schemathesis.core.transport import Response

from telegraph.node.keys import DeviceKey
from telegraph.testing.processes import PASSWORD

if TYPE_CHECKING:
    from tests.fuzz.conftest import Fuzz, Started

_SECONDS = 45
_LONG_SECONDS = 180


class Person:
    """Somebody with an account and a session."""

    def __init__(self, name: str, key: DeviceKey, token: str) -> None:
        self.name, self.key, self.token = name, key, token


class Stage:
    """Who is logged in. Whoever logs out or changes the password makes room for somebody new."""

    def __init__(self, manager: "Started") -> None:
        self._url = manager.url
        self._http = requests.Session()
        self._http.trust_env = False  # or REQUESTS_CA_BUNDLE would go before the CA
        self._http.verify = str(manager.data / "ca.pem")
        self._numbers = itertools.count()
        self._me: Person | None = None
        self._visitor = self._registered("visitor")

    def token(self) -> str:
        """See tests/fuzz/conftest.py."""
        return self.me.token

    @property
    def me(self) -> Person:
        """Who calls."""
        if self._me is None:
            self._me = self._registered(f"caller{next(self._numbers)}")
        return self._me

    def make_plausible(self, case: Case[Any]) -> None:  # noqa: C901 - one case for each call
        """See tests/fuzz/conftest.py."""
        body = case.body if isinstance(case.body, dict) else {}
        number = next(self._numbers)
        every_eighth = number % 8 == 0
        match case.operation.label:
            case "POST /register":
                name = self._visitor.name if every_eighth else f"new{number}"
                body |= {"username": name, "password": PASSWORD, "ip": "127.0.0.1"}
            case "POST /login":
                password = "a wrong password" if every_eighth else PASSWORD
                body |= {"username": self._visitor.name, "password": password, "ip": "localhost"}
                if body.get("csr"):
                    body |= {"csr": self._visitor.key.csr()}
            case "POST /password":
                body |= {"old": PASSWORD, "new": f"another password {number}"}
            case "DELETE /account":
                body |= {"password": "a wrong password" if every_eighth else PASSWORD}
            case "DELETE /sessions/{session}":
                case.path_parameters["session"] = self._another_session()
            case "POST /certificate":
                body |= {"csr": self.me.key.csr()}
            case "POST /heartbeat":
                body |= {"username": self.me.name}
            case "GET /users/{username}":
                case.path_parameters["username"] = self._visitor.name
            case "PUT /users/reconnect/{ip}/{username}":
                case.path_parameters |= {"ip": "10.1.2.3", "username": self.me.name}

    def happened(self, case: Case[Any], response: Response) -> None:
        """See tests/fuzz/conftest.py."""
        if response.status_code == 200 and case.operation.label in (
            "POST /logout",
            "POST /password",
            "DELETE /account",
        ):
            self._me = None

    def _another_session(self) -> str:
        """The id of a session beside the one that calls."""
        account = {"username": self.me.name, "password": PASSWORD, "ip": "127.0.0.1", "port": 8000}
        self._post("/login", account)
        headers = {"Authorization": f"Bearer {self.me.token}"}
        listed = self._http.get(self._url + "/sessions", headers=headers, timeout=20).json()["message"]
        return next(str(session["id"]) for session in listed if not session["current"])

    def _registered(self, name: str) -> Person:
        key = DeviceKey.create()
        account = {"username": name, "password": PASSWORD, "ip": "127.0.0.1", "port": 8000}
        self._post("/register", account)
        return Person(name, key, self._post("/login", {**account, "csr": key.csr()})["token"])

    def _post(self, path: str, body: dict[str, Any]) -> Any:
        answer = self._http.post(self._url + path, json=body, timeout=20)
        assert answer.ok, answer.text
        return answer.json()


@pytest.mark.parametrize(
    "seconds", [_SECONDS, pytest.param(_LONG_SECONDS, marks=[pytest.mark.long, pytest.mark.timeout(2 * _LONG_SECONDS)])]
)
def test_the_manager_answers_everything_as_its_document_says(manager: "Started", fuzz: "Fuzz", seconds: int) -> None:
    outcome = fuzz(f"{manager.url}/schema/openapi.json", Stage(manager), seconds=seconds, ca=manager.data / "ca.pem")

    assert not outcome.problems
    assert manager.lives
    assert not manager.crashes
    assert {*outcome.never_succeeded} == {
        "POST /cluster/formation",
        "POST /cluster/join",
        "POST /cluster/site",
    }  # there is no group here
