"""Runs and states as people type them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import click
import pytest

from caudal import flow, get_client, task
from caudal.cli.finding import find_task_run, handle_of, read_states, short_ids
from caudal.exceptions import AmbiguousNameError, ObjectNotFound

if TYPE_CHECKING:
    from caudal.engine.engine import Engine


def test_short_ids_are_as_long_as_it_takes_to_tell_them_apart() -> None:
    """Ids of the same millisecond get longer starts."""
    one = UUID("01a1fe07-52c2-705d-8111-b259e9712d72")
    later = UUID("01a1fe07-52c6-705d-8111-b259e9712d72")
    twin = UUID("01a1fe07-52c2-705e-8111-b259e9712d72")
    sibling = UUID("01a1fe07-52c2-705d-8111-b259e9712d73")

    assert short_ids([one, later])[one] == "01a1fe07-52c2"
    assert short_ids([one, twin])[one] == "01a1fe07-52c2-705d"
    assert short_ids([one, sibling])[one] == str(one)


def test_states_are_given_by_kind_or_by_name() -> None:
    """Upper and lower case are the same; kinds cover all their names."""
    assert read_states([]) == ((), ())
    assert read_states(["failed", "CRASHED"]) == (("FAILED", "CRASHED"), ())
    assert read_states(["timedout"]) == ((), ("TimedOut",))
    assert read_states(["Cached", "failed"]) == ((), ("Cached", "Failed", "TimedOut"))


def test_an_unknown_state_is_wrong_usage_that_names_the_nearest() -> None:
    """The message lists the kinds."""
    with pytest.raises(click.UsageError, match=r"Did you mean 'Failed'\? .*completed"):
        read_states(["faild"])


@task
def step(number: int) -> int:
    """Do nothing."""
    return number


@flow
def steps(count: int) -> None:
    """Call a task some times."""
    for number in range(count):
        step(number)


@pytest.mark.usefixtures("engine")
def test_a_task_run_is_found_by_name_within_its_flow_run() -> None:
    """Names of task runs are unique within a flow run only."""
    steps(1)
    steps(2)
    newest, oldest = get_client().read_flow_runs()

    found = find_task_run("step-0", oldest.name)

    assert found.flow_run_id == oldest.id
    assert find_task_run(str(found.id), None) == found
    assert find_task_run(str(found.id), str(oldest.id)) == found
    with pytest.raises(AmbiguousNameError, match="--flow-run"):
        find_task_run("step-0", None)
    with pytest.raises(ObjectNotFound, match=f"' in flow run '{newest.name}'"):
        find_task_run(str(found.id), newest.name)


def test_task_runs_of_one_name_in_one_flow_run_are_told_apart_by_id(
    engine: Engine,
) -> None:
    """Where the user's names repeat, the ids are listed."""
    named = step.with_options(task_run_name="same")

    @flow
    def twins() -> None:
        named(1)
        named(2)

    twins()
    run = get_client().read_flow_runs()[0]
    engine.journal.barrier().wait()

    with pytest.raises(AmbiguousNameError, match="fits more than one"):
        find_task_run("same", run.name)


@pytest.mark.usefixtures("engine")
def test_a_flow_runs_name_is_its_handle_while_no_other_run_has_it() -> None:
    """What is to be typed next always means this run."""
    named = steps.with_options(flow_run_name="nightly")
    named(0)
    first = get_client().read_flow_runs()[0]
    assert handle_of(first) == "nightly"

    named(0)

    assert handle_of(first) == str(first.id)
