"""What a hostile text or web site achieves: nothing."""

import http.server
import threading
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect
from screens import Screen
from talking import bubble, open_chat, write

ATTACKS = (
    "<img src=x onerror=\"document.title='owned'\">",
    "<script>document.title='owned'</script>",
    "javascript:document.title='owned'",
    '"><svg onload="document.title=\'owned\'">',
    "https://x.example/\"onmouseover=\"document.title='owned'",
    "{@html '<b>x</b>'} ${document.title='owned'}",
)


def test_text_stays_text(screen: Screen) -> None:
    bob, alice = screen.open("bob"), screen.open("alice")
    open_chat(bob, "alice")
    for attack in ATTACKS:
        write(bob, attack)
    open_chat(alice, "bob")

    for attack in ATTACKS:
        expect(bubble(alice, attack).first).to_be_visible()
    for page in (alice, bob):
        assert "owned" not in page.title()
        assert page.locator(".bubble .text :not(a)").count() == 0
        hrefs = page.locator(".text a").evaluate_all("all => all.map(a => a.href)")
        assert all(href.startswith(("http://", "https://")) for href in hrefs)


def test_code_that_got_in_all_the_same_could_not_run_or_speak(screen: Screen) -> None:
    page = screen.open("alice")
    expect(page.get_by_role("heading", name="alice")).to_be_visible()

    blocked = page.evaluate(
        """async () => {
            const said = [];
            try { document.body.innerHTML = '<p>x'; } catch (error) { said.push(error.name); }
            try { await fetch('https://example.org/'); } catch (error) { said.push(error.name); }
            return said;
        }"""
    )

    assert blocked == ["TypeError", "TypeError"]
    assert len(screen.complaints) >= 2
    screen.complaints.clear()


class _Quiet(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<p>a web site of somebody else")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def other_site() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_another_site_on_this_machine_reaches_nothing_although_the_browser_sends_the_cookie(
    screen: Screen, other_site: str
) -> None:
    page = screen.open("alice")
    expect(page.get_by_role("heading", name="alice")).to_be_visible()
    before = screen.people.get("alice", "/conversations")
    foreign = screen.watched(page.context.new_page())
    foreign.goto(other_site)

    answers = foreign.evaluate(
        """async api => {
            const post = (mode, type) => fetch(`${api}/api/v1/messages`, {
                method: 'POST', mode, credentials: 'include', headers: {'Content-Type': type},
                body: JSON.stringify({to: 'bob', text: 'forged'}),
            }).then(answer => answer.type, () => 'refused');
            const socket = await new Promise(resolve => {
                const open = new WebSocket(`${api.replace('http', 'ws')}/api/v1/events`);
                open.onopen = () => resolve('open');
                open.onerror = () => resolve('refused');
            });
            return [await post('cors', 'application/json'), await post('no-cors', 'text/plain'), socket];
        }""",
        screen.people.api("alice"),
    )

    assert answers == ["refused", "opaque", "refused"]  # opaque: it may not even learn that it was refused
    assert screen.people.get("alice", "/conversations") == before
    screen.complaints.clear()
