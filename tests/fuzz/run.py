"""Fuzzes one group of parsers with atheris: `python tests/fuzz/run.py GROUP SECONDS FOLDER`.

Runs in the environment that infra/fuzz/fuzz.sh makes (`make fuzz`). FOLDER takes the seeds, what was found
beside them, and the input of a crash. Exit 0: nothing found; else a bug, and the last lines name its input.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports():
    import fuzz_targets
    from vector_reader import vector_file

MAX_INPUT = 16_384  # bytes; beyond our examples, and small enough to be quick
SLOW_SECONDS = 10  # one input, instrumented; what takes longer is more than linear in something


def main() -> None:
    group, seconds, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    seeds = folder / "seeds"
    seeds.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(fuzz_targets.read_seeds(group)):
        (seeds / f"seed-{number}").write_bytes(seed)
    (folder / "found").mkdir(exist_ok=True)

    def feed(data: bytes) -> None:
        fuzz_targets.run_target(group, data)
        if group == "trust":
            fuzz_targets.attempt(vector_file, data)

    options = [
        f"-max_total_time={seconds}",
        f"-max_len={MAX_INPUT}",
        f"-timeout={SLOW_SECONDS}",
        "-rss_limit_mb=2048",
        "-print_final_stats=1",
        "-verbosity=0",
        f"-artifact_prefix={folder}/bug-",
    ]
    atheris.Setup([sys.argv[0], *options, str(folder / "found"), str(seeds)], feed)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
