"""A store in a bucket of an object store, such as S3."""

from __future__ import annotations

import hashlib
import os
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from caudal.exceptions import ConfigurationError, ResultLostError, StorageError
from caudal.storage.port import BlobStore

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import ModuleType

#: Kinds of URL that name a bucket.
SCHEMES = ("s3", "gs", "az")

_ENDPOINT = "AWS_ENDPOINT_URL"
_RETRIES = {
    "max_retries": 4,
    "retry_timeout": timedelta(seconds=30),
    "backoff": {
        "base": 2,
        "init_backoff": timedelta(milliseconds=100),
        "max_backoff": timedelta(seconds=5),
    },
}
_PLAIN = re.compile(r"[A-Za-z0-9_=@+.-]+(/[A-Za-z0-9_=@+.-]+)*")
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9_.=-]+")
_LONGEST = 512
#: What the client's errors say where it looked in vain for credentials that a machine gives.
_NO_CREDENTIALS = ("/latest/api/token", "/latest/meta-data", "metadata.google")
_NO_BUCKET = ("NoSuchBucket", "ContainerNotFound", "bucket does not exist")


class ObjectStore(BlobStore):
    """Keeps each value as an object of its own.

    Where a key is plain (letters, digits, ``_=@+.-`` and slashes) the object has its name; else the name is the start of the key and its SHA-256.

    Args:
        url: Bucket and prefix: ``s3://bucket/prefix``.
        settings: What the client is to know beside what the environment says: ``endpoint``, ``region``, ``access_key_id``, ...
            Source: https://developmentseed.org/obstore/latest/api/store/aws/
    """

    def __init__(self, url: str, settings: Mapping[str, Any] | None = None) -> None:
        self._url, self._settings = url.rstrip("/"), dict(settings or {})
        self._client: Any = None

    def write(self, key: str, data: bytes) -> None:
        """See `BlobStore.write`."""
        self._run("write", key, lambda client, store, path: client.put(store, path, data))  # fmt: skip

    def read(self, key: str) -> bytes:
        """See `BlobStore.read`."""
        return self._run("read", key, lambda client, store, path: bytes(client.get(store, path).bytes()))  # fmt: skip

    def exists(self, key: str) -> bool:
        """See `BlobStore.exists`."""
        try:
            self._run("look up", key, lambda client, store, path: client.head(store, path))  # fmt: skip
        except ResultLostError:
            return False
        return True

    def delete(self, key: str) -> None:
        """See `BlobStore.delete`."""
        self._run("delete", key, lambda client, store, path: client.delete(store, path))  # fmt: skip

    def location(self, key: str) -> str:
        """See `BlobStore.location`."""
        return f"{self._url}/{_path(key)}"

    def _run(self, action: str, key: str, call: Callable[[Any, Any, str], Any]) -> Any:
        """Make a call and turn the client's errors into ones that say what to do."""
        if not key:
            advice = "Give the value a key that is not empty"
            raise StorageError("use", key, self._url, "the key is empty", advice)
        client = _library(self._url)
        if self._client is None:
            self._client = _connect(self._url, self._settings)
        try:
            return call(client, self._client, _path(key))
        except (FileNotFoundError, client.exceptions.BaseError) as error:
            reason, advice = _explain(error, self._url)
            lost = isinstance(error, FileNotFoundError) and not _is_of(error, _NO_BUCKET)  # fmt: skip
            kind = ResultLostError if lost else StorageError
            raise kind(action, key, self.location(key), reason, advice) from error

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_client": None}  # connections stay in their process


def _library(url: str) -> ModuleType:
    try:
        import obstore  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ConfigurationError(
            f"results in {url!r} need the package obstore. Install it: pip install 'caudal[objects]'"
        ) from error
    return obstore


def _connect(url: str, settings: dict[str, Any]) -> Any:
    from obstore import exceptions, store  # noqa: PLC0415 - an extra

    endpoint = str(settings.get("endpoint") or os.environ.get(_ENDPOINT, ""))
    options: Any = {
        "config": settings or None,
        "client_options": {"allow_http": endpoint.startswith("http://")},
        "retry_config": _RETRIES,
    }
    try:
        return store.from_url(url, **options)
    except (exceptions.BaseError, ValueError, TypeError) as error:
        raise ConfigurationError(
            f"{url!r} with settings {sorted(settings)} is no place for results: {_first_line(error)}. "
            "Give a URL such as 's3://bucket/prefix', and settings that its client knows."
        ) from error


def _path(key: str) -> str:
    """Return the name of the object for a key."""
    parts = set(key.split("/"))
    if _PLAIN.fullmatch(key) and len(key) <= _LONGEST and parts.isdisjoint((".", "..")):
        return key
    digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
    readable = _NOT_PLAIN.sub("_", key)[:48].strip("._")
    return f"{readable}-{digest}" if readable else digest


def _explain(error: Exception, url: str) -> tuple[str, str]:
    """Return what happened and what to do about it."""
    from obstore import exceptions  # noqa: PLC0415 - an extra

    if _is_of(error, _NO_BUCKET):
        return "there is no such bucket", f"Create the bucket of {url!r}, or correct its name"  # fmt: skip
    if isinstance(error, FileNotFoundError):
        return (
            "there is no such object",
            "Run the task again with refresh_cache=True, or give the result_storage that it was written to",
        )
    if _is_of(error, _NO_CREDENTIALS):
        return (
            "there are no credentials, and this machine gives none",
            "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give them as settings of RemoteFileSystem",
        )
    if isinstance(
        error, (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError)
    ):
        return (
            f"it is not allowed ({_code(error)})",
            f"Check the credentials, and that they may read and write {url!r}",
        )
    advice = "Check that the object store can be reached, and its endpoint"
    return _first_line(error), advice


def _is_of(error: Exception, signs: tuple[str, ...]) -> bool:
    text = str(error)
    return any(sign in text for sign in signs)


def _code(error: Exception) -> str:
    found = re.search(r"<Code>(\w+)</Code>", str(error))
    return found[1] if found else _first_line(error)


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0].rstrip(". ")
