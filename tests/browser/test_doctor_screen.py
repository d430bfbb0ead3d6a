"""What works and what does not, as the page shows it: reached by keyboard, in the user's language."""

from playwright.sync_api import expect
from screens import Screen


def test_the_network_lamp_opens_what_the_doctor_found(screen: Screen) -> None:
    page = screen.open("alice")
    lamp = page.get_by_role("button", name="Network")
    lamp.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Network")
    expect(dialog.get_by_role("listitem").filter(has_text="You are logged in as alice.")).to_contain_text("all right:")
    expect(dialog.get_by_role("listitem").filter(has_text="A manager reached this node")).to_be_visible()
    expect(dialog.get_by_role("status")).to_contain_text("well")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(dialog.get_by_role("button", name="Check again")).to_be_focused()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)

    spanish = screen.open("alice", language="es", phone=True)
    spanish.get_by_role("button", name="Red").click()
    expect(spanish.get_by_text("La sesión de alice está abierta.")).to_be_visible()
    expect(spanish.get_by_role("status").filter(has_text="bien")).to_be_visible()
