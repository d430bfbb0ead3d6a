"""A newcomer's way in, and out again."""

from playwright.sync_api import expect
from screens import Screen

from telegraph.testing.processes import PASSWORD, RunningProcess


def test_a_newcomer_compares_a_fingerprint_registers_and_keeps_a_code(screen: Screen) -> None:
    people = screen.people
    data = people.root / "frida"
    options = ("--host", "127.0.0.1", "--peer-port", "0", "--api-port", "0", "--argon2-memory", "32")
    node = RunningProcess(
        *("node", "run", "--data", data, *options),
        ready=r"Node ready: (?P<url>http://\S+)",
        env={"TELEGRAPH_TESTING": "1"},
    )
    people.nodes["frida"] = node
    stranger = screen.blank()
    stranger.goto(people.api("frida"))
    expect(stranger.get_by_text("telegraph web")).to_be_visible()

    page = screen.open("frida")
    page.get_by_label("Invite link or address").fill(people.url)
    page.get_by_role("button", name="Continue").click()
    shown = people.post("frida", "/organisation/look", address=people.url)["fingerprint"]
    expect(page.locator(".print")).to_have_text(" ".join(shown[at : at + 4] for at in range(0, 64, 4)))
    page.get_by_role("button", name="Yes, it is the same").click()

    page.get_by_label("Name").fill("alice")
    page.locator("input[name=password]").fill(PASSWORD)
    page.locator("input[name=repeated]").fill(PASSWORD)
    page.get_by_role("button", name="Create account").click()
    expect(page.get_by_role("alert")).to_contain_text("taken")
    page.get_by_label("Name").fill("frida")
    page.get_by_role("button", name="Create account").click()
    expect(page.get_by_role("heading", name="Keep this recovery code")).to_be_visible()
    page.get_by_role("button", name="I have written it down").click()
    expect(page.get_by_role("heading", name="No conversations yet")).to_be_visible()
    assert page.url.endswith("/#/")

    page.get_by_role("button", name="Settings").click()
    page.get_by_role("button", name="Log out").click()
    page.locator("input[name=password]").fill("not the password")
    page.get_by_role("button", name="Unlock").click()
    expect(page.get_by_role("alert")).to_be_visible()
    page.locator("input[name=password]").fill(PASSWORD)
    page.get_by_role("button", name="Unlock").click()
    expect(page.get_by_role("heading", name="frida")).to_be_visible()


def test_a_link_lets_one_browser_in_and_no_second_one(screen: Screen) -> None:
    link = screen.link("alice")
    first, second = screen.blank(), screen.blank()
    first.goto(link)
    expect(first.get_by_role("heading", name="alice")).to_be_visible()

    second.goto(link)

    expect(second.get_by_label("Password")).to_be_visible()
