"""Celery's entry point: `celery --app carbonseal_api.worker_app worker --beat`; settings by environment."""

from __future__ import annotations

from carbonseal_api.settings import load_settings
from carbonseal_api.worker import make_worker

app = make_worker(load_settings())
