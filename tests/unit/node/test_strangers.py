from hypothesis import given
from hypothesis import strategies as st

from telegraph.node.api.strangers import Strangers, network

EVIL, MINE = "198.51.100.1", "192.0.2.7"


def test_five_guesses_are_free_and_then_the_wait_doubles() -> None:
    strangers = Strangers(0.0)
    for _ in range(5):
        assert strangers.ask(EVIL, 1.0) == 0
        strangers.wrong(EVIL, 1.0)

    assert strangers.ask(EVIL, 1.0) > 0
    assert strangers.ask(EVIL, 2.0) == 0
    strangers.wrong(EVIL, 2.0)
    assert strangers.ask(EVIL, 3.5) > 0


def test_whoever_came_in_from_an_address_is_not_kept_out_by_guesses_from_others() -> None:
    strangers = Strangers(0.0)
    strangers.right(MINE)
    for number in range(1000):
        address = f"203.0.113.{number % 256}"
        if strangers.ask(address, 10.0) == 0:
            strangers.wrong(address, 10.0)

    assert strangers.ask("198.51.100.9", 10.0) > 0
    assert strangers.ask(MINE, 10.0) == 0


@given(st.lists(st.tuples(st.ip_addresses(), st.floats(0.0, 5.0)), max_size=200))
def test_however_many_addresses_guess_no_more_is_computed_than_was_bounded(guesses: list[tuple[object, float]]) -> None:
    strangers, now, heard = Strangers(0.0), 0.0, 0
    for address, pause in guesses:
        now += pause
        if strangers.ask(str(address), now) == 0:
            heard += 1
            strangers.wrong(str(address), now)

    assert heard <= 20 + now / 3.0


def test_what_is_remembered_is_bounded() -> None:
    strangers = Strangers(0.0)
    for number in range(5000):
        strangers.wrong(f"2001:db8:{number:x}::1", 0.0)
        strangers.right(f"2001:db8:ffff:{number:x}::1")

    assert len(strangers._guesses) <= 1024
    assert len(strangers._trusted) <= 64


def test_one_subscriber_is_one_stranger() -> None:
    assert network("2001:db8:1:2:3::4") == network("2001:db8:1:2:ffff::1") != network("2001:db8:1:3::4")
    assert network("::ffff:192.0.2.7") == network("192.0.2.7") != network("192.0.2.8")
    assert network("fe80::1%eth0") == "fe80::"
    assert network("testclient") == "testclient"
