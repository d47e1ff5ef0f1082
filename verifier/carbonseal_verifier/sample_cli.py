"""`carbonseal-verifier sample commit | draw | transcript | check`: a sample that neither side can steer."""

from __future__ import annotations

import argparse
import secrets
import sys
from pathlib import Path
from typing import Final

from carbonseal_attest.epoch import MapProof
from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.identifiers import check_code, opaque_code
from carbonseal_verifier.admissions import admissions_in, check_independence_in
from carbonseal_verifier.body_cli import (
    add_body,
    add_service,
    client_of,
    keep_and_send,
    open_desk,
    outbox_of,
    read_statement,
)
from carbonseal_verifier.body_desk import log_host_of, verify_receipt
from carbonseal_verifier.body_key import open_key
from carbonseal_verifier.commitment import KIND, Engagement, LoggedProof
from carbonseal_verifier.drawing import make_transcript, redraw
from carbonseal_verifier.errors import SamplingRefused, TranscriptInvalid, UsageInvalid
from carbonseal_verifier.examined import Examined, add_bundle, examine_bundle, read_file
from carbonseal_verifier.private_files import replace, write_new
from carbonseal_verifier.sample_block import STATED, DrawBlock, compare_with_node
from carbonseal_verifier.sample_grid import strata_of
from carbonseal_verifier.sampling import NONCE_SIZE, nonce_digest
from carbonseal_verifier.service_client import ServiceClient
from carbonseal_verifier.statement_file import StatementFile
from carbonseal_verifier.transcript import MAX_TRANSCRIPT, Transcript, parse_transcript

Subparsers = argparse._SubParsersAction  # noqa: SLF001 - argparse gives its return type no public name
_SHOWN: Final = 20  # slots without an answer that are printed
EPOCHS_AHEAD: Final = 2  # the present epoch may close before the commitment has arrived


def add_sample(commands: Subparsers[argparse.ArgumentParser]) -> None:
    """Add `sample` with its four actions."""
    sample = commands.add_parser(
        "sample",
        help="commit to a sample, draw it, and draw it again",
        description="A sample over the expected grid, so that an omission can be drawn.",
    )
    actions = sample.add_subparsers(dest="action", required=True)
    _add_commit(actions)
    _add_draw(actions, "draw", "print the drawn slots", run_draw)
    transcript = _add_draw(actions, "transcript", "write the draw and what the bundle shows", run_transcript)
    transcript.add_argument("--out", type=Path, default=Path("transcript.json"), help="default %(default)s")
    check = actions.add_parser(
        "check",
        help="draw again from a transcript: same bytes",
        description="Exit 0: the same bytes; 1: another transcript; 2: bad usage or input.",
        epilog="example: carbonseal-verifier sample check transcript.json --bundle evidence.bundle "
        "--trust trust.toml",
    )
    check.add_argument("transcript", type=Path)
    add_bundle(check, is_option=True)
    check.add_argument("--rpc", metavar="URL", help="compare the draw's blocks with a live node")
    check.set_defaults(run=run_check)


def _add_commit(actions: Subparsers[argparse.ArgumentParser]) -> None:
    commit = actions.add_parser(
        "commit",
        help="sign and log what will be drawn, before the block exists",
        description="Strata are the plan's measurements. Without --size a stratum's sample is the least "
        "that meets an error rate above --tolerable with --confidence (discovery sampling), at most all.",
        epilog="example: carbonseal-verifier sample commit evidence.bundle --trust trust.toml --key body.key "
        "--service https://log.example --blocks-after 3",
    )
    add_bundle(commit)
    add_body(commit)
    add_service(commit, is_required=False)
    commit.add_argument("--engagement", metavar="CODE", help="code of the engagement; default: a new one")
    commit.add_argument("--confidence", default="95", metavar="PERCENT", help="default %(default)s")
    commit.add_argument("--tolerable", default="5", metavar="PERCENT", help="error rate; default %(default)s")
    commit.add_argument(
        "--size",
        action="append",
        default=[],
        metavar="MEASUREMENT=N",
        help="draw N slots there, or all it has",
    )
    commit.add_argument(
        "--epoch",
        type=int,
        metavar="N",
        help="the draw follows its anchor; default: two after the service's newest",
    )
    commit.add_argument("--blocks-after", type=int, default=3, metavar="K", help="default %(default)s")
    commit.add_argument(
        "--nonce",
        type=Path,
        default=Path("nonce.secret"),
        help="new file; keep it to yourself until you draw",
    )
    commit.add_argument("--out", type=Path, default=Path("commitment.statement"), help="default %(default)s")
    commit.set_defaults(run=run_commit)


