"""What a worker process uses while it serves a call: processor time, and the most memory it held.

The kernel keeps the peak of a process's memory, and forgets it when it is told so; a worker does that before each call. Where it cannot, a peak
would be that of any earlier call, and is left out.
Source: https://man7.org/linux/man-pages/man5/proc_pid_clear_refs.5.html
"""

from __future__ import annotations

import resource
from pathlib import Path

_FORGET_PEAK = "5"


class Usage:
    """Measures from its creation on."""

    def __init__(self) -> None:
        self._has_peak = _forget_peak()
        self._cpu_seconds = _cpu_seconds()

    def so_far(self) -> tuple[float, int | None]:
        """Return the processor time in seconds, of threads and ended child processes too, and the peak of memory in bytes."""
        peak = _peak_bytes() if self._has_peak else None
        return _cpu_seconds() - self._cpu_seconds, peak


def _cpu_seconds() -> float:
    own = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def _forget_peak() -> bool:
    try:
        Path("/proc/self/clear_refs").write_text(_FORGET_PEAK)
    except OSError:
        return False
    return True


def _peak_bytes() -> int | None:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return None
