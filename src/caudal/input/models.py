"""The types of inputs: pydantic models that say what a flow run takes, and how it is sent."""

from __future__ import annotations

from inspect import isclass
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    Generic,
    Self,
    TypeVar,
    cast,
    overload,
)
from uuid import UUID, uuid4

from pydantic import (
    BaseModel,
    ConfigDict,
    PrivateAttr,
    PydanticSchemaGenerationError,
    create_model,
)

from caudal.clock import timestamp
from caudal.engine.composition import current_engine
from caudal.engine.context import current
from caudal.input.receiving import POLL_SECONDS, GetInputHandler, receiver
from caudal.model.inputs import RunInputChange
from caudal.twins import dispatched, in_thread

if TYPE_CHECKING:
    from collections.abc import Collection

    from caudal.model.inputs import RunInputRow

R = TypeVar("R", bound="BaseRunInput")
T = TypeVar("T")

#: What a sender that is a flow run is called, before its id.
_FLOW_RUN = "caudal.flow-run."


class RunInputMetadata(BaseModel):
    """Where an input came from."""

    key: str
    #: ``caudal.flow-run.ID`` of a flow run, or what the sender called itself.
    sender: str | None = None
    receiver: UUID


class BaseRunInput(BaseModel):
    """What every type of input can do."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    _description: ClassVar[str | None] = None
    _metadata: RunInputMetadata | None = PrivateAttr(default=None)

    @property
    def metadata(self) -> RunInputMetadata:
        """Where the input came from.

        Raises:
            RuntimeError: It was not received.
        """
        if self._metadata is None:
            msg = f"this {type(self).__name__} was made here, not received, so nothing is known of its sender."
            raise RuntimeError(msg)
        return self._metadata

    @classmethod
    def describes(cls) -> str | None:
        """Return what is asked for, in Markdown; None when nobody said."""
        return cls._description

    @classmethod
    def from_row(cls, row: RunInputRow) -> Self:
        """Return the input that is on record.

        Raises:
            pydantic.ValidationError: It does not fit.
        """
        made = cls.model_validate(row.value)
        made._metadata = RunInputMetadata(  # noqa: SLF001 - its own class
            key=row.key, sender=row.sender, receiver=UUID(bytes=row.flow_run_id)
        )
        return made

    @classmethod
    def with_initial_data(
        cls, description: str | None = None, **kwargs: Any
    ) -> type[Self]:
        """Return a type with other defaults, to show people what is known already.

        Args:
            description: What is asked for, in Markdown.
            kwargs: Defaults by field.
        """
        fields: dict[str, Any] = {}
        for name, value in kwargs.items():
            known = cls.model_fields.get(name)
            fields[name] = (type(value) if known is None else known.annotation, value)
        made = create_model(cls.__name__, __base__=cls, **fields)
        if description is not None:
            made._description = description  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        return made

    async def asend_to(
        self,
        flow_run_id: UUID | str,
        sender: str | None = None,
        key_prefix: str | None = None,
    ) -> None:
        """Send this input to a flow run; see `send_input`."""
        await asend_input(self, flow_run_id, sender, key_prefix)

    @dispatched(asend_to)
    def send_to(
        self,
        flow_run_id: UUID | str,
        sender: str | None = None,
        key_prefix: str | None = None,
    ) -> None:
        """Send this input to a flow run; see `send_input`."""
        _send(self, flow_run_id, sender, key_prefix)

    async def arespond(
        self,
        run_input: Any,
        sender: str | None = None,
        key_prefix: str | None = None,
    ) -> None:
        """Send an input to the flow run that sent this one; see `respond`."""
        await asend_input(run_input, self._sender(), sender, key_prefix)

    @dispatched(arespond)
    def respond(
        self,
        run_input: Any,
        sender: str | None = None,
        key_prefix: str | None = None,
    ) -> None:
        """Send an input to the flow run that sent this one.

        Raises:
            RuntimeError: No flow run sent it.
        """
        _send(run_input, self._sender(), sender, key_prefix)

    def _sender(self) -> UUID:
        sender = self.metadata.sender or ""
        if not sender.startswith(_FLOW_RUN):
            msg = f"the input was sent by {self.metadata.sender!r}, which is no flow run, so nobody can be answered."
            raise RuntimeError(msg)
        return UUID(sender.removeprefix(_FLOW_RUN))


class RunInput(BaseRunInput):
    """A type of input: subclass it with the fields that a flow run is to be given."""

    @classmethod
    def receive(
        cls,
        timeout: float | None = 3600,
        poll_interval: float = POLL_SECONDS,
        *,
        raise_timeout_error: bool = False,
        exclude_keys: Collection[str] | None = None,
        key_prefix: str | None = None,
        flow_run_id: UUID | str | None = None,
    ) -> GetInputHandler[Self]:
        """Return the inputs of this type that a flow run is sent; see `receive_input`."""
        return GetInputHandler(
            cls.from_row,
            key_prefix=key_prefix or _prefix(cls),
            timeout=timeout,
            poll_interval=poll_interval,
            raise_timeout_error=raise_timeout_error,
            exclude_keys=exclude_keys,
            flow_run_id=flow_run_id,
        )


class AutomaticRunInput(BaseRunInput, Generic[T]):
    """An input that is one value of a plain type."""

    value: T


def run_input_subclass_from_type(kind: Any) -> type[BaseRunInput]:
    """Return the type of input for a type: itself, a model of the same fields, or one with the field ``value``.

    Raises:
        TypeError: It is no type, or one that pydantic does not know.
    """
    if isclass(kind) and issubclass(kind, BaseRunInput):
        return kind
    if isclass(kind) and issubclass(kind, BaseModel):
        return cast(
            "type[RunInput]", type(f"{kind.__name__}RunInput", (RunInput, kind), {})
        )
    name = str(getattr(kind, "__name__", "")).lower()
    try:
        return create_model(
            f"{name}AutomaticRunInput",
            __base__=AutomaticRunInput[Any],
            value=(kind, ...),
        )
    except PydanticSchemaGenerationError:
        msg = f"{kind!r} is no type of input. Give a subclass of RunInput, a pydantic model, or a type that pydantic knows, such as int."
        raise TypeError(msg) from None


async def asend_input(
    run_input: Any,
    flow_run_id: UUID | str,
    sender: str | None = None,
    key_prefix: str | None = None,
) -> None:
    """Send an input to a flow run; see `send_input`."""
    await in_thread(_send, run_input, flow_run_id, sender, key_prefix)


@dispatched(asend_input)
def send_input(
    run_input: Any,
    flow_run_id: UUID | str,
    sender: str | None = None,
    key_prefix: str | None = None,
) -> None:
    """Send an input to a flow run, which gets it with `receive_input`.

    Where the caller can await, an awaitable is returned.

    Args:
        run_input: A `RunInput`, a pydantic model, or a value of a plain type.
        flow_run_id: Who gets it.
        sender: What the sender is called; the flow run in charge by default.
        key_prefix: What the key starts with; by default it follows from the type, as in `receive_input`.

    Raises:
        ObjectNotFound: There is no such flow run.
    """
    _send(run_input, flow_run_id, sender, key_prefix)


def _send(
    run_input: Any, flow_run_id: UUID | str, sender: str | None, key_prefix: str | None
) -> None:
    kind = run_input_subclass_from_type(type(run_input))
    if isinstance(run_input, BaseModel):
        value = run_input
    else:
        value = cast("type[AutomaticRunInput[Any]]", kind)(value=run_input)
    run = current.get()
    if sender is None and run is not None and run.scope.id is not None:
        sender = f"{_FLOW_RUN}{UUID(bytes=run.scope.id)}"
    key = f"{key_prefix or _prefix(kind)}-{uuid4()}"
    change = RunInputChange(key, value.model_dump(mode="json"), sender)
    engine = current_engine()
    engine.journal.barrier().wait()  # the receiver may be a run of this process that is not on record yet
    engine.ledger.inputs.put(receiver(flow_run_id), change, timestamp())


@overload
def receive_input(
    input_type: type[R],
    timeout: float | None = 3600,
    poll_interval: float = POLL_SECONDS,
    *,
    raise_timeout_error: bool = False,
    exclude_keys: Collection[str] | None = None,
    key_prefix: str | None = None,
    flow_run_id: UUID | str | None = None,
    with_metadata: bool = False,
) -> GetInputHandler[R]: ...
@overload
def receive_input(
    input_type: type[T],
    timeout: float | None = 3600,
    poll_interval: float = POLL_SECONDS,
    *,
    raise_timeout_error: bool = False,
    exclude_keys: Collection[str] | None = None,
    key_prefix: str | None = None,
    flow_run_id: UUID | str | None = None,
    with_metadata: bool = False,
) -> GetInputHandler[T]: ...
def receive_input(
    input_type: Any,
    timeout: float | None = 3600,
    poll_interval: float = POLL_SECONDS,
    *,
    raise_timeout_error: bool = False,
    exclude_keys: Collection[str] | None = None,
    key_prefix: str | None = None,
    flow_run_id: UUID | str | None = None,
    with_metadata: bool = False,
) -> GetInputHandler[Any]:
    """Return the inputs of a type that a flow run is sent, as an iterator for ``for`` and ``async for``, in the order in which they came.

    Args:
        input_type: A `RunInput`, a pydantic model, or any type that pydantic knows.
        timeout: Seconds to wait for the next one; then the iteration ends. None waits for ever.
        poll_interval: Seconds between two looks.
        raise_timeout_error: Raise ``TimeoutError`` when the wait is over.
        exclude_keys: Inputs to leave out.
        key_prefix: What the keys start with; by default it follows from the type, as in `send_input`.
        flow_run_id: Whose inputs; those of the flow run in charge by default.
        with_metadata: Yield values of plain types as `AutomaticRunInput`, which knows its sender.

    Raises:
        MissingContextError: No flow run is given, and none is in charge.
    """
    kind = run_input_subclass_from_type(input_type)

    def convert(row: RunInputRow) -> Any:
        made = kind.from_row(row)
        is_plain = issubclass(kind, AutomaticRunInput) and not with_metadata
        return cast("Any", made).value if is_plain else made

    return GetInputHandler(
        convert,
        key_prefix=key_prefix or _prefix(kind),
        timeout=timeout,
        poll_interval=poll_interval,
        raise_timeout_error=raise_timeout_error,
        exclude_keys=exclude_keys,
        flow_run_id=flow_run_id,
    )


def _prefix(kind: type[BaseRunInput]) -> str:
    return f"{kind.__name__.lower()}-auto"