def _add_draw(
    actions: Subparsers[argparse.ArgumentParser], name: str, words: str, run: object
) -> argparse.ArgumentParser:
    parser = actions.add_parser(
        name,
        help=words,
        description="Needs a bundle that was made after the anchor. What its evidence does not prove has to "
        "be stated, and the transcript says so.",
    )
    add_bundle(parser)
    add_service(parser, is_required=False)
    parser.add_argument(
        "--commitment", type=Path, default=Path("commitment.statement"), help="default %(default)s"
    )
    parser.add_argument("--nonce", type=Path, default=Path("nonce.secret"), help="default %(default)s")
    parser.add_argument(
        "--anchor-block",
        type=int,
        metavar="N",
        help="number of the anchor's block, where the evidence lacks it",
    )
    parser.add_argument(
        "--block-hash", metavar="HEX", help="hash of the draw's block, where the evidence lacks it"
    )
    parser.add_argument("--rpc", metavar="URL", help="compare both blocks with a live node")
    parser.set_defaults(run=run)
    return parser


def run_commit(arguments: argparse.Namespace) -> int:
    """Commit to a sample."""
    signer = open_key(arguments.key)
    examined = examine_bundle(arguments)
    examined.require("completeness", "the strata come from it")
    case = examined.case
    facts = admissions_in(case).body_of(signer.public.kid)
    check_independence_in(case, facts)
    strata = strata_of(
        case.prepared,
        confidence=arguments.confidence,
        tolerable=arguments.tolerable,
        sizes=_sizes(arguments.size),
    )
    if arguments.out.exists():
        raise UsageInvalid(
            "--out", f"{str(arguments.out)!r:.120} exists already", "one commitment an engagement"
        )
    with client_of(arguments) as client, outbox_of(arguments) as outbox:
        epoch = _epoch(arguments.epoch, client, len(case.epochs))
        nonce = secrets.token_bytes(NONCE_SIZE)
        body = {
            "engagement": _engagement(arguments.engagement, nonce),
            "report_digest": case.about.digest,
            "nonce_digest": nonce_digest(nonce),
            "strata": [{"id": s.id, "expected": s.expected, "sample_size": s.sample_size} for s in strata],
            "epoch": epoch,
            "blocks_after": arguments.blocks_after,
        }
        # The nonce first: a commitment whose nonce is lost is a failed engagement.
        write_new(arguments.nonce, nonce.hex().encode() + b"\n", field="--nonce")
        desk = open_desk(signer, outbox, case.trust, client)
        file = desk.sign(facts.data_origin, KIND, body, party=facts.party, subject=case.operator.party)
        drawn = sum(stratum.sample_size for stratum in strata)
        print(f"committed: {drawn} slots of {len(strata)} measurements, after the anchor of epoch {epoch}")
        keep_and_send(desk, file, arguments.out, is_sent=client is not None)
    return 0


def run_draw(arguments: argparse.Namespace) -> int:
    """Print the drawn slots, and nothing that could be taken for an answer."""
    transcript, block = _draw(arguments)
    _show_block(block)
    for stratum in transcript.value["strata"]:
        print(f"{stratum['id']}: {stratum['sample_size']} of {stratum['expected']}")
        for sample in stratum["samples"]:
            print(f"  {sample['slot']:>8}  {sample['start']} to {sample['end']}")
    return 0


def run_transcript(arguments: argparse.Namespace) -> int:
    """Write the transcript of the draw."""
    transcript, block = _draw(arguments)
    replace(arguments.out, transcript.data, field="--out")
    _show_block(block)
    print(f"{transcript.drawn} slots drawn, {transcript.answered} with a usable value")
    unanswered = transcript.unanswered()
    for name in unanswered[:_SHOWN]:
        print(f"  no answer: {name}")
    if len(unanswered) > _SHOWN:
        print(f"  … and {len(unanswered) - _SHOWN} more; {arguments.out} lists every slot")
    if not transcript.is_proved_in_time:
        print("not proved: that the commitment was logged before the anchor; ask with --service")
    print(f"{arguments.out}: SHA-256 {transcript.digest.hex()}")
    return 0


