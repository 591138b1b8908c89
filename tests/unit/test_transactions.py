"""Transactions: what is committed and rolled back, when, and in which order."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest

from caudal import flow, task
from caudal.cache_policies import INPUTS
from caudal.engine.composition import current_engine
from caudal.exceptions import SerializationError
from caudal.task_runners import ProcessPoolTaskRunner, ThreadPoolTaskRunner
from caudal.transactions import (
    AsyncTransaction,
    CommitMode,
    Transaction,
    TransactionState,
    atransaction,
    get_transaction,
    transaction,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Record

pytestmark = pytest.mark.usefixtures("engine")


class Story:
    """What happened, in order, and tasks that add to it."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def step(self, name: str, **options: Any) -> Any:
        """Return a task that completes, with hooks that say so."""

        @task(name=name, **options)
        def step(value: Any = None) -> Any:
            self.lines.append(name)
            return value

        self.hook(step, name)
        return step

    def hook(self, of: Any, name: str) -> None:
        """Add hooks to a task that tell when they are called."""
        of.on_commit(lambda _: self.lines.append(f"commit {name}"))
        of.on_rollback(lambda _: self.lines.append(f"undo {name}"))


@pytest.fixture
def story() -> Story:
    """Give the test a story without lines."""
    return Story()


@task
def failing() -> None:
    """Fail."""
    raise ValueError("no")


def run(body: Callable[[], Any], **options: Any) -> Any:
    """Run a function as a flow and return its last state."""
    return flow(body, name="around", **options)(return_state=True)


def test_a_task_by_itself_is_committed_when_it_completes(story: Story) -> None:
    """Without a transaction around it, the hooks run at once."""
    one, two = story.step("one"), story.step("two")
    run(lambda: (one(), two.submit().wait()))
    assert story.lines == ["one", "commit one", "two", "commit two"]


def test_within_a_transaction_all_are_committed_at_its_end(
    story: Story, record: Record
) -> None:
    """The hooks wait for the block, and run in the order of the tasks."""
    one, two = story.step("one"), story.step("two")

    def body() -> None:
        with transaction() as txn:
            one()
            two()
            story.lines.append(txn.state)
        story.lines.append(txn.state)

    run(body)
    assert story.lines == [
        "one", "two", "ACTIVE", "commit one", "commit two", "COMMITTED",
    ]  # fmt: skip
    assert {each.state_name for each in record.tasks().values()} == {"Completed"}


def test_a_failed_block_is_rolled_back_in_reverse(story: Story, record: Record) -> None:
    """What had completed is undone, the last one first, and on record as rolled back."""
    one, two = story.step("one"), story.step("two")

    def body() -> None:
        with transaction():
            one()
            two()
            failing()

    state = run(body)
    assert state.is_failed()
    assert story.lines == ["one", "two", "undo two", "undo one"]
    tasks = record.tasks()
    assert {name: each.state_name for name, each in tasks.items()} == {
        "one-0": "RolledBack", "two-0": "RolledBack", "failing-0": "Failed",
    }  # fmt: skip
    assert record.states(tasks["one-0"]) == ["Pending", "Running", "Completed", "RolledBack"]  # fmt: skip
    assert tasks["one-0"].state_type == "COMPLETED"


@pytest.mark.parametrize("submit", [False, True])
def test_a_failed_task_rolls_its_transaction_back_at_once(
    story: Story, *, submit: bool
) -> None:
    """Whoever catches the failure cannot commit the rest; what comes later is undone as well."""
    one, later = story.step("one"), story.step("later")

    def body() -> None:
        with transaction() as txn:
            one()
            (failing.submit().wait() if submit else failing(return_state=True))
            story.lines.append(txn.state)
            later()
        story.lines.append(txn.state)

    assert run(body).is_completed()
    assert story.lines == [
        "one", "undo one", "ROLLED_BACK", "later", "undo later", "ROLLED_BACK",
    ]  # fmt: skip


