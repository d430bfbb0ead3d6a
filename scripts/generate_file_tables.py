"""Writes the table of files of each page docs/explanation/<room>.md; with ``--check`` only says whether it is in step.

The rest of those pages is written by hand. Between the two marks stands one row a module, with the first line of its
docstring, so that a page neither forgets a module nor names one that is gone.
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from generated import write_or_check

ROOT = Path(__file__).parent.parent
PAGES = ROOT / "docs" / "explanation"
SOURCE = ROOT / "src" / "telegraph"

BEGIN = "<!-- files: from the modules' docstrings by scripts/generate_file_tables.py (`make docs`) -->"
END = "<!-- end of files -->"
_TABLE = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
_MARKS = (
    (re.compile(r"\s*\(DESIGN\.md[^)]*\)"), ""),
    (re.compile(r":\w+:`~?([^`]*)`"), r"`\1`"),
    (re.compile("``"), "`"),
)


def rooms() -> Iterator[Path]:
    """The rooms, in the order of their names."""
    yield from sorted(folder for folder in SOURCE.iterdir() if (folder / "__init__.py").exists())


def page(room: Path) -> str:
    """A room's page with its table as it should be.

    Raises:
        ValueError: the page has no marks between which a table could stand.
    """
    text = (PAGES / f"{room.name}.md").read_text(encoding="utf-8")
    if not _TABLE.search(text):
        raise ValueError(f"docs/explanation/{room.name}.md has no place for its table of files")
    table = "\n".join([BEGIN, "| file | what |", "|---|---|", *_rows(room), END])
    return _TABLE.sub(lambda _: table, text)


def _rows(room: Path) -> Iterator[str]:
    for module in sorted(room.rglob("*.py"), key=lambda file: (len(file.parts), file)):
        if module.name != "__init__.py":
            yield f"| `{module.relative_to(SOURCE)}` | {_first_line(module)} |"


def _first_line(module: Path) -> str:
    docstring = ast.get_docstring(ast.parse(module.read_text(encoding="utf-8"))) or ""
    line = docstring.split("\n", 1)[0]
    for mark, instead in _MARKS:
        line = mark.sub(instead, line)
    return line.replace("|", "\\|").replace("<", "&lt;")


if __name__ == "__main__":
    sys.exit(write_or_check({PAGES / f"{room.name}.md": page(room) for room in rooms()}, "the modules of its room"))
