"""What every generator of pages does with its pages: writes them, or with ``--check`` says which are not in step."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path


def write_or_check(pages: Mapping[Path, str], source: str, arguments: Sequence[str] | None = None) -> int:
    """Writes the pages; with ``--check`` on the command line, compares them instead.

    Args:
        pages: what each file must contain.
        source: what the pages are made from, for the complaint.
        arguments: instead of those of the command line.

    Returns:
        The exit code: 1 if a page is not in step.
    """
    check = "--check" in (sys.argv[1:] if arguments is None else arguments)
    wrong = 0
    for path, text in pages.items():
        if not check:
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            print(f"{path} is not in step with {source}; run: make docs", file=sys.stderr)
            wrong = 1
    return wrong
