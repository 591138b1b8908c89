"""`caudal flow-run retry`: a run again from a task, with other parameters, in another process."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.acceptance.conftest import Done, Lab


def retry(lab: Lab, *arguments: str) -> tuple[Done, Counter[str]]:
    """Retry the only flow run and return how that ended, and what steps it began."""
    before = Counter(lab.noted())
    done = lab.run("caudal", "flow-run", "retry", lab.flow_run().name, *arguments)
    new = Counter(lab.noted()) - before
    return done, Counter({text: n for text, n in new.items() if text.startswith("start")})  # fmt: skip


def test_a_run_is_retried_from_a_task(sound_lab: Lab) -> None:
    """What is to be done again is said, then done; the rest is taken from the record."""
    sound_lab.run("durable.py", "a")
    done, started = retry(sound_lab, "--from", "step-3")
    assert done.status == 0, done.err
    assert "To be done again: step-3." in done.err
    assert started == {"start a3": 1}
    done, started = retry(sound_lab, "--from", "step")
    assert started == {f"start a{number}": 1 for number in range(4)}
    assert sound_lab.flow_run().attempt == 3


def test_a_run_is_retried_with_another_parameter(sound_lab: Lab) -> None:
    """What it changes is done again, and the record shows it."""
    sound_lab.run("durable.py", "a")
    done, started = retry(sound_lab, "-p", "label=b")
    assert done.status == 0, done.err
    assert started == {f"start b{number}": 1 for number in range(4)}
    assert sound_lab.flow_run().parameters == {"label": "b"}


def test_what_cannot_be_retried_is_left_alone(sound_lab: Lab) -> None:
    """The message says what to say, and the status is that of wrong usage."""
    sound_lab.run("durable.py", "a")
    for arguments, text in (((), "Say from which task on"), (("--from", "stop"), "no task run 'stop' in flow run")):  # fmt: skip
        done, started = retry(sound_lab, *arguments)
        assert done.status == 2
        assert text in done.err
        assert not started
    assert sound_lab.flow_run().attempt == 1
