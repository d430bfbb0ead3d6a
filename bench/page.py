"""How soon does a message show, how soon an own one, how soon is the page there, and what does an open tab cost?

Two nodes with a manager and Chromium on loopback; the baseline is a page that shows what a bare WebSocket brings, in
the same browser and the same run, rounds interleaved. ``--quick``: fewer rounds. README.md beside this file says more.
"""

import json
import os
import random
import statistics
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from messaging.ends import End
from messaging.report import Line, quantile, run_figures
from playwright.sync_api import Browser, Page, sync_playwright

from telegraph.testing.processes import start_manager

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
FRIENDS, EACH = 30, 200
BEFORE = 500
"""Messages in the conversation before anything is measured: the page shows 400 at most."""
PER_ROUND = 40
IDLE_SECONDS = 20.0

WATCH = """() => {
    window.seen = {}; window.pressed = {};
    const now = () => performance.timeOrigin + performance.now() + window.shift;
    const start = Date.now();
    while (Date.now() === start);  // a tick of the clock that the node reads as well
    window.shift = Date.now() - (performance.timeOrigin + performance.now());
    const look = node => {
        if (!(node instanceof Element)) return;
        for (const text of [node, ...node.querySelectorAll('.text')])
            if (text.classList.contains('text')) window.seen[text.textContent] ??= now();
    };
    new MutationObserver(records => records.forEach(({ addedNodes }) => addedNodes.forEach(look)))
        .observe(document, { childList: true, subtree: true });
    addEventListener('keydown', event => {
        if (event.key === 'Enter')
            window.pressed[event.target.value] = performance.timeOrigin + event.timeStamp + window.shift;
    }, true);
}"""
"""Notes when which text is in the DOM, and when Enter was pressed on which, in milliseconds since 1970."""


class Bench:
    """The processes of one run."""

    def __init__(self, folder: Path, browser: Browser, *, quick: bool) -> None:
        self.rounds = 3 if quick else 9
        self.browser = browser
        self._folder = folder
        self._open = ExitStack()
        manager = start_manager(folder / "manager")
        self._open.callback(manager.kill)
        assert manager.match is not None  # noqa: S101 - it is ready
        self._url = manager.match["url"]
        self.alice, self.bob = self._join("alice"), self._join("bob")
        self.bare = self._end("bare")
        self.bare_port = self.bare.ask("start")
        self.alice.ask("fill", contacts=FRIENDS, each=EACH)
        self.alice.ask("stop")
        self.alice.ask("start")  # contacts are read when the store is opened
        self.bob.ask("send", to="alice", count=BEFORE)
        self.bob.ask("last_delivered")
        self.alice.ask("read", user="bob")
        self._random = random.Random(1)  # noqa: S311 - pauses between messages

    def _end(self, kind: str, *arguments: object) -> End:
        end = End("uvloop", kind, *arguments, log=self._folder / "nodes.log")
        self._open.callback(end.close)
        return end

    def _join(self, name: str) -> End:
        end = self._end("watched", name, self._folder / name, self._url, self._folder / "manager" / "ca.pem")
        end.ask("start")
        end.ask("register")
        return end

    def link(self) -> str:
        """A link that lets a browser in at alice's node."""
        data = self._folder / "alice"
        token = (data / "api-token").read_text().strip()
        request = urllib.request.Request(  # noqa: S310 - our own node
            (data / "api-endpoint").read_text().strip() + "/api/v1/browser-link",
            method="POST",
            headers={"Authorization": f"Bearer {token}"},
        )
        with urllib.request.urlopen(request) as answer:  # noqa: S310 - our own node
            return str(json.load(answer)["url"])

    def pause(self) -> None:
        """Between two messages: so long that they do not wait for one another, and never in step with a timer."""
        time.sleep(self._random.uniform(0.03, 0.09))

    def close(self) -> None:
        """Ends every process."""
        self._open.close()


@contextmanager
def running(*, quick: bool) -> Iterator[Bench]:
    """A bench in a folder of its own on the project's disk: /tmp is often in memory."""
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        bench = Bench(Path(folder), browser, quick=quick)
        try:
            yield bench
        finally:
            bench.close()
            browser.close()


@contextmanager
def tab(bench: Bench, url: str) -> Iterator[Page]:
    """A page in a browser context of its own: nothing is cached."""
    context = bench.browser.new_context(viewport={"width": 1280, "height": 800}, locale="en")
    try:
        page = context.new_page()
        page.goto(url)
        yield page
    finally:
        context.close()


