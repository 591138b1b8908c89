"""Tells whether the process behind a lease still lives, where this machine can know."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from caudal.model.runs import Lease


def own_lease(owner: bytes, expires_at: float) -> Lease:
    """Return this process's lease.

    Args:
        owner: Identity of the process, new at every start.
        expires_at: Until when it holds, in seconds since the epoch.
    """
    pid = os.getpid()
    return Lease(owner, expires_at, socket.gethostname(), pid, _started(pid) or "")


def is_alive(lease: Lease) -> bool:
    """Say whether a lease's process may still live; one on another machine, or that cannot be looked at, may.

    A dead process of this machine is known at once, so its runs can be taken over without waiting for the lease to expire.
    """
    if lease.host != socket.gethostname() or not lease.started:
        return True
    return _started(lease.pid) == lease.started


def _started(pid: int) -> str | None:
    """Return when a process of this machine started, or None when there is no such process.

    It is field 22 of ``/proc/PID/stat``, in clock ticks since boot, with the boot's id: a reused pid has another one.
    Source: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return None
    state, *_ = fields = stat.rpartition(")")[2].split()
    return None if state in {"Z", "X"} else f"{boot}:{fields[19]}"