def test_an_attempt_that_is_retried_rolls_nothing_back(story: Story) -> None:
    """The outcome of the run counts, not that of each attempt."""
    one, attempts = story.step("one"), []

    @task(retries=1)
    def flaky() -> None:
        attempts.append(1)
        if len(attempts) == 1:
            raise ValueError("first")

    def body() -> None:
        with transaction():
            one()
            flaky()

    assert run(body).is_completed()
    assert story.lines == ["one", "commit one"]


def test_a_transaction_waits_for_what_was_submitted_in_it(story: Story) -> None:
    """A task that fails after the block's last line still rolls it back."""
    one, gate = story.step("one"), threading.Event()

    @task
    def late() -> None:
        gate.wait(30)
        raise ValueError("late")

    def body() -> None:
        with transaction() as txn:
            one.submit()
            late.submit()
            threading.Timer(0.05, gate.set).start()
        story.lines.append(txn.state)

    run(body)
    assert story.lines == ["one", "undo one", "ROLLED_BACK"]


def test_outside_of_flows_it_waits_too(story: Story) -> None:
    """Tasks without a flow are waited for likewise."""
    one = story.step("one")
    with transaction():
        one.submit(1)
    with transaction():
        one.submit(2).wait()
        failing.submit()
    assert story.lines == ["one", "commit one", "one", "undo one"]


def test_tasks_that_wait_in_a_bounded_runner_do_not_block_a_transaction(
    story: Story,
) -> None:
    """A submitted task may open a transaction and submit into it, with one place for all."""
    inner = story.step("inner")

    @task
    def outer() -> None:
        with transaction():
            inner.submit(1)
            inner.submit(2).wait()

    run(lambda: outer.submit().wait(), task_runner=ThreadPoolTaskRunner(max_workers=1))
    assert story.lines.count("commit inner") == 2


def test_nested_transactions_leave_their_outcome_to_the_outermost(story: Story) -> None:
    """The inner block's tasks are committed with the outer block, before what came after them."""
    one, two, three = (story.step(name) for name in ("one", "two", "three"))

    def body() -> None:
        with transaction():
            one()
            with transaction():
                two()
            story.lines.append("inner is over")
            three()

    run(body)
    assert story.lines == [
        "one", "two", "inner is over", "three", "commit one", "commit two", "commit three",
    ]  # fmt: skip


def test_a_failed_inner_transaction_takes_the_outer_one_along(story: Story) -> None:
    """That its exception is caught does not matter."""
    one, two = story.step("one"), story.step("two")

    def body() -> None:
        with transaction() as outer:
            one()
            try:
                with transaction():
                    two()
                    raise KeyError("x")  # noqa: TRY301
            except KeyError:
                story.lines.append(outer.state)

    assert run(body).is_completed()
    assert story.lines == ["one", "two", "undo two", "undo one", "ROLLED_BACK"]


def test_eager_transactions_are_committed_at_their_own_end(story: Story) -> None:
    """What they did stays when the outer one fails; tasks in an eager one are committed one by one."""
    one, two = story.step("one"), story.step("two")

    def body() -> None:
        with transaction():
            with transaction(commit_mode=CommitMode.EAGER):
                one()
                story.lines.append("still inside")
            two()
            raise ValueError("outer")

    run(body)
    assert story.lines == ["one", "commit one", "still inside", "two", "undo two"]


@pytest.mark.parametrize("commits", [True, False])
def test_off_commits_only_by_hand(story: Story, *, commits: bool) -> None:
    """Without a call of ``commit`` the block is rolled back although it ended well."""
    one = story.step("one")

    def body() -> None:
        with transaction(commit_mode=CommitMode.OFF) as txn:
            one()
            if commits:
                assert txn.commit()
        assert txn.is_committed() is commits
        assert txn.is_rolled_back() is not commits

    assert run(body).is_completed()
    assert story.lines == ["one", "commit one" if commits else "undo one"]


