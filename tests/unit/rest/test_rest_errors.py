"""Whatever goes wrong in a REST API, the answer has one shape."""

from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
import pytest
from litestar import Litestar, get, post
from litestar.exceptions import NotAuthorizedException
from litestar.params import FromPath, JSONBody, QueryParameter
from litestar.testing import TestClient

from telegraph.errors import Busy, NameTaken
from telegraph.rest.bodies import StrictJson, require_json
from telegraph.rest.errors import MAX_BODY_BYTES, handlers


class Body(msgspec.Struct):
    name: str
    size: int


@post("/things", dto=StrictJson, return_dto=None)
async def make(data: JSONBody[Body]) -> Body:
    return data


@get("/things/{number:int}")
async def show(number: FromPath[int], limit: Annotated[int, QueryParameter(ge=1)] = 1) -> int:
    return number + limit


@get("/taken")
async def taken() -> None:
    raise NameTaken(username="alice")


@get("/busy")
async def busy() -> None:
    raise Busy(retry_after=7.2)


@get("/broken")
async def broken() -> None:
    raise RuntimeError("a secret detail")


@get("/closed")
async def closed() -> None:
    raise NotAuthorizedException


@pytest.fixture
def client() -> Iterator[TestClient[Litestar]]:
    app = Litestar(
        [make, show, taken, busy, broken, closed],
        exception_handlers=handlers(),
        before_request=require_json,
        logging_config=None,
        request_max_body_size=MAX_BODY_BYTES,
        openapi_config=None,
    )
    with TestClient(app, raise_server_exceptions=False) as running:
        yield running


def shape(answer: Any) -> tuple[int, str]:
    body = answer.json()
    assert set(body) == {"message", "status", "error"}
    assert body["status"] == answer.status_code
    assert body["message"]
    return answer.status_code, body["error"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'{"name": 1, "size": 1}',
        b'{"name": "x"}',
        b'{"name": "x", "size": 1e400}',
        b'{"name": "\\ud800", "size": 1}',
        b"\xff\xfe",
        b'{"name": "x", "size": ' + b"9" * 5000 + b"}",
        b"[" * 100_000,
        b'{"name": ' + b'{"a":' * 50_000,
    ],
)
def test_a_body_that_is_not_understood_is_told_so(client: TestClient[Litestar], body: bytes) -> None:
    answer = client.post("/things", content=body, headers={"Content-Type": "application/json"})

    assert shape(answer) == (400, "malformed_body")


def test_a_body_over_the_limit_is_refused(client: TestClient[Litestar]) -> None:
    body = b'{"name": "' + b"x" * MAX_BODY_BYTES + b'", "size": 1}'

    answer = client.post("/things", content=body, headers={"Content-Type": "application/json"})

    assert shape(answer) == (413, "body_too_large")


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/nothing", (404, "unknown_path")),
        ("DELETE", "/things", (405, "wrong_method")),
        ("GET", "/things/x", (404, "unknown_path")),
        ("GET", "/things/1?limit=x", (400, "illegal_query")),
        ("GET", "/things/1?limit=0", (400, "illegal_query")),
        ("GET", "/taken", (409, "name_taken")),
        ("GET", "/busy", (429, "busy")),
        ("GET", "/closed", (401, "not_logged_in")),
        ("GET", "/broken", (500, "internal")),
    ],
)
def test_every_error_has_its_status_and_code(
    client: TestClient[Litestar], method: str, path: str, expected: tuple[int, str]
) -> None:
    assert shape(client.request(method, path)) == expected


def test_a_wrong_method_is_told_the_right_ones(client: TestClient[Litestar]) -> None:
    assert set(client.delete("/things").headers["Allow"].split(", ")) == {"POST", "OPTIONS"}


def test_the_inside_of_a_defect_is_not_shown(client: TestClient[Litestar]) -> None:
    assert "secret" not in client.get("/broken").text


def test_the_sentence_is_spanish_unless_english_is_asked_for(client: TestClient[Litestar]) -> None:
    spanish = client.get("/taken").json()["message"]
    english = client.get("/taken", headers={"Accept-Language": "en-GB,en;q=0.9"}).json()["message"]

    assert spanish == NameTaken(username="alice").sentence("es")
    assert english == NameTaken(username="alice").sentence("en")


def test_a_busy_server_says_when_to_come_back(client: TestClient[Litestar]) -> None:
    assert client.get("/busy").headers["Retry-After"] == "8"
