"""Records what really happened, in a file that caudal knows nothing about."""

from __future__ import annotations

import os


def note(text: str) -> None:
    """Append one line, followed by the id of this process; a line is written whole or not at all, and survives."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
    file = os.open(os.environ["ORACLE"], flags, 0o644)
    os.write(file, f"{text} {os.getpid()}\n".encode())
    os.fsync(file)
    os.close(file)
