"""A flow that uses all that a crash may hit. CRASH_AT names where this process dies.

Each step notes a token that it makes up, and returns it: two executions of a step can be told apart, and so can their results.
"""

from __future__ import annotations

import json
import os
import sys
from uuid import uuid4

from oracle import note

from caudal import flow, get_client, task
from caudal.engine.composition import current_engine
from caudal.resume import resume_flow_run
from caudal.testing.crash_points import arm

tried: set[str] = set()


def token(step: str) -> str:
    """Make up a token, note it as what the step did, and return it."""
    made = uuid4().hex
    note(f"did {step} {made}")
    return made


@task
def small(name: str) -> str:
    """Return a token."""
    return token(name)


@task
def large(name: str) -> list[str]:
    """Return more than fits into the ledger."""
    return [token(name)] * 1000


@task(retries=2)
def flaky(name: str) -> str:
    """Return a token, at the second try of each process."""
    if name not in tried:
        tried.add(name)
        note(f"failed {name}")
        raise ConnectionError(name)
    return token(name)


@task
async def waiting(name: str) -> str:
    """Return a token from a coroutine."""
    return token(name)


@flow
def inner(names: list[str]) -> list[str]:
    """Do steps in a run of their own."""
    return [small(name) for name in names]


@flow(persist_result=True)
def work() -> dict[str, str]:
    """Do all steps and return their tokens."""
    did = {"first": small("first")}
    did["inner-0"], did["inner-1"] = inner(["inner-0", "inner-1"])
    note("ack inner-1")
    others = {name: waiting.submit(name) for name in ("waiting-0", "waiting-1")}
    others |= {"flaky": flaky.submit("flaky")}
    names = ["map-0", "map-1", "map-2"]
    others |= dict(zip(names, small.map(names), strict=True))
    big = large.submit("large")
    did |= {name: future.result() for name, future in others.items()}
    did["large"] = big.result()[0]
    (did["inner-2"],) = inner(["inner-2"])
    note("ack inner-2")
    did["last"] = small("last")
    return did


if __name__ == "__main__":
    if "CRASH_AT" in os.environ:
        arm(os.environ["CRASH_AT"])
    if sys.argv[1] == "run":
        outcome = work()
    elif sys.argv[1] == "sweep":
        sys.exit(len(current_engine().sweep()))
    else:
        runs = get_client(sync_client=True).read_flow_runs(flow_name="work")
        outcome = resume_flow_run(work, runs[0].id).result()
    note("ack work")
    json.dump(outcome, sys.stdout)
