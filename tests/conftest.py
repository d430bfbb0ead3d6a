"""Settings of all tests."""

import os

import pytest
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

WITHOUT_HOSTS = "TELEGRAPH_WITHOUT_HOSTS"
NEEDS_NONE = (
    "test_simulated_faults.py",
    "test_directory_planted_bugs.py",
    "test_directory_history.py",
    "test_simulated_presence.py",
)
NOT_SHOWN = f"{WITHOUT_HOSTS} is set: no network namespaces here, so this was NOT shown"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests on hosts of their own fail where none can be made (no root): what was not shown must not look green.

    Who knows that and wants the rest sets ``TELEGRAPH_WITHOUT_HOSTS=1``; then each is reported as skipped.
    """
    for item in items if os.environ.get(WITHOUT_HOSTS) else []:
        if item.path.parent.name == "cluster" and item.path.name not in NEEDS_NONE:
            item.add_marker(pytest.mark.skip(reason=NOT_SHOWN))
