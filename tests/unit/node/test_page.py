from pathlib import Path

import pytest
from litestar.testing import TestClient

from telegraph.node.api.guard import LocalGuard
from telegraph.node.api.page import CONTENT_SECURITY_POLICY, page_routes
from telegraph.node.api.server import application
from telegraph.node.app import Node
from telegraph.rest.errors import handlers

HOST = {"host": "127.0.0.1:8420"}


@pytest.fixture
def built(tmp_path: Path) -> Path:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<p>the page")
    (tmp_path / "assets" / "app-1a2b.js").write_text("run()")
    (tmp_path / "assets" / "notes.txt").write_text("not for the browser")
    return tmp_path


def client(built: Path) -> TestClient:  # type: ignore[type-arg]
    from litestar import Litestar

    return TestClient(
        Litestar(page_routes(built), exception_handlers=handlers(), openapi_config=None, logging_config=None),
        base_url="http://127.0.0.1:8420",
    )


def test_the_page_is_asked_for_anew_and_its_parts_are_kept_for_ever(built: Path) -> None:
    with client(built) as browser:
        page, part = browser.get("/"), browser.get("/assets/app-1a2b.js")

    assert (page.text, page.headers["cache-control"]) == ("<p>the page", "no-cache")
    assert page.headers["content-type"].startswith("text/html")
    assert (part.text, "immutable" in part.headers["cache-control"]) == ("run()", True)
    assert part.headers["content-type"].startswith("text/javascript")


def test_what_the_page_may_do_is_said_with_every_part_of_it(built: Path) -> None:
    with client(built) as browser:
        answers = [browser.get("/"), browser.get("/assets/app-1a2b.js")]

    for answer in answers:
        assert answer.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"


def test_scripts_and_styles_come_from_the_node_alone() -> None:
    rules = dict(rule.split(" ", 1) for rule in CONTENT_SECURITY_POLICY.split("; "))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == rules["style-src"] == rules["connect-src"] == "'self'"
    assert "unsafe" not in CONTENT_SECURITY_POLICY
    assert rules["frame-ancestors"] == "'none'"


@pytest.mark.parametrize("path", ["/assets/notes.txt", "/assets/other.js", "/assets/..%2Findex.html", "/assets/"])
def test_only_what_was_built_is_served(built: Path, path: str) -> None:
    with client(built) as browser:
        assert browser.get(path).status_code == 404


def test_a_copy_without_the_page_says_how_to_build_it(tmp_path: Path) -> None:
    with client(tmp_path) as browser:
        answer = browser.get("/")

    assert answer.status_code == 200
    assert "scripts/web.py build" in answer.text


def test_another_host_gets_no_page() -> None:
    node = application(Node("unused"), LocalGuard("token", "abc", 8420))
    with TestClient(node, base_url="http://evil.example") as browser:
        assert browser.get("/").json()["error"] == "foreign_origin"


def test_a_page_learns_at_the_door_whether_it_is_let_in() -> None:
    guard = LocalGuard("token", "abc", 8420)
    with TestClient(application(_unstarted(), guard), base_url="http://127.0.0.1:8420") as browser:
        link = guard.link("http://127.0.0.1:8420")
        code = link.rpartition("/")[2]

        assert browser.get("/api/v1/door").json() == {"account": "none", "open": False, "elsewhere": False}
        assert browser.post("/api/v1/browser", json={"token": code}).status_code == 200
        assert browser.get("/api/v1/door").json()["open"]
        browser.cookies.clear()
        assert browser.post("/api/v1/browser", json={"token": code}).status_code == 401


def _unstarted() -> Node:
    class Empty(Node):
        account_state = "none"

    return Empty("unused")