def run_check(arguments: argparse.Namespace) -> int:
    """Draw again from a transcript."""
    try:
        transcript = parse_transcript(read_file(arguments.transcript, "transcript", MAX_TRANSCRIPT))
        examined = examine_bundle(arguments)
        examined.require("completeness", "the slots are shown from it")
        block = redraw(examined.case, transcript, bundle_digest=examined.bundle_digest)
        if arguments.rpc is not None:
            compare_with_node(arguments.rpc, block)
    except UsageInvalid:
        raise
    except CarbonsealError as error:
        print(f"NOT THE SAME: {error}", file=sys.stderr)
        return 1
    _show_block(block)
    if not transcript.is_proved_in_time:
        print("not proved: that the commitment was logged before the anchor")
    print(f"SAME BYTES: {transcript.drawn} slots drawn, {transcript.answered} with a usable value")
    return 0


def _draw(arguments: argparse.Namespace) -> tuple[Transcript, DrawBlock]:
    file = read_statement(arguments.commitment, "--commitment", KIND)
    nonce = _hexadecimal(read_file(arguments.nonce, "--nonce", 200).decode("ascii", "replace"), "--nonce")
    stated = None if arguments.block_hash is None else _hexadecimal(arguments.block_hash, "--block-hash")
    examined = examine_bundle(arguments)
    examined.require("completeness", "the slots are shown from it")
    anchor_block, logged = arguments.anchor_block, None
    with client_of(arguments) as client:
        if client is not None:
            logged = _proof(examined, file, client)
            if anchor_block is None:
                anchor_block = _anchor_block(client, file.content.body["epoch"])
    engagement = Engagement(file, nonce, logged)
    try:
        transcript, block = make_transcript(
            examined.case,
            engagement,
            bundle_digest=examined.bundle_digest,
            anchor_block=anchor_block,
            block_hash=stated,
        )
    except TranscriptInvalid as error:
        raise SamplingRefused(error.field, error.reason, error.remedy) from error
    if arguments.rpc is not None:
        compare_with_node(arguments.rpc, block)
    return transcript, block


def _proof(examined: Examined, file: StatementFile, client: ServiceClient) -> LoggedProof:
    """Fetch the proof that the commitment was in the log when its epoch was closed; it is verified later."""
    statement = file.statement
    origin, epoch = statement.header.origin, file.content.body["epoch"]
    head = MapProof.from_value(origin, client.map_proof(origin, epoch))
    data, _ = client.receipt(origin, statement.digest)
    index = verify_receipt(data, statement, log_host_of(examined.case.trust, origin)).index
    if index >= head.entry.tree_size:
        raise SamplingRefused(
            "commitment", f"was logged after epoch {epoch} was closed", "commit anew, to a later epoch"
        )
    return LoggedProof(index, tuple(client.inclusion(origin, index, head.entry.tree_size)), head)


def _anchor_block(client: ServiceClient, epoch: int) -> int | None:
    anchor = client.epoch(epoch).get("anchor")
    number = anchor.get("block_number") if isinstance(anchor, dict) else None
    return number if type(number) is int else None


def _show_block(block: DrawBlock) -> None:
    place = f"{block.blocks_after} after the anchor of epoch {block.epoch}"
    print(f"block {block.number}, {place}: {block.block_hash.hex()}")
    if block.anchor_block_from == STATED:
        print(f"  stated, not proved by the bundle: that the anchor is in block {block.anchor_block}")
    if block.hash_from == STATED:
        print("  stated, not proved by the bundle: the block's hash")


def _epoch(given: int | None, client: ServiceClient | None, known: int) -> int:
    if given is None and client is None:
        raise UsageInvalid(
            "--epoch", "is not given", "name an epoch that is not closed yet, or give --service"
        )
    newest = known if client is None else client.newest_epoch(known)
    epoch = newest + EPOCHS_AHEAD if given is None else given
    if epoch <= newest:
        raise SamplingRefused("--epoch", f"epoch {epoch} is closed already", "name one that is not")
    return epoch


def _engagement(given: str | None, nonce: bytes) -> str:
    return (
        check_code(given, field="--engagement")
        if given is not None
        else opaque_code("en", nonce_digest(nonce))
    )


def _sizes(pairs: list[str]) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for pair in pairs:
        name, _, number = pair.rpartition("=")
        if not name or not number.isascii() or not number.isdigit() or int(number) < 1:
            raise UsageInvalid("--size", f"{pair[:80]!r} is not MEASUREMENT=N", "write main=30")
        sizes[name] = int(number)
    return sizes


def _hexadecimal(text: str, field: str) -> bytes:
    try:
        return bytes.fromhex(text.strip().removeprefix("0x"))
    except ValueError as error:
        raise UsageInvalid(field, "is not hexadecimal", "give 64 hexadecimal digits") from error
