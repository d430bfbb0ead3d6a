"""Writes docs/reference/states.md from node/states.py; with ``--check`` only says whether the page is in step."""

import sys
from pathlib import Path
from typing import get_args

from generated import write_or_check

from telegraph.cli.render import TICKS
from telegraph.node.states import TRANSITIONS, WHAT_THE_USER_SEES, Happening
from telegraph.protocol.node_api import MessageState

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "states.md"

INTRODUCTION = """\
# States of a message

<!-- Made from src/telegraph/node/states.py by scripts/generate_states_reference.py (`make docs`); do not edit. -->

`state` of a message in the local API, the Python API and the command line is one of these. The report's `status` is
`pending` in the state *pending* and `ok` in every other. `reason` says why a message is *failed*: it is the happening
that led there. [A message's life](../explanation/message-life.md) tells how they come about.
"""

MEANINGS: dict[Happening, str] = {
    "stored_by_peer": "the recipient's node acknowledged: it is on their disk",
    "read_by_peer": "a read receipt came from the recipient",
    "refused": "the recipient's node refused it for good: it could never be accepted",
    "expired": "the time that the user gave it ran out",
    "account_deleted": "the recipient has no account any more",
    "cancelled": "the user gave it up",
    "retried": "the user tries it again",
    "read_here": "the user of this node read a message that they received",
}


def page() -> str:
    """The whole page: states, what can happen, every transition, and the same as a picture."""
    return f"{INTRODUCTION}\n{_states()}\n{_happenings()}\n{_transitions()}\n{_picture()}"


def _states() -> str:
    rows = [
        f"| `{state}` | {TICKS[state]} | {WHAT_THE_USER_SEES[state]} | {_yes_or_no(state)} |"
        for state in get_args(MessageState)
    ]
    return "\n".join(["| state | tick | what it means | can change |", "|---|---|---|---|", *rows, ""])


def _yes_or_no(state: MessageState) -> str:
    return "yes" if any(before == state for before, _ in TRANSITIONS) else "no"


def _happenings() -> str:
    rows = [f"| `{happening}` | {MEANINGS[happening]} |" for happening in get_args(Happening)]
    return "\n".join(["## What can happen", "", "| happening | meaning |", "|---|---|", *rows, ""])


def _transitions() -> str:
    """A matrix: what each happening makes of each state."""
    happenings = get_args(Happening)
    header = "| state | " + " | ".join(f"`{happening}`" for happening in happenings) + " |"
    rows = [
        f"| `{state}` | " + " | ".join(TRANSITIONS.get((state, happening), "") for happening in happenings) + " |"
        for state in get_args(MessageState)
    ]
    title = "## Every legal transition"
    said = "An empty cell changes nothing."
    return "\n".join([title, "", said, "", header, "|---" * (len(happenings) + 1) + "|", *rows, ""])


def _picture() -> str:
    arrows = [f"    {before} --> {then}: {happening}" for (before, happening), then in TRANSITIONS.items()]
    ends = [f"    {state} --> [*]" for state in get_args(MessageState) if _yes_or_no(state) == "no"]
    begins = ["    [*] --> pending: sent here", "    [*] --> delivered: received here"]
    return "\n".join([*_FENCE, *begins, *arrows, *ends, "```", ""])


_FENCE = ("```mermaid", "stateDiagram-v2")


if __name__ == "__main__":
    sys.exit(write_or_check({PAGE: page()}, "node/states.py"))
