"""Every error that caudal raises, under one root, ``CaudalError``.

    CaudalError
    +-- ConfigurationError          something is set up in a way that cannot be used
    |   +-- SettingError, UnknownSettingError, SettingsFileError
    |   +-- UnknownSerializerError
    |   +-- StorageKeyError             a template for the keys of results cannot be filled in
    |   +-- EncryptionKeyError          the key for secrets cannot be used
    +-- ParameterError              a flow or task was called with arguments it does not accept
    |   +-- ParameterBindError          missing, surplus or unknown arguments
    |   |   +-- SignatureMismatchError  parameters by a name that there is none of
    |   +-- ParameterTypeError          a value that does not fit its type hint
    +-- ReservedArgumentError       a parameter has a name that calls use themselves
    +-- MappingError                arguments that cannot be mapped over
    |   +-- MappingLengthMismatch, MappingMissingIterable
    +-- MissingContextError         a call that only works inside a run; also a RuntimeError
    +-- MissingContextError         a call that only works inside a run
    +-- FlowVisualizationError, GraphvizExecutableNotFoundError
    +-- ScriptError                 a flow file that cannot be loaded
    |   +-- MissingFlowError            no such flow in the file
    |   +-- UnspecifiedFlowError        several flows in the file and none was named
    +-- UnsupportedImportError      a pipeline written for Prefect imports a name that caudal does not have; also an ImportError
    |   +-- UnsupportedIntegrationError  it imports a package such as prefect_aws
    +-- UnsupportedNameError        it uses such a name; also an AttributeError
    +-- RunError                    the outcome of a run, raised where its result is asked for
    |   +-- FailedRun, RemoteError      the run failed; an error of another process, as text
    |   +-- CrashedRun, WorkerCrashedError
    |   +-- CancelledRun, PausedRun
    |   +-- UnfinishedRun, UpstreamTaskError
    |   +-- RunTimeoutError, TaskRunTimeoutError, FlowRunTimeoutError
    |   +-- MissingResult               the run completed but its result was not kept
    |   |   +-- ResultNotFoundError         there is no result under a key
    |   +-- LeaseLostError              another process took the run over
    |   +-- FlowRunNotResumableError    the run cannot be taken up again
    |   +-- FlowRunNotCancellableError  the run has ended
    |   +-- TaskRunNotReplayableError   the task run cannot be run again by itself
    |   +-- FlowRunNotPausableError     the run has ended, or the call is not in its flow's own code
    |   +-- FlowPauseTimeout            the run was paused and not resumed in time
    |   +-- FlowRunWaitTimeout          the run did not end while somebody waited for it
    |   +-- RunInputError               an input does not fit what the run waits for
    +-- ObjectNotFound              nothing is recorded under an id or name
    |   +-- BlockNotFound               no such block; also a ValueError
    +-- AssetNotMadeError           metadata for an asset that the task does not make; also a ValueError
    +-- UnknownBlockType            the class of a type of block is not imported
    +-- BlockNotLoadableError       what is kept of a block does not fit its class; also a ValueError
    +-- SecretNotReadableError      a secret was encrypted with another key
    +-- ObjectAlreadyExists         something of that name is there already; also a ValueError
    +-- InvalidNameError            a name or key has characters that are not permitted; also a ValueError
    +-- InvalidValueError           a value cannot be kept where it was to be kept; also a ValueError
    +-- AmbiguousNameError          a short id or a name fits several runs
    +-- LedgerError                 the durable record cannot be read or written
    |   +-- LedgerBusyError, LedgerCorruptError, LedgerVersionError
    +-- StorageError                a stored value cannot be read or written
    |   +-- ResultLostError, ResultCorruptedError
    +-- SerializationError, DeserializationError
    +-- HashError                   a value has no stable hash
    |   +-- CacheKeyError               a function for cache keys gave none
    +-- CheckFailedError            data checks failed
    +-- ConcurrencySlotAcquisitionError     slots of a limit cannot be had
    +-- AcquireConcurrencySlotTimeoutError  slots of a limit did not come free in time
    +-- ConcurrencySlotsLostError           slots were taken away from who held them
``docs/reference/errors.md`` says of each when it is raised and what to do; a test compares it with this module.

Fields are passed to ``super().__init__`` and the sentence is built in ``__str__``, so that an error
keeps its fields and its text when it travels to another process by pickle.
"""

from __future__ import annotations

