"""What the project promises of itself: the contract list covers the report, pages are in step, no loose ends."""

import json
import re
import runpy
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
TABLE = (DOCS / "reference" / "report-table-1.txt").read_text(encoding="utf-8")
CONTRACT: dict[str, Any] = json.loads((DOCS / "reference" / "contract.json").read_text(encoding="utf-8"))
CALLS: list[dict[str, Any]] = CONTRACT["calls"]
ROWS = TABLE.splitlines()[1:]  # without the headings

# The columns are separated by tabs, the first is often empty: type, request, answer.
_REST = re.compile(r"(?:POST )?(?P<path>/[^,]+), method=\[(?P<method>\w+)](?:, content=\{(?P<fields>[^}]*)})?")
_PAIR = re.compile(r"""["'](?P<name>\w+)["']\s*:\s*(?P<value>"[^"]*"|'[^']*'|\d+|\S+?)\s*[,}]""")
_WHO = {"CG": "node→manager", "CC": "node→node"}


def _pairs(text: str) -> dict[str, object]:
    """The fields of a dict as the report writes it; None for a value that it does not spell out."""
    found: dict[str, object] = {}
    for pair in _PAIR.finditer(text.replace("{...}", "...")):
        value = pair["value"]
        found[pair["name"]] = value[1:-1] if value[0] in "\"'" else int(value) if value.isdigit() else None
    return found


def _row(line: str) -> dict[str, Any]:
    """A line of the table: who, method, path, the request's fields, the answer's fields."""
    _, request, answer = line.split("\t")
    rest = _REST.fullmatch(request)
    if rest is None:
        return {"who": "udp", "method": "UDP", "request": _pairs(request), "answer": _pairs(answer)}
    fields = [field.strip() for field in (rest["fields"] or "").split(",") if field.strip()]
    who, _, body = answer.partition(" ")
    return {
        "who": _WHO[who],
        "method": rest["method"],
        "path": rest["path"],
        "request": dict.fromkeys(fields),
        "answer": _pairs(body),
    }


def _covers(call: dict[str, Any], row: dict[str, Any]) -> bool:
    """Whether a row of the contract is this row of the report, with every field and every literal value kept."""
    same = all(call[name] == row[name] for name in ("who", "method", "path") if name in row)
    return same and all(
        name in (call[part] or {}) and value in (None, call[part][name])
        for part in ("request", "answer")
        for name, value in row[part].items()
    )


def test_the_table_of_the_report_is_read_as_it_is_meant() -> None:
    assert _row(ROWS[0]) == {
        "who": "node→manager",
        "method": "POST",
        "path": "/login",
        "request": dict.fromkeys(["username", "password", "ip", "port"]),
        "answer": {"message": "Login exitoso", "status": 200},
    }
    assert _row(ROWS[1])["answer"] == {"message": None, "status": 200}
    assert _row(ROWS[4])["answer"] == {"marked": None}
    assert _row(ROWS[6]) == {
        "who": "udp",
        "method": "UDP",
        "request": {"action": "discover"},
        "answer": {"status": "active"},
    }


@pytest.mark.parametrize("line", ROWS)
def test_every_row_of_the_reports_table_1_is_in_the_contract_with_all_that_it_says(line: str) -> None:
    covering = [call["id"] for call in CALLS if _covers(call, _row(line))]
    assert len(covering) == 1
    (call,) = (call for call in CALLS if call["id"] == covering[0])
    assert call["report"].startswith("Table 1: ")
    assert call["addition"] is False


def test_the_contract_claims_no_row_that_the_reports_table_does_not_have() -> None:
    assert sum(call["report"].startswith("Table 1") for call in CALLS) == len(ROWS)


def test_the_copy_of_the_table_is_the_reports() -> None:
    """The report lies beside the repository where the project is developed; a clone elsewhere has the copy only."""
    report = ROOT.parent / "shared" / "design-report.txt"
    assert len(ROWS) == 7
    if report.exists():
        assert TABLE in report.read_text(encoding="utf-8")


