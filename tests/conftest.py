"""Settings of all tests."""

import os

from hypothesis import settings

# How many examples a property gets: enough to show it in `make test`, many in `make long` (TELEGRAPH_EXAMPLES). A
# deadline per example measures the machine, not the code; pytest's own timeout catches what hangs. In CI the examples
# are the same each time, so that a change is judged and not luck.
settings.register_profile(
    "telegraph",
    deadline=None,
    max_examples=int(os.environ.get("TELEGRAPH_EXAMPLES", "40")),
    derandomize=bool(os.environ.get("CI")),
)
settings.load_profile("telegraph")
