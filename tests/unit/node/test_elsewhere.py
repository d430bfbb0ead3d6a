import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from litestar.testing import TestClient

from telegraph.errors import (
    Busy,
    CannotStart,
    IllegalAddress,
    OriginNeeded,
    PageCertificateUnreadable,
    RateLimited,
    WrongCredentials,
    WrongPassword,
)
from telegraph.node.account import Account
from telegraph.node.api.browsers import Browsers
from telegraph.node.api.certificate import kept, now
from telegraph.node.api.elsewhere import Elsewhere, _Strict, application, is_wanted
from telegraph.node.api.guard import Guard
from telegraph.node.api.log_in import FromElsewhere
from telegraph.node.api.origins import off_loopback
from telegraph.node.app import Node
from telegraph.node.settings import NodeSettings
from telegraph.protocol.node_api import AccountState, SessionRequest

EVERYWHERE = "0.0.0.0"  # noqa: S104 - not bound here
ORIGIN, PASSWORD = "https://alice.example:8443", "correct horse battery"
ALICE = Account(user_id="a" * 32, username="alice", certificate=None, ca=None, token=None, counter=0)


class House(Node):
    """A node that is open, and knows alice; what was asked of it is noted."""

    account_state: AccountState = "online"
    account: Account | None = ALICE
    moved_here = False

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def prove(self, username: str, password: str) -> None:
        self.asked.append("prove")
        await asyncio.sleep(0)
        if (username, password) != ("alice", PASSWORD):
            raise WrongPassword

    async def login(self, *_: object, set_aside: bool = False, **__: object) -> Account:
        self.asked.append("login aside" if set_aside else "login")
        return ALICE

    def take_recovery_code(self) -> str | None:
        return None


class Locked(House):
    """The same, before anybody unlocked it."""

    account: Account | None = None
    account_state: AccountState = "locked"


@pytest.fixture
def house() -> House:
    return House()


@pytest.fixture
def browser(house: House) -> Iterator[TestClient]:  # type: ignore[type-arg]
    guard = Guard("abc", off_loopback([ORIGIN], 8443), Browsers())
    with TestClient(application(house, guard), base_url=ORIGIN) as client:
        yield client


def log_in(browser: TestClient, password: str = PASSWORD, **more: object) -> object:  # type: ignore[type-arg]
    return browser.post("/api/v1/session", json={"username": "alice", "password": password, **more})


def test_a_stranger_learns_nothing_of_how_things_are(browser: TestClient) -> None:  # type: ignore[type-arg]
    assert browser.get("/api/v1/door").json() == {"account": "locked", "open": False, "elsewhere": True}
    for path in ("/status", "/conversations", "/organisation", "/settings", "/doctor"):
        assert browser.get(f"/api/v1{path}").status_code in (401, 404)


@pytest.mark.parametrize("path", ["/browser", "/browser-link"])
def test_what_a_terminal_printed_opens_nothing_from_elsewhere(browser: TestClient, path: str) -> None:  # type: ignore[type-arg]
    assert browser.post(f"/api/v1{path}", json={"token": "token"}).status_code == 404


def test_the_token_of_programs_opens_nothing_from_elsewhere(browser: TestClient) -> None:  # type: ignore[type-arg]
    assert browser.get("/api/v1/status", headers={"authorization": "Bearer token"}).status_code == 401


def test_the_password_gives_a_cookie_that_is_secure_and_this_hosts_alone(house: House, browser: TestClient) -> None:  # type: ignore[type-arg]
    answer = log_in(browser)

    said = answer.headers["set-cookie"]  # type: ignore[attr-defined]
    assert said.startswith("__Host-telegraph-abc=")
    for flag in ("Secure", "HttpOnly", "SameSite=strict", "Path=/"):
        assert flag.lower() in said.lower()
    assert "domain" not in said.lower()
    assert house.asked == ["prove"]
    assert browser.get("/api/v1/door").json()["account"] == "online"


def test_a_wrong_password_says_nothing_but_that(house: House, browser: TestClient) -> None:  # type: ignore[type-arg]
    answer = log_in(browser, "not the password", set_aside=True)

    assert (answer.status_code, answer.json()["error"]) == (401, "wrong_credentials")  # type: ignore[attr-defined]
    assert "set-cookie" not in answer.headers  # type: ignore[attr-defined]
    assert house.asked == ["prove"]


def test_another_host_or_site_is_refused(browser: TestClient) -> None:  # type: ignore[type-arg]
    for headers in (
        {"host": "evil.example"},
        {"origin": "https://evil.example"},
        {"origin": "http://alice.example:8443"},
    ):
        answer = browser.get("/api/v1/door", headers=headers)
        assert answer.json()["error"] == "foreign_origin"


