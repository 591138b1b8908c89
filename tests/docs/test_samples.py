"""The samples of the documentation run, and print what the page beside them shows.

A page is read from top to bottom, in an empty folder with a caudal home of its own:

- ``python`` with ``title="sales.py"`` becomes a file; other ``python`` blocks run one after the other, in one namespace.
  A ``text`` block right below one is what it prints.
- ``console`` blocks hold commands behind ``$`` and what they print. A comment ``# exit status 2`` says that a command does not end with 0.
- ``sh`` blocks are for the reader alone.

Times, durations, ids, drawn names and folders differ from run to run, so they are made equal first. A line ``...`` stands for any lines.
"""

from __future__ import annotations

import contextlib
import doctest
import io
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from caudal.engine import names

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
#: Its blocks are patterns of commands, not sessions; test_commands.py compares them with the commands.
PATTERNS = ROOT / "docs/reference/cli.md"

_FENCE = re.compile(
    r"^```(\w+)(?: title=\"([^\"]+)\")?\n(.*?)^```$", re.MULTILINE | re.DOTALL
)
_EXIT_STATUS = re.compile(r"# exit status (\d+)$")
_RUN_NAMES = rf"\b(?:{'|'.join(names._MANNERS)})-(?:{'|'.join(names._WATERS)})\b"  # pyright: ignore[reportPrivateUsage]
_VARYING = [
    (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{3})?", "TIME"),
    (r"\d\d:\d\d:\d\d\.\d{3}", "TIME"),
    (r"\b[0-9a-f]{8}-[0-9a-f]{4}(-[0-9a-f]{4}){2}-[0-9a-f]{12}\b", "ID"),
    (r"\b[0-9a-f]{8}-[0-9a-f]{4}\b", "ID"),
    (_RUN_NAMES, "NAME"),
    (r"\b\d+(\.\d+)?m?s( ago)?\b", "DURATION"),
    (r"(/[^\s/:\"]+)+/(?=[^\s/:\"]+\.(py|db)\b)", ""),
]


class Block(NamedTuple):
    """A fenced block of a page."""

    place: str
    language: str
    title: str | None
    text: str
    #: What the page shows as its output, None when it shows nothing.
    shown: str | None


def read_blocks(page: Path) -> Iterator[Block]:
    """Yield the blocks of a page in order; a ``text`` block belongs to the one above it."""
    source = page.read_text()
    found = list(_FENCE.finditer(source))
    for match, after in zip(found, [*found, None][1:], strict=True):
        language, title, text = match.groups()
        place = (
            f"{page.relative_to(ROOT)}:{source.count(chr(10), 0, match.start()) + 1}"
        )
        shown = None
        if (
            after is not None
            and after[1] == "text"
            and not source[match.end() : after.start()].strip()
        ):
            shown = after[3]
        yield Block(place, language, title, text, shown)


def check_output(place: str, shown: str, printed: str) -> None:
    """Fail unless a page shows what was printed."""
    want, got = _plain(shown), _plain(printed)
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    if not doctest.OutputChecker().check_output(want, got, flags):
        pytest.fail(f"{place} shows\n{shown}\nand this was printed:\n{printed}")


def _plain(text: str) -> str:
    """Return a text without what differs from run to run, and without empty lines."""
    for pattern, word in _VARYING:
        text = re.sub(pattern, word, text)
    lines = [line.rstrip() for line in text.splitlines()]
    return "".join(f"{line}\n" for line in lines if line)


def run_python(block: Block, namespace: dict[str, Any], folder: Path) -> None:
    """Run a block in a page's namespace and check what it prints."""
    file = folder / f"sample_{block.place.rpartition(':')[2]}.py"
    file.write_text(block.text)  # so that the source of its functions can be found
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(block.text, str(file), "exec"), namespace)  # noqa: S102 - our own page
    if block.shown is not None:
        check_output(block.place, block.shown, printed.getvalue())


def run_console(block: Block, folder: Path) -> None:
    """Run the commands of a block and check their exit status and what they print."""
    scripts = str(Path(sys.executable).parent)
    environment = {
        **os.environ,
        "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}",
        "PYTHONUNBUFFERED": "1",
        "COLUMNS": "100",
    }
    for command, shown in _commands(block.text):
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        expected = _EXIT_STATUS.search(command)
        status = done.returncode if done.returncode >= 0 else 128 - done.returncode
        assert status == int(expected[1] if expected else 0), (block.place, done.stdout)
        if shown:
            check_output(f"{block.place} {command!r}", shown, done.stdout)


def _commands(text: str) -> Iterator[tuple[str, str]]:
    """Yield each command of a ``console`` block with what it prints."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, shown = part.partition("\n")
        yield command, shown


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if page != PATTERNS],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_samples_run_as_shown(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a page shows is what its samples do."""
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for block in read_blocks(page):
        if block.language == "python" and block.title:
            (tmp_path / block.title).write_text(block.text)
        elif block.language == "python":
            run_python(block, namespace, tmp_path)
        elif block.language == "console":
            run_console(block, tmp_path)


def test_every_fence_has_a_language_that_is_read() -> None:
    """A block with a misspelt language would be passed over in silence."""
    known = {"python", "console", "text", "sh", "toml", "mermaid", "json", "sql"}
    opened = re.compile(r"^```([^\n]+)$", re.MULTILINE)
    found = {
        f"{page.relative_to(ROOT)}: {info}"
        for page in PAGES
        for info in opened.findall(page.read_text())
        if info.split()[0] not in known
    }

    assert found == set()
