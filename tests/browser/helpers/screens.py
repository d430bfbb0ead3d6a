"""Browsers of people, on the pages of their nodes."""

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page

from telegraph.testing.processes import RealTelegraph

HARMLESS = ("Failed to load resource", "WebSocket connection to")
"""What Chromium says of refusals and of a node that is away; everything else on its console is a mistake of ours."""


class Screen:
    """Browsers of people; whatever is wrong on a console fails the test."""

    def __init__(self, browser: Browser, people: RealTelegraph) -> None:
        self._browser = browser
        self.people = people
        self.contexts: list[BrowserContext] = []
        self.complaints: list[str] = []

    def open(self, name: str, *, phone: bool = False, dark: bool = False, language: str = "en") -> Page:
        """The page of somebody's node in a browser of its own, which is let in."""
        page = self.blank(phone=phone, dark=dark, language=language)
        page.goto(self.link(name))
        return page

    def blank(self, *, phone: bool = False, dark: bool = False, language: str = "en") -> Page:
        """A browser of its own."""
        context = self._browser.new_context(
            viewport={"width": 390, "height": 844} if phone else {"width": 1280, "height": 800},
            has_touch=phone,
            color_scheme="dark" if dark else "light",
            locale=language,
            reduced_motion="reduce",
        )
        self.contexts.append(context)
        return self.watched(context.new_page())

    def watched(self, page: Page) -> Page:
        """The page; what goes wrong in it is noted."""
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        return page

    def link(self, name: str) -> str:
        """A link that lets a browser in at somebody's node, once."""
        url: str = self.people.post(name, "/browser-link")["url"]
        return url

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not message.text.startswith(HARMLESS):
            self.complaints.append(message.text)
