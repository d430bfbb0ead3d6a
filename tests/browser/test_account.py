"""Leo's account, from its first emoji to its end."""

import re

from playwright.sync_api import Page, expect
from screens import Screen
from talking import bubble, open_chat, row

from telegraph.testing.processes import PASSWORD

NEW = "another battery staple"


def choose(page: Page, what: str) -> None:
    page.get_by_role("button", name="Settings").click()
    page.get_by_role("button", name=what).click()
    expect(page.get_by_label("Current password")).to_be_visible()


def test_he_writes_changes_his_password_and_leaves_for_good(screen: Screen) -> None:
    screen.people.join("leo")
    page = screen.open("leo")
    open_chat(page, "bob")
    field = page.get_by_role("textbox", name="Message")
    field.fill("tea  soon")
    field.evaluate("field => field.setSelectionRange(4, 4)")
    page.get_by_role("button", name="Emoji").click()
    page.get_by_role("dialog", name="Emoji").get_by_role("button", name="😂").first.click()
    expect(field).to_have_value("tea 😂 soon")
    field.press("Enter")
    expect(bubble(page, "tea 😂 soon")).to_be_visible()

    choose(page, "Change password")
    page.get_by_label("Current password").fill("not the password")
    page.get_by_label("New password").fill(NEW)
    page.get_by_role("button", name="Change", exact=True).click()
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_label("Current password").fill(PASSWORD)
    page.get_by_role("button", name="Change", exact=True).click()
    expect(page.get_by_text("The password is changed.")).to_be_visible()
    page.keyboard.press("Escape")

    bob = screen.open("bob")
    row(bob, "leo").click()
    choose(page, "Delete the account")
    page.get_by_label("Current password").fill(NEW)
    page.get_by_label("Also erase the messages on this machine").check()
    page.get_by_role("button", name="Delete for good").click()
    expect(page.get_by_label(re.compile("Invite link|Name"))).to_be_visible()
    expect(bob.get_by_text("leo deleted the account.")).to_be_visible()
    expect(bubble(bob, "tea 😂 soon")).to_be_visible()
    write_field = bob.get_by_role("textbox", name="Message")
    expect(write_field).to_have_count(0)
