"""The `carbonseal-verifier` command: check a bundle, look up rules, run them on a series."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from carbonseal_attest.errors import CarbonsealError
from carbonseal_verifier import quality_cli


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 0 passed, 1 did not pass, 2 bad usage or input."""
    parser = argparse.ArgumentParser(
        prog="carbonseal-verifier",
        description="Re-performs everything from one evidence bundle, offline.",
        epilog="example: carbonseal-verifier check evidence.bundle --trust trust.toml",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    quality_cli.add_quality(commands)
    quality_cli.add_rules(commands)
    parsed = parser.parse_args(arguments)
    try:
        return int(parsed.run(parsed))
    except CarbonsealError as error:
        print(f"carbonseal-verifier: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        return 1


if __name__ == "__main__":
    sys.exit(main())