def test_every_call_of_the_design_is_in_the_contract_once() -> None:
    listed = [(call["who"], call["method"], call["path"]) for call in CALLS]
    assert len(set(listed)) == len(listed)
    assert len({call["id"] for call in CALLS}) == len(CALLS)
    expected = {
        *(("node→manager", "POST", path) for path in ("/register", "/login", "/heartbeat", "/logout")),
        ("node→manager", "GET", "/users/<username>"),
        ("node→manager", "PUT", "/users/reconnect/<ip>/<username>"),
        ("node→manager", "GET", "/peers"),
        ("manager→node", "POST", "/disconnect"),
        ("node→node", "POST", "/receive_message"),
        ("node→node", "POST", "/notify_read"),
    }
    assert expected <= set(listed)


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call["id"])
def test_every_row_of_the_contract_says_all_that_a_test_needs(call: dict[str, Any]) -> None:
    columns = {"id", "report", "who", "method", "path", "request", "answer", "status", "session", "addition"}
    assert columns <= call.keys() <= columns | {"certificate"}
    if isinstance(call["answer"], dict) and isinstance(call["answer"].get("status"), int):
        assert call["answer"]["status"] == call["status"]
    types = set(re.findall(r"\$\w+", CONTRACT["conventions"]["$types"]))
    for part in (call["request"], call["answer"]):
        values = part.values() if isinstance(part, dict) else [part] if part else []
        assert {value for value in values if isinstance(value, str) and value.startswith("$")} <= types


def test_a_generated_page_that_is_not_in_step_is_noticed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_or_check = runpy.run_path(str(ROOT / "scripts" / "generated.py"))["write_or_check"]
    pages = {tmp_path / "errors.md": "true"}

    assert write_or_check(pages, "errors.py", ["--check"]) == 1
    assert "errors.md is not in step with errors.py; run: make docs" in capsys.readouterr().err
    assert write_or_check(pages, "errors.py", []) == write_or_check(pages, "errors.py", ["--check"]) == 0
    (tmp_path / "errors.md").write_text("false")
    assert write_or_check(pages, "errors.py", ["--check"]) == 1


def _links(page: Path) -> list[str]:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    return [link for link in re.findall(r"]\(([^)\s]+)\)", text) if not link.startswith(("http", "mailto:"))]


PAGES = sorted({*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *ROOT.glob("bench/*.md")})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    broken = [link for link in _links(page) if not (page.parent / link.split("#")[0]).exists()]
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_module_that_a_page_names_exists(page: Path) -> None:
    rooms = "|".join(room.name for room in (ROOT / "src" / "telegraph").iterdir() if room.is_dir())
    named = re.findall(rf"`((?:{rooms})/[\w/.]*)`", page.read_text(encoding="utf-8"))
    assert [module for module in named if not (ROOT / "src" / "telegraph" / module).exists()] == []


def test_every_page_of_the_documentation_can_be_reached_from_its_index() -> None:
    reached: set[Path] = set()
    waiting = [DOCS / "index.md"]
    while waiting:
        page = waiting.pop()
        if page not in reached:
            reached.add(page)
            targets = [(page.parent / link.split("#")[0]).resolve() for link in _links(page)]
            pages = [below for target in targets for below in (target.glob("*.md") if target.is_dir() else [target])]
            waiting += [target for target in pages if target.suffix == ".md" and target.is_relative_to(DOCS)]
    assert {page for page in PAGES if page.is_relative_to(DOCS)} <= reached


def test_the_lock_pins_every_package_by_hash_and_names_no_registry() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    packages = re.split(r"^(?=[a-z0-9])", lock, flags=re.MULTILINE)[1:]
    assert len(packages) > 50
    assert all("==" in package and "--hash=sha256:" in package for package in packages)
    assert "://" not in lock
    assert "--index" not in lock


def test_everything_that_the_project_asks_for_is_in_the_lock() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    asked = [
        *project["project"]["dependencies"],
        *project["dependency-groups"]["dev"],
        *project["build-system"]["requires"],
    ]
    locked = set(re.findall(r"^([a-z0-9-]+)==", (ROOT / "requirements.lock").read_text(encoding="utf-8"), re.MULTILINE))
    names = {match[0].lower() for requirement in asked if (match := re.match(r"[\w-]+", requirement))}
    assert names <= locked


def test_every_task_that_the_readers_are_told_of_is_in_the_makefile() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert {"run", "test", "long", "check", "bench", "docs", "format", "clean"} <= targets
    told = {word for page in PAGES for word in re.findall(r"`make ([a-z]+)`", page.read_text(encoding="utf-8"))}
    assert told <= targets


def test_no_module_has_500_lines() -> None:
    long = [
        str(file.relative_to(ROOT))
        for file in (ROOT / "src").rglob("*.py")
        if len(file.read_text(encoding="utf-8").splitlines()) > 500
    ]
    assert long in ([], ["src/telegraph/errors.py"])  # one tree of sentences without logic (DESIGN.md section 8)
