"""Stub."""

from carbonseal_api.assembly import Parts
from carbonseal_api.settings import Settings


def open_deployment(settings: Settings) -> Parts:
    raise NotImplementedError
