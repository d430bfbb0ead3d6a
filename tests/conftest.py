"""Settings of all tests."""

import os

from hypothesis import settings

# A deadline per example measures the machine, not the code; pytest's own timeout catches what hangs. In CI hypothesis
# has a profile of its own: no deadline either, and the same examples each time.
if not os.environ.get("CI"):
    settings.register_profile("telegraph", deadline=None)
    settings.load_profile("telegraph")
