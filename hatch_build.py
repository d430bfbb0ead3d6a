"""Builds the web page into the wheel, so that ``pip install .`` alone gives a whole Telegraph."""

import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

sys.path.insert(0, str(Path(__file__).parent / "scripts"))

import web


class WebPage(BuildHookInterface):  # type: ignore[type-arg, misc]
    """Hatchling calls this before it packs."""

    def dependencies(self) -> list[str]:
        """Node.js from PyPI, where the machine has none that is new enough; not where the page is built already."""
        return [] if web.is_built() or web.node_folder() else [web.NODE_WHEEL]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - hatchling's signature
        """Builds; an editable installation is left to ``make``, which builds anew when a source changes."""
        if version != "editable" and not web.is_built() and web.main(["build"]):
            raise RuntimeError("the web page could not be built; see above")
