"""Carries out a flow, and ends as its argument says right after the call."""

import os
import signal
import sys

from caudal import flow, task


@task
def double(value: int) -> int:
    """Double a value."""
    return 2 * value


@flow
def doubled() -> int:
    """Call one task."""
    return double(2)


doubled()
match sys.argv[1]:
    case "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    case "raise":
        raise RuntimeError
    case _:
        pass
