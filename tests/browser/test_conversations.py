"""Two people talk by the page; what happens on one screen is seen on the other."""

import re

import pytest
from playwright.sync_api import expect
from screens import Screen
from talking import bubble, open_chat, row, tick, write


def test_a_message_is_seen_by_both_and_its_tick_says_how_far_it_is(screen: Screen) -> None:
    screen.people.post("bob", "/conversations/alice/read")  # of other stories
    alice, bob = screen.open("alice"), screen.open("bob")
    open_chat(alice, "bob")

    write(alice, "first words\nand a second line")

    expect(tick(alice, "first words")).to_have_attribute("data-state", "delivered")
    expect(row(bob, "alice")).to_contain_text("1 unread message")
    expect(bob).to_have_title(re.compile(r"^\(\d+\) Telegraph$"))
    row(bob, "alice").click()
    expect(bubble(bob, "first words")).to_be_visible()
    expect(tick(alice, "first words")).to_have_attribute("data-state", "read")
    expect(bob).to_have_title("Telegraph")
    write(bob, "an answer")
    expect(bubble(alice, "an answer")).to_be_visible()
    expect(alice.get_by_role("status").filter(has_text="bob: an answer")).to_have_count(1)


def test_a_reload_keeps_the_log_in_the_conversation_and_the_draft(screen: Screen) -> None:
    page = screen.open("alice")
    open_chat(page, "bob")
    write(page, "before the reload")
    expect(tick(page, "before the reload")).to_have_attribute("data-state", re.compile("delivered|read"))
    page.get_by_role("textbox", name="Message").fill("half a thought")

    page.reload()

    expect(bubble(page, "before the reload")).to_be_visible()
    expect(page.get_by_role("textbox", name="Message")).to_have_value("half a thought")


def test_a_draft_is_there_in_another_browser_until_it_is_sent(screen: Screen) -> None:
    page = screen.open("alice")
    open_chat(page, "bob")
    with page.expect_response(lambda answer: answer.url.endswith("/draft") and answer.ok):
        page.get_by_role("textbox", name="Message").fill("a draft for bob")
    page.context.close()  # and whatever it kept with it

    page = screen.open("alice")
    expect(row(page, "bob")).to_contain_text("Draft: a draft for bob")
    row(page, "bob").click()
    expect(page.get_by_role("textbox", name="Message")).to_have_value("a draft for bob")
    page.get_by_role("textbox", name="Message").press("Enter")
    expect(bubble(page, "a draft for bob")).to_be_visible()
    page.reload()
    expect(bubble(page, "a draft for bob")).to_be_visible()
    expect(page.get_by_role("textbox", name="Message")).to_have_value("")


def test_two_tabs_are_in_step(screen: Screen) -> None:
    one = screen.open("alice")
    open_chat(one, "carla")
    two = screen.watched(one.context.new_page())
    two.goto(one.url)
    expect(two.get_by_role("textbox", name="Message")).to_be_visible()

    write(one, "from the first tab")
    expect(bubble(two, "from the first tab")).to_be_visible()
    write(two, "from the second tab")
    expect(bubble(one, "from the second tab")).to_have_count(1)
    one.get_by_role("link", name="bob").click()
    screen.people.post("carla", "/messages", to="alice", text="for both tabs")
    expect(bubble(two, "for both tabs")).to_be_visible()
    expect(row(one, "carla")).not_to_contain_text("unread")
    two.get_by_role("button", name="Settings").click()
    two.get_by_label("Theme").select_option("dark")
    expect(one.locator("html")).to_have_attribute("data-theme", "dark")


def test_an_answer_shows_what_it_answers_and_a_message_can_be_deleted_here(screen: Screen) -> None:
    alice, bob = screen.open("alice"), screen.open("bob")
    open_chat(alice, "bob")
    open_chat(bob, "alice")
    write(alice, "which poster?")

    line = bob.locator("li").filter(has_text="which poster?").last
    line.focus()
    line.press("Enter")
    bob.get_by_role("menuitem", name="Reply").press("Enter")
    write(bob, "the blue one")

    expect(bubble(alice, "the blue one").get_by_role("button")).to_contain_text("which poster?")
    line = alice.locator("li").filter(has_text="the blue one").last
    line.focus()
    line.press("Enter")
    alice.get_by_role("menuitem", name="Delete for me").click()
    expect(bubble(alice, "the blue one")).to_have_count(0)
    expect(bubble(bob, "the blue one")).to_be_visible()


def test_what_waits_says_why_and_can_be_given_up(screen: Screen) -> None:
    page = screen.open("alice")
    open_chat(page, "carla")
    screen.people.nodes["carla"].stop()
    try:
        expect(page.locator("header .presence")).to_contain_text("last seen")
        write(page, "while she is away")
        expect(tick(page, "while she is away")).to_have_attribute("data-state", "pending")

        page.get_by_role("button", name="Why isn't it sent?").click()
        expect(page.get_by_role("dialog")).to_contain_text("They are away.")
        page.keyboard.press("Escape")
        bubble(page, "while she is away").click(button="right")
        page.get_by_role("menuitem", name="Do not send").click()
        expect(tick(page, "while she is away")).to_have_attribute("data-state", "cancelled")
        write(page, "this one goes")
    finally:
        screen.people.start("carla")
    expect(tick(page, "this one goes")).to_have_attribute("data-state", "delivered", timeout=20_000)


@pytest.mark.parametrize("language", ["en-GB", "es-CU"])
def test_the_page_speaks_the_browser_s_language_and_can_be_told_otherwise(screen: Screen, language: str) -> None:
    page = screen.open("bob", language=language)
    mine, other, settings, choice = {
        "en-GB": ("Search people and messages", "Buscar personas y mensajes", "Settings", "es"),
        "es-CU": ("Buscar personas y mensajes", "Search people and messages", "Ajustes", "en"),
    }[language]
    expect(page.get_by_placeholder(mine)).to_be_visible()
    expect(page.locator("html")).to_have_attribute("lang", language[:2])

    page.get_by_role("button", name=settings).click()
    page.get_by_role("dialog").get_by_role("combobox").first.select_option(choice)
    page.keyboard.press("Escape")
    expect(page.get_by_placeholder(other)).to_be_visible()


def test_a_phone_shows_one_pane_at_a_time_and_nothing_is_wider_than_it(screen: Screen) -> None:
    page = screen.open("alice", phone=True)
    open_chat(page, "bob")
    expect(page.get_by_role("navigation")).to_be_hidden()
    write(page, "w" * 300)
    expect(bubble(page, "w" * 300)).to_be_visible()

    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.get_by_role("button", name="Back to the chats").click()
    expect(row(page, "bob")).to_be_visible()
