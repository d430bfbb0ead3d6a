"""axe (https://github.com/dequelabs/axe-core) finds nothing on any screen, in light and in dark."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from screens import Screen
from talking import bubble, open_chat, row, write

from telegraph.testing.processes import PASSWORD


def violations(page: Page, root: Path) -> list[str]:
    """What axe complains of; it comes in beside the page's policy, as a debugger would."""
    axe = (root / "web" / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
    page.evaluate(axe)
    found: dict[str, Any] = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{one['id']}: {', '.join(str(node['target']) for node in one['nodes'][:3])}" for one in found["violations"]
    ]


def in_both_themes(page: Page, root: Path) -> list[str]:
    """What axe complains of in the light theme or in the dark one."""
    found: list[str] = []
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        expect(page.locator("html")).to_have_attribute("data-theme", theme)
        found += violations(page, root)
    return found


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_every_screen_can_be_used_by_everybody(screen: Screen, root: Path, dark: bool) -> None:
    page = screen.open("alice", dark=dark)
    found: dict[str, list[str]] = {}
    open_chat(page, "bob")
    write(page, "look at https://example.org")
    expect(bubble(page, "https://example.org").first).to_be_visible()
    found["conversation"] = violations(page, root)
    bubble(page, "https://example.org").last.click(button="right")
    expect(page.get_by_role("menu")).to_be_visible()
    found["menu"] = violations(page, root)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Emoji").click()
    page.get_by_role("dialog", name="Emoji").wait_for()
    found["emoji"] = violations(page, root)
    page.keyboard.press("Escape")
    for panel in ("chat/bob/trust", "chat/bob/why", "settings", "network"):
        page.evaluate("where => { location.hash = `#/${where}` }", panel)
        page.locator("dialog[open]").wait_for()
        page.wait_for_load_state("networkidle")
        found[panel] = violations(page, root)
        page.keyboard.press("Escape")
        page.locator("dialog[open]").wait_for(state="detached")
    expect(row(page, "bob")).to_be_visible()
    found["chats"] = violations(page, root)
    stranger = screen.blank(dark=dark)
    stranger.goto(screen.people.api("alice"))
    stranger.get_by_label("Password").wait_for()
    found["login"] = violations(stranger, root)

    assert {place: said for place, said in found.items() if said} == {}


def test_the_way_in_can_be_used_by_everybody(screen: Screen, root: Path) -> None:
    people = screen.people
    people.start("nora", unattended=False)
    page = screen.open("nora")
    found: dict[str, list[str]] = {}
    page.get_by_label("Name").wait_for()
    found["register"] = in_both_themes(page, root)
    page.get_by_role("button", name="Choose another").click()
    page.get_by_label("Invite link or address").fill("https://127.0.0.1:9")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("alert")).to_contain_text("Nobody answers at https://127.0.0.1:9")
    found["welcome"] = in_both_themes(page, root)
    page.get_by_label("Invite link or address").fill(people.url)
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("button", name="Yes, it is the same").wait_for()
    found["compare"] = in_both_themes(page, root)
    page.get_by_role("button", name="Yes, it is the same").click()
    page.get_by_label("Name").fill("nora")
    page.locator("input[name=password]").fill(PASSWORD)
    page.locator("input[name=repeated]").fill(PASSWORD)
    page.get_by_role("button", name="Create account").click()
    page.get_by_role("heading", name="Keep this recovery code").wait_for()
    found["recovery"] = in_both_themes(page, root)
    page.get_by_role("button", name="I have written it down").click()
    page.get_by_role("heading", name="No conversations yet").wait_for()
    found["empty"] = in_both_themes(page, root)
    page.get_by_role("button", name="Settings").click()
    page.get_by_role("button", name="Log out").click()
    page.locator("input[name=password]").fill("not the password")
    page.get_by_role("button", name="Unlock").click()
    page.get_by_role("region").wait_for()
    found["reset"] = in_both_themes(page, root)

    assert {place: said for place, said in found.items() if said} == {}
