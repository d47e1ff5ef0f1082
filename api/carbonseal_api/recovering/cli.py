"""`carbonseal recover`: what keeps the ledger from running, and what two operators decide about it.

Exit codes: 0 done, for `status`: nothing keeps it from running; 1 `status` found something, or a decision
cannot be carried out because a source disagrees; 2 bad usage, or a decision that is not two operators' word.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Final

ACTS: Final = {"rebuild": "rebuild_copy", "start-without": "start_without", "let-clock-stand": "clock_stands"}
_WORDS: Final = {act: word for word, act in ACTS.items()}
_SAY_EVERY_S: Final = 1.0
_HOUR_MS: Final = 3_600_000
EXAMPLES: Final = """examples:
  carbonseal recover status
  carbonseal recover propose rebuild --origin log.example/e-works/data \\
      --by ada --by bo --reason "disk failed, compared with the anchor" --out decision.json
  carbonseal recover approve decision.json --key ada.key
  carbonseal recover approve decision.json --key bo.key
  carbonseal recover carry-out decision.json --known checkpoint-of-a-member
"""


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `recover` to the `carbonseal` command."""
    recover = commands.add_parser(
        "recover",
        help="say why the ledger refuses to run, and recover it on the word of two operators",
        description="What keeps the ledger from running, and what two operators decide about it.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    acts = recover.add_subparsers(title="acts", required=True, metavar="ACT")
    status = acts.add_parser("status", help="compare all sources and list what disagrees; changes nothing")
    _add_options(status)
    status.set_defaults(run=_status)
    proposed = acts.add_parser("propose", help="write a decision for two operators to sign")
    proposed.add_argument("act", choices=sorted(ACTS), help="what is to be done")
    proposed.add_argument("--origin", help="log whose published copy is rebuilt")
    proposed.add_argument("--view", help="witness or contract to start without, as `status` names it")
    proposed.add_argument("--by", action="append", required=True, metavar="NAME", help="operator; give two")
    proposed.add_argument("--reason", required=True, help="why the database is believed; stands in the log")
    proposed.add_argument("--hours", type=int, default=24, help="how long it holds, 1 to 168 (default 24)")
    proposed.add_argument("--out", type=Path, default=Path("decision.json"), help="default decision.json")
    _add_options(proposed)
    proposed.set_defaults(run=_propose)
    approved = acts.add_parser("approve", help="show a decision and sign it; needs no data folder")
    approved.add_argument("file", type=Path, help="decision file, which gets the signature")
    approved.add_argument(
        "--key", type=Path, required=True, help="the operator's key file, of `carbonseal-verifier key`"
    )
    approved.set_defaults(run=_approve)
    done = acts.add_parser("carry-out", help="register a decision that both signed, and do what it says")
    done.add_argument("file", type=Path, help="decision file")
    done.add_argument(
        "--known",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="checkpoint of that log from a member, witness or bundle; may be given again",
    )
    _add_options(done)
    done.set_defaults(run=_carry_out)


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, help="data folder (default .carbonseal)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def _status(options: argparse.Namespace) -> int:
    from carbonseal_api.recovering.service import opened_recovery
    from carbonseal_api.running import settings_beside

    with opened_recovery(settings_beside(options.data), _say) as (recovery, _):
        findings = recovery.findings()
    if options.json:
        listed = [
            {
                "origin": finding.origin or None,
                "code": finding.error.code,
                "reason": str(finding.error),
                "act": _WORDS.get(finding.act or ""),
                "view": finding.view,
            }
            for finding in findings
        ]
        print(json.dumps({"runs": not findings, "findings": listed}, ensure_ascii=False))
        return 1 if findings else 0
    for finding in findings:
        print(f"{finding.error.code}: {finding.error}")
        act = _WORDS.get(finding.act or "")
        place = f" --view '{finding.view}'" if finding.view else ""
        place += f" --origin {finding.origin}" if act == "rebuild" else ""
        print(f"  two operators may: {act}{place}" if act else "  nobody may start it like this")
    if not findings:
        print("nothing keeps the ledger from running")
    return 1 if findings else 0


def _propose(options: argparse.Namespace) -> int:
    from carbonseal_api.problems import RequestInvalid
    from carbonseal_api.recovering.service import DecisionFile, deciders, opened_recovery
    from carbonseal_api.running import settings_beside

    act = ACTS[options.act]
    if (options.origin is None) == (act == "rebuild_copy"):
        raise RequestInvalid("--origin", "is the log that is rebuilt, and of no other act", "see --help")
    if (options.view is None) == (act == "start_without"):
        raise RequestInvalid("--view", "is whom to start without, and of no other act", "see --help")
    if options.out.exists():
        raise RequestInvalid("--out", f"{options.out} is there already", "name another file")
    settings = settings_beside(options.data)
    keys = deciders(settings, options.by)
    with opened_recovery(settings, _say) as (recovery, host):
        body = recovery.propose(
            act,
            reason=options.reason,
            deciders=keys,
            valid_ms=options.hours * _HOUR_MS,
            origin=options.origin,
            view=options.view,
        )
    file = DecisionFile(host, body)
    file.write(options.out)
    if options.json:
        print(json.dumps({"file": str(options.out), "host": host, "origin": body["origin"]}))
    else:
        print("\n".join([*file.words(), f"written   {options.out}"]))
    return 0


def _approve(options: argparse.Namespace) -> int:
    from carbonseal_api.recovering.service import DecisionFile, read_decision
    from carbonseal_attest.recovery_decision import approve
    from carbonseal_verifier.body_key import open_key

    file = read_decision(options.file)
    print("\n".join(file.words()))
    signer = open_key(options.key)
    signed = DecisionFile(file.host, approve(signer, file.host, file.body))
    signed.write(options.file)
    print(f"now signed by {len(signed.body['endorsements'])} of 2, {options.file}")
    return 0


def _carry_out(options: argparse.Namespace) -> int:
    from carbonseal_api.recovering.service import opened_recovery, read_decision
    from carbonseal_api.running import settings_beside
    from carbonseal_ledger.errors import LedgerError, RecoveryRefused

    file = read_decision(options.file)
    notes = [path.read_text(encoding="utf-8") for path in options.known]
    with opened_recovery(settings_beside(options.data), _say) as (recovery, _):
        try:
            done = recovery.carry_out(file.body, known_checkpoints=notes)
        except RecoveryRefused:
            raise
        except LedgerError as error:
            print(str(error), file=sys.stderr)
            return 1
        left = recovery.findings()
    if options.json:
        facts = {"act": _WORDS[done.act], "origin": done.origin, "tree_size": done.tree_size}
        print(json.dumps({**facts, "register": done.register, "index": done.index, "findings": len(left)}))
    else:
        print(f"done: {_WORDS[done.act]}, {done.origin} at {done.tree_size} entries")
        print(f"registered as entry {done.index} of {done.register}")
        print(f"{len(left)} more: carbonseal recover status" if left else "start the service")
    return 0


_said = [0.0]


def _say(line: str) -> None:
    if time.monotonic() - _said[0] >= _SAY_EVERY_S:
        _said[0] = time.monotonic()
        print(line, file=sys.stderr, flush=True)
