from datetime import UTC
from pathlib import Path

from telegraph.cli.doctor_text import doctor_text, nobody_home
from telegraph.protocol.doctor_api import Doctor, Finding


def finding(**more: object) -> Finding:
    plain: dict[str, object] = {
        "area": "waiting",
        "cause": "offline",
        "level": "notice",
        "says": "They are away.",
        "advice": "Wait.",
    }
    return Finding(**{**plain, **more})  # type: ignore[arg-type]


def text(*findings: Finding) -> list[str]:
    well = all(one.level != "problem" for one in findings)
    return doctor_text(Doctor(well, list(findings)), UTC).splitlines()


def test_a_finding_names_whom_it_is_about_how_many_wait_since_when_and_what_to_do() -> None:
    assert text(finding(subject="bob", count=2, at="2026-11-24T20:00:00Z")) == [
        "· bob: They are away. 2 messages wait. Since 2026-11-24 20:00.",
        "    Wait.",
        "",
        "All is well.",
    ]


def test_a_sentence_that_names_it_is_not_told_twice() -> None:
    line = text(finding(area="session", level="good", says="You are alice.", advice="", subject="alice"))[0]
    assert line == "✓ You are alice."


def test_the_verdict_counts_what_is_to_be_mended() -> None:
    problem = finding(level="problem")
    assert text(problem)[-1] == "One thing to mend."
    assert text(problem, problem, finding())[-1] == "2 things to mend."


def test_until_when_a_certificate_is_valid() -> None:
    valid = finding(area="certificate", cause="certificate_valid", says="Valid.", at="2026-12-24T20:00:00Z")
    early = finding(area="certificate", cause="certificate_early", says="Early.", at="2026-12-24T20:00:00Z")
    assert text(valid)[0].endswith("Until 2026-12-24 20:00.")
    assert text(early)[0].endswith("From 2026-12-24 20:00.")


def test_nothing_of_what_others_wrote_steers_the_terminal() -> None:
    assert "\x1b" not in "\n".join(text(finding(subject="b\x1b[2Job", says="\x1b]0;x\x07")))


def test_without_a_node_there_is_one_thing_to_mend_and_its_command() -> None:
    found = nobody_home(Path("my/alice"))
    assert not found.well
    assert "telegraph node run --data my/alice" in doctor_text(found)
