"""Places for results: folders, buckets of object stores, and what you make of anything else by saying how to read and to write a path."""

from __future__ import annotations

import logging
import os
import re
import secrets
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast
from uuid import UUID

from pydantic import Field, PrivateAttr, SecretStr

from caudal.blocks.core import Block
from caudal.blocks.encoding import is_secret
from caudal.exceptions import BlockNotFound, ConfigurationError
from caudal.storage.objects import SCHEMES, ObjectStore
from caudal.twins import dispatched, finished, in_thread

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "LocalFileSystem",
    "ReadableFileSystem",
    "RemoteFileSystem",
    "ResultStorage",
    "WritableFileSystem",
    "resolve_storage",
]

_logger = logging.getLogger("caudal.filesystems")

_BLOCK = re.compile(r"[a-z0-9-]+/[a-z0-9-]+")
#: Types of blocks that are file systems, so that a name which begins with one is no folder.
_TYPES = ("local-file-system", "remote-file-system")
_URL = re.compile(r"[a-z][a-z0-9+.-]*://.*")


class ReadableFileSystem(Block, ABC):
    """Something that files can be read from; a block, so it can be saved under a name."""

    _block_schema_capabilities: ClassVar[list[str] | None] = ["read-path"]

    @abstractmethod
    def read_path(self, path: str) -> Any:
        """Return the bytes at a path, or an awaitable of them; raise when there are none."""


class WritableFileSystem(ReadableFileSystem):
    """Something that files can be written to and read from.

    Subclass it to keep results wherever you like: ``@task(result_storage=MyFileSystem())``. Its options are fields, as of every block. Both methods may be
    coroutine functions. Where there is an ``exists(path)`` or a ``delete_path(path)`` too, they are used.
    """

    _block_schema_capabilities: ClassVar[list[str] | None] = ["read-path", "write-path"]

    @abstractmethod
    def write_path(self, path: str, content: bytes) -> Any:
        """Write bytes to a path, or return an awaitable that does."""


#: What ``result_storage`` takes: a file system, a folder, or a text that `resolve_storage` understands.
ResultStorage = WritableFileSystem | Path | str


class LocalFileSystem(WritableFileSystem):
    """A folder of this machine, or one that it shares with others.

    Args:
        basepath: The folder; it is made when something is written. By default the working directory at that time.
    """

    _block_type_name: ClassVar[str | None] = "Local File System"

    #: The folder.
    basepath: str | None = None

    def __init__(self, basepath: str | Path | None = None, **fields: Any) -> None:
        given = None if basepath is None else str(basepath)
        super().__init__(**{"basepath": given, **fields})

    async def aread_path(self, path: str) -> bytes:
        """Return the bytes of a file; see `read_path`."""
        return await in_thread(self.read_path, path)

    @dispatched(aread_path)
    def read_path(self, path: str) -> bytes:
        """Return the bytes of a file.

        Args:
            path: Below the folder.

        Raises:
            ValueError: There is no such file, or the path leads out of the folder.
        """
        file = self._resolve(path)
        if not file.exists():
            raise ValueError(f"Path {str(file)!r} does not exist.")
        if not file.is_file():
            raise ValueError(f"Path {str(file)!r} is not a file.")
        return file.read_bytes()

    async def awrite_path(self, path: str, content: bytes) -> str:
        """Write a file; see `write_path`."""
        return await in_thread(self.write_path, path, content)

    @dispatched(awrite_path)
    def write_path(self, path: str, content: bytes) -> str:
        """Write a file and return where it is; readers see the old file or the new one, never a part.

        Args:
            path: Below the folder.
            content: What to write.

        Raises:
            ValueError: The path leads out of the folder, or names a folder.
        """
        file = self._resolve(path)
        if file.is_dir():
            raise ValueError(f"Path {str(file)!r} is not a file.")
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary = file.with_name(f".writing-{secrets.token_hex(8)}")
        try:
            temporary.write_bytes(content)
            temporary.replace(file)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise
        return str(file)

    def exists(self, path: str) -> bool:
        """Say whether there is a file at a path."""
        return self._resolve(path).is_file()

    def delete_path(self, path: str) -> None:
        """Delete a file; nothing happens when there is none."""
        self._resolve(path).unlink(missing_ok=True)

    def location(self, path: str) -> str:
        """Return where a path leads."""
        return str(self._folder() / path)

    def _folder(self) -> Path:
        return Path(self.basepath or ".").expanduser().resolve()

    def _resolve(self, path: str) -> Path:
        folder = self._folder()
        file = (folder / Path(path).expanduser()).resolve()
        if file != folder and folder not in file.parents:
            raise ValueError(
                f"Path {str(file)!r} is outside of the folder {str(folder)!r}."
            )
        return file


