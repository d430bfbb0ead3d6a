"""With every manager down, people who know each other go on talking, and the page says what works."""

from playwright.sync_api import expect
from screens import Screen
from talking import bubble, open_chat, tick, write

from telegraph.testing.processes import start_manager


def test_two_who_know_each_other_chat_without_any_manager(screen: Screen) -> None:
    people = screen.people
    alice, bob = screen.open("alice"), screen.open("bob")
    open_chat(alice, "bob")
    open_chat(bob, "alice")
    write(alice, "while there are managers")
    expect(bubble(bob, "while there are managers")).to_be_visible()

    people.manager.kill()
    try:
        lamp = alice.get_by_role("button", name="No manager answers")
        expect(lamp).to_be_visible()
        for page, other, text in ((alice, bob, "without any"), (bob, alice, "I hear you")):
            write(page, text)
            expect(bubble(other, text)).to_be_visible()
            expect(tick(page, text)).to_have_attribute("data-state", "read")
        lamp.click()
        expect(alice.get_by_role("dialog")).to_contain_text("Messages to people you know still go.")
    finally:
        port = people.url.rpartition(":")[2]
        people.manager = start_manager(people.root / "manager", "--port", port)
    expect(alice.get_by_role("dialog")).to_contain_text("All is well.", timeout=20_000)
