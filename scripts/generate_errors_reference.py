"""Writes docs/reference/errors.md from errors.py; with ``--check`` only says whether the page is in step."""

import inspect
import sys
from pathlib import Path

from generated import write_or_check

from telegraph.errors import TelegraphError

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "errors.md"

INTRODUCTION = """\
# Errors

<!-- Made from src/telegraph/errors.py by scripts/generate_errors_reference.py (`make docs`); do not edit. -->

Every error answer, of managers and nodes alike, is the JSON object `{"message", "status", "error"}`. `error` is the
code below: it is stable, so programs should look at it. `status` repeats the HTTP status. `message` is the sentence
for people, in Spanish by default and in English with `Accept-Language: en`; what stands in braces is filled in. Answers
with 429 and 503 carry `Retry-After` in seconds. The command line prints the same sentence; its exit codes are
in `telegraph --help`. What stops a process from starting (`CannotStart`) is never an answer: it is a sentence and
exit code 5.
"""


def page() -> str:
    """The whole page: one section a family, the lone children of the root with the root."""
    children = TelegraphError.__subclasses__()
    sections = [_section(TelegraphError, [kind for kind in children if not kind.__subclasses__()])]
    sections += [_section(kind, kind.__subclasses__()) for kind in children if kind.__subclasses__()]
    return "\n".join([INTRODUCTION, *sections])


def _section(family: type[TelegraphError], members: list[type[TelegraphError]]) -> str:
    rows = [_row(kind) for kind in (family, *members)]
    heading = [f"## {family.__name__}", "", "| code | status | English | Spanish |", "|---|---|---|---|"]
    return "\n".join([*heading, *rows, ""])


def _row(kind: type[TelegraphError]) -> str:
    sentence = inspect.cleandoc(kind.__doc__ or "").split("\n", 1)[0]
    return f"| `{kind.code}` | {kind.status} | {_cell(sentence)} | {_cell(kind.spanish)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


if __name__ == "__main__":
    sys.exit(write_or_check({PAGE: page()}, "errors.py"))
