"""Loading flows from files."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING

import cloudpickle
import pytest

from caudal.entrypoint import load_flow, load_module, split_entrypoint, user_traceback
from caudal.exceptions import (
    ConfigurationError,
    MissingFlowError,
    ScriptError,
    UnspecifiedFlowError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ONE_FLOW = """
    from caudal import flow

    @flow(name="nightly load")
    def load(day: str = "today"):
        return day
"""
TWO_FLOWS = """
    from caudal import flow

    @flow
    def extract():
        pass

    @flow
    def load():
        pass

    alias = load
"""


@pytest.fixture(autouse=True)
def _imports_as_before(tmp_path: Path) -> Iterator[None]:
    """Forget the modules and folders that a test's files added."""
    path, modules = list(sys.path), dict(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - set(modules):
        # Libraries stay: some, once imported, do not work with a second copy of themselves.
        if (getattr(sys.modules[name], "__file__", None) or "").startswith(
            str(tmp_path)
        ):
            del sys.modules[name]


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], Path]:
    """Give a function that writes a file of code and returns its path."""

    def write_file(name: str, code: str) -> Path:
        file = tmp_path / name
        file.write_text(dedent(code))
        return file

    return write_file


def test_the_only_flow_need_not_be_named(write: Callable[[str, str], Path]) -> None:
    """A file's one flow is found, and works as when it is imported."""
    flow = load_flow(str(write("jobs.py", ONE_FLOW)))

    assert flow.name == "nightly load"
    assert flow.fn("monday") == "monday"


@pytest.mark.parametrize("name", ["load", "nightly load"])
def test_a_flow_is_found_by_variable_and_by_name(
    write: Callable[[str, str], Path], name: str
) -> None:
    """Both the name in the code and the flow's own name mean the flow."""
    file = write("jobs.py", ONE_FLOW)

    assert load_flow(f"{file}:{name}").name == "nightly load"


def test_a_flow_is_found_by_the_function_behind_another_variable(
    write: Callable[[str, str], Path],
) -> None:
    """A flow that is bound to another variable keeps its function's name."""
    code = "from caudal import Flow\ndef work():\n    pass\nmain = Flow(work, name='job')\n"
    file = write("jobs.py", code)

    assert load_flow(f"{file}:work").name == "job"


def test_several_flows_have_to_be_named(write: Callable[[str, str], Path]) -> None:
    """The error lists each flow once, and shows how to name one."""
    file = write("jobs.py", TWO_FLOWS)

    with pytest.raises(UnspecifiedFlowError, match="'extract', 'load'") as caught:
        load_flow(str(file))
    assert f"'{file}:extract'" in str(caught.value)
    assert load_flow(f"{file}:alias").name == "load"


def test_flows_that_a_file_only_imports_are_not_meant(
    write: Callable[[str, str], Path],
) -> None:
    """A file's own flow comes before those it imports, which can still be named."""
    write("shared.py", TWO_FLOWS)
    file = write(
        "jobs.py",
        "from shared import extract, load\n"
        + dedent(ONE_FLOW).replace("def load", "def main"),
    )

    assert load_flow(str(file)).name == "nightly load"
    assert load_flow(f"{file}:extract").name == "extract"


def test_an_unknown_flow_is_an_error_that_names_the_nearest(
    write: Callable[[str, str], Path],
) -> None:
    """The error says what is there."""
    file = write("jobs.py", TWO_FLOWS)

    with pytest.raises(
        MissingFlowError,
        match=r"no flow 'extrat'. Did you mean 'extract'\? It has 'extract', 'load'",
    ):
        load_flow(f"{file}:extrat")


@pytest.mark.parametrize("suffix", ["", ":load"])
def test_a_file_without_flows_says_how_to_make_one(
    write: Callable[[str, str], Path], suffix: str
) -> None:
    """The error names the decorator."""
    file = write("jobs.py", "def load():\n    pass\n")

    with pytest.raises(MissingFlowError, match="Decorate a function with @flow"):
        load_flow(f"{file}{suffix}")