from caudal.exceptions.assets import AssetNotMadeError
from caudal.exceptions.blocks import (
    BlockNotFound,
    BlockNotLoadableError,
    EncryptionKeyError,
    SecretNotReadableError,
    UnknownBlockType,
)
from caudal.exceptions.calls import (
    DurableParametersError,
    FlowVisualizationError,
    GraphvizExecutableNotFoundError,
    MappingError,
    MappingLengthMismatch,
    MappingMissingIterable,
    MissingContextError,
    MissingFlowError,
    ParameterBindError,
    ParameterError,
    ParameterTypeError,
    ReservedArgumentError,
    ScriptError,
    SignatureMismatchError,
    UnspecifiedFlowError,
    UnsupportedImportError,
    UnsupportedIntegrationError,
    UnsupportedNameError,
)
from caudal.exceptions.limits import (
    AcquireConcurrencySlotTimeoutError,
    ConcurrencySlotAcquisitionError,
    ConcurrencySlotsLostError,
)
from caudal.exceptions.names import (
    InvalidNameError,
    InvalidValueError,
)
from caudal.exceptions.records import (
    AmbiguousNameError,
    LedgerBusyError,
    LedgerCorruptError,
    LedgerError,
    LedgerVersionError,
    ObjectAlreadyExists,
    ObjectNotFound,
)
from caudal.exceptions.root import (
    CaudalError,
    ConfigurationError,
)
from caudal.exceptions.runs import (
    CancelledRun,
    CancelRequested,
    CrashedRun,
    DeadlineReached,
    FailedRun,
    FlowPauseTimeout,
    FlowRunNotCancellableError,
    FlowRunNotPausableError,
    FlowRunNotResumableError,
    FlowRunTimeoutError,
    FlowRunWaitTimeout,
    LeaseLostError,
    MissingResult,
    Pause,
    PausedRun,
    RemoteError,
    ResultNotFoundError,
    ResumeMismatchError,
    RunError,
    RunInputError,
    RunTimeoutError,
    TaskRunNotReplayableError,
    TaskRunTimeoutError,
    UnfinishedRun,
    UpstreamTaskError,
    WorkerCrashedError,
)
from caudal.exceptions.settings import (
    ProfileExistsError,
    ProfileInUseError,
    ProfileNotFoundError,
    SettingError,
    SettingsFileError,
    UnknownSettingError,
)
from caudal.exceptions.values import (
    CacheKeyError,
    CheckFailedError,
    DeserializationError,
    HashError,
    ResultCorruptedError,
    ResultLostError,
    SerializationError,
    StorageError,
    StorageKeyError,
    UnknownSerializerError,
)

__all__ = [
    "AcquireConcurrencySlotTimeoutError",
    "AmbiguousNameError",
    "AssetNotMadeError",
    "BlockNotFound",
    "BlockNotLoadableError",
    "CacheKeyError",
    "CancelRequested",
    "CancelledRun",
    "CaudalError",
    "CheckFailedError",
    "ConcurrencySlotAcquisitionError",
    "ConcurrencySlotsLostError",
    "ConfigurationError",
    "CrashedRun",
    "DeadlineReached",
    "DeserializationError",
    "DurableParametersError",
    "EncryptionKeyError",
    "FailedRun",
    "FlowPauseTimeout",
    "FlowRunNotCancellableError",
    "FlowRunNotPausableError",
    "FlowRunNotResumableError",
    "FlowRunTimeoutError",
    "FlowRunWaitTimeout",
    "FlowVisualizationError",
    "GraphvizExecutableNotFoundError",
    "HashError",
    "InvalidNameError",
    "InvalidValueError",
    "LeaseLostError",
    "LedgerBusyError",
    "LedgerCorruptError",
    "LedgerError",
    "LedgerVersionError",
    "MappingError",
    "MappingLengthMismatch",
    "MappingMissingIterable",
    "MissingContextError",
    "MissingFlowError",
    "MissingResult",
    "ObjectAlreadyExists",
    "ObjectNotFound",
    "ParameterBindError",
    "ParameterError",
    "ParameterTypeError",
    "Pause",
    "PausedRun",
    "ProfileExistsError",
    "ProfileInUseError",
    "ProfileNotFoundError",
    "RemoteError",
    "ReservedArgumentError",
    "ResultCorruptedError",
    "ResultLostError",
    "ResultNotFoundError",
    "ResumeMismatchError",
    "RunError",
    "RunInputError",
    "RunTimeoutError",
    "ScriptError",
    "SecretNotReadableError",
    "SerializationError",
    "SettingError",
    "SettingsFileError",
    "SignatureMismatchError",
    "StorageError",
    "StorageKeyError",
    "TaskRunNotReplayableError",
    "TaskRunTimeoutError",
    "UnfinishedRun",
    "UnknownBlockType",
    "UnknownSerializerError",
    "UnknownSettingError",
    "UnspecifiedFlowError",
    "UnsupportedImportError",
    "UnsupportedIntegrationError",
    "UnsupportedNameError",
    "UpstreamTaskError",
    "WorkerCrashedError",
]