def test_rolling_back_by_hand_does_so_once(story: Story) -> None:
    """A second call, and the end of the block, change nothing."""
    one = story.step("one")

    def body() -> list[bool]:
        with transaction() as txn:
            one()
            return [txn.rollback(), txn.rollback(), txn.commit()]

    assert run(body).result() == [True, False, False]
    assert story.lines == ["one", "undo one"]


def test_values_are_seen_by_hooks_and_inner_transactions() -> None:
    """Inner values come first; what is handed out is a copy."""
    seen: list[Any] = []

    @task
    def write(path: str) -> None:
        get_transaction().set("path", path)
        get_transaction().set("rows", [1])

    @write.on_rollback
    def remove(txn: Transaction) -> None:
        seen.append((txn.get("path"), txn.get("bucket"), txn.get("rows")))

    def body() -> None:
        with transaction() as outer:
            outer.set("bucket", ["b"])
            outer.set("path", "outer")
            write("one")
            outer.get("bucket").append("changed")
            with pytest.raises(ValueError, match="no value 'rows'"):
                outer.get("rows")
            assert outer.get("rows", None) is None
            raise KeyError

    run(body)
    assert seen == [("one", ["b"], [1])]


def test_a_failing_rollback_hook_is_logged_and_the_rest_is_undone(
    story: Story, record: Record
) -> None:
    """One clumsy hook does not keep the others from cleaning up."""
    one, two, three = (story.step(name) for name in ("one", "two", "three"))

    @two.on_rollback
    def clumsy(_: Transaction) -> None:
        raise RuntimeError("could not clean up")

    def body() -> None:
        with transaction() as txn:
            one()
            two()
            three()
            story.lines.append(str(txn.rollback()))

    run(body)
    assert story.lines == ["one", "two", "three", "undo three", "undo two", "undo one", "False"]  # fmt: skip
    assert {each.state_name for each in record.tasks().values()} == {"RolledBack"}
    assert any("'clumsy' failed" in line and "could not clean up" in line for line in record.logs())  # fmt: skip


def test_a_failing_commit_hook_rolls_its_task_back(
    story: Story, record: Record
) -> None:
    """The task is undone and its result is not kept; others are committed, and nobody raises."""
    one, bad = story.step("one"), story.step("bad", cache_policy=INPUTS)
    bad.on_commit(lambda _: 1 / 0)

    def body() -> None:
        with transaction() as txn:
            bad(5)
            one()
        story.lines.append(txn.state)

    assert run(body).is_completed()
    assert story.lines == ["bad", "one", "commit bad", "undo bad", "commit one", "COMMITTED"]  # fmt: skip
    assert record.tasks()["bad-0"].state_name == "RolledBack"
    assert bad(5, return_state=True).name == "RolledBack"
    assert any("could not be committed" in line for line in record.logs())


def test_results_are_kept_when_the_transaction_is_committed(record: Record) -> None:
    """Until then the cache does not know them, and after a rollback never; in memory they are there."""
    work = task(lambda value: value * 2, name="work", cache_policy=INPUTS)
    seen: list[str] = []

    def body(*, fails: bool) -> None:
        with transaction():
            assert work(1) == 2
            seen.append(work(1, return_state=True).name)
            if fails:
                raise ValueError("no")
        seen.append(work(1, return_state=True).name)

    run(lambda: body(fails=True))
    assert seen == ["Completed"]
    run(lambda: body(fails=False))
    assert seen == ["Completed", "Completed", "Cached"]
    stored = record.tasks()["work-0"].details
    assert stored["result_key"] == stored["cache_key"]


def test_a_cached_task_is_not_undone(story: Story) -> None:
    """What an earlier run did is not this transaction's to roll back."""
    one = story.step("one", cache_policy=INPUTS)
    one(1)

    def body() -> None:
        with transaction():
            one(1)
            raise ValueError("no")

    run(body)
    assert story.lines == ["one", "commit one"]


