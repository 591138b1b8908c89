"""Cache policies: the algebra of keys, and that nothing is served when a part of a key is missing."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest

from caudal.cache_policies import (
    DEFAULT,
    FLOW_PARAMETERS,
    INPUTS,
    NO_CACHE,
    NONE,
    RUN_ID,
    TASK_SOURCE,
    CacheKeyFnPolicy,
    CachePolicy,
    CompoundCachePolicy,
    FlowParameters,
    Inputs,
    RunId,
    TaskSource,
)
from caudal.exceptions import CacheKeyError, HashError
from caudal.model.hashing import stable_hash


def double(x: int) -> int:
    """Return twice the number."""
    return 2 * x


def triple(x: int) -> int:
    """Return three times the number."""
    return 3 * x


def context(
    fn: Any = double, *, flow_run_id: str | None = "flow-1", task_run_id: str = "task-1"
) -> Any:
    """Return what a policy sees of a task run."""
    return SimpleNamespace(
        task=SimpleNamespace(fn=fn),
        task_run=SimpleNamespace(id=task_run_id, flow_run_id=flow_run_id),
    )


def key(
    policy: CachePolicy, ctx: Any = None, inputs: Any = None, parameters: Any = None
) -> str | None:
    """Return the key that a policy gives, checked against its parts."""
    arguments = (
        ctx or context(),
        inputs if inputs is not None else {"x": 1},
        parameters or {},
    )
    found = policy.compute_key(*arguments)
    assert found == policy.key_of(policy.parts(*arguments))
    return found


def test_inputs_count_by_name_and_value() -> None:
    """A key changes with the name, value or type of an input, not with their order."""
    base = key(INPUTS, inputs={"x": 1, "y": 2})

    assert base == key(INPUTS, inputs={"y": 2, "x": 1})
    others = [
        key(INPUTS, inputs=inputs)
        for inputs in ({"x": 2, "y": 1}, {"x": 1.0, "y": 2}, {"x": 1}, {"x": 1, "z": 2})
    ]
    assert len({base, *others}) == 5
    assert base == key(INPUTS, context(triple), inputs={"x": 1, "y": 2})


def test_excluded_inputs_do_not_count() -> None:
    """Subtracting an argument leaves it out, also when it cannot be hashed."""
    policy = INPUTS - "debug"

    assert Inputs(exclude=["debug"]) == policy
    assert key(policy, inputs={"x": 1, "debug": object()}) == key(
        policy, inputs={"x": 1}
    )
    assert key(policy - "x", inputs={"x": 1, "debug": 2}) == key(
        policy - "x", inputs={"x": 5, "debug": 6}
    )
    assert INPUTS.exclude == []


def test_a_call_without_inputs_has_no_key_from_inputs() -> None:
    """As in Prefect, inputs alone do not cache a task without parameters, but one whose parameters are all excluded."""
    assert key(INPUTS, inputs={}) is None
    assert key(INPUTS - "x", inputs={"x": 1}) is not None


def test_source_counts_and_inputs_do_not() -> None:
    """The source policy tells functions apart."""
    assert key(TASK_SOURCE) == key(TASK_SOURCE, inputs={"x": 2})
    assert key(TASK_SOURCE) != key(TASK_SOURCE, context(triple))


def test_source_that_a_task_carries_is_used() -> None:
    """A task that knows its source is not read from its file."""
    ctx = context(object())
    ctx.task.source_code = "def f(): ..."

    assert key(TASK_SOURCE, ctx) is not None
    with pytest.raises(HashError, match="the task's function"):
        key(TASK_SOURCE, context(object()))


def test_flow_parameters_count() -> None:
    """A key changes with the flow's parameters; without any there is no key."""
    assert key(FLOW_PARAMETERS) is None
    assert key(FLOW_PARAMETERS, parameters={"day": 1}) != key(
        FLOW_PARAMETERS, parameters={"day": 2}
    )


def test_the_run_is_the_flow_run_or_else_the_task_run() -> None:
    """Within a flow run all calls share the run's part, outside each has its own."""
    assert key(RUN_ID) == "flow-1"
    assert key(RUN_ID, context(flow_run_id=None)) == "task-1"


