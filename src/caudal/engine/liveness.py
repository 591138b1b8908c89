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
    """Say whether a lease's process may still live; one that this machine cannot look at may.

    A dead process of this machine is known at once, so its runs can be taken over without waiting for the lease to expire.
    """
    return not can_be_seen(lease) or _started(lease.pid) == lease.started


def can_be_seen(lease: Lease) -> bool:
    """Say whether this process can tell whether a lease's process lives: it is, or was, one of this machine and container."""
    return (
        lease.host == socket.gethostname()
        and bool(lease.started)
        and lease.started.partition(":")[0] == _pid_namespace()
    )


def _started(pid: int) -> str | None:
    """Return when a process of this machine started, or None when there is no such process.

    It is field 22 of ``/proc/PID/stat``, in clock ticks since boot, with the boot's id: a reused pid has another one. In front stands
    the namespace in which pids count, which containers of one host name do not share.
    Source: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return None
    state, *_ = fields = stat.rpartition(")")[2].split()
    if state in {"Z", "X"}:
        return None
    return f"{_pid_namespace()}:{boot}:{fields[19]}"


def _pid_namespace() -> str:
    try:
        return str(Path("/proc/self/ns/pid").readlink()).strip("pid:[]")
    except OSError:
        return ""
