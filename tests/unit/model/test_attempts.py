"""What the tries of a task run took, read from its moves."""

from __future__ import annotations

from caudal.model.attempts import attempts_of
from caudal.model.runs import Move, Used


def moves(*states: tuple[str, str, float]) -> list[Move]:
    """Return moves of kind, name and time."""
    return [Move(*state) for state in states]


def test_a_run_waits_and_runs() -> None:
    """The time it waited stands apart from the time it ran."""
    history = moves(
        ("PENDING", "Pending", 1.0), ("RUNNING", "Running", 4.0), ("COMPLETED", "Completed", 9.0)
    )  # fmt: skip
    (attempt,) = attempts_of(history, [Used(9.0, 2.5, 4096)])
    assert (attempt.queue_seconds, attempt.wall_seconds) == (3.0, 5.0)
    assert (attempt.cpu_seconds, attempt.peak_memory_bytes) == (2.5, 4096)
    assert attempt.state_name == "Completed"


def test_each_try_stands_for_itself() -> None:
    """One that is retried at once has failed, one that waits for its retry waits."""
    history = moves(
        ("PENDING", "Pending", 0.0),
        ("RUNNING", "Running", 1.0),
        ("RUNNING", "Retrying", 3.0),
        ("SCHEDULED", "AwaitingRetry", 4.0),
        ("RUNNING", "Retrying", 8.0),
        ("FAILED", "TimedOut", 9.0),
    )
    attempts = attempts_of(history, [Used(3.0, 0.5), Used(9.0, 0.25)])
    assert [each.state_name for each in attempts] == ["Failed", "AwaitingRetry", "TimedOut"]  # fmt: skip
    assert [each.queue_seconds for each in attempts] == [1.0, 0.0, 4.0]
    assert [each.wall_seconds for each in attempts] == [2.0, 1.0, 1.0]
    assert [each.cpu_seconds for each in attempts] == [0.5, None, 0.25]


def test_a_run_taken_up_again_waits_anew() -> None:
    """The time between the attempts at its flow run is not its own."""
    history = moves(
        ("PENDING", "Pending", 0.0),
        ("RUNNING", "Running", 1.0),
        ("CRASHED", "Crashed", 2.0),
        ("PENDING", "Pending", 100.0),
        ("RUNNING", "Running", 101.0),
    )
    first, second = attempts_of(history, [])
    assert (first.wall_seconds, first.state_name) == (1.0, "Crashed")
    assert (second.queue_seconds, second.wall_seconds) == (1.0, None)


def test_a_run_that_never_ran_has_no_try() -> None:
    """Nor has one whose result was cached."""
    assert attempts_of(moves(("PENDING", "Pending", 0.0), ("COMPLETED", "Cached", 1.0)), []) == []  # fmt: skip
