"""Archives to test against: a folder, and S3 as moto plays it over HTTP."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import httpx2
import pytest
from moto.server import ThreadedMotoServer

from tests.sync_jobs.group import free_port

BUCKET = "archive"


def client(endpoint: str) -> Any:
    """Return a client of its own, for what our code never does: making buckets, deleting, writing over."""
    return boto3.session.Session().client("s3", endpoint_url=endpoint, region_name="us-east-1")


@contextmanager
def moto_bucket(environment: pytest.MonkeyPatch, *, lock: bool = True) -> Iterator[str]:
    """Yield the endpoint of a server with an empty bucket."""
    environment.setenv("AWS_ACCESS_KEY_ID", "test")
    environment.setenv("AWS_SECRET_ACCESS_KEY", "test")
    server = ThreadedMotoServer("127.0.0.1", free_port(), verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        endpoint = f"http://{host}:{port}"
        # Servers of one process share what they hold.
        httpx2.post(f"{endpoint}/moto-api/reset", trust_env=False).raise_for_status()
        client(endpoint).create_bucket(Bucket=BUCKET, ObjectLockEnabledForBucket=lock)
        yield endpoint
    finally:
        server.stop()
