"""axe (https://github.com/dequelabs/axe-core) finds nothing on any screen, in light and in dark."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from screens import Screen
from talking import bubble, open_chat, row, write


def violations(page: Page, root: Path) -> list[str]:
    """What axe complains of; it comes in beside the page's policy, as a debugger would."""
    axe = (root / "web" / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
    page.evaluate(axe)
    found: dict[str, Any] = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{one['id']}: {', '.join(str(node['target']) for node in one['nodes'][:3])}" for one in found["violations"]
    ]


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
