"""`carbonseal-collector key`: makes a gateway's key, and asks for it to be enrolled or to replace another.

A request is a line of CSV for the party's desk (`carbonseal devices enrol | rotate`); it shows that the
gateway holds the key, and for a rotation that the old key vouches for the new one (`docs/spec/identity.md`).
Nothing secret stands in it. Keys in PKCS#11 or a TPM are asked for elsewhere; here they lie in files.
"""

from __future__ import annotations

import argparse
import getpass
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from carbonseal_attest.algorithms import algorithm_named, algorithm_names
from carbonseal_attest.contents.identity import CLASSES
from carbonseal_attest.contents.identity import device as schema
from carbonseal_attest.identity.device_requests import write_request
from carbonseal_attest.identity.device_statements import enrolment, rotation
from carbonseal_attest.instants import parse_instant
from carbonseal_collectors.errors import ConfigInvalid, KeyUnusable
from carbonseal_collectors.gateway_config import GatewayConfig
from carbonseal_collectors.gateway_options import add_overrides, config_of
from carbonseal_collectors.plain_text import as_plain_text, counted
from carbonseal_collectors.sealing import (
    load_signer,
    open_key_file,
    passphrase_of,
    read_passphrase,
    write_new_key,
)
from carbonseal_collectors.spool import Spool
from carbonseal_collectors.spool_lock import SpoolLock

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - it has no public name


def add_commands(commands: Commands) -> None:
    """Adds `key new`, `key request` and `key rotate`."""
    key = commands.add_parser("key", help="make a key; ask for it to be enrolled or to replace another")
    acts = key.add_subparsers(required=True, metavar="COMMAND")

    new = acts.add_parser("new", help="make a key and write it encrypted to a new file")
    new.add_argument("file", type=Path, metavar="FILE")
    _add_passphrase(new, "")
    new.add_argument(
        "--algorithm",
        choices=algorithm_names(),
        default="ed25519",
        help="what it signs with (default ed25519)",
    )
    new.set_defaults(command=_new)

    request = acts.add_parser("request", help="print the line that asks the party to enrol this key")
    _add_facts(request)
    request.set_defaults(command=_request)

    rotate = acts.add_parser("rotate", help="print the line that asks the party to replace this key")
    _add_facts(rotate)
    rotate.add_argument("--new", type=Path, required=True, metavar="FILE", help="key file of the new key")
    _add_passphrase(rotate, "new-")
    rotate.set_defaults(command=_rotate)


def _add_passphrase(parser: argparse.ArgumentParser, prefix: str) -> None:
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        f"--{prefix}passphrase-env",
        dest="passphrase_env",
        metavar="NAME",
        help="environment variable with the passphrase",
    )
    source.add_argument(
        f"--{prefix}passphrase-file",
        dest="passphrase_file",
        type=Path,
        metavar="FILE",
        help="file whose first line is it",
    )


def _add_facts(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("gateway", type=Path, metavar="GATEWAY.TOML")
    parser.add_argument("--name-zh", default="", help="its name in Chinese (default its code)")
    parser.add_argument("--name-en", default="", help="its name in English (default its code)")
    parser.add_argument("--class", dest="device_class", choices=CLASSES, default="gateway", help="who signs")
    parser.add_argument("--valid-from", metavar="INSTANT", help="the key signs nothing earlier")
    parser.add_argument("--expires", metavar="INSTANT", help="the key signs nothing from then on")
    parser.add_argument("--reason", default="", help="stands in the party's statement")
    parser.add_argument("--no-header", action="store_true", help="only the line, to gather many in one file")
    add_overrides(parser)


def _new(options: argparse.Namespace) -> int:
    passphrase = _passphrase(options) or getpass.getpass("passphrase: ")
    signer = write_new_key(options.file, passphrase, algorithm=algorithm_named(options.algorithm).id)
    print(f"kid {signer.public.kid.hex()}")
    print(f"public key {signer.public.text()}")
    return 0


def _request(options: argparse.Namespace) -> int:
    config = config_of(options)
    signer = load_signer(config, os.environ)
    body = enrolment(
        config.party, config.id, signer, key_storage=config.key_storage, **_facts(options, config)
    )
    return _print(body, options)


def _rotate(options: argparse.Namespace) -> int:
    config = config_of(options)
    old = load_signer(config, os.environ)
    passphrase = _passphrase(options) or passphrase_of(config, os.environ)
    new = open_key_file(options.new, passphrase)
    if new.public.kid == old.public.kid:
        raise KeyUnusable(str(options.new), "holds the key that is in use", "make another with key new")
    # A running gateway would sign on with the old key, beyond the last statement that the line names.
    spool = Spool(
        config.spool_folder, gateway=config.id, origin=config.log_origin, max_bytes=config.spool_max_bytes
    )
    lock = SpoolLock(config.spool_folder)
    try:
        counts, last = spool.counts(), spool.heads(old.public.kid)
    finally:
        lock.close()
        spool.close()
    waiting = counts["queued"] + counts["sent"]
    if waiting:
        raise ConfigInvalid(
            str(options.gateway),
            f"{counted(waiting, 'statement')} signed with the old key not delivered yet",
            "run carbonseal-collector run GATEWAY.TOML --once first, then stop the gateway and rotate",
        )
    body = rotation(config.party, config.id, old, new, last=last, **_facts(options, config))
    code = _print(body, options)
    print(
        "have the party sign it (carbonseal devices rotate), then name the new file as gateway.key_file"
        " and start the gateway; until then leave it stopped",
        file=sys.stderr,
    )
    return code


def _facts(options: argparse.Namespace, config: GatewayConfig) -> dict[str, Any]:
    times = {
        name: None if text is None else parse_instant(text, field=f"--{name.replace('_', '-')}")
        for name, text in (("valid_from", options.valid_from), ("expires", options.expires))
    }
    return {
        "name": {"zh": options.name_zh or config.id, "en": options.name_en or config.id},
        "subjects": list(config.meters()),
        "device_class": options.device_class,
        "reason": options.reason,
        **times,
    }


def _print(body: dict[str, Any], options: argparse.Namespace) -> int:
    schema(body, "request")
    print(write_request(body, with_header=not options.no_header), end="")
    return 0


def _passphrase(options: argparse.Namespace) -> str:
    if options.passphrase_file is not None:
        return read_passphrase(options.passphrase_file)
    if options.passphrase_env is None:
        return ""
    found = os.environ.get(options.passphrase_env, "")
    if not found:
        raise KeyUnusable(
            "--passphrase-env",
            f"the environment has no {as_plain_text(options.passphrase_env, 60)}",
            "export it with the passphrase first; without one the key file protects nothing",
        )
    return found
