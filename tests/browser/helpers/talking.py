"""What people do on the page, in their words."""

import re

from playwright.sync_api import Locator, Page, expect


def open_chat(page: Page, user: str) -> None:
    """Opens the conversation with somebody, known or not."""
    page.get_by_role("searchbox").fill(user)
    page.locator(".found").get_by_role("button", name=re.compile(user)).first.click()
    expect(page.get_by_role("textbox", name=re.compile("Message|Mensaje"))).to_be_visible()


def write(page: Page, text: str) -> None:
    """Types a message and presses Enter."""
    field = page.get_by_role("textbox", name=re.compile("Message|Mensaje"))
    field.fill(text)
    field.press("Enter")


def bubble(page: Page, text: str) -> Locator:
    """The bubble with this text."""
    return page.locator("li .bubble").filter(has_text=text)


def tick(page: Page, text: str) -> Locator:
    """The tick of an own message."""
    return bubble(page, text).locator("[data-state]")


def row(page: Page, user: str) -> Locator:
    """Somebody's row in the list of chats."""
    return page.get_by_role("navigation").get_by_role("link").filter(has_text=user)
