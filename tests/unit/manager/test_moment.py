from datetime import UTC, datetime

from telegraph.manager.clock import read_clock
from telegraph.manager.moment import Moment


def test_times_are_shown_as_in_the_report() -> None:
    at = datetime(2025, 11, 15, 14, 30, 25, 123456, UTC)
    assert Moment(0.0, at.timestamp()).text == "2025-11-15T14:30:25.123456Z"


def test_a_full_second_has_its_microseconds_too_so_that_text_order_is_time_order() -> None:
    assert Moment(0.0, 0.0).text == "1970-01-01T00:00:00.000000Z"
    assert Moment(0.0, 1.0).text < Moment(0.0, 1.5).text


def test_the_machines_clock_goes_forward() -> None:
    first, second = read_clock(), read_clock()
    assert second.mono >= first.mono
    assert abs(first.utc - datetime.now(UTC)).total_seconds() < 60
