"""`carbonseal demo`: options and exit codes.

Exit codes: 0 every drill was caught and the untouched bundle passed; 1 something was not; 2 an option, a
gateway file or the data were refused, with one line on standard error; 130 interrupted.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from carbonseal_api.demo.journey import run_demo, stay_up
from carbonseal_api.demo.narrator import LANGUAGES, Narrator
from carbonseal_api.demo.scene import PLANT_START, DemoOptions
from carbonseal_attest.errors import CarbonsealError
from carbonseal_collectors.simulators.plant import ClockJump, Fault, Gap, MeterReset, Spike, Stuck

_HOUR: Final = 3_600_000
_DAY: Final = 24 * _HOUR
_AT: Final = PLANT_START + _DAY + 10 * _HOUR  # ten o'clock on the second day
FAULTS: Final[Mapping[str, Callable[[], Fault]]] = {
    "gap": lambda: Gap("gas", _AT, _AT + 5 * _HOUR),
    "stuck": lambda: Stuck("line_1", _AT, _AT + 8 * _HOUR),
    "spike": lambda: Spike("steam", "heat", _AT, _AT + _HOUR, 5_000_000),
    "reset": lambda: MeterReset("line_2", _AT),
    "clock-jump": lambda: ClockJump("main", _AT, _AT + _DAY, 3 * _HOUR),
}
DESCRIPTION: Final = """The whole journey: readings signed at the meter, logged, anchored, computed, graded,
bundled, checked; opined on, recorded, asked for by a bank; one reading corrected, and all that rests on it
marked; then fifteen ways to cheat, each of which must be caught."""
EPILOG: Final = """examples:
  carbonseal demo --out demo-out                       a simulated month at a plant
  carbonseal demo --out demo-out --fault spike         the same with a faulty meter: the code turns red
  carbonseal demo --out demo-out --lang zh --serve     in Chinese, and the service stays up
  carbonseal demo --out out --data FOLDER              real meter files; configuration is --gateway FILE,
                                                       else FOLDER/gateway.toml, else docs/examples
exit codes: 0 all as it must be, 1 something was not caught or did not pass, 2 bad usage or input,
            130 interrupted
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo; return its exit code."""
    parsed = _parser().parse_args(arguments)
    narrator = Narrator(parsed.lang, parsed.json)
    options = DemoOptions(
        out=parsed.out,
        data=parsed.data,
        gateway=parsed.gateway,
        language=parsed.lang,
        port=parsed.port,
        days=parsed.days,
        faults=tuple(FAULTS[name]() for name in parsed.fault),
        is_serving=parsed.serve,
    )
    # Being ended must take the database and the chain node down too, not leave them behind.
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    try:
        return 0 if run_demo(options, narrator, wait=stay_up) else 1
    except KeyboardInterrupt:
        return 130
    except CarbonsealError as refusal:
        print(refusal, file=sys.stderr)
        return 2


def _stop(*_: object) -> None:
    # Once is enough: a second one would end the clearing up half way, and leave folders and processes behind.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise KeyboardInterrupt


def _days(text: str) -> int:
    if not text.isdigit() or not 2 <= int(text) <= 31:
        raise argparse.ArgumentTypeError("give 2 to 31 days")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="carbonseal demo",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--out", type=Path, default=Path("demo-out"), help="folder of the results (default demo-out)"
    )
    parser.add_argument("--data", type=Path, help="folder with meter files instead of the simulated plant")
    parser.add_argument("--gateway", type=Path, help="gateway file that says how to read the folder")
    parser.add_argument("--lang", choices=LANGUAGES, default="en", help="language of progress and report")
    parser.add_argument("--json", action="store_true", help="progress as one JSON object a line")
    parser.add_argument("--serve", action="store_true", help="leave the service up and print its address")
    parser.add_argument("--port", type=int, default=0, help="port of the service (default: a free one)")
    parser.add_argument("--days", type=_days, default=31, help="days of the simulated month (2 to 31)")
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        choices=sorted(FAULTS),
        help="make the plant faulty (repeatable)",
    )
    return parser
