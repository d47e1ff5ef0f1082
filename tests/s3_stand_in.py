"""S3-compatible storage for tests: moto's server over HTTP, in this process. A stand-in: no test reaches AWS.

It keeps conditional writes as S3 does, but holds no lock between looking and writing, so that two writers of
one object are let in one after the other here.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def running_s3() -> Iterator[Any]:
    """A client of a server of its own."""
    import boto3
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield boto3.client(
            "s3",
            endpoint_url=f"http://{host}:{port}",
            region_name="us-east-1",
            aws_access_key_id="nobody",
            aws_secret_access_key="nothing",
        )
    finally:
        server.stop()


def fresh_bucket(client: Any) -> str:
    """The name of a bucket of one test's own."""
    bucket = f"logs-{secrets.token_hex(6)}"
    client.create_bucket(Bucket=bucket)
    return bucket
