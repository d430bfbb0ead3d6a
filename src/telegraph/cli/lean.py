"""Keeps what a daemon never uses out of its memory; imported before anything else that imports structlog.

structlog imports rich, where it is installed, to colour tracebacks on a terminal. Litestar brings it along, for a
command line of its own. Neither is used here: 5 MB, and a tenth of a second at each start.
"""

import sys

_UNUSED = "rich"

if _UNUSED in sys.modules:
    import structlog
else:
    sys.modules[_UNUSED] = None  # type: ignore[assignment]  # as if it were not installed
    try:
        import structlog
    finally:
        del sys.modules[_UNUSED]

__all__ = ["structlog"]
