"""Writes docs/reference/cli.md from the commands themselves; with ``--check`` only says whether the page is in step."""

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path

import click
from generated import write_or_check

from telegraph.cli.main import telegraph

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "cli.md"

INTRODUCTION = """\
# The command line

<!-- Made from src/telegraph/cli by scripts/generate_cli_reference.py (`make docs`); do not edit. -->

Every command says the same with `--help`. Client commands (all but `manager`, `node`, `plan` and `demo`) talk to the
running node of a data directory, and take `--data` and `--format` after their words.

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | something failed inside |
| 2 | wrong use of the command line, or no password given and no terminal to ask on |
| 3 | nobody answers: node, manager or peer away |
| 4 | refused: bad input, wrong password, unknown user, … |
| 5 | cannot start: port taken, data in use, … |
"""


def page() -> str:
    """The whole page: one section a command, in the order of ``telegraph --help``."""
    root = click.Context(telegraph, info_name="telegraph")
    return "\n".join([INTRODUCTION, *(_section(context) for context in _commands(root))])


def _commands(context: click.Context) -> Iterator[click.Context]:
    """Every command that does something, groups walked through."""
    group = context.command
    if not isinstance(group, click.Group):
        yield context
        return
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is not None and not command.hidden:
            yield from _commands(click.Context(command, parent=context, info_name=name))


def _section(context: click.Context) -> str:
    command = context.command
    usage = " ".join(command.collect_usage_pieces(context))
    lines = [f"## {context.command_path}", "", "```", f"{context.command_path} {usage}", "```", "", _prose(command)]
    rows = [_row(option, context) for option in command.params if isinstance(option, click.Option)]
    return "\n".join([*lines, "", "| option | meaning |", "|---|---|", *rows, ""])


def _prose(command: click.Command) -> str:
    r"""The help text: paragraphs as they are, those that click keeps as they stand (``\b``) as code."""
    paragraphs = inspect.cleandoc(command.help or "").split("\n\n")
    return "\n\n".join(
        f"```text\n{paragraph.removeprefix(_KEPT)}\n```" if paragraph.startswith(_KEPT) else _cell(paragraph)
        for paragraph in paragraphs
    )


_KEPT = "\b\n"


def _row(option: click.Option, context: click.Context) -> str:
    record = option.get_help_record(context)
    written, meaning = record or (", ".join(option.opts), "")
    return f"| `{_cell(written)}` | {_cell(' '.join(meaning.split()))} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


if __name__ == "__main__":
    sys.exit(write_or_check({PAGE: page()}, "the commands"))