def test_without_a_run_its_parts_are_absent() -> None:
    """A key asked for outside a task run is made of what is known."""
    assert RUN_ID.compute_key(None, {}, {}) is None
    assert TASK_SOURCE.compute_key(None, {}, {}) is None


@pytest.mark.parametrize("nothing", [NONE, NO_CACHE])
def test_none_never_gives_a_key_and_adds_nothing(nothing: CachePolicy) -> None:
    """NONE is the neutral element of addition."""
    assert key(nothing) is None
    assert INPUTS + nothing == INPUTS
    assert nothing + INPUTS == INPUTS
    assert DEFAULT + nothing == DEFAULT


def test_the_default_is_inputs_source_and_run() -> None:
    """The default key changes with each of the three."""
    base = key(DEFAULT)
    others = [
        key(DEFAULT, inputs={"x": 2}),
        key(DEFAULT, context(triple)),
        key(DEFAULT, context(flow_run_id="flow-2")),
    ]

    assert len({base, *others}) == 4
    assert {"inputs.x", "task_source", "run_id"} == set(
        DEFAULT.parts(context(), {"x": 1}, {})
    )


def test_addition_is_flat_and_its_order_does_not_count() -> None:
    """Compound policies are taken apart, and both orders give one key."""
    one, other = INPUTS + TASK_SOURCE + RUN_ID, RUN_ID + (TASK_SOURCE + INPUTS)

    assert isinstance(one, CompoundCachePolicy)
    assert {type(policy) for policy in one.policies} == {Inputs, TaskSource, RunId}
    assert len(one.policies) == 3
    assert key(one) == key(other)


def test_exclusions_of_added_inputs_join() -> None:
    """Inputs in a sum become one policy that leaves out what any of them does."""
    policy = (INPUTS - "a") + TASK_SOURCE + Inputs(exclude=["b"]) - "c"

    assert isinstance(policy, CompoundCachePolicy)
    assert [Inputs(exclude=["a", "b", "c"])] == [
        inner for inner in policy.policies if isinstance(inner, Inputs)
    ]


def test_subtracting_where_no_inputs_count_changes_nothing() -> None:
    """Policies without inputs stay as they are; only names can be subtracted."""
    assert RUN_ID == RUN_ID - "x"
    assert RUN_ID + TASK_SOURCE == RUN_ID + TASK_SOURCE - "x"
    for policy in (RUN_ID, INPUTS, DEFAULT):
        with pytest.raises(TypeError, match="argument"):
            policy - 1  # type: ignore[operator]


def test_parts_without_a_key_are_left_out_of_a_sum() -> None:
    """As in Prefect, a policy that gives no key is left out; when none gives one, the call is not cached."""
    assert key(INPUTS + TASK_SOURCE, inputs={}) is not None
    assert key(INPUTS + FLOW_PARAMETERS, inputs={}) is None


def test_a_part_that_cannot_be_computed_fails_the_whole_key() -> None:
    """Nothing is cached under half a key."""
    for policy in (INPUTS, DEFAULT, FLOW_PARAMETERS + INPUTS):
        with pytest.raises(HashError, match=r"x\['rows'\]\[1\]"):
            key(policy, inputs={"x": {"rows": [1, object()]}})


def _raise(_: Any, inputs: dict[str, Any]) -> str:
    raise LookupError(str(inputs["x"]))


def test_a_key_function_is_the_key() -> None:
    """What the function returns is the key; None means no cache."""
    policy = CachePolicy.from_cache_key_fn(
        lambda ctx, inputs: f"{ctx.task_run.id}-{inputs['x']}"
    )

    assert key(policy) == "task-1-1"
    assert key(CacheKeyFnPolicy(cache_key_fn=lambda *_: None)) is None
    assert key(CacheKeyFnPolicy()) is None