def test_a_result_that_cannot_be_stored_fails_its_task_or_is_rolled_back(
    story: Story, record: Record
) -> None:
    """By itself the task fails; in a transaction it is noticed at the commit, when the task has completed."""
    lock = threading.Lock()
    work = story.step("work", persist_result=True)
    with pytest.raises(SerializationError):
        work(lock)

    def body() -> None:
        with transaction():
            work(lock)

    run(body)
    assert story.lines == ["work", "commit work", "undo work"] * 2
    assert record.tasks()["work-0"].state_name == "RolledBack"


def test_a_transaction_with_a_key_is_done_once() -> None:
    """A second block of the key starts committed, with what the first one staged; ``overwrite`` does it anew."""
    seen: list[Any] = []

    def body(value: int, *, overwrite: bool = False) -> None:
        with transaction(key="load", overwrite=overwrite) as txn:
            if txn.is_committed():
                seen.append(txn.read().result)
                return
            txn.stage(value)
            assert txn.is_staged()

    for number in (1, 2):
        run(lambda number=number: body(number))
    run(lambda: body(3, overwrite=True))
    body(4)  # outside of flows too
    assert seen == [1, 3]


def test_what_is_not_to_be_written_is_not() -> None:
    """``write_on_commit=False``, a failed block and a block without a key keep nothing."""
    with transaction(key="k", write_on_commit=False) as txn:
        txn.stage(1)
    assert txn.is_committed()
    with pytest.raises(KeyError), transaction(key="k") as txn:  # noqa: PT012 - what fails is the block
        txn.stage(1)
        raise KeyError
    with transaction() as txn:
        txn.stage(1)
        assert txn.read() is None
    assert not current_engine().results.find("k")


def test_hooks_can_be_given_when_staging() -> None:
    """They are called with the transaction, for either outcome."""
    seen: list[TransactionState] = []
    with transaction() as txn:
        txn.stage(1, on_commit_hooks=[lambda each: seen.append(each.state)])
    with pytest.raises(KeyError), transaction() as txn:  # noqa: PT012 - what fails is the block
        txn.stage(1, [lambda each: seen.append(each.state)])
        raise KeyError
    assert seen == [TransactionState.STAGED] * 2


def test_states_can_be_asked_for() -> None:
    """A transaction says where it is, and can be opened once."""
    txn = transaction()
    assert txn.is_pending()
    with txn:
        assert txn.is_active()
        assert get_transaction() is txn
    assert txn.is_committed()
    assert get_transaction() is None
    with pytest.raises(RuntimeError, match="entered once"), txn:
        pass


def test_a_nested_task_with_hooks_ends_with_the_task_around_it(story: Story) -> None:
    """It is committed when the outer task completes, and undone when that fails."""
    inner = story.step("inner")

    @task
    def outer(*, fails: bool) -> None:
        inner()
        story.lines.append("outer goes on")
        if fails:
            raise ValueError("no")

    @task
    def outermost(*, fails: bool) -> None:
        outer(fails=False)
        story.lines.append("outermost goes on")
        if fails:
            raise ValueError("no")

    run(lambda: outer(fails=False))
    run(lambda: outer.submit(fails=True).wait())
    run(lambda: outermost(fails=True, return_state=True))
    assert story.lines == [
        "inner", "outer goes on", "commit inner",
        "inner", "outer goes on", "undo inner",
        "inner", "outer goes on", "outermost goes on", "undo inner",
    ]  # fmt: skip


def test_what_a_retried_attempt_did_is_undone_before_the_next(story: Story) -> None:
    """Nested tasks of the failed attempt are rolled back, those of the good one committed."""
    inner = story.step("inner")

    @task(retries=1)
    def outer() -> None:
        inner()
        if len(story.lines) == 1:
            raise ValueError("first")

    run(outer)
    assert story.lines == ["inner", "undo inner", "inner", "commit inner"]


