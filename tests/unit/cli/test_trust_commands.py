"""The words about trust: what alice types, what her node is asked, what she reads."""

from typing import TYPE_CHECKING, Any

import pytest
import segno

from telegraph.cli.render import message_lines
from telegraph.cli.trust_texts import qr_text
from telegraph.errors import KeyChanged, SafetyNumberDiffers
from telegraph.protocol import node_api as api

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Cli, FakeNode

NUMBER = "26155 26735 61346 28476 97846 99022 34504 58015 88624 31735 01806 24250"
OTHER = "11111 " * 12
SCAN = "TELEGRAPH:SAFETY:1:ZHGQ:ZMB7"


def trust(**changes: Any) -> api.Trust:
    said = {"verified": False, "key_changed": False, "blocked": False, "waits": None} | changes
    return api.Trust(user="bob", user_id="id-bob", **said)


def test_the_number_is_shown_in_three_lines_of_four_groups(cli: "Cli", node: "FakeNode") -> None:
    node.canned["GET", "/people/bob/safety-number"] = api.SafetyNumber("bob", NUMBER, SCAN, verified=False)

    ran = cli("safety-number", "bob")

    assert ran.out.splitlines() == [
        "Your safety number with bob (not verified):",
        "  26155  26735  61346  28476",
        "  97846  99022  34504  58015",
        "  88624  31735  01806  24250",
    ]


def test_the_number_of_a_key_that_waits_for_alices_word_is_shown_beside(cli: "Cli", node: "FakeNode") -> None:
    node.canned["GET", "/people/bob/safety-number"] = api.SafetyNumber("bob", NUMBER, SCAN, True, OTHER.strip())

    shown = cli("safety-number", "bob").out

    assert "(verified)" in shown
    assert "another key now" in shown
    assert shown.count("11111") == 12


def test_the_number_for_programs(cli: "Cli", node: "FakeNode") -> None:
    node.canned["GET", "/people/bob/safety-number"] = api.SafetyNumber("bob", NUMBER, SCAN, verified=True)

    ran = cli("safety-number", "bob", "--qr", "--format", "json")

    assert ran.json() == {"user": "bob", "number": NUMBER, "scan": SCAN, "verified": True, "offered": None, "qr": []}


def test_the_code_is_drawn_below_the_number(cli: "Cli", node: "FakeNode") -> None:
    node.canned["GET", "/people/bob/safety-number"] = api.SafetyNumber("bob", NUMBER, SCAN, verified=False)

    shown = cli("safety-number", "bob", "--qr").out

    assert shown.endswith(qr_text(SCAN, colour=False) + "\n")


@pytest.mark.parametrize("colour", [False, True])
def test_a_drawn_code_has_the_modules_of_the_code(colour: bool) -> None:
    """Read back from the characters: two rows a line, a quiet zone around."""
    rows: list[list[bool]] = []
    for line in qr_text(SCAN, colour=colour).splitlines():
        drawn = line.removeprefix("\x1b[30;107m").removesuffix("\x1b[0m")
        rows.append([(character in "▀█") == colour for character in drawn])
        rows.append([(character in "▄█") == colour for character in drawn])

    expected = [
        [bool(module) for module in row] for row in segno.make(SCAN, error="m", micro=False).matrix_iter(border=4)
    ]
    assert rows[: len(expected)] == expected
    assert not any(map(any, rows[len(expected) :]))


@pytest.mark.parametrize("typed", [NUMBER.split(), [NUMBER], [NUMBER.replace(" ", "")], [SCAN]])
def test_a_number_is_handed_on_as_it_is_typed(cli: "Cli", node: "FakeNode", typed: list[str]) -> None:
    node.canned["PUT", "/people/bob/verified"] = trust(verified=True)

    ran = cli("verify", "bob", *typed)

    assert (ran.code, ran.out) == (0, "bob is verified.\n")
    assert node.bodies[-1][2] == {"number": " ".join(typed), "without_number": False}


def test_without_a_number_alice_has_to_say_so(cli: "Cli", node: "FakeNode") -> None:
    node.canned["PUT", "/people/bob/verified"] = trust(verified=True)

    assert cli("verify", "bob").code == cli("verify", "bob", NUMBER, "--without-number").code == 4
    assert node.bodies == []
    assert cli("verify", "bob", "--without-number").code == 0
    assert node.bodies[-1][2] == {"number": None, "without_number": True}


def test_a_number_that_differs_is_refused_in_one_sentence(cli: "Cli", node: "FakeNode") -> None:
    node.failing = SafetyNumberDiffers(username="bob")

    ran = cli("verify", "bob", NUMBER)

    assert ran.code == 4
    assert "somebody may be between you" in ran.err


@pytest.mark.parametrize(
    ("words", "body"),
    [
        (("trust", "bob"), {"accept": True, "number": None}),
        (("trust", "bob", "--number", NUMBER), {"accept": True, "number": NUMBER}),
        (("trust", "bob", "--keep"), {"accept": False, "number": None}),
    ],
)
def test_a_new_key_is_accepted_or_not(
    cli: "Cli", node: "FakeNode", words: tuple[str, ...], body: dict[str, Any]
) -> None:
    node.canned["PUT", "/people/bob/key"] = trust()

    assert cli(*words).out == "bob is not verified.\n"
    assert node.bodies[-1][2] == body


def test_a_number_means_nothing_where_nothing_is_accepted(cli: "Cli", node: "FakeNode") -> None:
    assert cli("trust", "bob", "--keep", "--number", NUMBER).code == 4
    assert node.bodies == []


def test_to_take_back_while_a_key_waits_is_refused(cli: "Cli", node: "FakeNode") -> None:
    node.failing = KeyChanged(username="bob")

    assert cli("unverify", "bob").code == 4


def test_what_waits_for_alices_word_is_said(cli: "Cli", node: "FakeNode") -> None:
    node.canned["DELETE", "/people/bob/verified"] = trust(key_changed=True)
    assert "compare: telegraph safety-number bob" in cli("unverify", "bob").out.lower()

    node.canned["PUT", "/people/bob/key"] = trust(verified=True, key_changed=True, waits="key_changed", blocked=True)
    said = cli("trust", "bob", "--keep").out
    assert "nothing is sent before you decide: telegraph trust bob" in said
    assert "bob is blocked." in said


def test_blocking_and_the_list_of_who_is(cli: "Cli", node: "FakeNode") -> None:
    node.canned["PUT", "/people/bob/blocked"] = trust(blocked=True)
    node.canned["DELETE", "/people/bob/blocked"] = trust()
    node.canned["GET", "/blocked"] = api.BlockedPeople([trust(blocked=True)])

    assert cli("block", "bob").out == "bob is blocked.\n"
    assert cli("blocked").out == "bob\n"
    assert cli("unblock", "bob").out == "bob is not blocked any more.\n"
    node.canned["GET", "/blocked"] = api.BlockedPeople([])
    assert cli("blocked").out == "Nobody is blocked.\n"


def test_an_entry_about_a_changed_key_says_what_to_do() -> None:
    entry = api.Message(
        id="1",
        sender="bob\x1b[2J",
        recipient="alice",
        text="",
        timestamp="2026-11-23T10:05:00Z",
        read=True,
        status="ok",
        state="read",
        mine=False,
        kind="key_changed",
    )

    (line,) = message_lines(entry, None)

    assert "device key changed; compare: telegraph safety-number bob" in line
    assert "\x1b" not in line
