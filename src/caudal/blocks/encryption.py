"""Encrypts secrets at rest, with a key that is not in the ledger.

The key is the setting ``encryption_key``, or a file in caudal's home that only its owner may read and that is made with the first
secret. Encryption is Fernet: AES-128 in CBC mode with an HMAC-SHA256 over it.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from caudal.exceptions import EncryptionKeyError, SecretNotReadableError
from caudal.settings import get_current_settings

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography.fernet import Fernet

#: The file in caudal's home.
KEY_FILE = "encryption.key"
_MODE = 0o600
_OTHERS = 0o077


def encrypt(plain: bytes) -> str:
    """Return the encrypted form of a secret.

    Raises:
        EncryptionKeyError: The key cannot be used.
    """
    return _cipher(make=True).encrypt(plain).decode()


def decrypt(token: str, what: str) -> bytes:
    """Return a secret from its encrypted form.

    Args:
        token: What ``encrypt`` returned.
        what: The block, for the message.

    Raises:
        EncryptionKeyError: The key cannot be used, or is missing.
        SecretNotReadableError: It was encrypted with another key.
    """
    from cryptography.fernet import InvalidToken  # noqa: PLC0415 - 30 ms that only secrets need

    try:
        return _cipher(make=False).decrypt(token.encode())
    except InvalidToken:
        raise SecretNotReadableError(what) from None


def _cipher(*, make: bool) -> Fernet:
    from cryptography.fernet import Fernet  # noqa: PLC0415 - 30 ms that only secrets need

    settings = get_current_settings()
    given = settings.encryption_key
    if given is not None:
        key, source = given.get(), "the setting 'encryption_key'"
    else:
        file = settings.home / KEY_FILE
        if make and not file.exists():
            _make_file(file, Fernet.generate_key())
        key, source = _read_file(file), str(file)
    try:
        return Fernet(key)
    except ValueError:
        reason = "it is no key of 32 bytes in URL-safe base 64"
        raise EncryptionKeyError(source, reason) from None


def _make_file(file: Path, key: bytes) -> None:
    """Write a new key; of several processes at once, the first one's counts."""
    draft = file.with_name(f"{file.name}.{os.getpid()}.{os.urandom(4).hex()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        number = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, _MODE)
        with os.fdopen(number, "wb") as out:
            out.write(key)
            out.flush()
            os.fsync(out.fileno())
        try:
            with suppress(FileExistsError):
                os.link(draft, file)
        finally:
            draft.unlink()
    except OSError as error:
        raise EncryptionKeyError(str(file), error.strerror or str(error)) from error


def _read_file(file: Path) -> str:
    try:
        mode = file.stat().st_mode
        text = file.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        raise EncryptionKeyError(str(file), "it is not there") from None
    except (OSError, ValueError) as error:
        raise EncryptionKeyError(str(file), str(error)) from error
    if mode & _OTHERS:
        reason = f"others may read it (mode {mode & 0o777:04o}); chmod 600 it"
        raise EncryptionKeyError(str(file), reason)
    return text
