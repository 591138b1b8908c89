"""Tracebacks as users want them: their own code, without the frames that caudal put around it."""

from __future__ import annotations

import os
import traceback

from caudal.engine.masking import masked
from caudal.engine.returns import text_of

#: Characters of a traceback that are kept in the ledger; its end says most.
MAX_CHARACTERS = 16_000
_OWN_FOLDER = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep  # noqa: PTH100, PTH120 - pathlib takes 5 ms to import


def user_traceback(error: BaseException) -> str:
    """Return an exception's traceback without caudal's own frames and those of the import system."""
    trace = traceback.TracebackException.from_exception(error)
    seen: list[traceback.TracebackException | None] = [trace]
    while seen:
        part = seen.pop()
        if part is not None:
            users = [frame for frame in part.stack if not is_internal(frame.filename)]
            part.stack = traceback.StackSummary.from_list(users)
            seen += [part.__cause__, part.__context__]
    return masked("".join(trace.format()).rstrip())


def error_details(error: BaseException) -> dict[str, str]:
    """Return an exception as the ledger keeps it: type, message and the end of its traceback."""
    return {
        "type": type(error).__name__,
        "message": text_of(error),
        "traceback": user_traceback(error)[-MAX_CHARACTERS:],
    }


def is_internal(filename: str) -> bool:
    """Say whether a file is caudal's own, or part of the import system."""
    return filename.startswith((_OWN_FOLDER, "<frozen "))
