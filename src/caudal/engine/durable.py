"""What makes a flow run durable: a call of its flow finds the run that a dead process left, and goes on with it.

A durable flow run bears a *durable key* from its creation: a hash of flow, file and parameters, and of what a method is bound to. As long as the run has not
come to an end of its own, a call with the same key takes it up if its process is gone, instead of starting a new run:

- a run that a live process works on is left alone, and the call starts a new one;
- of several lost runs the oldest is taken first, each by one call;
- a run that was given up, because it was lost too often, is refused, and the call with it;
- a run that failed, was cancelled, or ended its own process (``sys.exit``) has an end of its own, and is left to people.

A process of another machine may only seem to live until its lease has run out or is renewed: the call waits for one of the two.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from caudal.clock import timestamp
from caudal.engine.liveness import can_be_seen
from caudal.exceptions import (
    DurableParametersError,
    FlowRunNotResumableError,
    HashError,
)
from caudal.ledger.takeover import is_lost_pause
from caudal.model.hashing import owner_hash, stable_hash

if TYPE_CHECKING:
    from caudal.engine.parts import Parts
    from caudal.model.runs import FlowRunRow
    from caudal.model.specs import FlowSpec

_LOOK_SECONDS = 0.1


def durable_key(spec: FlowSpec, parameters: dict[str, Any]) -> str:
    """Return what calls of a flow with the same parameters have in common.

    Raises:
        DurableParametersError: A parameter cannot be compared with those of another process.
    """
    hashes: dict[str, str] = {}
    for name, value in {**spec.owner, **parameters}.items():
        hash_of = owner_hash if name in spec.owner else stable_hash
        try:
            hashes[name] = hash_of(value, name=name)
        except HashError as error:
            reason = f"parameter {name!r} has a value of type {error.type_name!r}: {error.reason}"
            raise DurableParametersError(spec.name, reason) from error
    return stable_hash([spec.name, spec.entrypoint, hashes])


def take_lost_run(
    spec: FlowSpec, parameters: dict[str, Any], parts: Parts
) -> FlowRunRow | None:
    """Take over a run that a dead process left of a call with the same parameters, and return it; None when there is none.

    Raises:
        DurableParametersError: See `durable_key`.
        FlowRunNotResumableError: There is one that was given up: started again and again, it would go on killing its processes.
    """
    key = durable_key(spec, parameters)
    parts.journal.barrier().wait()
    _wait_for_certainty(key, parts)
    parts.sweep()
    for row in parts.ledger.unfinished(key):
        if row.state_type == "CRASHED" or is_lost_pause(row):
            try:
                return parts.claim(row.id)
            except FlowRunNotResumableError:  # another process was faster
                continue
    for row in parts.ledger.unfinished(key, given_up=True, limit=1):
        return parts.claim(row.id)
    return None


def _wait_for_certainty(key: str, parts: Parts) -> None:
    """Wait until it is known of the owners of runs with a key whether they live: they renew their lease, or it runs out."""
    ledger = parts.ledger
    owners = {row.owner for row in ledger.unfinished(key) if row.owner is not None}
    if not owners:
        return
    doubtful = {
        lease.owner: lease.expires_at
        for lease in ledger.leases()
        if lease.owner in owners and not can_be_seen(lease)
    }
    while doubtful:
        now = timestamp()
        current = {lease.owner: lease.expires_at for lease in ledger.leases()}
        doubtful = {
            owner: expires_at
            for owner, expires_at in doubtful.items()
            if current.get(owner) == expires_at and expires_at > now
        }
        if doubtful:
            time.sleep(_LOOK_SECONDS)
