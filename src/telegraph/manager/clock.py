"""The machine's clocks."""

import time

from telegraph.manager.moment import Moment


def read_clock() -> Moment:
    """Now."""
    return Moment(mono=time.monotonic(), wall=time.time())
