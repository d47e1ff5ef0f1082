"""`carbonseal-verifier sign` and `opinion check`: give an opinion, and re-perform anybody's.

Signing checks the bundle whole, computes again, refuses what the facts forbid, stores the signed bytes, and
only then sends them. The exit code says what happened: 0 done, 1 refused or not sent, 2 bad usage or input.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from carbonseal_attest.contents.judging import LEVELS_OF_ASSURANCE, OPINIONS
from carbonseal_attest.identifiers import check_code, opaque_code
from carbonseal_verifier import text_report
from carbonseal_verifier.body_cli import (
    add_body,
    add_service,
    client_of,
    keep_and_send,
    open_desk,
    outbox_of,
    read_statement,
)
from carbonseal_verifier.body_key import open_key
from carbonseal_verifier.check import PASSED
from carbonseal_verifier.errors import (
    OpinionRefused,
    SamplingRefused,
    ServiceRefused,
    TranscriptInvalid,
    UsageInvalid,
)
from carbonseal_verifier.examined import Examined, add_bundle, examine_bundle, read_file
from carbonseal_verifier.findings_file import MAX_FILE, Finding, parse_findings
from carbonseal_verifier.opinion_check import recheck
from carbonseal_verifier.outbox import Outbox
from carbonseal_verifier.paths import check_output, write_output
from carbonseal_verifier.private_files import replace
from carbonseal_verifier.transcript import MAX_TRANSCRIPT, Transcript, parse_transcript
from carbonseal_verifier.verification import KIND, Wish, body_in, compose
from carbonseal_verifier.verification_text import report_json, report_markdown, sampling_text

Subparsers = argparse._SubParsersAction  # noqa: SLF001 - argparse gives its return type no public name
_REFUSED: Final = (OpinionRefused, SamplingRefused, TranscriptInvalid, ServiceRefused)


def add_sign(commands: Subparsers[argparse.ArgumentParser]) -> None:
    """Add `sign`."""
    sign = commands.add_parser(
        "sign",
        help="give an opinion on an emissions report",
        description="Checks the bundle, computes again, refuses an opinion that the facts forbid, signs with "
        "the body's key and sends it to the body's own log. Exit 0: signed (and logged, with --service); 1: "
        "refused, or signed and stored but not logged: send it again with submit; 2: bad usage or input.",
        epilog="example: carbonseal-verifier sign evidence.bundle --trust trust.toml --key body.key "
        "--opinion unmodified --level reasonable --materiality 5 --transcript transcript.json "
        "--service https://log.example",
    )
    add_bundle(sign)
    add_body(sign)
    add_service(sign, is_required=False)
    sign.add_argument("--opinion", choices=OPINIONS, required=True)
    sign.add_argument("--level", choices=LEVELS_OF_ASSURANCE, required=True, help="level of assurance")
    sign.add_argument(
        "--materiality", required=True, metavar="PERCENT", help="of the total, from which an error matters"
    )
    sign.add_argument(
        "--criteria", metavar="TEXT", help="what was verified against; default: the report's method"
    )
    sign.add_argument("--engagement", metavar="CODE", help="default: that of the transcript")
    sign.add_argument("--findings", type=Path, metavar="FILE", help="findings, .toml or .json")
    sign.add_argument("--transcript", type=Path, metavar="FILE", help="the sample's transcript")
    sign.add_argument(
        "--text-zh", metavar="TEXT", help="the opinion in words, Chinese; default: the usual sentence"
    )
    sign.add_argument("--text-en", metavar="TEXT", help="the same in English")
    sign.add_argument(
        "--out",
        type=Path,
        default=Path("verification.statement"),
        help="a new file; the report for people is written beside it as .md and .json; default %(default)s",
    )
    sign.set_defaults(run=run_sign)


def add_opinion(commands: Subparsers[argparse.ArgumentParser]) -> None:
    """Add `opinion check`."""
    opinion = commands.add_parser("opinion", help="re-perform a verification report")
    actions = opinion.add_subparsers(dest="action", required=True)
    check = actions.add_parser(
        "check",
        help="signature, role, independence, figures, sample and receipt",
        description="Exit 0: everything that was given holds; 1: something does not; 2: bad usage or input. "
        "Whether the body has withdrawn the opinion since, its register log says.",
        epilog="example: carbonseal-verifier opinion check verification.statement --bundle evidence.bundle "
        "--trust trust.toml --transcript transcript.json",
    )
    check.add_argument("file", type=Path)
    add_bundle(check, is_option=True)
    check.add_argument("--transcript", type=Path, metavar="FILE", help="draw the sample again")
    check.add_argument("--json", type=Path, metavar="OUT", help="write the result; - for standard output")
    check.set_defaults(run=run_opinion_check)


def run_sign(arguments: argparse.Namespace) -> int:
    """Give an opinion; see `add_sign` for the exit codes."""
    out: Path = arguments.out
    if out.exists():
        reason = f"{str(out)!r:.120} exists already; a second opinion would stand beside the first"
        raise UsageInvalid("--out", reason, "send the first one with submit, or name another file")
    if out.suffix in {".md", ".json"}:
        raise UsageInvalid("--out", "would be overwritten by the report for people", "name it .statement")
    check_output(out)
    findings = _findings(arguments.findings)
    transcript = _transcript(arguments.transcript)
    signer = open_key(arguments.key)
    try:
        examined = examine_bundle(arguments)
        facts = body_in(examined, signer.public.kid)
        wish = _wish(arguments, examined, transcript)
        body = compose(examined, facts, wish, findings, transcript)
        with client_of(arguments) as client, outbox_of(arguments) as outbox:
            _check_revealed(outbox, body)
            desk = open_desk(signer, outbox, examined.case.trust, client)
            file = desk.sign(facts.data_origin, KIND, body, party=facts.party, subject=body["operator"])
            state = None
            try:
                file, state = keep_and_send(desk, file, out, is_sent=client is not None)
            finally:
                replace(out.with_suffix(".json"), report_json(file, facts, state), field="--out")
                replace(out.with_suffix(".md"), report_markdown(file, facts, state).encode(), field="--out")
    except _REFUSED as error:
        print(f"{'NOT LOGGED' if out.exists() else 'NOT SIGNED'}: {error}", file=sys.stderr)
        return 1
    beside = f"{out.with_suffix('.md')}, {out.with_suffix('.json')}"
    sample = sampling_text(body["sampling"])["en"]
    print(f"{wish.opinion} at {wish.level} assurance, {sample}: {out}, {beside}")
    return 0


def run_opinion_check(arguments: argparse.Namespace) -> int:
    """Re-perform a verification report."""
    check_output(arguments.json)
    file = read_statement(arguments.file, "file", KIND)
    transcript = _transcript(arguments.transcript)
    is_machine = arguments.json is not None and str(arguments.json) == "-"
    out = sys.stderr if is_machine else sys.stdout
    examined = examine_bundle(arguments)
    steps = recheck(examined, file, transcript)
    for step in steps:
        print(text_report.step_line(step), file=out)
    has_passed = all(step.outcome == PASSED for step in steps if step.required)
    body = file.content.body
    words = f"{body['opinion']} at {body['level_of_assurance']} assurance"
    print(
        f"{'HOLDS' if has_passed else 'DOES NOT HOLD'}: {words}, statement {file.statement.digest.hex()}",
        file=out,
    )
    value = {
        "holds": has_passed,
        "bundle_passed": examined.result.has_passed,
        "statement_digest": file.statement.digest.hex(),
        "opinion": body["opinion"],
        "level_of_assurance": body["level_of_assurance"],
        "steps": [step.to_json() for step in steps],
    }
    text = json.dumps(value, ensure_ascii=False, indent=2) + "\n"
    if is_machine:
        sys.stdout.write(text)
    elif arguments.json is not None:
        write_output(arguments.json, text)
    return 0 if has_passed else 1


def _check_revealed(outbox: Outbox, body: Mapping[str, Any]) -> None:
    """Refuse an unmodified opinion that passes over a sample to which this body committed before.

    The service would not count it: who dislikes a draw could otherwise go on as if none had been made.
    """
    left = outbox.unrevealed(body["report_digest"])
    if body["sampling"] is not None:
        cited = body["sampling"]["commitment_digest"]
        left = left[: left.index(cited)] if cited in left else []
    if left and body["opinion"] == "unmodified":
        raise OpinionRefused(
            "sampling",
            f"an unmodified one is not open: commitment {left[0].hex()} to a sample of this report was never "
            "revealed",
            "draw the sample and give its --transcript, or give a disclaimer or an adverse opinion",
        )


def _wish(arguments: argparse.Namespace, examined: Examined, transcript: Transcript | None) -> Wish:
    given = arguments.engagement
    if given is not None:
        engagement = check_code(given, field="--engagement")
    elif transcript is not None:
        engagement = transcript.value["engagement"]
    else:
        engagement = opaque_code("en", examined.case.about.digest)
    if (arguments.text_zh is None) != (arguments.text_en is None):
        raise UsageInvalid(
            "--text-zh", "comes with --text-en or not at all", "give the opinion in both languages"
        )
    text = None if arguments.text_zh is None else {"zh": arguments.text_zh, "en": arguments.text_en}
    return Wish(
        arguments.opinion, arguments.level, arguments.materiality, arguments.criteria, engagement, text
    )


def _findings(path: Path | None) -> list[Finding]:
    if path is None:
        return []
    return parse_findings(read_file(path, "--findings", MAX_FILE), is_toml=path.suffix.lower() == ".toml")


def _transcript(path: Path | None) -> Transcript | None:
    if path is None:
        return None
    try:
        return parse_transcript(read_file(path, "--transcript", MAX_TRANSCRIPT))
    except TranscriptInvalid as error:
        raise UsageInvalid("--transcript", f"{error.field}: {error.reason}", error.remedy) from error
