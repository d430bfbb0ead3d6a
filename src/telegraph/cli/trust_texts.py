"""What the command line says about trust between people. Pure: structs in, text out."""

from collections.abc import Iterable, Sequence

from telegraph.cli.render import visible
from telegraph.protocol.node_api import SafetyNumber, Trust

_GROUPS_A_LINE = 4
_QUIET = 4
"""Light modules around a QR code; scanners need them (ISO/IEC 18004)."""
_BLACK_ON_WHITE, _PLAIN = "\x1b[30;107m", "\x1b[0m"


def safety_number_text(found: SafetyNumber) -> str:
    """A number in lines to read aloud, and what is to be known about it."""
    name = visible(found.user)
    lines = [
        f"Your safety number with {name} ({'verified' if found.verified else 'not verified'}):",
        *_block(found.number),
    ]
    if found.offered is not None:
        lines += ["", f"The directory says that {name} has another key now. With that one it would be:"]
        lines += _block(found.offered)
    return "\n".join(lines)


def _block(number: str) -> list[str]:
    groups = number.split()
    return ["  " + "  ".join(groups[start : start + _GROUPS_A_LINE]) for start in range(0, len(groups), _GROUPS_A_LINE)]


def trust_text(said: Trust) -> str:
    """How it stands with somebody."""
    name = visible(said.user)
    sentences = [f"{name} is {'verified' if said.verified else 'not verified'}."]
    if said.blocked:
        sentences.append(f"{name} is blocked.")
    if said.waits == "key_changed":
        sentences.append(
            f"Their key is said to be another now; nothing is sent before you decide: telegraph trust {name}"
        )
    elif said.key_changed:
        sentences.append(f"Their device key changed. Compare: telegraph safety-number {name}")
    return " ".join(sentences)


def blocked_text(people: Sequence[Trust]) -> str:
    """One name a line."""
    return "\n".join(visible(person.user) for person in people) or "Nobody is blocked."


def qr_text(payload: str, *, colour: bool) -> str:
    """A QR code, two rows of it in one line of text.

    With ``colour`` black on white whatever the terminal's colours are; without, light modules are drawn, as it must be
    on a dark background.
    """
    import segno

    rows = [list(row) for row in segno.make(payload, error="m", micro=False).matrix_iter(border=_QUIET)]
    if len(rows) % 2:
        rows.append([0] * len(rows[0]))
    lines = ("".join(_halves(upper, lower, dark=colour)) for upper, lower in zip(rows[::2], rows[1::2], strict=True))
    return "\n".join(f"{_BLACK_ON_WHITE}{line}{_PLAIN}" if colour else line for line in lines)


def _halves(upper: Iterable[int], lower: Iterable[int], *, dark: bool) -> Iterable[str]:
    """A character for each pair of modules; ``dark``: whether dark modules are drawn, or else the light ones."""
    for above, below in zip(upper, lower, strict=True):
        yield " ▄▀█"[2 * (bool(above) == dark) + (bool(below) == dark)]
