"""A conversation of 5,000 messages: scrolled through, with what is looked at staying where it is."""

from typing import Any

from filling import PEN_PAL, fill
from playwright.sync_api import expect
from screens import Screen
from talking import bubble, row

COUNT = 5_000

TO_THE_BEGINNING = """async () => {
    const scroller = document.querySelector('.scroller');
    const lines = () => scroller.querySelectorAll('[data-id]');
    const found = { loads: 0, most: 0, worst: 0, seen: [] };
    while (!scroller.querySelector('li.begin') && found.loads < 200) {
        scroller.scrollTop = 0;
        const first = lines()[0];
        const top = first.getBoundingClientRect().top;
        await new Promise(resolve => {
            const observer = new MutationObserver(() => {
                if (lines()[0] !== first) { observer.disconnect(); resolve(); }
            });
            observer.observe(scroller, { childList: true, subtree: true });
            scroller.dispatchEvent(new Event('scroll'));
        });
        await new Promise(resolve => setTimeout(resolve));
        found.loads += 1;
        found.most = Math.max(found.most, lines().length);
        found.worst = Math.max(found.worst, Math.abs(first.getBoundingClientRect().top - top));
    }
    found.first = lines()[0].querySelector('.text').textContent;
    return found;
}"""
"""Scrolls to the top until there is nothing above; what stood at the top must stand there after each loading."""


def test_she_scrolls_to_the_beginning_of_five_thousand_messages_and_back(screen: Screen) -> None:
    screen.people.join("dora")
    fill(screen.people, "dora", COUNT)
    page = screen.open("dora")
    row(page, PEN_PAL).click()
    expect(bubble(page, f"number {COUNT - 1}")).to_be_in_viewport()

    found: dict[str, Any] = page.evaluate(TO_THE_BEGINNING)

    assert found["first"] == "number 0"
    assert found["loads"] == COUNT // 80 - 1 + (COUNT % 80 > 0)
    assert found["most"] <= 400
    assert found["worst"] < 2  # pixels
    page.get_by_role("button", name="To the newest message").click()
    expect(bubble(page, f"number {COUNT - 1}")).to_be_in_viewport()
