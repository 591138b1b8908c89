"""Reads the statements of ``queries.sql``: ``-- name --``, a comment line, the statement."""

from __future__ import annotations

import re
from pathlib import Path

#: Where the .sql files are.
FOLDER = Path(__file__).parent

_NAME = re.compile(r"^-- (\w+) --\n-- .+\n", re.MULTILINE)


def load_queries() -> dict[str, str]:
    """Return the statements by name."""
    parts = _NAME.split((FOLDER / "queries.sql").read_text(encoding="utf-8"))
    return dict(zip(parts[1::2], map(str.strip, parts[2::2]), strict=True))


def split_script(script: str) -> list[str]:
    """Return the statements of a script, to run them one by one inside a transaction."""
    lines = (line.partition("--")[0].rstrip() for line in script.splitlines())
    return [part.strip() for part in "\n".join(lines).split(";") if part.strip()]