def test_a_task_may_survive_a_failed_transaction_of_its_own(story: Story) -> None:
    """Its own outcome decides what becomes of it."""
    inner = story.step("inner")

    @task
    def careful() -> str:
        try:
            with transaction():
                inner()
                failing()
        except ValueError:
            return "went on"
        return "not reached"

    story.hook(careful, "careful")
    state = run(lambda: careful(return_state=True)).result()
    assert (state.name, state.result()) == ("Completed", "went on")
    assert story.lines == ["inner", "undo inner", "commit careful"]


def test_runs_beside_a_transaction_take_no_part_in_it(story: Story) -> None:
    """A task of the same flow that runs meanwhile keeps its result at once."""
    one = story.step("one")
    started, gate = threading.Event(), threading.Event()
    beside = task(lambda value: value, name="beside", cache_policy=INPUTS)

    @task
    def inside() -> None:
        with transaction():
            one()
            started.set()
            gate.wait(30)
            failing()

    def body() -> str:
        inside.submit()
        started.wait(30)
        beside(1)
        state = beside(1, return_state=True)
        gate.set()
        return state.name

    assert run(body).result() == "Cached"
    assert story.lines == ["one", "undo one"]


def test_a_transaction_may_be_around_flows(story: Story, record: Record) -> None:
    """Tasks of flows that ended are committed and rolled back with it, on record too."""
    one = story.step("one", cache_policy=INPUTS)

    @flow
    def inner(value: int) -> None:
        one(value)

    with transaction():
        inner(1)
        assert one(1, return_state=True).name == "Completed"
    assert inner(1, return_state=True).is_completed()
    assert record.tasks("inner")["one-0"].state_name == "Cached"
    with pytest.raises(KeyError), transaction():  # noqa: PT012 - what fails is the block
        inner(2)
        raise KeyError
    assert story.lines[-1] == "undo one"
    assert record.tasks("inner")["one-0"].state_name == "RolledBack"


def test_a_retried_flow_does_its_rolled_back_tasks_again(story: Story) -> None:
    """What was undone was not done."""
    one = story.step("one", persist_result=True)

    @flow(retries=1)
    def around() -> None:
        with transaction():
            one()
            if len(story.lines) == 1:
                raise ValueError("first")

    around()
    assert story.lines == ["one", "undo one", "one", "commit one"]


def test_mapped_tasks_take_part(story: Story) -> None:
    """Each of them is undone."""
    one = story.step("one")

    def body() -> None:
        with transaction():
            one.map(range(3)).wait()
            raise ValueError("no")

    run(body)
    assert story.lines == ["one"] * 3 + ["undo one"] * 3


def test_hooks_survive_with_options_methods_and_the_decorator(story: Story) -> None:
    """They may be given as lists; changed copies keep them."""
    lines = story.lines

    @task(on_commit=[lambda _: lines.append("commit")], on_rollback=[lambda _: lines.append("undo")])  # fmt: skip
    def one() -> None:
        pass

    class Shop:
        @task
        def open(self) -> None:
            pass

    Shop.open.on_commit(lambda _: lines.append("commit method"))
    run(lambda: (one(), one.with_options(name="other")(), Shop().open()))
    with pytest.raises(KeyError), transaction():  # noqa: PT012 - what fails is the block
        one.with_options(name="other")()
        raise KeyError
    assert lines == ["commit", "commit", "commit method", "undo"]


def test_coroutines_have_transactions_of_their_own(story: Story) -> None:
    """Async tasks and hooks take part, on the loop and submitted; the methods are awaited."""

    @task
    async def one(value: int) -> int:
        txn = get_transaction()
        assert isinstance(txn, AsyncTransaction)
        txn.set("value", value)
        await asyncio.sleep(0)
        return value

    @one.on_rollback
    async def undo(txn: AsyncTransaction) -> None:
        await asyncio.sleep(0)
        story.lines.append(f"undo {txn.get('value')}")

    @one.on_commit
    async def done(txn: AsyncTransaction) -> None:
        await asyncio.sleep(0)
        story.lines.append(f"commit {txn.get('value')}")

    @flow
    async def around(*, fails: bool) -> None:
        async with atransaction(key=f"async {fails}") as txn:
            await one(1)
            one.submit(2).wait()
            txn.stage("value")
            if fails:
                raise ValueError("no")
        assert txn.is_committed()
        assert (await txn.read()).result == "value"
        assert not await txn.rollback()

    asyncio.run(around(fails=False))
    asyncio.run(around(fails=True, return_state=True))
    assert story.lines == ["commit 1", "commit 2", "undo 2", "undo 1"]


