"""Real nodes, a real manager and Chromium, shared by the stories of this folder: starting them is what takes long."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright
from screens import Screen

from telegraph.node.api.page import BUILT
from telegraph.testing.processes import RealTelegraph

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--no-sandbox",  # the tests run as root
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
expect.set_options(timeout=10_000)


@pytest.fixture(scope="session")
def built() -> None:
    assert (BUILT / "index.html").exists(), "the page is not built; run: python scripts/web.py build"


@pytest.fixture(scope="module")
def browser(built: None) -> Iterator[Browser]:  # noqa: ARG001 - it must be there
    """Ends with its file: while Playwright runs so does an event loop, and no other test may have one beside it."""
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield running
        running.close()


@pytest.fixture(scope="session")
def people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealTelegraph]:
    """Alice, bob and carla; what one story leaves behind, the next must not mind."""
    running = RealTelegraph(tmp_path_factory.mktemp("people"))
    for name in ("alice", "bob", "carla"):
        running.join(name)
    yield running
    running.close()


@pytest.fixture
def screen(browser: Browser, people: RealTelegraph) -> Iterator[Screen]:
    shown = Screen(browser, people)
    yield shown
    for context in shown.contexts:
        context.close()
    assert shown.complaints == []


@pytest.fixture
def root() -> Path:
    return Path(__file__).parent.parent.parent