def test_a_missing_file_is_an_error_that_names_the_nearest(
    write: Callable[[str, str], Path], tmp_path: Path
) -> None:
    """A typing error in the file's name is easily mended."""
    file = write("pipeline.py", ONE_FLOW)

    with pytest.raises(ScriptError, match=r"no such file\. Did you mean") as caught:
        load_flow(str(tmp_path / "pipline.py"))
    assert str(file) in str(caught.value)
    with pytest.raises(ScriptError, match="its folder does not exist"):
        load_flow(str(tmp_path / "nowhere" / "pipeline.py"))
    with pytest.raises(ScriptError, match="it is a folder"):
        load_flow(str(tmp_path))


def test_a_file_that_cannot_be_read_is_an_error() -> None:
    """The system's reason is given without a traceback."""
    with pytest.raises(ScriptError, match=r"cannot be read: Input/output error\.$"):
        load_flow("/proc/self/mem")


def test_a_syntax_error_shows_the_line(write: Callable[[str, str], Path]) -> None:
    """The message holds file, line and code, and no frame of the machinery."""
    file = write("jobs.py", "x = 1\ndef load(:\n    pass\n")

    with pytest.raises(ScriptError, match="SyntaxError") as caught:
        load_flow(str(file))
    text = str(caught.value)
    assert f'File "{file}", line 2' in text
    assert "def load(:" in text
    assert "importlib" not in text
    assert "entrypoint" not in text


def test_an_exception_while_loading_shows_the_users_lines_alone(
    write: Callable[[str, str], Path],
) -> None:
    """The traceback leads through the user's files and nothing else."""
    write(
        "helpers.py",
        "def connect():\n    raise LookupError('no database')\nconnect()\n",
    )
    file = write("jobs.py", "import helpers\n")

    with pytest.raises(ScriptError, match="LookupError: no database") as caught:
        load_flow(str(file))
    lines = [line for line in str(caught.value).splitlines() if "File " in line]
    assert [line.partition(",")[0].rpartition("/")[2] for line in lines] == [
        'jobs.py"',
        'helpers.py"',
        'helpers.py"',
    ]


def test_a_script_that_exits_while_it_is_loaded_is_told_what_to_do(
    write: Callable[[str, str], Path],
) -> None:
    """The process does not end silently in the middle of loading."""
    file = write("jobs.py", "import sys\nsys.exit(3)\n")

    with pytest.raises(ScriptError, match=r"exit\(3\).*__name__ == '__main__'"):
        load_flow(str(file))


