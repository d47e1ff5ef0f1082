"""The options by which every command that reads a gateway file lets its values be set."""

from __future__ import annotations

import argparse
from typing import Final

from carbonseal_collectors.errors import ConfigInvalid
from carbonseal_collectors.gateway_config import GatewayConfig, load_gateway_config
from carbonseal_collectors.plain_text import as_plain_text

_MAX_DIGITS: Final = 18  # of a --set value that is taken as a number


def add_overrides(parser: argparse.ArgumentParser) -> None:
    """Adds --set."""
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="set a value of the file, e.g. gateway.data_folder=/data or sources.plant.modbus.port=1502",
    )


def config_of(options: argparse.Namespace) -> GatewayConfig:
    """The gateway file named in the options, with what --set says.

    Raises:
        ConfigInvalid: the file or a --set.
    """
    overrides: dict[str, object] = {}
    for item in options.set:
        name, separator, value = item.partition("=")
        if not separator:
            raise ConfigInvalid(f"--set {as_plain_text(item, 60)}", "has no value", "write KEY=VALUE")
        is_number = value.isascii() and value.isdigit() and len(value) <= _MAX_DIGITS
        overrides[name] = int(value) if is_number else value
    return load_gateway_config(options.gateway, overrides=overrides)
