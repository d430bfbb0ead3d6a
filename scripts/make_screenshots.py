"""Makes the pictures of the page in docs/images: real nodes, a real manager, Chromium; ``--all`` for looking at it all.

Without ``--all`` only the pictures that the documentation shows are written. Other arguments: where to write.
"""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from telegraph.testing.processes import PASSWORD, RealTelegraph, eventually

IMAGES = Path(__file__).parent.parent / "docs" / "images"
CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SIZES = {"desktop": (1280, 800), "phone": (390, 844)}

TALK = (
    ("bob", "Morning! Did the managers come back after last night?"),
    ("alice", "Yes, all three. I was offline until seven, and everything was there when I opened the lid."),
    ("alice", "Not one message lost 🎉"),
    ("bob", "I pulled the cable twice on purpose. Once in the middle of your long one."),
    ("alice", "I saw the clock turn into a tick the moment you came back."),
    ("bob", "The notes from Thursday are here: https://wiki.lan/notes/thursday. Could you look at the part on sites?"),
    ("alice", "Reading it now. Two remarks:\n1. say what happens when the link between the sites breaks\n2. a picture"),
    ("bob", "Both done. See you at four?"),
    ("alice", "At four. Bring the poster ☕"),
)
OTHERS = {
    "carla": "The minutes are in the shared folder.",
    "david": "Can you verify my safety number on Monday?",
    "elena": "Thank you!",
}


@contextmanager
def telegraph() -> Iterator[RealTelegraph]:
    """Alice, bob and others, who have talked."""
    with tempfile.TemporaryDirectory() as folder:
        org = RealTelegraph(Path(folder))
        try:
            for name in ("alice", "bob", *OTHERS):
                org.join(name)
            for name, text in OTHERS.items():
                org.post(name, "/messages", to="alice", text=text)
            eventually(lambda: len(org.ask("alice", "inbox")) == len(OTHERS))
            for name, text in TALK:
                other = {"alice": "bob", "bob": "alice"}[name]
                message = org.post(name, "/messages", to=other, text=text)
                _arrived(org, other, name, message["id"])
            org.post("bob", "/conversations/alice/read")
            org.post("alice", "/conversations/bob/read")
            org.post("alice", "/conversations/elena/read")
            yield org
        finally:
            org.close()


def _arrived(org: RealTelegraph, name: str, other: str, message: str) -> None:
    def there() -> bool:
        page = org.get(name, f"/conversations/{other}/messages")
        return any(found["id"] == message for found in page["messages"])

    eventually(there)


def link(org: RealTelegraph, name: str) -> str:
    """A link that lets a browser in at somebody's node."""
    url: str = org.post(name, "/browser-link")["url"]
    return url


@contextmanager
def page_of(browser: Browser, size: str, theme: str, language: str = "en") -> Iterator[Page]:
    """A page of a browser of its own."""
    width, height = SIZES[size]
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if theme == "dark" else "light",
        locale=language,
        device_scale_factor=1 if size == "desktop" else 2,
        has_touch=size == "phone",
        reduced_motion="reduce",
    )
    try:
        yield context.new_page()
    finally:
        context.close()


def shown(page: Page, path: Path) -> None:
    """One picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=path)
    print(path)


def documentation(org: RealTelegraph, browser: Browser, folder: Path) -> None:
    """What the README shows."""
    for size, theme in (("desktop", "light"), ("desktop", "dark"), ("phone", "light"), ("phone", "dark")):
        with page_of(browser, size, theme) as page:
            page.goto(link(org, "alice"))
            page.get_by_role("link", name="bob").click()
            page.get_by_text("Bring the poster").last.wait_for()
            shown(page, folder / f"conversation-{size}-{theme}.png")


def doctor(org: RealTelegraph, browser: Browser, folder: Path) -> None:
    """What works and what does not, while somebody is away for whom a message waits."""
    org.nodes["elena"].stop()
    org.post("alice", "/messages", to="elena", text="Are you back on Monday?")
    eventually(lambda: _waits_for(org.get("alice", "/doctor")["findings"], "elena"))
    for size, theme in (("desktop", "light"), ("desktop", "dark"), ("phone", "light"), ("phone", "dark")):
        with page_of(browser, size, theme) as page:
            page.goto(link(org, "alice"))
            page.get_by_role("button", name="Network").click()
            page.get_by_text("All is well.").wait_for()
            shown(page, folder / f"doctor-{size}-{theme}.png")


def _waits_for(findings: list[dict[str, str]], user: str) -> bool:
    return any((one["cause"], one["subject"]) == ("offline", user) for one in findings)


def everything(org: RealTelegraph, browser: Browser, folder: Path) -> None:
    """Every screen, for looking at."""
    for size in SIZES:
        for theme in ("light", "dark"):
            with page_of(browser, size, theme, "es" if theme == "dark" else "en") as page:
                page.goto(link(org, "alice"))
                page.get_by_role("link", name="carla").wait_for()
                shown(page, folder / f"chats-{size}-{theme}.png")
                for panel in ("settings", "network"):
                    page.goto(f"{org.api('alice')}/#/{panel}")
                    page.get_by_role("dialog").wait_for()
                    page.wait_for_timeout(300)
                    shown(page, folder / f"{panel}-{size}-{theme}.png")
                for panel in ("trust", "why"):
                    page.goto(f"{org.api('alice')}/#/chat/bob/{panel}")
                    page.get_by_role("dialog").wait_for()
                    page.wait_for_timeout(300)
                    shown(page, folder / f"{panel}-{size}-{theme}.png")
            with page_of(browser, size, theme, "es" if theme == "dark" else "en") as page:
                page.goto(org.api("alice"))
                page.locator("input[name=password]").wait_for()
                shown(page, folder / f"login-{size}-{theme}.png")


def first_run(org: RealTelegraph, browser: Browser, folder: Path) -> None:
    """A newcomer's way in."""
    org.start("newcomer")
    for size, theme in (("desktop", "light"), ("phone", "dark")):
        with page_of(browser, size, theme) as page:
            page.goto(link(org, "newcomer"))
            page.locator("input[name=username]").wait_for()
            page.get_by_role("button", name="Choose another").click()
            shown(page, folder / f"welcome-{size}-{theme}.png")
            page.locator("input[name=address]").fill(org.url)
            page.get_by_role("button", name="Continue").click()
            page.get_by_role("button", name="Yes, it is the same").wait_for()
            shown(page, folder / f"compare-{size}-{theme}.png")
            page.get_by_role("button", name="Yes, it is the same").click()
            page.locator("input[name=username]").fill("frida")
            page.locator("input[name=password]").fill(PASSWORD)
            page.locator("input[name=repeated]").fill(PASSWORD)
            shown(page, folder / f"register-{size}-{theme}.png")
    with page_of(browser, "desktop", "light") as page:
        page.goto(link(org, "newcomer"))
        page.locator("input[name=username]").fill("frida")
        page.locator("input[name=password]").fill(PASSWORD)
        page.locator("input[name=repeated]").fill(PASSWORD)
        page.get_by_role("button", name="Create account").click()
        page.get_by_role("button", name="I have written it down").wait_for()
        shown(page, folder / "recovery-desktop-light.png")


def main(arguments: list[str]) -> None:
    """Makes them."""
    wants_all = "--all" in arguments
    places = [Path(argument) for argument in arguments if argument != "--all"]
    folder = places[0] if places else IMAGES
    with telegraph() as org, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        documentation(org, browser, folder)
        doctor(org, browser, folder)
        if wants_all:
            everything(org, browser, folder)
            first_run(org, browser, folder)
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1:])
