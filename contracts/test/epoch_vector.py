# ruff: noqa: INP001 - a script beside the fixture that it prints, not part of a package
"""Prints `EpochVector.sol`: one report in a data log, in an epoch's map, in a log of logs, proven by attest.

Run from the project's root: python contracts/test/epoch_vector.py >contracts/test/EpochVector.sol
and format it with `contracts/check.sh --write`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from hashlib import sha256

from carbonseal_attest.epoch import EpochMap, MapEntry
from carbonseal_attest.merkle import consistency_path, inclusion_path, leaf_hash, root_of

ORIGIN = "log.carbonseal.example/e-k3v9qmzt2xw8ph4c/data"
CLOSED_AT = 1_767_229_200_000
EPOCH = 300
EPOCHS = 301  # entries of the log of logs, its genesis included
DATA_SIZE = 70_000  # so that the size takes five bytes in CBOR
REPORT_INDEX = 66_001
PARTIES = 13


def _node(leaves: Sequence[bytes], level: int, index: int) -> bytes:
    return root_of(leaves[index << level : (index + 1) << level])


def _array(name: str, path: Sequence[bytes]) -> str:
    lines = [f"        path = new bytes32[]({len(path)});"]
    lines += [f"        path[{at}] = 0x{node.hex()};" for at, node in enumerate(path)]
    head = f"    function {name}() internal pure returns (bytes32[] memory path) {{"
    return "\n".join([head, *lines, "    }"])


def main() -> None:
    """Print the fixture."""
    data = [leaf_hash(b"statement %d" % at) for at in range(DATA_SIZE)]
    heads = [
        MapEntry(f"log.carbonseal.example/e-{at:02d}/data", at + 1, sha256(b"%d" % at).digest())
        for at in range(PARTIES - 1)
    ]
    epoch_map = EpochMap([*heads, MapEntry(ORIGIN, DATA_SIZE, root_of(data))])
    map_proof = epoch_map.prove(ORIGIN)
    entry = epoch_map.close(EPOCH, CLOSED_AT)
    map_proof.verify(entry)
    log = [leaf_hash(b"genesis")]
    log += [leaf_hash(epoch_map.close(at, CLOSED_AT).encode()) for at in range(1, EPOCHS)]
    words = {
        "GENESIS_LEAF": log[0],
        "LOG_ROOT": root_of(log),
        "MAP_ROOT": epoch_map.root,
        "MAP_ENTRY_LEAF": leaf_hash(map_proof.entry.encode()),
        "EPOCH_ENTRY_LEAF": leaf_hash(entry.encode()),
        "DATA_ROOT": map_proof.entry.root_hash,
        "REPORT_LEAF": data[REPORT_INDEX],
    }
    numbers = {
        "LOG_SIZE": EPOCHS,
        "EPOCH": EPOCH,
        "CLOSED_AT": CLOSED_AT,
        "ORIGINS": PARTIES,
        "MAP_INDEX": map_proof.index,
        "DATA_SIZE": DATA_SIZE,
        "REPORT_INDEX": REPORT_INDEX,
    }
    paths = {
        "consistencyProof": consistency_path(1, EPOCHS, lambda level, at: _node(log, level, at)),
        "epochProof": inclusion_path(EPOCH, EPOCHS, lambda level, at: _node(log, level, at)),
        "mapProof": list(map_proof.path),
        "reportProof": inclusion_path(REPORT_INDEX, DATA_SIZE, lambda level, at: _node(data, level, at)),
    }
    lines = [
        "// SPDX-License-Identifier: Apache-2.0",
        "pragma solidity ^0.8.28;\n",
        "/// @title What the Python side proves, printed by `epoch_vector.py`",
        "library EpochVector {",
        f'    string internal constant ORIGIN = "{ORIGIN}";',
        *(f"    uint64 internal constant {name} = {number};" for name, number in numbers.items()),
        *(f"    bytes32 internal constant {name} = 0x{word.hex()};" for name, word in words.items()),
        *("\n" + _array(name, path) for name, path in paths.items()),
        "}\n",
    ]
    sys.stdout.write("\n".join(lines))


if __name__ == "__main__":
    main()
