"""An S3 server of the test's own, on this machine."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

BUCKET = "results"


@contextmanager
def s3_server(**environment: str) -> Generator[str]:
    """Run a server with one bucket on a free port and give its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **environment},
    )
    try:
        _wait_for(port)
        address = f"http://127.0.0.1:{port}"
        new = urllib.request.Request(f"{address}/{BUCKET}", method="PUT")  # noqa: S310 - our own server
        urllib.request.urlopen(new).close()  # noqa: S310
        yield address
    finally:
        process.kill()
        process.wait()


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            assert time.monotonic() < deadline, "the server does not start"
            time.sleep(0.05)
        else:
            return


@pytest.fixture(scope="session")
def address() -> Iterator[str]:
    """Give the address of a server that all tests share."""
    with s3_server() as address:
        yield address


@pytest.fixture
def s3(address: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Let this process's environment lead to the server, and give an empty place in its bucket."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", address)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "tester")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    return f"s3://{BUCKET}/{time.time_ns()}"
