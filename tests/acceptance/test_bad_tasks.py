"""Tasks that do what tasks should not: each ends in a state that says what happened, and nothing else comes to harm."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from caudal.ledger.port import RunFilter

if TYPE_CHECKING:
    from tests.acceptance.conftest import Lab

#: Action of ``troubled.py``, the state it ends in, and what its record says: in threads, and where that differs, in processes.
ACTIONS = {
    "raise_locked": ("FAILED", "LockedError", "the lock is in the way"),
    "raise_lopsided": ("FAILED", "LopsidedError", "lopsided 7"),
    "raise_mute": ("FAILED", "MuteError", "its text cannot be made"),
    "raise_script": ("FAILED", "ScriptError", "from the script"),
    "raise_surrogate": ("FAILED", "ValueError", "broken ? text"),
    "raise_memory": ("FAILED", "MemoryError", "no more"),
    "raise_chain": ("FAILED", "ValueError", "chained"),
    "raise_group": ("FAILED", "ExceptionGroup", "several (2 sub-exceptions)"),
    "raise_stop": ("FAILED", "StopIteration", "over"),
    "recurse": ("FAILED", "RecursionError", "maximum recursion depth exceeded"),
    "exit_politely": ("CRASHED", "SystemExit", "3"),
    "return_lock": ("COMPLETED", "lock", ""),
    "return_generator": ("COMPLETED", "list", ""),
    "return_lambda": ("COMPLETED", "function", ""),
    "return_opaque": ("COMPLETED", "Opaque", ""),
    "return_large": ("COMPLETED", "bytes", ""),
    "start_thread": ("COMPLETED", "NoneType", ""),
    "log_surrogates": ("COMPLETED", "NoneType", ""),
    "log_wrongly": ("COMPLETED", "NoneType", ""),
}
#: Results that cannot go to another process, or into storage.
UNPICKLABLE = {
    "return_lock": ("_thread.lock", "cannot pickle '_thread.lock' object"),
}
#: Exceptions that do not survive the way to another process; their text does.
UNSENDABLE = ("raise_locked", "raise_lopsided", "raise_group")
IN_PROCESSES = {
    **ACTIONS,
    **{
        name: ("FAILED", "RemoteError", ": ".join(ACTIONS[name][1:]))
        for name in UNSENDABLE
    },
    **{
        name: ("FAILED", "RemoteError", words)
        for name, (_, words) in UNPICKLABLE.items()
    },
    "exit_at_once": ("CRASHED", "WorkerCrashedError", "it exited with status 3"),
    "kill": ("CRASHED", "WorkerCrashedError", "it was ended by SIGKILL"),
}
PERSISTED = {
    **{name: entry for name, entry in ACTIONS.items() if name.startswith("return")},
    **{
        name: ("FAILED", "SerializationError", words)
        for name, (_, words) in UNPICKLABLE.items()
    },
}


@pytest.mark.parametrize(
    ("runner", "keep", "expected"),
    [
        ("threads", "no", ACTIONS),
        ("processes", "no", IN_PROCESSES),
        ("threads", "persist", PERSISTED),
    ],
)
def test_a_task_that_misbehaves_ends_in_a_state_that_says_how(
    sound_lab: Lab, runner: str, keep: str, expected: dict[str, tuple[str, str, str]]
) -> None:
    """Its future holds the outcome, its record says what happened, and whatever comes after it works."""
    done = sound_lab.run("troubled.py", runner, keep, *expected)
    assert done.status == 0, done.err
    noted = [entry for entry in sound_lab.noted() if entry.split(":")[0] in expected]
    origins = {"MuteError", "LockedError", "LopsidedError", "ScriptError", "Opaque"}
    assert noted == [
        f"{name}: {state}, {'its own' if kind in origins else 'another'} {kind}"
        for name, (state, kind, _) in expected.items()
    ]
    rows = sound_lab.task_runs()
    for name, (state, kind, words) in expected.items():
        row = rows.pop(f"{name}-0")
        assert row.state_type == state
        if state != "COMPLETED":
            error = (row.details or {})["error"]
            assert error["type"] == kind
            assert words in error["message"]
            assert words in (row.details or {})["message"]
            assert "\n" not in (row.details or {})["message"]
    assert {row.state_type for row in rows.values()} == {"COMPLETED"}
    assert sound_lab.flow_run().state_type == "COMPLETED"
    assert "Exception ignored" not in done.err
    assert "Exception in thread" not in done.err


def test_logs_that_are_no_valid_text_are_kept_as_far_as_they_can(
    sound_lab: Lab,
) -> None:
    """Broken characters become question marks, in the message and in its fields."""
    assert sound_lab.run("troubled.py", "threads", "no", "log_surrogates").status == 0
    with sound_lab.ledger() as ledger:
        rows = [row for _, row in ledger.logs() if row.level == 30]
    assert [(row.message, row.extra) for row in rows] == [
        ("broken ? ?", {"field": "?"})
    ]


@pytest.mark.parametrize("action", ["raise_locked", "raise_mute", "recurse"])
def test_a_failed_flow_shows_the_user_their_own_error(
    sound_lab: Lab, action: str
) -> None:
    """The command ends with status 1 and shows the user's frames; caudal's own are left out."""
    flows = sound_lab.folder / "flows.py"
    flows.write_text(
        f"import sys\nsys.path.insert(0, {str(sound_lab.scripts)!r})\n"
        "from caudal import flow, task\n"
        "import troubled\n"
        f"act = task(troubled.{action})\n"
        "@flow\ndef load():\n    act.submit().result()\n"
    )
    done = sound_lab.run("caudal", "run", flows)
    assert done.status == 1
    assert f"in {action}" in done.err
    assert "caudal/engine/" not in done.err
    assert "caudal/runners/" not in done.err
    assert sound_lab.flow_run().state_type == "FAILED"


def test_a_large_result_is_stored_whole(sound_lab: Lab) -> None:
    """Fifty megabytes go to storage and come back the same in another process."""
    (sound_lab.folder / "flows.py").write_text(
        "from caudal import flow, task\n"
        "from caudal.cache_policies import INPUTS\n"
        "@task(persist_result=True, cache_policy=INPUTS)\n"
        "def make(size):\n    return b'caudal' * size\n"
        "@flow\ndef load():\n"
        "    assert make(8_000_000) == b'caudal' * 8_000_000\n"
        "load()\n"
    )
    for _ in range(2):
        assert sound_lab.run(sound_lab.folder / "flows.py").status == 0
    with sound_lab.ledger() as ledger:
        rows = ledger.task_runs(RunFilter())
    assert [row.state_name for row in rows] == ["Cached", "Completed"]
