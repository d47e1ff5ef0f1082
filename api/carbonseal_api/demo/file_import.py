"""Meter files from a folder: the gateway's CSV drop takes them in, signs them and sends them up.

The period is found in the data: the civil days of the site that the readings touch. Files from the past are
imported at the present time and marked late; nothing pretends that they were signed when they were measured.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from datetime import time as dtime
from pathlib import Path
from zoneinfo import ZoneInfo

from carbonseal_api.problems import RequestInvalid
from carbonseal_attest.instants import Clock, Interval
from carbonseal_attest.signing import Signer
from carbonseal_collectors.agent import Agent
from carbonseal_collectors.gateway_config import GatewayConfig


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What the files brought."""

    files: int
    rows: int
    points: int
    statements: int
    gaps: int
    rejected: int


def import_folder(config: GatewayConfig, signer: Signer, clock: Clock, api_key: str) -> ImportReport:
    """Take in every file that the gateway file names, and return what it brought.

    Raises:
        RequestInvalid: no reading was found, or files were refused whole.
    """
    agent = Agent(config, signer=signer, clock=clock, api_key=api_key)
    try:
        polled = agent.poll_once()
        if polled.refused:
            raise polled.refused[0]
        sealed = agent.seal_due(flush=True)
        drained = agent.drain()
        if drained.failure:
            raise RequestInvalid("uplink", drained.failure, "read the service's messages, then try again")
    finally:
        agent.close()
    if not sealed.readings:
        raise RequestInvalid(
            "--data", "no reading was found in the folder", "check the file globs in the gateway file"
        )
    return ImportReport(
        files=len(polled.files),
        rows=sum(polled.samples.values()),
        points=sum(len(meter.points) for meter in config.meters().values()),
        statements=len(sealed.readings),
        gaps=len(sealed.gaps),
        rejected=len(polled.set_aside),
    )


def civil_days(intervals: Iterable[Interval], time_zone: str) -> Interval:
    """Return the least run of whole civil days of `time_zone` that holds every interval; half-open, in ms."""
    spans = list(intervals)
    zone = ZoneInfo(time_zone)
    first = datetime.fromtimestamp(min(start for start, _ in spans) // 1000, zone).date()
    last = datetime.fromtimestamp((max(end for _, end in spans) - 1) // 1000, zone).date()
    midnights = (datetime.combine(day, dtime(), zone) for day in (first, last + timedelta(days=1)))
    start, end = (int(moment.timestamp()) * 1000 for moment in midnights)
    return start, end


def find_gateway_file(folder: Path, given: Path | None) -> Path:
    """Return the gateway file for a data folder: the given one, else the folder's own, else our example's.

    Raises:
        RequestInvalid: there is none.
    """
    tried = [given] if given else [folder / "gateway.toml", *example_folders(folder.resolve().name)]
    for path in tried:
        if path.is_file():
            return path
    names = ", ".join(
        str(path.name if path is given else path.parent.name + "/" + path.name) for path in tried
    )
    raise RequestInvalid(
        "--gateway", f"no gateway file found ({names})", "write one, or name it with --gateway"
    )


def example_folders(name: str) -> list[Path]:
    """Return where docs/examples/<name>/gateway.toml may stand: under the present folder or the project's."""
    roots = [Path.cwd(), *Path(__file__).resolve().parents]
    return [root / "docs" / "examples" / name / "gateway.toml" for root in roots]
