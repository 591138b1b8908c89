"""Keeps the parameters of flow runs so that they come back exactly, in another process too.

Plain JSON values stand in the run's row. Others are pickled, and what the flow's own file defines is stored by that file and its name:
the file is a script in one process and a module in the next, and a copy of a class would be another class.
"""

from __future__ import annotations

import io
import os
import pickle
import sys
from types import FunctionType
from typing import TYPE_CHECKING, Any, cast

from caudal.exceptions import (
    CaudalError,
    DeserializationError,
    DurableParametersError,
    FlowRunNotResumableError,
)
from caudal.model.ids import format_id
from caudal.model.jsonable import is_exact, jsonable

if TYPE_CHECKING:
    from caudal.engine.flow_scope import FlowScope
    from caudal.engine.parts import Parts
    from caudal.model.runs import FlowRunRow
    from caudal.model.specs import FlowSpec

#: What is known of an object that has no hash.
_UNKNOWN = "unknown"


def record_parameters(scope: FlowScope) -> dict[str, Any]:
    """Return the details from which a flow run's parameters can be had again.

    A run's row shows its parameters as JSON, shortened. Where that is not exactly what was given, and the flow is durable or stores
    results, the parameters are stored like a result.

    Raises:
        DurableParametersError: The flow is durable, and they cannot be stored.
    """
    given = scope.parameters
    if all(is_exact(value) and jsonable(value) == value for value in given.values()):
        return {}
    durable = scope.durable_key is not None
    if not (durable or scope.persist) or scope.id is None:
        return {"parameters": "shown"}
    key = f"flow-run-{format_id(scope.id)}-parameters"
    try:
        blobs = {name: _dumps(name, value) for name, value in given.items()}
        scope.parts.results.write(blobs, key, serializer="pickle")
    except (_NotKept, CaudalError) as error:
        if durable:
            name = scope.spec.name if scope.spec else ""
            raise DurableParametersError(name, str(error)) from error
        return {"parameters": "shown"}
    return {"parameters": "stored", "parameters_key": key}


def recorded_parameters(parts: Parts, row: FlowRunRow) -> dict[str, Any]:
    """Return the parameters that a flow run was started with.

    Raises:
        FlowRunNotResumableError: They were not kept exactly.
        MissingResult: They were stored and are gone.
        DeserializationError: They were stored and cannot be read back.
    """
    match row.details.get("parameters"):
        case None:
            return dict(row.parameters)
        case "stored":
            blobs: dict[str, bytes] = parts.results.load(row.details["parameters_key"])
            return {name: _loads(name, blob) for name, blob in blobs.items()}
        case _:
            raise FlowRunNotResumableError(
                row.name,
                "its parameters cannot be had again from the record, which shows them shortened. Give them once more, "
                "or set persist_result=True on the flow so that they are stored next time.",
            )


def owner_details(spec: FlowSpec) -> dict[str, str]:
    """Return the details that tell what a flow is bound to; empty unless it is a method."""
    if not spec.owner:
        return {}
    from caudal.model.hashing import owner_hash  # noqa: PLC0415 - 10 ms that only methods need

    [(name, owner)] = spec.owner.items()
    try:
        return {"owner": owner_hash(owner, name=name)}
    except CaudalError:
        return {"owner": _UNKNOWN}


def had_owner(spec: FlowSpec, row: FlowRunRow) -> bool:
    """Say whether a flow run was one of a method of an equal object, or of no method either; where that cannot be known it was not."""
    now, was = owner_details(spec).get("owner"), row.details.get("owner")
    return now == was and now != _UNKNOWN


def had_parameters(parts: Parts, row: FlowRunRow, given: dict[str, Any]) -> bool:
    """Say whether a flow run was started with these parameters; where that cannot be known it was not."""
    from caudal.model.hashing import stable_hash  # noqa: PLC0415 - 10 ms that only resumed runs need

    try:
        return stable_hash(recorded_parameters(parts, row)) == stable_hash(given)
    except CaudalError:
        return False


class _NotKept(Exception):  # noqa: N818 - a reason, not for users
    """Why a parameter cannot be stored."""


def _dumps(name: str, value: Any) -> bytes:
    file = io.BytesIO()
    try:
        _Pickler(file, protocol=5).dump(value)
    except Exception as error:
        raise _NotKept(f"parameter {name!r}: {type(error).__name__}: {error}") from error  # fmt: skip
    return file.getvalue()


def _loads(name: str, blob: bytes) -> Any:
    try:
        return pickle.loads(blob)  # noqa: S301 - from the ledger, which processes of one user share
    except Exception as error:
        raise DeserializationError(f"parameter {name!r}", "pickle", f"{type(error).__name__}: {error}") from error  # fmt: skip


class _Pickler(pickle.Pickler):
    """Pickles what a script defines by the script's file and the name in it."""

    def reducer_override(self, obj: Any) -> Any:
        """Return how to find a class or function again, where its module has another name in another process."""
        if not isinstance(obj, (type, FunctionType)) or not _is_script(obj.__module__):
            return NotImplemented
        file = os.path.realpath(cast("str", sys.modules[obj.__module__].__file__))
        if _find(file, obj.__qualname__) is not obj:
            msg = f"{obj.__qualname__} cannot be found by its name in {file}"
            raise pickle.PicklingError(msg)
        return _find, (file, obj.__qualname__)


def _is_script(name: str) -> bool:
    """Say whether a module is one that other processes may load under another name."""
    module = sys.modules.get(name)
    if getattr(module, "__file__", None) is None:
        return False
    return name == "__main__" or name.startswith("caudal_flow_file_")


def _find(file: str, qualname: str) -> Any:
    """Return what a loaded file defines under a name.

    Raises:
        LookupError: The file is not loaded, or has no such name.
    """
    for module in list(sys.modules.values()):
        if os.path.realpath(getattr(module, "__file__", None) or "") != file:
            continue
        found: Any = module
        for part in qualname.split("."):
            found = getattr(found, part, None)
        if found is not None:
            return found
    msg = f"{file} is not loaded here, or does not define {qualname}"
    raise LookupError(msg)
