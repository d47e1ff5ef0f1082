"""Sends pymodbus's own log lines to debug: what they tell is said in our words where it matters.

pymodbus warns on its own logger at every lost connection, without saying which source of the gateway it
was. The lines stay for whoever sets the root logger to debug; nothing else about logging is changed.
"""

from __future__ import annotations

import logging
from typing import Final

_LOGGERS: Final = ("pymodbus", "pymodbus.logging")


class _ToDebug(logging.Filter):
    """Makes every record a debug record, and drops it unless somebody debugs."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.levelno, record.levelname = logging.DEBUG, "DEBUG"
        return logging.getLogger().isEnabledFor(logging.DEBUG)


def send_to_debug() -> None:
    """Lowers pymodbus's loggers; calling it again changes nothing."""
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        if not any(isinstance(item, _ToDebug) for item in logger.filters):
            logger.addFilter(_ToDebug())
