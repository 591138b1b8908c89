"""Exit statuses of the ``caudal`` command; 0 means done."""

from __future__ import annotations

#: A run failed or crashed, or something went wrong that is nobody's wrong usage.
FAILED = 1
#: Nothing was run, because what was asked for cannot be.
WRONG_USAGE = 2
#: What shells add to the number of the signal that ended a command.
SIGNAL_BASE = 128
#: Ctrl-C.
INTERRUPTED = SIGNAL_BASE + 2