def test_a_plain_transaction_works_within_a_coroutine(story: Story) -> None:
    """``with`` in an async flow blocks the loop for the commit, and that is all."""
    one = story.step("one", cache_policy=INPUTS)

    @flow
    async def around() -> str:
        with transaction(key="plain") as txn:
            one(1)
            txn.stage(1)
        return txn.state

    assert asyncio.run(around()) == "COMMITTED"
    assert story.lines == ["one", "commit one"]


def test_coroutines_at_a_time_do_not_see_each_others_transactions() -> None:
    """Each has its own, as each thread does."""

    @flow
    async def around(number: int) -> bool:
        async with atransaction() as txn:
            await asyncio.sleep(0.001 * (number % 3))
            return get_transaction() is txn

    async def main() -> list[bool]:
        return await asyncio.gather(*(around(number) for number in range(6)))

    assert asyncio.run(main()) == [True] * 6


def test_an_interrupted_task_undoes_what_was_done_in_it(story: Story) -> None:
    """Interrupts and exits roll back too."""
    inner = story.step("inner")

    @task
    def outer() -> None:
        with transaction():
            inner()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        flow(outer, name="around")()
    assert story.lines == ["inner", "undo inner"]


def test_a_plain_tasks_transaction_is_there_when_asked_for() -> None:
    """Within a task there always is one, the same for all of its code."""

    @task
    def plain() -> Any:
        txn = get_transaction()
        txn.set("a", 1)
        return (
            get_transaction() is txn,
            get_transaction().get("a"),
            txn.state,
            txn.get("b", 2),
        )

    assert plain() == (True, 1, TransactionState.ACTIVE, 2)
    assert run(lambda: get_transaction()).result() is None
    assert current_engine().outside.transactions == {}


def test_values_and_nested_tasks_of_worker_processes_take_part(tmp_path: Path) -> None:
    """What the code of a task sets there its hooks see here; tasks that it calls are committed when the call returns."""
    log = tmp_path / "log"

    def note(text: str) -> None:
        with log.open("a") as file:
            file.write(f"{text}\n")

    @task(
        on_commit=[lambda _: note("committed")], on_rollback=[lambda _: note("undone")]
    )
    def below() -> None:
        note("below")

    @task
    def above(*, fails: bool) -> None:
        get_transaction().set("rows", get_transaction().get("rows", 0) + 1)
        below()
        if fails:
            raise ValueError("no")

    seen: list[Any] = []
    above.on_rollback(lambda txn: seen.append(txn.get("rows")))

    def body() -> None:
        with transaction() as txn:
            txn.set("rows", 4)
            above.submit(fails=False).wait()
            raise ValueError("no")

    processes = ProcessPoolTaskRunner(max_workers=1)
    run(body, task_runner=processes)
    run(lambda: above.submit(fails=True).wait(), task_runner=processes)
    assert seen == [5]
    assert log.read_text().split("\n")[:-1] == [
        "below", "committed", "below", "undone",
    ]  # fmt: skip


def test_words_that_are_none_are_refused() -> None:
    """Commit modes and isolation levels may be given as text, and misspelt ones are named."""
    assert transaction(commit_mode="EAGER").commit_mode is CommitMode.EAGER  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"commit_mode is EAGER or .*, not 'nope'"):
        transaction(commit_mode="nope")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"isolation_level is .*, not 'nope'"):
        atransaction(isolation_level="nope")  # type: ignore[arg-type]
