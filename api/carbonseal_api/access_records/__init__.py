"""Access records: every query by another party, kept for the owner of what was asked for."""

from carbonseal_api.access_records.service import record

__all__ = ["record"]