def test_a_key_function_that_fails_fails_the_key() -> None:
    """An error in the function, or a key that is no text, is a HashError in parts and in sums."""
    failing = CacheKeyFnPolicy(cache_key_fn=_raise)

    with pytest.raises(HashError, match=r"cache_key_fn\._raise.*LookupError"):
        failing.parts(context(), {"x": 1}, {})
    with pytest.raises(HashError, match="LookupError"):
        (failing + TASK_SOURCE).compute_key(context(), {"x": 1}, {})
    with pytest.raises(HashError, match="value: <class 'object'>"):
        CacheKeyFnPolicy(cache_key_fn=lambda *_: stable_hash(object())).parts(
            context(), {}, {}
        )
    with pytest.raises(CacheKeyError, match=r"it returned 3\. It is to be a plain"):
        CacheKeyFnPolicy(cache_key_fn=lambda *_: 3).parts(context(), {}, {})  # type: ignore[arg-type, return-value]
    with pytest.raises(CacheKeyError, match="takes 1 positional argument but 2"):
        CacheKeyFnPolicy(cache_key_fn=lambda _: "k").parts(context(), {}, {})  # type: ignore[call-arg, arg-type, misc]


def test_a_coroutine_function_makes_no_keys() -> None:
    """The coroutine that it returns is named and closed."""

    async def wrong(*_: Any) -> str:
        return "k"

    with pytest.raises(CacheKeyError, match=r"<coroutine object .*wrong"):
        CacheKeyFnPolicy(cache_key_fn=wrong).parts(context(), {}, {})  # type: ignore[arg-type]


def test_two_key_functions_both_count() -> None:
    """Parts of one name in a sum do not hide each other."""

    def named(text: str) -> CacheKeyFnPolicy:
        return CacheKeyFnPolicy(cache_key_fn=lambda *_: text)

    assert key(named("a") + named("b")) != key(named("a") + named("c"))
    assert len((named("a") + named("a")).parts(context(), {}, {})) == 2


@dataclass
class Weekly(CachePolicy):
    """A user's policy, written as Prefect documents it."""

    week: int = 1

    def compute_key(self, *_: Any, **__: Any) -> str:
        """Return the week."""
        return f"week-{self.week}"


@dataclass
class Salted(Inputs):
    """A user's policy that builds on one of caudal's."""

    def compute_key(
        self,
        task_ctx: Any,
        inputs: dict[str, Any],
        flow_parameters: dict[str, Any],
        **kwargs: Any,
    ) -> str:
        """Return the key of the inputs, with salt."""
        return (
            f"salt-{super().compute_key(task_ctx, inputs, flow_parameters, **kwargs)}"
        )


def test_policies_of_users_work_alone_and_in_sums() -> None:
    """A subclass needs compute_key and nothing else."""
    assert key(Weekly()) == "week-1"
    assert key(Weekly() + INPUTS) != key(Weekly(week=2) + INPUTS)
    assert key(Salted()) == f"salt-{key(INPUTS)}"
    with pytest.raises(
        NotImplementedError, match="CachePolicy must define compute_key"
    ):
        CachePolicy().compute_key(context(), {}, {})


def test_settings_travel_through_the_algebra() -> None:
    """Configure returns a changed copy; a sum has the settings of its terms, which may not contradict each other."""
    configured = INPUTS.configure(
        key_storage="keys", lock_manager="locks", isolation_level="SERIALIZABLE"
    )
    total = TASK_SOURCE + configured + RUN_ID

    assert INPUTS.key_storage is None
    assert (total.key_storage, total.lock_manager, total.isolation_level) == (
        "keys",
        "locks",
        "SERIALIZABLE",
    )
    assert (configured - "x").key_storage == "keys"
    assert (total - "x").isolation_level == "SERIALIZABLE"
    assert configured.configure() == configured
    assert key(configured) == key(INPUTS)
    others = {
        "key_storage": "x",
        "lock_manager": "x",
        "isolation_level": "READ_COMMITTED",
    }
    for name, other in others.items():
        with pytest.raises(ValueError, match=name):
            configured + TASK_SOURCE.configure(**{name: other})
        with pytest.raises(ValueError, match=name):
            total + FlowParameters().configure(**{name: other})
    with pytest.raises(ValueError, match="READ_COMMITTED or SERIALIZABLE, not 'no'"):
        INPUTS.configure(isolation_level="no")


def test_parts_say_what_changed() -> None:
    """Comparing the parts of two calls names the inputs that differ."""
    policy = INPUTS + TASK_SOURCE + FLOW_PARAMETERS + RUN_ID
    before = policy.parts(context(), {"x": 1, "y": 2}, {"day": 1})
    after = policy.parts(context(triple), {"x": 1, "y": 3}, {"day": 1})

    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"inputs.y", "task_source"}
