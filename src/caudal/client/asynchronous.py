"""The client whose methods are awaited: each does what the one of ``SyncClient`` does, in a thread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self, Unpack

from caudal.client.limits import AsyncLimitMethods
from caudal.twins import in_own_thread, in_thread

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from uuid import UUID

    from caudal.artifacts.kinds import Artifact
    from caudal.client.operations import Operations
    from caudal.client.schemas.filters import LogFilter
    from caudal.client.schemas.objects import (
        Flow,
        FlowRunInput,
        Log,
        OrchestrationResult,
    )
    from caudal.client.schemas.queries import Filters, FlowRunQuery, TaskRunQuery
    from caudal.client.schemas.sorting import LogSort
    from caudal.flows import Flow as DecoratedFlow
    from caudal.model.checks import CheckResult
    from caudal.model.states import State
    from caudal.model.views import BlockDocument, FlowRun, TaskRun
    from caudal.variables import Variable


class AsyncClient(AsyncLimitMethods):
    """Reads the ledger and asks things of flow runs, without blocking the event loop; in ``with`` it gives the client whose methods block.

    Args:
        client: What it does it with.
    """

    def __init__(self, client: Operations) -> None:
        self._client = self._limits = client

    def __enter__(self) -> Operations:
        return self._client

    def __exit__(self, *_: object) -> None:
        pass

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def read_flow_run(self, flow_run_id: UUID | str) -> FlowRun:
        """See `SyncClient.read_flow_run`."""
        return await in_thread(self._client.read_flow_run, flow_run_id)

    async def read_task_run(self, task_run_id: UUID | str) -> TaskRun:
        """See `SyncClient.read_task_run`."""
        return await in_thread(self._client.read_task_run, task_run_id)

    async def read_flow_by_name(self, flow_name: str) -> Flow:
        """See `SyncClient.read_flow_by_name`."""
        return await in_thread(self._client.read_flow_by_name, flow_name)

    async def api_healthcheck(self) -> Exception | None:
        """See `SyncClient.api_healthcheck`."""
        return await in_thread(self._client.api_healthcheck)

    async def read_flow_runs(self, **query: Unpack[FlowRunQuery]) -> list[FlowRun]:
        """See `SyncClient.read_flow_runs`."""
        return await in_thread(self._client.read_flow_runs, **query)

    async def count_flow_runs(self, **filters: Unpack[Filters]) -> int:
        """See `SyncClient.count_flow_runs`."""
        return await in_thread(self._client.count_flow_runs, **filters)

    async def read_task_runs(self, **query: Unpack[TaskRunQuery]) -> list[TaskRun]:
        """See `SyncClient.read_task_runs`."""
        return await in_thread(self._client.read_task_runs, **query)

    async def count_task_runs(self, **filters: Unpack[Filters]) -> int:
        """See `SyncClient.count_task_runs`."""
        return await in_thread(self._client.count_task_runs, **filters)

    async def read_flow_run_states(
        self, flow_run_id: UUID | str
    ) -> list[State[object]]:
        """See `SyncClient.read_flow_run_states`."""
        return await in_thread(self._client.read_flow_run_states, flow_run_id)

    async def read_task_run_states(
        self, task_run_id: UUID | str
    ) -> list[State[object]]:
        """See `SyncClient.read_task_run_states`."""
        return await in_thread(self._client.read_task_run_states, task_run_id)

    async def read_logs(
        self,
        log_filter: LogFilter | None = None,
        limit: int | None = 1000,
        offset: int = 0,
        sort: LogSort | None = None,
        *,
        flow_run_id: UUID | str | None = None,
        task_run_id: UUID | str | None = None,
        since: int = 0,
    ) -> list[Log]:
        """See `SyncClient.read_logs`."""
        return await in_thread(
            self._client.read_logs,
            log_filter,
            limit,
            offset,
            sort,
            flow_run_id=flow_run_id,
            task_run_id=task_run_id,
            since=since,
        )

    async def read_checks(self, flow_run_id: UUID | str) -> list[CheckResult]:
        """See `SyncClient.read_checks`."""
        return await in_thread(self._client.read_checks, flow_run_id)

    async def cancel_flow_run(self, flow_run_id: UUID | str) -> FlowRun:
        """See `SyncClient.cancel_flow_run`."""
        return await in_thread(self._client.cancel_flow_run, flow_run_id)

    async def resume_flow_run(
        self, flow_run_id: UUID | str, run_input: Any = None
    ) -> OrchestrationResult:
        """See `SyncClient.resume_flow_run`."""
        return await in_own_thread(self._client.resume_flow_run, flow_run_id, run_input)

    async def set_flow_run_state(
        self,
        flow_run_id: UUID | str,
        state: State[Any],
        force: bool = False,  # noqa: FBT001, FBT002 - Prefect's signature
    ) -> OrchestrationResult:
        """See `SyncClient.set_flow_run_state`."""
        return await in_thread(
            self._client.set_flow_run_state, flow_run_id, state, force
        )

    async def set_flow_run_name(self, flow_run_id: UUID | str, name: str) -> FlowRun:
        """See `SyncClient.set_flow_run_name`."""
        return await in_thread(self._client.set_flow_run_name, flow_run_id, name)

    async def update_flow_run(
        self,
        flow_run_id: UUID | str,
        flow_version: str | None = None,
        parameters: dict[str, Any] | None = None,
        name: str | None = None,
        tags: Iterable[str] | None = None,
    ) -> FlowRun:
        """See `SyncClient.update_flow_run`."""
        return await in_thread(
            self._client.update_flow_run,
            flow_run_id,
            flow_version,
            parameters,
            name,
            tags,
        )

    async def create_flow_run(
        self,
        flow: DecoratedFlow[..., Any],
        name: str | None = None,
        parameters: dict[str, Any] | None = None,
        tags: Iterable[str] = (),
    ) -> FlowRun:
        """See `SyncClient.create_flow_run`."""
        return await in_thread(
            self._client.create_flow_run, flow, name, parameters, tags
        )

    async def create_flow_run_input(
        self, flow_run_id: UUID | str, key: str, value: str, sender: str | None = None
    ) -> None:
        """See `SyncClient.create_flow_run_input`."""
        await in_thread(
            self._client.create_flow_run_input, flow_run_id, key, value, sender
        )

    async def read_flow_run_input(self, flow_run_id: UUID | str, key: str) -> str:
        """See `SyncClient.read_flow_run_input`."""
        return await in_thread(self._client.read_flow_run_input, flow_run_id, key)

    async def filter_flow_run_input(
        self,
        flow_run_id: UUID | str,
        key_prefix: str,
        limit: int,
        exclude_keys: Collection[str] = (),
    ) -> list[FlowRunInput]:
        """See `SyncClient.filter_flow_run_input`."""
        return await in_thread(
            self._client.filter_flow_run_input,
            flow_run_id,
            key_prefix,
            limit,
            exclude_keys,
        )

    async def delete_flow_run_input(self, flow_run_id: UUID | str, key: str) -> None:
        """See `SyncClient.delete_flow_run_input`."""
        await in_thread(self._client.delete_flow_run_input, flow_run_id, key)

    async def read_artifact(self, artifact_id: UUID | str) -> Artifact:
        """See `SyncClient.read_artifact`."""
        return await in_thread(self._client.read_artifact, artifact_id)

    async def read_artifacts(
        self,
        *,
        key: str | None = None,
        flow_run_id: UUID | str | None = None,
        task_run_id: UUID | str | None = None,
        limit: int = 100,
        before: UUID | str | None = None,
    ) -> list[Artifact]:
        """See `SyncClient.read_artifacts`."""
        return await in_thread(
            self._client.read_artifacts,
            key=key,
            flow_run_id=flow_run_id,
            task_run_id=task_run_id,
            limit=limit,
            before=before,
        )

    async def read_latest_artifacts(
        self, *, limit: int = 100, after: str = ""
    ) -> list[Artifact]:
        """See `SyncClient.read_latest_artifacts`."""
        return await in_thread(
            self._client.read_latest_artifacts, limit=limit, after=after
        )

    async def delete_artifact(self, artifact_id: UUID | str) -> None:
        """See `SyncClient.delete_artifact`."""
        await in_thread(self._client.delete_artifact, artifact_id)

    async def read_variable_by_name(self, name: str) -> Variable[object] | None:
        """See `SyncClient.read_variable_by_name`."""
        return await in_thread(self._client.read_variable_by_name, name)

    async def read_variables(
        self, limit: int = 100, *, after: str = ""
    ) -> list[Variable[object]]:
        """See `SyncClient.read_variables`."""
        return await in_thread(self._client.read_variables, limit, after=after)

    async def delete_variable_by_name(self, name: str) -> None:
        """See `SyncClient.delete_variable_by_name`."""
        await in_thread(self._client.delete_variable_by_name, name)

    async def read_block_document(self, block_document_id: UUID | str) -> BlockDocument:
        """See `SyncClient.read_block_document`."""
        return await in_thread(self._client.read_block_document, block_document_id)

    async def read_block_document_by_name(
        self, name: str, block_type_slug: str
    ) -> BlockDocument:
        """See `SyncClient.read_block_document_by_name`."""
        return await in_thread(
            self._client.read_block_document_by_name, name, block_type_slug
        )

    async def read_block_documents(
        self,
        block_type_slug: str | None = None,
        *,
        limit: int = 100,
        before: UUID | str | None = None,
    ) -> list[BlockDocument]:
        """See `SyncClient.read_block_documents`."""
        return await in_thread(
            self._client.read_block_documents,
            block_type_slug,
            limit=limit,
            before=before,
        )

    async def read_block_types(self) -> dict[str, int]:
        """See `SyncClient.read_block_types`."""
        return await in_thread(self._client.read_block_types)

    async def delete_block_document(self, block_document_id: UUID | str) -> None:
        """See `SyncClient.delete_block_document`."""
        await in_thread(self._client.delete_block_document, block_document_id)
