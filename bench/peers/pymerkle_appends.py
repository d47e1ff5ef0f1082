"""Appends a second of pymerkle's SQLite tree, in an environment of its own (its licence is the GPL).

    pymerkle_appends.py FILE COUNT BATCH BYTES

Entries of BYTES bytes go in by BATCH, each batch committed by SQLite as it comes; nothing is signed,
verified, deduplicated or published. Prints one JSON object.
"""

import json
import os
import random
import sys
import time

from pymerkle import SqliteTree

PROOFS = 500


def main() -> None:
    """Append, prove, print."""
    file, count, batch, size = sys.argv[1], *map(int, sys.argv[2:5])
    entries = [os.urandom(size) for _ in range(count)]
    with SqliteTree(file) as tree:
        started = time.perf_counter()
        for at in range(0, count, batch):
            tree.append_entries(entries[at : at + batch])
        appends = count / (time.perf_counter() - started)
        drawn = random.Random(1).sample(range(1, count + 1), PROOFS)
        started = time.perf_counter()
        for index in drawn:
            tree.prove_inclusion(index)
        proofs = PROOFS / (time.perf_counter() - started)
    print(json.dumps({"appends_per_second": appends, "proofs_per_second": proofs}))


if __name__ == "__main__":
    main()
