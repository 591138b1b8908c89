"""Decides for one task run whether its result is kept, and whether one that is kept already will do.

Two things make a kept result usable: the flow run is a resumed one and recorded this very call with the same inputs, or the task
has a cache policy and a result lies under the key it computes. Both end the run without a call of the function. Reasons
to doubt (a key that cannot be computed, a value that is damaged) mean that the function is called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from caudal.engine.logs import task_logger
from caudal.engine.recorded import failed_tries, is_forgotten
from caudal.engine.results import USUAL, StoredValue
from caudal.engine.snapshots import CacheContext
from caudal.exceptions import (
    CaudalError,
    LedgerError,
    ResultCorruptedError,
    ResultLostError,
    StorageError,
    StorageKeyError,
)
from caudal.model.cache import DEFAULT, INPUTS
from caudal.model.hashing import stable_hash
from caudal.model.hashing_closures import ONLY_HERE
from caudal.model.ids import format_id
from caudal.model.states import is_terminal
from caudal.settings import get_current_settings

if TYPE_CHECKING:
    from caudal.engine.live_task import LiveTask
    from caudal.engine.recorded import Recorded
    from caudal.exceptions import ResumeMismatchError
    from caudal.model.results import StoredResult
    from caudal.model.runs import TaskRunRow


class Kept:
    """A kept result that will do.

    Args:
        stored: Its record.
        value: The value.
        recorded: The row of this very call when the flow run is a resumed one, else None.
    """

    __slots__ = ("recorded", "stored", "value")

    recorded: TaskRunRow | None
    stored: StoredResult
    value: Any

    def __init__(
        self, stored: StoredResult, value: Any, recorded: TaskRunRow | None
    ) -> None:
        self.stored, self.value, self.recorded = stored, value, recorded


class Keeping:
    """What is kept of one task run.

    Args:
        run: The task run, its inputs resolved.
    """

    __slots__ = (
        "_hash",
        "_is_prepared",
        "_key",
        "_parts",
        "_place",
        "_run",
        "persists",
    )

    persists: bool

    def __init__(self, run: LiveTask) -> None:
        self._run = run
        #: Whether the result is stored.
        self.persists = (
            run.scope.persist if run.spec.persist is None else run.spec.persist
        )
        self._key: str | None = None
        self._parts: dict[str, str] = {}
        self._place = USUAL
        self._hash: str | None = None
        self._is_prepared = False

    @property
    def key(self) -> str | None:
        """The key under which the result can be found again, once that is known; None when it cannot."""
        return self._key

    def prepare(self) -> None:
        """Find out under which key the result is kept, and where; a second call does nothing.

        Raises:
            ConfigurationError: The place for results that was named is none, or the key for them cannot be made.
        """
        if self._is_prepared or not self.persists:
            return
        self._is_prepared = True
        run, policy = self._run, self._run.spec.cache_policy
        self._place = run.scope.parts.results.place(
            run.scope.storage if run.spec.storage is None else run.spec.storage,
            None if policy is None else policy.key_storage,
        )
        self._key = self._cache_key()
        if self._key is None:
            self._hash = self._inputs_hash()

    def find(self) -> Kept | None:
        """Return a kept result that makes the call needless, or None.

        Raises:
            ResumeMismatchError: One is recorded for this call, made with other inputs or code, and the settings ask for an error.
            ConfigurationError: The place for results that was named is none.
            StorageError: It cannot be reached; a result could not be stored there either.
        """
        if not self.persists:
            return None
        self.prepare()
        run = self._run
        refresh = run.spec.refresh_cache
        if (
            refresh
            if refresh is not None
            else get_current_settings().tasks_refresh_cache
        ):
            return None
        recorded = run.scope.recorded
        row = None if recorded is None else recorded.task(run.path)
        if recorded is None or row is None:
            return self._cached()
        if is_forgotten(row.details):
            return None
        return self._recorded_or_cached(recorded, row)

    def _cached(self) -> Kept | None:
        """Return what is kept under the key, or None."""
        return self._read(self._key, None) if self._key else None

    def adopt(self, kept: Kept) -> None:
        """End the run with a kept result."""
        run = self._run
        run.stored = kept.stored
        data: Any = kept.value
        if not run.spec.cache_in_memory:
            data = self.stored_value(kept.stored)
        run.scope.origins.note(data, run)
        if kept.recorded is None:
            run.know(result_key=kept.stored.key)
            run.finish("COMPLETED", "Cached", data)
            return
        run.forget_news()  # the ledger has it all already
        run.type, run.state_name = "COMPLETED", kept.recorded.state_name
        run.at, run.data = kept.recorded.ended_at or run.at, data
        run.scope.restored += 1
        run.close()

    def adopt_failure(self, recorded: Recorded) -> bool:
        """End the run as an earlier attempt did whose tries all failed, and say whether it had; it is not tried again.

        The inputs and the source have to be the same, and the exception to be kept: else it is another call, or the flow's code would not know it.
        """
        run, row = self._run, recorded.task(self._run.path)
        if row is None or row.state_type != "FAILED" or self._key is None:
            return False
        details = row.details or {}
        if (
            not failed_tries(row, run.scope.failures)
            or details.get("error_key") is None
        ):
            return False
        if self._difference(details) is not None:
            return False
        try:
            error = run.scope.parts.results.load(details["error_key"])
        except CaudalError as problem:
            self._warn(problem)
            return False
        run.forget_news()  # the ledger has it all already
        run.type, run.state_name, run.data = "FAILED", row.state_name, error
        run.message = details.get("message")
        task_logger(run).error("%s (in an earlier attempt; no try is left)", run.message)  # fmt: skip
        run.close()
        return True

    def refuse(self, mismatch: ResumeMismatchError) -> None:
        """Fail the run in this process, and leave what is recorded of it as it is."""
        run = self._run
        run.forget_news()
        run.type, run.state_name, run.data = "FAILED", "Failed", mismatch
        run.message = str(mismatch)
        run.close()

    def stored_value(self, stored: StoredResult) -> StoredValue:
        """Return a stored result that is read anew whenever it is asked for."""
        return StoredValue(self._run.scope.parts.results, stored, self._place)

    def store(self, value: Any) -> StoredResult:
        """Store the run's result; called before the run completes, or within a transaction when that is committed.

        Raises:
            SerializationError: The value cannot be serialized.
            StorageError: It cannot be written.
        """
        run = self._run
        spec = run.spec
        serializer = spec.serializer
        if serializer is None and run.scope.spec is not None:
            serializer = run.scope.spec.serializer
        stored = run.scope.parts.results.write(
            value,
            self._key or format_id(run.id),
            scope=None if is_terminal(run.scope.type) else run.scope,
            serializer=serializer,
            expiration=spec.cache_expiration,
            place=self._place,
        )
        run.stored = stored
        run.know(result_key=stored.key)
        if self._key is None:
            run.know(inputs_hash=self._hash)
        return stored

    def _recorded_or_cached(self, recorded: Recorded, row: TaskRunRow) -> Kept | None:
        """Return the result of this very call from an earlier attempt at the flow run, if its inputs were the same, else what is in the cache."""
        details = row.details or {}
        result_key = details.get("result_key")
        if row.state_type != "COMPLETED" or result_key is None:
            return self._cached()
        difference = self._difference(details)
        if difference is None:
            kept = self._read(result_key, row)
            return kept if kept or result_key == self._key else self._cached()
        kept = self._cached()
        text = f"{row.path!r} completed in an earlier attempt with other inputs or other code: {difference}"
        instead = "It is run again." if kept is None else "Its result is in the cache."
        recorded.report(self._run.scope, text, instead)
        return kept

    def _difference(self, details: dict[str, Any]) -> str | None:
        """Say how this call differs from the one on record, or None where it does not.

        A call that cannot be compared differs.
        """
        was: dict[str, str | None]
        now: dict[str, str | None]
        if self._key is None:
            was, now = {"inputs": details.get("inputs_hash")}, {"inputs": self._hash}
            is_same = was == now and now["inputs"] is not None
        else:
            was, now = _everywhere(details.get("cache_parts")), _everywhere(self._parts)
            is_same = was == now
        if is_same:
            return None
        changed = sorted(
            name for name in was.keys() | now.keys() if was.get(name) != now.get(name)
        )
        return ", ".join(
            f"{name} was {_short(was.get(name))} and is {_short(now.get(name))}"
            for name in changed or was
        )

    def _read(self, key: str, recorded: TaskRunRow | None) -> Kept | None:
        results = self._run.scope.parts.results
        try:
            stored = results.find(key, self._place)
            if stored is None:
                return None
            value = results.read(stored, self._place)
            results.note(stored, self._run.scope, self._place)
            return Kept(stored, value, recorded)
        except (LedgerError, StorageError) as error:
            if not isinstance(error, (ResultLostError, ResultCorruptedError)):
                raise
            self._warn(error)
            return None
        except CaudalError as error:
            self._warn(error)
            return None

    def _warn(self, error: CaudalError) -> None:
        task_logger(self._run).warning(
            "a kept result cannot be used, the task is run again: %s", error
        )

    def _cache_key(self) -> str | None:
        """Return the key under which the result can be found again, or None when it cannot."""
        run = self._run
        spec, scope = run.spec, run.scope
        if get_current_settings().tasks_disable_caching:
            return None
        context = CacheContext(run)
        policy = DEFAULT if spec.cache_policy is None else spec.cache_policy
        try:
            if spec.storage_key and spec.cache_policy is None:
                key = _named_key(spec.storage_key, context)
                self._parts = {"result_storage_key": key}
            else:
                self._parts = policy.parts(
                    context, context.parameters, scope.parameters
                )
                key = policy.key_of(self._parts)
        except StorageKeyError:
            raise
        except Exception as error:  # noqa: BLE001 - keys may come from the user's function
            task_logger(run).warning("the result cannot be cached: %s", error)
            return None
        if key is not None:
            run.know(cache_key=key, cache_parts=self._parts)
        return key

    def _inputs_hash(self) -> str | None:
        """Return what a resumed run compares the call's inputs by, before the function can change them."""
        context = CacheContext(self._run)
        try:
            return stable_hash(INPUTS.parts(context, context.parameters, {}))
        except CaudalError as error:
            task_logger(self._run).debug(
                "the inputs cannot be compared when the run is resumed: %s", error
            )
            return None


def _everywhere(parts: dict[str, str] | None) -> dict[str, str | None]:
    """Return the parts of a key that mean something in another process too."""
    return {name: part for name, part in (parts or {}).items() if not part.startswith(ONLY_HERE)}  # fmt: skip


def _short(part: str | None) -> str:
    """Return enough of a part of a key to tell it from another one."""
    return "unknown" if part is None else repr(part[:12])


def _named_key(template: str, context: CacheContext) -> str:
    """Return the key that a ``result_storage_key`` stands for.

    Raises:
        StorageKeyError: It cannot be filled in.
    """
    try:
        return template.format(
            parameters=context.parameters,
            flow_run=context.flow_run,
            task_run=context.task_run,
        )
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        raise StorageKeyError(template, context.task.name, reason, tuple(context.parameters)) from error  # fmt: skip
