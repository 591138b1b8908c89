"""Flows that wait for somebody; the argument says which one runs."""

from __future__ import annotations

import sys
import time

from oracle import note

from caudal import flow, pause_flow_run, suspend_flow_run, task
from caudal.input import RunInput


class Approval(RunInput):
    """What somebody has to say."""

    approved: bool


@task(persist_result=True)
def load() -> str:
    """Do something that is not to be done twice."""
    note("loaded")
    return "numbers"


@flow
def paused() -> None:
    """Wait in this process."""
    load()
    form = Approval.with_initial_data("Publish the numbers?")
    note(f"approved {pause_flow_run(wait_for_input=form, poll_interval=0.02).approved}")


@flow(durable=True)
def lasting(seconds: float) -> None:
    """Wait in this process for some time, if need be in another one."""
    load()
    form = Approval.with_initial_data("Publish the numbers?")
    approval = pause_flow_run(wait_for_input=form, poll_interval=0.02, timeout=seconds)
    note(f"approved {approval.approved}")


@flow
def suspended() -> None:
    """Give the process up."""
    load()
    note(f"approved {suspend_flow_run(wait_for_input=Approval).approved}")


@task(persist_result=True)
def step(number: int) -> int:
    """Take a while."""
    note(f"step {number}")
    time.sleep(0.2)
    return number


@flow
def steps() -> None:
    """Call many tasks, one after the other."""
    for number in range(20):
        step(number)


if __name__ == "__main__":
    globals()[sys.argv[1]](*map(float, sys.argv[2:]))