def test_a_wrong_setting_stays_the_error_it_is(
    write: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is wrong with the configuration is not blamed on the file."""
    monkeypatch.setenv("CAUDAL_DURABILITY", "for ever")
    file = write(
        "jobs.py",
        "from caudal.settings import get_current_settings\nget_current_settings()\n",
    )

    with pytest.raises(ConfigurationError, match="for ever"):
        load_flow(str(file))


def test_a_file_that_fails_leaves_no_module_behind(
    write: Callable[[str, str], Path],
) -> None:
    """A second try loads the file again."""
    file = write("half_done.py", "ready = True\nraise ValueError('not yet')\n")

    with pytest.raises(ScriptError, match="not yet"):
        load_module(file)
    assert "half_done" not in sys.modules


def test_the_module_is_importable_by_its_name(
    write: Callable[[str, str], Path], tmp_path: Path
) -> None:
    """Worker processes that get ``sys.path`` find it, and modules beside it."""
    write("helpers.py", "answer = 42\n")
    module = load_module(write("jobs.py", "from helpers import answer\n"))

    assert module.__name__ == "jobs"
    assert sys.modules["jobs"] is module
    assert sys.path[0] == str(tmp_path)


def test_the_main_guard_stays_closed(write: Callable[[str, str], Path]) -> None:
    """What a file does only as a script is not done."""
    load_module(
        write("jobs.py", "if __name__ == '__main__':\n    raise ValueError('ran')\n")
    )


def test_an_edit_within_the_same_second_is_seen(
    write: Callable[[str, str], Path],
) -> None:
    """Code is compiled from what the file holds now, not from a cache that goes by time and size."""
    file = write("jobs.py", "number = 1\n")
    times = file.stat().st_atime_ns, file.stat().st_mtime_ns
    first = load_module(file).number
    file.write_text("number = 2\n")
    os.utime(file, ns=times)

    assert (first, load_module(file).number) == (1, 2)


@pytest.mark.parametrize("name", ["statistics.py", "pytest.py", "my.flows.py"])
def test_a_name_that_means_another_module_is_not_taken(
    write: Callable[[str, str], Path], name: str
) -> None:
    """Other code that imports that module gets it, and the file's functions travel by value."""
    before = sys.modules.get("pytest")
    module = load_module(write(name, "def double(x):\n    return 2 * x\n"))

    assert module.__name__ == f"caudal_flow_file_{Path(name).stem.replace('.', '_')}"
    assert sys.modules["pytest"] is before
    program = "import pickle, sys; print(pickle.loads(bytes.fromhex(sys.argv[1]))(21))"
    sent = cloudpickle.dumps(module.double).hex()
    output = subprocess.check_output([sys.executable, "-c", program, sent], text=True)
    assert output == "42\n"


def test_an_entrypoint_is_split_at_its_last_colon(tmp_path: Path) -> None:
    """A file whose name has a colon is a file."""
    odd = tmp_path / "a:b.py"
    odd.touch()

    assert split_entrypoint("jobs.py") == (Path("jobs.py"), None)
    assert split_entrypoint("jobs.py:load") == (Path("jobs.py"), "load")
    assert split_entrypoint("c:/jobs.py:load") == (Path("c:/jobs.py"), "load")
    assert split_entrypoint(str(odd)) == (odd, None)


def test_a_users_traceback_keeps_the_chain_of_causes() -> None:
    """Causes are shown, each without caudal's frames."""
    try:
        try:
            load_module(Path("/nowhere/at_all.py"))
        except ScriptError as error:
            raise ValueError("no data") from error
    except ValueError as error:
        text = user_traceback(error)

    assert "direct cause" in text
    assert text.endswith("ValueError: no data")
    assert "caudal/entrypoint.py" not in text


def test_a_file_that_loads_itself_is_an_error(
    write: Callable[[str, str], Path],
) -> None:
    """It says what to do, also where another file is in between."""
    write("first.py", "from caudal.entrypoint import load_flow\nload_flow('second.py')")
    second = write("second.py", "from caudal.entrypoint import load_flow\nload_flow('first.py')")  # fmt: skip
    before = Path.cwd()
    os.chdir(second.parent)
    try:
        with pytest.raises(
            ScriptError, match=r"second\.py.*its own code asks"
        ) as caught:
            load_module(second)
    finally:
        os.chdir(before)
    assert "__name__" in str(caught.value)
    assert len(str(caught.value)) < 500


def test_a_script_without_a_guard_does_not_resume_itself_for_ever(
    write: Callable[[str, str], Path], home: Path
) -> None:
    """The script fails at the call, and says why."""
    file = write(
        "jobs.py",
        """
        from caudal import flow, get_client, resume_flow_run

        @flow
        def work():
            raise LookupError

        work(return_state=True)
        [run] = get_client(sync_client=True).read_flow_runs()
        resume_flow_run(run.id)
        """,
    )
    done = subprocess.run(
        [sys.executable, file],
        env={**os.environ, "CAUDAL_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "its own code asks for one of its flows" in done.stderr
    assert len(done.stderr.splitlines()) < 200
