"""The node goes away under the page and comes back."""

import socket

from playwright.sync_api import expect
from screens import Screen
from talking import bubble, open_chat, tick, write


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def test_what_is_written_while_the_node_is_away_goes_out_once_when_it_is_back(screen: Screen) -> None:
    people, port = screen.people, free_port()
    people.nodes["carla"].stop()
    people.start("carla", "--api-port", port)
    page = screen.open("carla")
    open_chat(page, "bob")
    write(page, "while it runs")
    expect(tick(page, "while it runs")).to_have_attribute("data-state", "delivered")

    people.nodes["carla"].stop()
    expect(page.get_by_role("button", name="Your node does not answer")).to_be_visible()
    write(page, "while it is away")
    expect(tick(page, "while it is away")).to_have_attribute("data-state", "unsent")
    people.start("carla", "--api-port", port)

    expect(tick(page, "while it is away")).to_have_attribute("data-state", "delivered", timeout=20_000)
    expect(bubble(page, "while it is away")).to_have_count(1)
    assert [one["text"] for one in people.get("bob", "/conversations/carla/messages")["messages"]].count(
        "while it is away"
    ) == 1
