"""How much a browser has to load."""

import gzip
import re
from pathlib import Path

import pytest

from telegraph.node.api.page import BUILT

FIRST_SCREEN = 60_000
EVERYTHING = 150_000


def zipped(file: Path) -> int:
    return len(gzip.compress(file.read_bytes()))


@pytest.mark.usefixtures("built")
def test_the_first_screen_and_the_whole_page_are_light() -> None:
    index = (BUILT / "index.html").read_text(encoding="utf-8")
    first = [BUILT / path for path in re.findall(r'"/(assets/[^"]+\.(?:js|css))"', index)]
    every = [*BUILT.rglob("*.js"), *BUILT.rglob("*.css")]

    assert len(first) >= 2
    assert sum(map(zipped, first)) <= FIRST_SCREEN
    assert sum(map(zipped, every)) <= EVERYTHING
