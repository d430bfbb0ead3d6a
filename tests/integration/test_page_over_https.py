"""The page off loopback: over real HTTPS, as its owner, a stranger and another web site meet it."""

import re
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from cryptography import x509

from telegraph.protocol.identity import fingerprint
from telegraph.testing.processes import PASSWORD, RealTelegraph

HOST = "127.0.0.2"
"""Not where a node serves its local API, and an address that every machine has."""


def free_port() -> int:
    with socket.create_server((HOST, 0)) as server:
        port: int = server.getsockname()[1]
        return port


class House:
    """Somebody's node that serves its page elsewhere."""

    def __init__(self, org: RealTelegraph, name: str) -> None:
        self.name = name
        self.url = f"https://{HOST}:{free_port()}"
        org.join(name, "--api-host", HOST, "--api-port", self.url.rpartition(":")[2], "--api-origin", self.url)
        self.certificate = org.root / name / "page-certificate.pem"
        self.trusted = ssl.create_default_context(cafile=str(self.certificate))

    async def __call__(
        self, browser: aiohttp.ClientSession, method: str, path: str, body: Any = None, **headers: str
    ) -> tuple[int, Any, list[str]]:
        async with browser.request(
            method, f"{self.url}/api/v1{path}", json=body, headers=headers, ssl=self.trusted
        ) as answer:
            return answer.status, await answer.json(), answer.headers.getall("Set-Cookie", [])

    async def log_in(self, browser: aiohttp.ClientSession, password: str = PASSWORD) -> tuple[int, Any, list[str]]:
        return await self(browser, "POST", "/session", {"username": self.name, "password": password})


@pytest.fixture(scope="module")
def houses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RealTelegraph, House, House]]:
    org = RealTelegraph(tmp_path_factory.mktemp("elsewhere"))
    yield org, House(org, "alice"), House(org, "bob")
    org.close()


def browsing() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))  # unsafe: cookies for IP addresses


async def test_a_password_opens_it_and_two_peoples_pages_in_one_browser_keep_apart(
    houses: tuple[RealTelegraph, House, House],
) -> None:
    org, alice, bob = houses
    async with browsing() as browser:
        assert (await alice(browser, "GET", "/status"))[0] == 401
        status, answer, cookies = await alice.log_in(browser, "not the password")
        assert (status, answer["error"], cookies) == (401, "wrong_credentials", [])

        assert (await alice.log_in(browser))[0] == 200
        _, _, (cookie,) = await bob.log_in(browser)
        assert cookie.startswith("__Host-telegraph-")
        assert {flag.strip() for flag in cookie.split(";")} >= {"Secure", "HttpOnly", "SameSite=strict", "Path=/"}
        assert [(await house(browser, "GET", "/status"))[1]["username"] for house in (alice, bob)] == ["alice", "bob"]

        assert (await bob(browser, "DELETE", "/session"))[0] == 200
        assert (await bob(browser, "GET", "/status"))[0] == 401
        assert (await alice(browser, "GET", "/status"))[0] == 200
        async with browser.ws_connect(f"{alice.url}/api/v1/events", ssl=alice.trusted, origin=alice.url) as events:
            assert not events.closed
        assert (await bob.log_in(browser))[1]["username"] == "bob"
    assert org.ask("alice", "status")["username"] == "alice"


async def test_a_stranger_and_another_web_site_get_nothing(houses: tuple[RealTelegraph, House, House]) -> None:
    org, alice, _ = houses
    async with browsing() as browser, browsing() as stranger:
        assert (await alice.log_in(browser))[0] == 200
        token = {"Authorization": f"Bearer {org.token('alice')}"}

        assert (await alice(stranger, "GET", "/door"))[1] == {"account": "locked", "open": False, "elsewhere": True}
        assert (await alice(stranger, "GET", "/status", **token))[0] == 401
        assert (await alice(stranger, "POST", "/browser", {"token": org.token("alice")}))[0] == 404
        for headers in ({"Host": "evil.example"}, {"Origin": "https://evil.example"}, {"Host": f"{HOST}:1"}):
            assert (await alice(browser, "GET", "/status", **headers))[1]["error"] == "foreign_origin"
            posted = await alice(browser, "POST", "/messages", {"to": "bob", "text": "forged"}, **headers)
            assert posted[1]["error"] == "foreign_origin"
        for who, origin in ((browser, "https://evil.example"), (stranger, alice.url)):
            with pytest.raises(aiohttp.WSServerHandshakeError):
                await who.ws_connect(f"{alice.url}/api/v1/events", ssl=alice.trusted, origin=origin)
        with pytest.raises(aiohttp.ClientError):
            await stranger.get(alice.url.replace("https", "http"))
        async with stranger.get(f"{alice.url}/", ssl=alice.trusted) as page:
            assert "alice" not in await page.text()
            assert "strict-transport-security" not in page.headers


def test_the_fingerprint_that_is_printed_is_that_of_the_certificate(houses: tuple[RealTelegraph, House, House]) -> None:
    org, alice, _ = houses
    printed = re.search(r"Page: (\S+) \(certificate SHA-256 ([0-9a-f]{64})\)", org.nodes["alice"].log)
    certificate = x509.load_pem_x509_certificate(Path(alice.certificate).read_bytes())

    assert printed is not None
    assert printed.groups() == (alice.url, fingerprint(certificate))
