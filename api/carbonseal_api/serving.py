"""The web service as a process of its own: `python -m carbonseal_api.serving --data FOLDER --fd N`.

`carbonseal up` starts it with the listening socket inherited, so that it comes back on the same port after
a kill. It opens the deployment, serves, and ends on SIGTERM after the requests in flight.
"""

from __future__ import annotations

import argparse
import os
import socket
import sys
from collections.abc import Sequence

import uvicorn

from carbonseal_api.app import create_app
from carbonseal_api.deployment import open_deployment
from carbonseal_api.operation.request_log import log_as_json
from carbonseal_api.settings import load_settings
from carbonseal_attest.errors import CarbonsealError

DRAIN_SECONDS = 5  # requests in flight may end


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM; returns 0, or 2 when the deployment cannot be opened."""
    parser = argparse.ArgumentParser(prog="carbonseal-serving", description=__doc__)
    parser.add_argument("--data", required=True, help="data folder of the deployment")
    parser.add_argument("--fd", type=int, help="descriptor of a listening socket to serve on")
    options = parser.parse_args(arguments)
    log_as_json()
    try:
        settings = load_settings(data_folder=options.data)
        parts = open_deployment(settings)
    except CarbonsealError as refusal:
        print(refusal, file=sys.stderr)  # noqa: T201 - a command's one line
        return 2
    if options.fd is not None:
        answer_at_once(options.fd)
    config = uvicorn.Config(
        create_app(parts),
        fd=options.fd,
        host=settings.host,
        port=settings.port,
        access_log=False,
        log_config=None,  # logged as JSON by us
        timeout_graceful_shutdown=DRAIN_SECONDS,
        server_header=False,
        date_header=False,
        lifespan="on",
        backlog=1024,
    )
    uvicorn.Server(config).run()
    parts.close()
    return 0


def answer_at_once(descriptor: int) -> None:
    """Have connections on an inherited listening socket send each answer without waiting for more to send.

    The server takes the socket for a Unix one and leaves that to us. Otherwise the body of an answer waits
    until the caller's machine acknowledges the head: 40 ms for whoever keeps a connection open.
    """
    with socket.socket(fileno=os.dup(descriptor)) as listener:
        if listener.family in {socket.AF_INET, socket.AF_INET6}:
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


if __name__ == "__main__":
    sys.exit(main())
