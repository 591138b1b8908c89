"""Random programs, run by the real engine, against a model that knows nothing of it.

A program is a list of steps: calls, submissions and maps of a task that takes a token of its own at each execution. What each execution did is noted
beside the engine, in a `World`. Processes are engines on one ledger: one that crashes can reach the ledger no more from one moment on and loses its
lease; one that sleeps for too long loses its run to another engine while it goes on. The numbers are those of the invariants in the reliability catalogue:

- I1 what was accepted ends, or is found and can be taken up
- I2 one result counts for each step, and it comes from an execution
- I3 a process that lost a run writes nothing for it
- I4 a recorded result is not computed again, and never changes
- I5 moves are legal and events are dense (`audit`)
- I6 a step starts after what it takes results from, and gets them
- I7 no more tries than the retries allow
- I8 never more steps at once than the runner has places
- I9 a batch whose receipt got lost counts once
- I14 what a call returned is on record
- I17 the cache gives what a successful execution with the same input returned

``make soak`` goes on with other programs for an hour, or for SOAK seconds.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import Counter
from contextvars import Context
from itertools import count
from typing import Any, NamedTuple, cast

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from caudal import flow, task
from caudal.cache_policies import INPUTS
from caudal.engine.composition import use_engine
from caudal.engine.engine import Engine
from caudal.exceptions import CaudalError, LeaseLostError, LedgerError
from caudal.ledger.memory import MemoryLedger
from caudal.ledger.port import RunFilter
from caudal.resume import resume_flow_run
from caudal.runners.local import LocalRunner
from caudal.settings import load_settings
from caudal.states import State
from caudal.storage.memory import MemoryStore
from caudal.storage.results import decode
from caudal.task_runners import ThreadPoolTaskRunner
from tests.conftest import audit

#: Places of the programs' runner.
PLACES = 2


class Step(NamedTuple):
    """One step of a program."""

    #: call, submit, map or cached.
    kind: str
    value: int
    #: How often it fails before it succeeds, over all attempts at the run.
    fails: int
    retries: int
    #: Whether failing means to exceed a time-out.
    slow: bool
    #: Whether it takes the result of the step before.
    chained: bool
    #: Whether its result is kept.
    kept: bool


class Died(BaseException):
    """The process is gone."""


class Reach:
    """A ledger as far as one process can reach it."""

    def __init__(self, ledger: MemoryLedger, lost_receipts: int) -> None:
        self._ledger, self._lost_receipts = ledger, lost_receipts
        self._commits = count(1)
        self.is_cut, self.location = False, "memory"
        #: Whether the process is too slow to extend its lease.
        self.sleeps = False

    def commit(self, batch: Any) -> Any:
        """Write a batch; the receipt of some gets lost."""
        self._check()
        receipt = self._ledger.commit(batch)
        if self._lost_receipts and next(self._commits) % self._lost_receipts == 0:
            raise LedgerError("memory", "the line went dead", "Try again.")
        return receipt

    def close(self) -> None:
        """Leave the ledger to the others."""

    def renew(self, lease: Any) -> None:
        """Extend the lease, unless the process sleeps."""
        if not self.sleeps:
            self._check()
            self._ledger.renew(lease)

    def __getattr__(self, name: str) -> Any:
        self._check()
        return getattr(self._ledger, name)

    def _check(self) -> None:
        if self.is_cut:
            raise LedgerError("memory", "this process is dead", "Rest in peace.")


class Process(Engine):
    """An engine that can die."""

    def __init__(
        self, ledger: MemoryLedger, store: MemoryStore, lost_receipts: int
    ) -> None:
        self.reach = Reach(ledger, lost_receipts)
        patience = "5" if lost_receipts else "0"
        super().__init__(
            cast("Any", self.reach),
            store,
            load_settings(
                {
                    "CAUDAL_LEDGER_BUSY_TIMEOUT_SECONDS": patience,
                    "CAUDAL_LOGGING_LEVEL": "CRITICAL",
                }
            ),
            LocalRunner(),
            lambda _: store,
        )

    def die(self, ledger: MemoryLedger) -> None:
        """Reach the ledger no more, and hold no lease."""
        self.reach.is_cut = True
        self.journal._give_up_seconds = 0.0  # the dead do not wait
        ledger.release(self.owner)


class Execution(NamedTuple):
    """What an execution of a step did."""

    key: int
    #: The attempt at the program that it was part of.
    attempt: int
    place: tuple[int, int]
    value: int
    token: str


class World:
    """What really happens, and what is to happen."""

    def __init__(self) -> None:
        self.ledger, self.store = MemoryLedger(), MemoryStore()
        self.processes: list[Process] = []
        self.scripts: dict[int, list[Step]] = {}
        #: By program and step: how often it will still fail.
        self.failures: Counter[tuple[int, tuple[int, int]]] = Counter()
        #: By program and step: what happens when it executes.
        self.events: dict[tuple[int, int], str] = {}
        #: Attempts at programs, innermost last.
        self.attempts: list[tuple[int, int, Process]] = []
        self.numbers = count(1)
        #: Executions that returned.
        self.done: list[Execution] = []
        #: Tries by attempt and step.
        self.tries: Counter[tuple[int, tuple[int, int]]] = Counter()
        self.wrong: list[str] = []
        self._lock = threading.Lock()
        self._executing = 0
        self.most_executing = 0

    def start(self, lost_receipts: int = 0) -> Process:
        """Start a process."""
        process = Process(self.ledger, self.store, lost_receipts)
        self.processes.append(process)
        return process

    def execute(
        self, attempt: int, place: tuple[int, int], value: int, took: str | None
    ) -> str:
        """Do a step: what its task does."""
        key, number, process = next(a for a in self.attempts if a[1] == attempt)
        if process.reach.is_cut:
            raise Died  # a thread of a dead process
        with self._lock:
            self.tries[number, place] += 1
            event = self.events.pop((key, place[0]), None)
            failing = event is None and self.failures[key, place] > 0
            self.failures[key, place] -= failing
            self._executing += 1
            self.most_executing = max(self.most_executing, self._executing)
        try:
            self._expect_input(key, place, took)
            if event is not None:
                self._happen(key, process, event)
            if failing:
                while self.scripts[key][place[0]].slow:
                    time.sleep(0.001)
                raise ConnectionError(key, place)
            with self._lock:
                token = f"{key}-{next(self.numbers)}"
                self.done.append(Execution(key, number, place, value, token))
        finally:
            with self._lock:
                self._executing -= 1
        if event == "die after":
            process.die(self.ledger)
            raise Died
        return token

    def _expect_input(self, key: int, place: tuple[int, int], took: str | None) -> None:
        step = self.scripts[key][place[0]]
        if not step.chained:
            return
        before = self.scripts[key][place[0] - 1]
        with self._lock:
            known = {
                each.token
                for each in self.done
                if (each.value == before.value and before.kind == "cached")
                or (each.key, each.place[0]) == (key, place[0] - 1)
            }
        if took not in known:
            self.wrong.append(f"I6: step {place} of {key} took {took!r}")

    def _happen(self, key: int, process: Process, event: str) -> None:
        if event == "die at once":
            process.die(self.ledger)
            raise Died
        if event == "die before":
            process.journal.barrier().wait()
            process.die(self.ledger)
            raise Died
        if event == "interrupt":
            raise KeyboardInterrupt
        if event == "lose":
            process.journal.barrier().wait()
            process.reach.sleeps = True
            self.ledger.release(process.owner)
            Context().run(self.attempt, key, self.start())
            process.reach.sleeps = False

    def attempt(self, key: int, process: Process) -> Any:
        """Run or resume a program and return its last state, or what was raised."""
        number = next(self.numbers)
        self.attempts.append((key, number, process))
        row = self.row(key)
        with use_engine(process):
            try:
                if row is None:
                    return program(key, number, return_state=True)
                return resume_flow_run(
                    program, str(row.name), {"key": key, "attempt": number}
                )
            except (Died, KeyboardInterrupt, CaudalError) as error:
                return error

    def row(self, key: int) -> Any:
        """Return what is on record of a program."""
        rows = self.ledger.flow_runs(RunFilter(of="program"), limit=10_000)
        return next((row for row in rows if row.parameters["key"] == key), None)

    def recorded(self, key: int) -> dict[str, str]:
        """Return the tokens among the stored results of a program, by path."""
        row = self.row(key)
        tasks = [] if row is None else self.ledger.task_runs(RunFilter(flow_run_id=row.id), limit=10_000)  # fmt: skip
        found: dict[str, str] = {}
        for each in tasks:
            result_key = (each.details or {}).get("result_key")
            if each.state_type == "COMPLETED" and result_key is not None:
                stored = self.ledger.result(result_key)
                assert stored is not None, "I2"
                found[each.path] = decode(stored, self.store)
        return found


WORLD = World()


@task
def work(attempt: int, place: tuple[int, int], value: int, took: str | None) -> str:
    """Do a step."""
    return WORLD.execute(attempt, place, value, took)


def same_step(_: Any, parameters: dict[str, Any]) -> str:
    """Return a cache key that leaves out the attempt: it is not an input but says who executes."""
    key = next(a[0] for a in WORLD.attempts if a[1] == parameters["attempt"])
    return f"{key}-{parameters['place']}-{parameters['took']}"


@task(cache_policy=INPUTS - "attempt" - "place" - "took", persist_result=True)
def cached(attempt: int, place: tuple[int, int], value: int, took: str | None) -> str:
    """Do a step that is done once for each value."""
    return WORLD.execute(attempt, place, value, took)


@flow(persist_result=True, task_runner=ThreadPoolTaskRunner(max_workers=PLACES))
def program(key: int, attempt: int) -> list[Any]:
    """Carry out a script."""
    made: list[Any] = []
    for place, step in enumerate(WORLD.scripts[key]):
        took = made[-1] if step.chained else None
        if isinstance(took, list):
            took = took[-1]
        chosen = cached if step.kind == "cached" else work
        options: dict[str, Any] = {"name": f"step{place}", "retries": step.retries}
        if step.slow and step.fails:
            options["timeout_seconds"] = 0.01
        if step.kind != "cached":
            options["persist_result"] = step.kept
            if step.kept:
                options["cache_key_fn"] = same_step
        each = chosen.with_options(**options)
        if step.kind == "submit":
            made.append(each.submit(attempt, (place, 0), step.value, took))
        elif step.kind == "map":
            places = [(place, index) for index in range(3)]
            made.append(list(each.map(attempt, places, step.value, took)))
        else:
            made.append(each(attempt, (place, 0), step.value, took))
    return [
        [future.result() for future in item] if isinstance(item, list) else item if isinstance(item, str) else item.result()
        for item in made
    ]  # fmt: skip


steps = st.builds(
    Step,
    kind=st.sampled_from(["call", "call", "submit", "map", "cached"]),
    value=st.integers(0, 3),
    fails=st.sampled_from([0, 0, 0, 1, 2]),
    retries=st.integers(0, 2),
    slow=st.sampled_from([False, False, False, True]),
    chained=st.booleans(),
    kept=st.sampled_from([True, True, True, False]),
)
EVENTS = ["die at once", "die before", "die after", "interrupt", "lose"]


def tidy(script: list[Step], event: tuple[str, int] | None) -> list[Step]:
    """Return a script whose outcome does not hang on which of two threads is faster."""
    clean: list[Step] = []
    for place, step in enumerate(script):
        before = clean[-1] if clean else None
        if before is None or not before.kept or step.kind == "cached":
            step = step._replace(chained=False)  # noqa: PLW2901
        if step.kind == "cached":
            step = step._replace(fails=0, kept=True)  # noqa: PLW2901
        if event is not None and place == event[1] % len(script):
            step = step._replace(kind="call", fails=0)  # noqa: PLW2901
        clean.append(step)
    return clean


class Runs(RuleBasedStateMachine):
    """Runs programs, lets processes die, and takes programs up again."""

    def __init__(self) -> None:
        super().__init__()
        global WORLD  # noqa: PLW0603 - the tasks are the program's, and the world is theirs
        WORLD = self.world = World()
        self.keys = count()
        self.process = self.world.start()
        #: What a program has to be on record as.
        self.expected: dict[int, str] = {}
        #: Results that are on record: they stay.
        self.kept: dict[int, dict[str, str]] = {}
        #: Values whose cached result is on record.
        self.cached: set[int] = set()

    @rule(
        script=st.lists(steps, min_size=1, max_size=5),
        event=st.none() | st.tuples(st.sampled_from(EVENTS), st.integers(0, 4)),
        lost_receipts=st.sampled_from([0, 0, 2, 3]),
    )
    def run(
        self,
        script: list[Step],
        event: tuple[str, int] | None,
        lost_receipts: int,
    ) -> None:
        """Run a new program, in a process of its own when receipts get lost in it."""
        key = next(self.keys)
        script = tidy(script, event)
        self.world.scripts[key] = script
        for place, step in enumerate(script):
            self.world.failures[key, (place, 0)] = step.fails
        if lost_receipts:
            self.process = self.world.start(lost_receipts)
        self.take(key, event)

    @rule(
        which=st.integers(0, 20),
        event=st.none() | st.tuples(st.sampled_from(EVENTS), st.integers(0, 4)),
    )
    def resume(self, which: int, event: tuple[str, int] | None) -> None:
        """Take a program up again that did not complete."""
        keys = self.resumable()
        if not keys:
            return
        key = keys[which % len(keys)]
        script = self.world.scripts[key]
        if event is not None:
            step = script[event[1] % len(script)]
            if step.kind != "call" or self.world.failures[key, (event[1] % len(script), 0)] > 0:  # fmt: skip
                event = None
        self.take(key, event)

    @rule()
    def sweep(self) -> None:
        """Look for programs of dead processes: they are found, and no others (I1)."""
        open_ones = {key for key, kind in self.expected.items() if kind == "OPEN"}
        with use_engine(self.process):
            self.process.sweep()
        for key in open_ones:
            row = self.world.row(key)
            assert row is None or row.state_type == "CRASHED", "I1"
            self.expected[key] = "CRASHED" if row is not None else "UNKNOWN"

    @rule()
    def restart(self) -> None:
        """End the process in good order, and start another one."""
        self.process.close()
        self.process = self.world.start()

    def resumable(self) -> list[int]:
        """Return the programs that may be taken up again."""
        return [
            key
            for key, kind in self.expected.items()
            if kind not in {"COMPLETED", "UNKNOWN"} and self.world.row(key) is not None
        ]

    def take(self, key: int, event: tuple[str, int] | None) -> None:
        """Run or resume a program, and compare what comes of it."""
        world, script = self.world, self.world.scripts[key]
        before = world.recorded(key)
        marked = len(world.done)
        if event is not None:
            world.events[key, event[1] % len(script)] = event[0]
        fails = self.will_fail(key, before)
        process = self.process
        outcome = world.attempt(key, process)
        happened = event is not None and (key, event[1] % len(script)) not in world.events  # fmt: skip
        world.events.clear()
        name = event[0] if happened and event is not None else None
        if name in {"die at once", "die before", "die after"}:
            assert isinstance(outcome, (Died, LedgerError)), outcome
            self.expected[key] = "OPEN"
            self.process = world.start()
        elif name == "interrupt":
            assert isinstance(outcome, KeyboardInterrupt), outcome
            self.expect(key, "CANCELLED")
        elif name == "lose":
            assert isinstance(outcome, LeaseLostError), (outcome, "I3")
            self.process = world.start()
            self.expect(key, "FAILED" if self.lost_fails(key) else "COMPLETED")
        else:
            assert isinstance(outcome, State), outcome
            kind = "FAILED" if fails else "COMPLETED"
            assert outcome.type.value == kind, (outcome, fails)
            self.expect(key, kind)
            if kind == "COMPLETED":
                self.compare_value(key, outcome.result())
        self.compare_executions(key, before, marked)

    def expect(self, key: int, kind: str) -> None:
        """What a call returned or raised is on record (I1, I14)."""
        self.expected[key] = kind
        row = self.world.row(key)
        assert row is not None, "I14"
        assert row.state_type == kind, (row, "I14")

    def will_fail(self, key: int, recorded: dict[str, str]) -> bool:
        """Say whether a step of the program has more failures left than retries."""
        return any(
            self.world.failures[key, (place, 0)] > step.retries
            for place, step in enumerate(self.world.scripts[key])
            if f"step{place}-0" not in recorded
        )

    def lost_fails(self, key: int) -> bool:
        """Say whether the process that took a program over could not complete it: a step had failures left."""
        may_fail = any(s.fails > s.retries for s in self.world.scripts[key])
        return may_fail and self.world.row(key).state_type == "FAILED"

    def compare_value(self, key: int, value: list[Any]) -> None:
        """The value is made of the results on record, and those of executions (I2, I17)."""
        recorded = self.world.recorded(key)
        done = {each.token: each for each in self.world.done}
        for place, (step, item) in enumerate(zip(self.world.scripts[key], value, strict=True)):  # fmt: skip
            for index, token in enumerate(item if isinstance(item, list) else [item]):
                execution = done[token]
                assert execution.value == step.value, "I17"
                if step.kind != "cached":
                    assert (execution.key, execution.place) == (key, (place, index)), "I2"  # fmt: skip
                if step.kept:
                    assert recorded[f"step{place}-{index}"] == token, "I2"
            if step.kind == "cached":
                self.cached.add(step.value)

    def compare_executions(self, key: int, before: dict[str, str], marked: int) -> None:
        """What was on record was not done again and is the same (I4); tries are within bounds (I7)."""
        world = self.world
        after = world.recorded(key)
        assert {path: after.get(path) for path in before} == before, "I4"
        again = {f"step{e.place[0]}-{e.place[1]}" for e in world.done[marked:]}
        assert not again & before.keys(), "I4"
        self.kept[key] = after
        for (number, place), tries in world.tries.items():
            owner = next(a[0] for a in world.attempts if a[1] == number)
            assert tries <= world.scripts[owner][place[0]].retries + 1, "I7"

    @invariant()
    def everything_holds(self) -> None:
        """Rows equal their events, moves are legal (I5), results stay (I4), and steps saw what they had to (I6, I8)."""
        audit(self.world.ledger)
        assert self.world.wrong == []
        assert self.world.most_executing <= PLACES + 1 + len(self.world.processes), "I8"
        for key, kind in self.expected.items():
            row = self.world.row(key)
            if kind == "OPEN":
                assert row is None or row.state_type in {"PENDING", "RUNNING", "SCHEDULED"}, "I1"  # fmt: skip
            elif kind != "UNKNOWN":
                assert row.state_type == kind, "I1"
            recorded = self.world.recorded(key)
            kept = self.kept.get(key, {})
            assert {path: recorded.get(path) for path in kept} == kept, "I4"
            names = Counter(each.path for each in self.world.ledger.task_runs(RunFilter(flow_run_id=row.id), limit=1000)) if row else {}  # fmt: skip
            assert all(number == 1 for number in names.values()), "I2"

    def teardown(self) -> None:
        """End all processes."""
        for process in self.world.processes:
            process.close()


def test_random_programs_end_as_the_model_says(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """I1 to I9, I14 and I17 hold for programs with failures, time-outs, interrupts, crashes and lost leases."""
    caplog.set_level(logging.CRITICAL, "caudal")
    seconds = float(os.environ.get("SOAK", "0"))
    started = time.monotonic()
    while True:
        run_state_machine_as_test(
            Runs,
            settings=settings(
                max_examples=30,
                stateful_step_count=12,
                deadline=None,
                derandomize=not seconds,
                phases=[Phase.generate],  # threads make two runs of a program differ
                report_multiple_bugs=False,
                suppress_health_check=list(HealthCheck),
            ),
        )
        if time.monotonic() - started >= seconds:
            return