# --- how a password is taken ---


async def test_a_locked_node_is_unlocked_only_once_the_password_is_shown_to_be_right() -> None:
    node, take = Locked(), FromElsewhere()

    with pytest.raises(WrongCredentials):
        await take(node, SessionRequest("alice", "wrong", set_aside=True), "192.0.2.7", known=False)
    assert node.asked == ["prove"]
    assert await take(node, SessionRequest("alice", PASSWORD, set_aside=True), "192.0.2.7", known=False) == ALICE
    assert node.asked == ["prove", "prove", "login"]


async def test_who_was_let_in_before_logs_in_as_on_the_machine() -> None:
    node = House()
    await FromElsewhere()(node, SessionRequest("alice", PASSWORD), "192.0.2.7", known=True)
    assert node.asked == ["login"]


async def test_after_some_wrong_guesses_not_even_the_right_one_costs_anything() -> None:
    node, take = House(), FromElsewhere()
    for _ in range(5):
        with pytest.raises(WrongCredentials):
            await take(node, SessionRequest("alice", "wrong"), "192.0.2.7", known=False)

    with pytest.raises(RateLimited):
        await take(node, SessionRequest("alice", PASSWORD), "192.0.2.7", known=False)
    assert len(node.asked) == 5


async def test_one_stranger_guesses_one_at_a_time_and_few_wait() -> None:
    node, take = House(), FromElsewhere()
    ask = SessionRequest("alice", PASSWORD)
    same = await asyncio.gather(*(take(node, ask, "192.0.2.7", known=False) for _ in range(10)), return_exceptions=True)
    many = await asyncio.gather(
        *(take(node, ask, f"192.0.2.{number}", known=False) for number in range(30)), return_exceptions=True
    )

    assert sum(isinstance(one, Busy) for one in same) == 9
    assert sum(isinstance(one, Busy) for one in many) == 22


# --- when, and under which addresses ---


def settings(tmp_path: Path, **options: object) -> NodeSettings:
    return NodeSettings(data=tmp_path, **options)  # type: ignore[arg-type]


def test_it_is_served_elsewhere_only_for_who_asks_for_it(tmp_path: Path) -> None:
    assert not is_wanted(settings(tmp_path))
    assert is_wanted(settings(tmp_path, api_host=EVERYWHERE))
    assert is_wanted(settings(tmp_path, api_origins=(ORIGIN,)))


@pytest.mark.parametrize(
    ("options", "refusal"),
    [
        ({"api_host": EVERYWHERE}, OriginNeeded),
        ({"api_host": "127.0.0.1", "api_origins": ("http://alice.example",)}, IllegalAddress),
        ({"api_host": "127.0.0.1", "api_origins": (ORIGIN,), "api_cert": Path("cert.pem")}, CannotStart),
    ],
)
def test_what_does_not_fit_together_ends_the_start(
    tmp_path: Path, options: dict[str, object], refusal: type[Exception]
) -> None:
    node = Node("unused")
    node.settings = settings(tmp_path, **options)

    with pytest.raises(refusal):
        Elsewhere(node, Browsers())


def test_a_certificate_that_was_renewed_is_shown_without_a_restart_and_a_spoilt_one_is_not(tmp_path: Path) -> None:
    class Named(Node):
        node_id = "abc"

    first = kept(tmp_path, ("alice.example",), now())
    node = Named("unused")
    node.settings = settings(tmp_path, api_port=0, api_origins=(ORIGIN,), api_cert=first.certificate, api_key=first.key)
    served = Elsewhere(node, Browsers())
    before = served.fingerprint
    served.look_again()
    assert served.fingerprint == before == first.fingerprint()

    renewed = kept(tmp_path, ("bob.example",), now()).fingerprint()
    served.look_again()
    assert served.fingerprint == renewed != before
    first.key.write_text("spoilt")
    with pytest.raises(PageCertificateUnreadable):
        served.look_again()
    assert served.fingerprint == renewed
    served._listener.close()


@pytest.mark.parametrize(
    ("host", "strict"),
    [("alice.example:8443", True), ("192.0.2.7:8443", False), ("localhost:8443", False), ("", False)],
)
async def test_only_under_a_name_are_browsers_told_to_come_by_https_for_ever(host: str, strict: bool) -> None:
    sent: list[dict[str, object]] = []

    async def app(_scope: object, _receive: object, send: object) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})  # type: ignore[operator]

    async def note(message: dict[str, object]) -> None:
        sent.append(message)

    hosts = off_loopback([ORIGIN, "https://192.0.2.7:8443"], 8443).hosts
    await _Strict(app, hosts)({"type": "http", "headers": [(b"host", host.encode())]}, None, note)

    assert bool(sent[0]["headers"]) == strict
