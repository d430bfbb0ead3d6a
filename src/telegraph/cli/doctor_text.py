"""The doctor's findings as text for people. Pure."""

from datetime import tzinfo
from pathlib import Path
from typing import Final

from telegraph.cli.render import moment, visible
from telegraph.node.causes import CAUSES
from telegraph.protocol.doctor_api import Doctor, Finding, Level

MARKS: Final[dict[Level, str]] = {"good": "✓", "notice": "·", "problem": "✗"}
_OUR_TIMES: Final = ("certificate_valid", "certificate_old")


def nobody_home(data: Path) -> Doctor:
    """What is to be said if no node runs for a data directory."""
    words = CAUSES["node_away"]
    says, advice = words.filled("en", subject=data)
    return Doctor(False, [Finding(words.area, "node_away", words.level, says, advice, subject=str(data))])


def doctor_text(found: Doctor, zone: tzinfo | None = None) -> str:
    """One line a finding, and what to do below it; the verdict at the end."""
    lines = [line for finding in found.findings for line in _lines(finding, zone)]
    problems = sum(finding.level == "problem" for finding in found.findings)
    verdict = "All is well." if found.well else f"{problems} things to mend." if problems > 1 else "One thing to mend."
    return "\n".join([*lines, "", verdict])


def _lines(finding: Finding, zone: tzinfo | None) -> list[str]:
    subject = finding.subject or ""
    about = "" if subject in finding.says else f"{visible(subject)}: "
    said = f"{MARKS[finding.level]} {about}{visible(finding.says)}{_waiting(finding)}{_time(finding, zone)}"
    return [said, *([f"    {visible(finding.advice)}"] if finding.advice else [])]


def _waiting(finding: Finding) -> str:
    if finding.area != "waiting" or not finding.count:
        return ""
    return f" {finding.count} {'message waits' if finding.count == 1 else 'messages wait'}."


def _time(finding: Finding, zone: tzinfo | None) -> str:
    if not finding.at:
        return ""
    word = "Until" if finding.cause in _OUR_TIMES else "From" if finding.cause == "certificate_early" else "Since"
    return f" {word} {moment(finding.at, zone)}."
