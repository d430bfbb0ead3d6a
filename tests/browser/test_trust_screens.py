"""Whom alice trusts: another key that the directory tells of, and people of whom she wants to hear nothing."""

from playwright.sync_api import expect
from screens import Screen
from talking import bubble, open_chat, row, tick, write


def test_a_new_key_of_somebody_verified_waits_for_her_word(screen: Screen) -> None:
    people = screen.people
    people.join("kim")
    page = screen.open("alice")
    open_chat(page, "kim")
    write(page, "to the first device")
    expect(tick(page, "to the first device")).to_have_attribute("data-state", "delivered")
    page.get_by_role("button", name="Safety number with kim").click()
    page.get_by_role("button", name="They are the same").click()
    expect(page.get_by_role("dialog")).to_contain_text("You have verified kim.")
    page.keyboard.press("Escape")

    people.start("kim-laptop")
    people.ask("kim-laptop", "login", "kim")

    notice = page.get_by_role("alert").filter(has_text="Nothing is sent to kim until you have decided")
    expect(notice).to_be_visible()
    expect(page.locator("li .notice")).to_contain_text("The device key of kim changed.")
    write(page, "waits for a word")
    expect(tick(page, "waits for a word")).to_have_attribute("data-state", "pending")
    notice.get_by_role("button", name="Compare").click()
    page.get_by_role("button", name="Use the new key").click()
    expect(page.get_by_role("dialog")).to_contain_text("Not verified yet.")
    page.keyboard.press("Escape")
    expect(tick(page, "waits for a word")).to_have_attribute("data-state", "delivered")
    expect(notice).to_have_count(0)


def test_of_whom_she_blocks_she_hears_nothing_until_she_wants_to(screen: Screen) -> None:
    alice, carla = screen.open("alice"), screen.open("carla")
    open_chat(alice, "carla")
    open_chat(carla, "alice")
    write(carla, "before")
    expect(bubble(alice, "before")).to_be_visible()
    alice.get_by_role("button", name="Safety number with carla").click()
    alice.get_by_role("button", name="Block").click()
    expect(alice.get_by_role("button", name="Unblock").first).to_be_visible()
    alice.keyboard.press("Escape")
    expect(alice.locator("header .presence")).to_have_text("blocked")

    write(carla, "while blocked")
    expect(tick(carla, "while blocked")).to_have_attribute("data-state", "pending")
    expect(bubble(alice, "while blocked")).to_have_count(0)
    alice.get_by_role("button", name="Unblock").click()

    expect(bubble(alice, "while blocked")).to_be_visible(timeout=15_000)
    expect(tick(carla, "while blocked")).to_have_attribute("data-state", "read")


def test_pinned_people_stand_first_and_muted_ones_are_not_counted(screen: Screen) -> None:
    alice, bob = screen.open("alice"), screen.open("bob")
    for name in ("carla", "bob"):
        open_chat(alice, name)
        write(alice, f"hello {name}")
    first = alice.get_by_role("navigation").get_by_role("link").first
    expect(first).to_contain_text("bob")
    open_chat(alice, "carla")
    for choice in ("Pin", "Mute"):
        alice.get_by_role("button", name="Safety number with carla").click()
        alice.get_by_role("button", name=choice, exact=True).click()
        alice.keyboard.press("Escape")
    expect(first).to_contain_text("carla")

    alice.go_back()
    alice.evaluate("location.hash = '#/'")
    screen.people.post("carla", "/messages", to="alice", text="psst")
    expect(row(alice, "carla")).to_contain_text("1 unread message")
    expect(alice).to_have_title("Telegraph")
    open_chat(bob, "alice")
    write(bob, "counted")
    expect(alice).to_have_title("(1) Telegraph")
    expect(first).to_contain_text("carla")