@contextmanager
def conversation(bench: Bench) -> Iterator[Page]:
    """Alice's page with the conversation with bob."""
    with tab(bench, bench.link()) as page:
        page.get_by_role("link", name="bob").click()
        page.get_by_role("textbox", name="Message").wait_for()
        page.evaluate(WATCH)
        yield page


# --- figures ---


def shown(bench: Bench) -> Iterator[Line]:
    """From the commit on alice's disk to the DOM of her page."""
    ours: list[float] = []
    bare: list[float] = []
    with conversation(bench) as page, tab(bench, f"http://127.0.0.1:{bench.bare_port}/") as plain:
        plain.evaluate(WATCH)
        for number in range(bench.rounds):
            ours += _round(bench, page, bench.bob, bench.alice, f"ours {number}", to="alice")
            bare += _round(bench, plain, bench.bare, bench.bare, f"bare {number}")
    yield Line.milliseconds("message committed to in the DOM, p50", statistics.median(ours), at_most=10)
    yield Line.milliseconds("message committed to in the DOM, p99", quantile(ours, 0.99), at_most=50)
    floor = statistics.median(bare)
    yield Line.ratio(f"  × a bare WebSocket ({floor * 1000:.1f} ms, p50)", statistics.median(ours) / floor)
    tail = quantile(bare, 0.99)
    yield Line.ratio(f"  × a bare WebSocket ({tail * 1000:.1f} ms, p99)", quantile(ours, 0.99) / tail)


def _round(bench: Bench, page: Page, speaker: End, keeper: End, name: str, **rest: str) -> list[float]:
    texts = [f"{name} {number}" for number in range(PER_ROUND)]
    for text in texts:
        speaker.ask("say", text=text, **rest)
        bench.pause()
    page.wait_for_function("text => text in window.seen", arg=texts[-1])
    seen, moments = page.evaluate("window.seen"), keeper.ask("moments")
    return [seen[text] / 1000 - moments[text] / 1e9 for text in texts]


def own(bench: Bench) -> Iterator[Line]:
    """From pressing Enter to one's own bubble."""
    with conversation(bench) as page:
        field = page.get_by_role("textbox", name="Message")
        texts = [f"own {number}" for number in range(PER_ROUND * bench.rounds)]
        for text in texts:
            field.fill(text)
            field.press("Enter")
            bench.pause()
        page.wait_for_function("text => text in window.seen", arg=texts[-1])
        seen, pressed = page.evaluate("window.seen"), page.evaluate("window.pressed")
    took = [(seen[text] - pressed[text]) / 1000 for text in texts]
    yield Line.milliseconds("Enter to own bubble, p50", statistics.median(took), at_most=30)
    yield Line.milliseconds("Enter to own bubble, p99", quantile(took, 0.99))


def cold(bench: Bench) -> Iterator[Line]:
    """From the address to a page that can be used, in a browser context that has loaded nothing yet."""
    listed: list[float] = []
    usable: list[float] = []
    for _ in range(bench.rounds):
        with tab(bench, "about:blank") as page:
            link = bench.link()
            start = time.perf_counter()
            page.goto(link, wait_until="commit")
            row = page.get_by_role("link", name="bob")
            row.wait_for()
            listed.append(time.perf_counter() - start)
            row.click()
            page.get_by_role("textbox", name="Message").fill("typed")
            usable.append(time.perf_counter() - start)
    yield Line.seconds("cold to the chats, p50", statistics.median(listed))
    yield Line.seconds("cold to typing in a conversation, p50", statistics.median(usable), at_most=1)
    yield Line.seconds("cold to typing in a conversation, longest", max(usable), at_most=1)


def idle(bench: Bench) -> Iterator[Line]:
    """What alice's node takes of one core while nothing happens."""
    without = _share(bench.alice.pid)
    with conversation(bench):
        time.sleep(2)  # what follows opening is no part of being idle
        yield Line.percent("node idle with one tab open", _share(bench.alice.pid), at_most=1)
    yield Line.percent("  and without a tab", without)


def _share(pid: int) -> float:
    def spent() -> float:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    start, before = time.monotonic(), spent()
    time.sleep(IDLE_SECONDS)
    return 100 * (spent() - before) / (time.monotonic() - start)


FIGURES: tuple[Any, ...] = (shown, own, cold, idle)


def main() -> None:
    """Runs the figures that were asked for."""
    run_figures(__doc__, FIGURES, running)


if __name__ == "__main__":
    main()
