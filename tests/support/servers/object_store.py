"""A real S3 server on loopback (moto's), which can go away and come back with what it holds."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Self

from moto.server import ThreadedMotoServer

from tracemill.store.objects import ObjectFiles, forget_clients

if TYPE_CHECKING:
    import pytest

BUCKET = "bucket"


class S3Server:
    """The server in a thread. Its buckets are the process's: they survive ``stop``."""

    def __init__(self) -> None:
        logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line for every request
        self._port = 0
        self._server: ThreadedMotoServer | None = None

    def start(self) -> None:
        """Listens; the port stays the same over a stop and a start."""
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=self._port, verbose=False)
        self._server.start()
        self._port = self._server.get_host_and_port()[1]

    def stop(self) -> None:
        """Refuses connections from now on."""
        if self._server is not None:
            self._server.stop()
            self._server = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self._port}"

    def introduce(self, environment: pytest.MonkeyPatch) -> None:
        """Puts it into the environment of this process and of those that it starts."""
        for name, value in {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            "AWS_MAX_ATTEMPTS": "1",
        }.items():
            environment.setenv(name, value)
        forget_clients()


def make_bucket(name: str = BUCKET) -> None:
    """An empty bucket, whatever was in it before."""
    import s3fs

    client = s3fs.S3FileSystem(skip_instance_cache=True, use_listings_cache=False)
    if client.exists(name):
        client.rm(name, recursive=True)
    client.mkdir(name)


def names(url: str) -> list[str]:
    """The objects below a URL."""
    return [found.name for found in ObjectFiles(url).listing("")]
