"""The page off loopback, over HTTPS: a password opens it, and two people's pages in one browser keep apart."""

import socket
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from talking import bubble, open_chat, write

from telegraph.testing.processes import PASSWORD, RealTelegraph

HOST = "127.0.0.2"


@pytest.fixture(scope="module")
def addresses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    org = RealTelegraph(tmp_path_factory.mktemp("elsewhere"))
    found = {name: f"https://{HOST}:{_free_port()}" for name in ("alice", "bob")}
    for name, url in found.items():
        org.join(name, "--api-host", HOST, "--api-port", url.rpartition(":")[2], "--api-origin", url)
    yield found
    org.close()


def _free_port() -> int:
    with socket.create_server((HOST, 0)) as server:
        port: int = server.getsockname()[1]
        return port


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    opened = browser.new_context(ignore_https_errors=True, locale="en", reduced_motion="reduce")
    yield opened
    opened.close()


def log_in(page: Page, name: str, password: str = PASSWORD) -> None:
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Log in").click()


def test_two_people_log_in_on_one_browser_and_talk(context: BrowserContext, addresses: dict[str, str]) -> None:
    alice, bob = context.new_page(), context.new_page()
    alice.goto(addresses["alice"])
    log_in(alice, "alice", "not the password")
    expect(alice.get_by_role("alert")).to_be_visible()
    expect(alice.get_by_role("checkbox")).to_have_count(0)  # nothing is set aside from elsewhere
    log_in(alice, "alice")
    expect(alice.get_by_role("heading", name="alice")).to_be_visible()
    bob.goto(addresses["bob"])
    log_in(bob, "bob")
    expect(bob.get_by_role("heading", name="bob")).to_be_visible()

    open_chat(bob, "alice")
    write(bob, "from one tab to the other")
    open_chat(alice, "bob")
    expect(bubble(alice, "from one tab to the other")).to_be_visible()

    bob.goto(f"{addresses['bob']}/#/settings")
    bob.get_by_role("button", name="Log out").click()
    expect(bob.get_by_role("button", name="Log in")).to_be_visible()
    alice.reload()
    expect(bubble(alice, "from one tab to the other")).to_be_visible()
    cookies = context.cookies()
    assert len({cookie["name"] for cookie in cookies}) == len(cookies) == 2
    assert all(cookie["secure"] and cookie["httpOnly"] and cookie["sameSite"] == "Strict" for cookie in cookies)