class RemoteFileSystem(WritableFileSystem):
    """A bucket of an object store; needs the extra ``objects``.

    Credentials come from the environment (``AWS_ACCESS_KEY_ID``, ``AWS_SECRET_ACCESS_KEY``, ``AWS_REGION``, ``AWS_ENDPOINT_URL``, ...), from the machine, or from the settings.

    Args:
        basepath: Bucket and prefix: ``s3://bucket/prefix``.
        settings: What the client is to know: ``access_key_id``, ``secret_access_key``, ``session_token``, ``region``, ``endpoint``. The names that fsspec
            has for them will do: ``key``, ``secret``, ``token``, ``client_kwargs={"endpoint_url": ...}``.

    Raises:
        ConfigurationError: It is no URL of an object store.
    """

    _block_type_name: ClassVar[str | None] = "Remote File System"

    #: Bucket and prefix.
    basepath: str
    #: What the client is to know; credentials among it are kept as secrets.
    settings: dict[str, Any] = Field(default_factory=dict[str, Any])

    _store: ObjectStore = PrivateAttr()

    def __init__(
        self, basepath: str, settings: Mapping[str, Any] | None = None, **fields: Any
    ) -> None:
        scheme, _, rest = basepath.partition("://")
        if scheme not in SCHEMES or not rest:
            known = ", ".join(f"{each}://" for each in SCHEMES)
            raise ConfigurationError(
                f"{basepath!r} is no bucket of an object store; its URL begins with {known}. Give a URL such as 's3://bucket/prefix', "
                "a folder, or a file system of your own."
            )
        hidden = {
            name: _hidden(name, value) for name, value in (settings or {}).items()
        }
        super().__init__(**{"basepath": basepath, "settings": hidden, **fields})
        self._store = ObjectStore(basepath, _client_settings(self.settings))

    async def aread_path(self, path: str) -> bytes:
        """Return the bytes of an object; see `read_path`."""
        return await in_thread(self.read_path, path)

    @dispatched(aread_path)
    def read_path(self, path: str) -> bytes:
        """Return the bytes of an object.

        Raises:
            ResultLostError: There is no such object.
            StorageError: It cannot be read.
            ConfigurationError: The extra is not installed, or the settings are wrong.
        """
        return self._store.read(path)

    async def awrite_path(self, path: str, content: bytes) -> str:
        """Write an object; see `write_path`."""
        return await in_thread(self.write_path, path, content)

    @dispatched(awrite_path)
    def write_path(self, path: str, content: bytes) -> str:
        """Write an object and return where it is.

        Raises:
            StorageError: It cannot be written.
            ConfigurationError: The extra is not installed, or the settings are wrong.
        """
        self._store.write(path, content)
        return self._store.location(path)

    def exists(self, path: str) -> bool:
        """Say whether there is an object at a path."""
        return self._store.exists(path)

    def delete_path(self, path: str) -> None:
        """Delete an object; nothing happens when there is none."""
        self._store.delete(path)

    def location(self, path: str) -> str:
        """Return where a path leads."""
        return self._store.location(path)


#: What fsspec calls settings of the client.
_FSSPEC_NAMES = {
    "key": "access_key_id",
    "secret": "secret_access_key",
    "token": "session_token",
    "endpoint_url": "endpoint",
    "region_name": "region",
}


#: Settings that nobody is to see.
_SECRET_NAMES = frozenset(
    ("key", "secret", "token", "access_key_id", "secret_access_key", "session_token")
)


def _hidden(name: str, value: Any) -> Any:
    return SecretStr(value) if name in _SECRET_NAMES and isinstance(value, str) else value  # fmt: skip


def _client_settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings under the names that the client has for them."""
    flat = {**given, **given.get("client_kwargs", {})}
    flat.pop("client_kwargs", None)
    return {
        _FSSPEC_NAMES.get(name, name): value.get_secret_value() if is_secret(value) else value
        for name, value in flat.items()
    }  # fmt: skip


def resolve_storage(given: Any) -> WritableFileSystem:
    """Return the file system that an option like ``result_storage`` stands for.

    Args:
        given: A file system: anything with ``read_path`` and ``write_path``; a folder, as a path or as text; a URL of an object store,
            ``s3://bucket/prefix``; a saved block, ``type/name`` or its id. Where no block has that name the text is a folder, unless it begins with a type of file systems.

    Raises:
        ConfigurationError: It is none of these.
        BlockNotFound: There is no such block.
    """
    if isinstance(given, UUID):
        given = finished(Block.load_from_ref(given))
    elif isinstance(given, (str, os.PathLike)):
        text = os.fspath(cast("str", given))
        if _URL.fullmatch(text) and not text.startswith("file://"):
            return RemoteFileSystem(text)
        block = _block(text) if isinstance(given, str) else None
        given = (
            LocalFileSystem(text.removeprefix("file://")) if block is None else block
        )
    missing = [
        name
        for name in ("read_path", "write_path")
        if not callable(getattr(given, name, None))
    ]
    if missing or isinstance(given, type):
        raise ConfigurationError(
            f"{given!r} is no place for results: it has no {' and no '.join(missing) or 'basepath; give an instance'}. "
            "Give a folder, or a file system such as LocalFileSystem('results')."
        )
    return given


def _block(name: str) -> Any:
    """Return the block that a text names, or None where it is a folder."""
    if not _BLOCK.fullmatch(name):
        return None
    try:
        return finished(Block.load(name))
    except BlockNotFound as error:
        folder = name.partition("/")[0]
        if folder in _TYPES:
            raise
        if not os.path.isdir(folder):  # noqa: PTH112 - as relative as it was given
            _logger.warning(
                "%s, so results are kept in a new folder of that name. Save the block first, or say that a folder is meant: './%s'.",
                error,
                name,
            )
        return None
