"""Where in the code an error arose, without any value that was being worked on.

Messages and passwords pass through this program; the text of an exception, or the local variables that some loggers
print, may hold them. What may be logged is the way through the code alone.
"""

import traceback


def code_path(error: BaseException) -> str:
    """``file:line function`` from the outermost call to where it was raised, joined by ``>``."""
    frames = traceback.extract_tb(error.__traceback__)
    return " > ".join(f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno} {frame.name}" for frame in frames)
