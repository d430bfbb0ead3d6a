"""Writes docs/reference/causes.md from node/causes.py; with ``--check`` only says whether the page is in step."""

import sys
from pathlib import Path
from typing import get_args

from generated import write_or_check

from telegraph.node.causes import CAUSES
from telegraph.protocol.doctor_api import Area

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "causes.md"

INTRODUCTION = """\
# What the doctor says

<!-- Made from src/telegraph/node/causes.py by scripts/generate_causes_reference.py (`make docs`); do not edit. -->

`telegraph doctor`, the page under "Network" and its "why isn't it sent?", and the local API (`GET /api/v1/doctor`,
`GET /api/v1/people/{user}/reach`) name these causes; what stands in braces is filled in. `cause` is stable, so programs
should look at it. A *notice* mends itself or needs nothing; a *problem* needs somebody, and lets `telegraph doctor`
exit with 1. Somebody who has blocked you looks like somebody whose node no manager answers; that is so on purpose.
"""

TITLES: dict[Area, str] = {
    "session": "The session",
    "managers": "The identity managers",
    "clock": "The clock",
    "certificate": "The certificate of this device",
    "port": "Whether others reach this node",
    "disk": "The disk",
    "store": "The store of the messages",
    "waiting": "What waits for somebody, and why",
}


def page() -> str:
    """One section an area, in the order in which the doctor looks."""
    return "\n".join([INTRODUCTION, *map(_section, get_args(Area))])


def _section(area: Area) -> str:
    rows = [
        f"| `{cause}` | {words.level} | {_cell(words.says[at], words.advice[at])} |"
        for cause, words in CAUSES.items()
        if words.area == area
        for at in (0, 1)
    ]
    return "\n".join(
        [f"## {TITLES[area]}", "", "| cause | level | what it says, and what to do |", "|---|---|---|", *rows, ""]
    )


def _cell(says: str, advice: str) -> str:
    return f"{says} *{advice}*" if advice else says


if __name__ == "__main__":
    sys.exit(write_or_check({PAGE: page()}, "node/causes.py"))
