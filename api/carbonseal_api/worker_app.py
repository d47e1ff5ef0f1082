"""Celery's entry point: `celery --app carbonseal_api.worker_app worker --beat`; settings by environment."""

from __future__ import annotations

import logging
from typing import Any

from celery.signals import setup_logging

from carbonseal_api.operation.request_log import log_as_json
from carbonseal_api.settings import load_settings
from carbonseal_api.worker import make_worker

app = make_worker(load_settings())


@setup_logging.connect  # type: ignore[untyped-decorator]
def _log(loglevel: int = logging.INFO, **_more: Any) -> None:
    """Log as the service does, in place of Celery's own lines."""
    log_as_json(loglevel)
