"""`carbonseal-verifier key | rotate | join | submit | withdraw`: what a body does beside giving opinions.

Its key, its nonces and its outbox lie on its own machine; what leaves it are signed statements. The other
commands of a body (`sample`, `sign`) share the options that are defined here.
"""

from __future__ import annotations

import argparse
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from carbonseal_attest.algorithms import algorithm_named, algorithm_names
from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.identity import party_rotation
from carbonseal_attest.identity.party_rotation import endorse_rotation, read_rotation, write_rotation
from carbonseal_attest.keys import PublicKey
from carbonseal_attest.signing import Signer
from carbonseal_attest.trust import TrustFile
from carbonseal_verifier.body_desk import BodyDesk, send
from carbonseal_verifier.body_key import make_key, open_key
from carbonseal_verifier.errors import InvitationInvalid, UsageInvalid
from carbonseal_verifier.examined import add_trust, now, read_file
from carbonseal_verifier.invitation import MAX_INVITATION, Invitation, Terms
from carbonseal_verifier.outbox import Membership, Outbox
from carbonseal_verifier.paths import read_trust
from carbonseal_verifier.private_files import replace, write_new
from carbonseal_verifier.service_client import TOKEN, ServiceClient
from carbonseal_verifier.statement_file import MAX_FILE, StatementFile

Subparsers = argparse._SubParsersAction  # noqa: SLF001 - argparse gives its return type no public name
KINDS_SENT = ("verification_report", "sampling_commitment", "withdrawal")


def add_key(commands: Subparsers[argparse.ArgumentParser]) -> None:
    """Add `key`."""
    key = commands.add_parser(
        "key",
        help="make a verification body's key",
        description="Writes an encrypted key file that never leaves this machine, and prints the public key "
        "that the registrar needs. The pass phrase is asked for, or taken from CARBONSEAL_PASSPHRASE.",
        epilog="example: carbonseal-verifier key --out body.key",
    )
    key.add_argument("--out", type=Path, required=True, metavar="FILE", help="a new file")
    key.add_argument(
        "--algorithm",
        choices=algorithm_names(),
        default="ed25519",
        help="what it signs with (default ed25519)",
    )
    key.set_defaults(run=run_key)


def add_rotate(commands: Subparsers[argparse.ArgumentParser]) -> None:
    """Add `rotate`."""
    rotate = commands.add_parser(
        "rotate",
        help="endorse the body's new key with the old one and itself",
        description="Reads what the registrar would state of the body with its new key, shows it, and writes "
        "it endorsed by both keys; the registrar then registers it. Sign with the new key from then on.",
        epilog="example: carbonseal-verifier rotate rotation.json --key body.key --new next.key "
        "--out endorsed.json",
    )
    rotate.add_argument("file", type=Path, help="as `carbonseal party rotate --public-key` wrote it")
    rotate.add_argument("--key", type=Path, required=True, metavar="FILE", help="key file of the old key")
    rotate.add_argument("--new", type=Path, required=True, metavar="FILE", help="key file of the new key")
    rotate.add_argument("--out", type=Path, required=True, metavar="FILE", help="a new file")
    rotate.set_defaults(run=run_rotate)


def add_join(commands: Subparsers[argparse.ArgumentParser]) -> None:
    """Add `join`."""
    join = commands.add_parser(
        "join",
        help="sign an invitation and open the body's two logs",
        description="Refuses an invitation that the log host and the registrar you believe have not "
        "endorsed, or whose policy you should not sign.",
        epilog="example: carbonseal-verifier join invitation.json --key body.key --trust trust.toml "
        "--service https://log.example",
    )
    join.add_argument("invitation", type=Path)
    add_body(join)
    add_service(join, is_required=True)
    join.add_argument("--trust", type=Path, help="your own trust file")
    join.add_argument(
        "--registrar-key", metavar="KEY", help="without a trust file: the registrar's public key"
    )
    join.add_argument("--log-key", metavar="KEY", help="without a trust file: the log host's public log key")
    join.set_defaults(run=run_join)


def add_submit(commands: Subparsers[argparse.ArgumentParser]) -> None:
    """Add `submit`."""
    submit = commands.add_parser(
        "submit",
        help="send a signed statement again, the very same bytes",
        description="Fetches the receipt, verifies it under the trust file's log key, keeps it in the file.",
        epilog="example: carbonseal-verifier submit verification.statement --trust trust.toml "
        "--service https://log.example",
    )
    submit.add_argument("file", type=Path)
    add_trust(submit)
    add_service(submit, is_required=True)
    submit.set_defaults(run=run_submit)


def add_withdraw(commands: Subparsers[argparse.ArgumentParser]) -> None:
    """Add `withdraw`."""
    withdraw = commands.add_parser(
        "withdraw",
        help="take an opinion back; it stays visible",
        description="Signs a withdrawal into the body's register log, about a statement digest.",
    )
    withdraw.add_argument("digest", help="statement digest of the opinion, 64 hexadecimal digits")
    withdraw.add_argument("--reason", required=True, help="why; everybody with the register log reads it")
    add_body(withdraw)
    add_trust(withdraw)
    add_service(withdraw, is_required=False)
    withdraw.add_argument(
        "--out", type=Path, default=Path("withdrawal.statement"), help="default %(default)s"
    )
    withdraw.set_defaults(run=run_withdraw)


def add_body(parser: argparse.ArgumentParser) -> None:
    """Add the options that name the body's key and outbox."""
    parser.add_argument("--key", type=Path, required=True, help="the body's key file")
    parser.add_argument(
        "--state",
        type=Path,
        metavar="FOLDER",
        help="what the body has signed; default: FILE.state beside --key",
    )


def add_service(parser: argparse.ArgumentParser, *, is_required: bool) -> None:
    """Add the option that names the log host's address."""
    parser.add_argument(
        "--service",
        metavar="URL",
        required=is_required,
        help=f"address of the log host; the body's token is taken from {TOKEN}",
    )


def client_of(arguments: argparse.Namespace) -> AbstractContextManager[ServiceClient | None]:
    """Return the client for `--service`, or None where it is not given."""
    return nullcontext() if arguments.service is None else ServiceClient(arguments.service)


def outbox_of(arguments: argparse.Namespace) -> Outbox:
    """Return the body's outbox: `--state`, or the folder beside its key."""
    key: Path = arguments.key
    return Outbox(key.with_name(f"{key.name}.state") if arguments.state is None else arguments.state)


def open_desk(signer: Signer, outbox: Outbox, trust: TrustFile, client: ServiceClient | None) -> BodyDesk:
    """Return the desk that signs with the system's clock."""
    return BodyDesk(signer, outbox, trust, now, client)


def run_key(arguments: argparse.Namespace) -> int:
    """Make a key and print its public half."""
    signer = make_key(arguments.out, algorithm_named(arguments.algorithm).id)
    print(signer.public.text())
    return 0


def run_rotate(arguments: argparse.Namespace) -> int:
    """Endorse a rotation with both keys."""
    body = read_rotation(read_file(arguments.file, "file", party_rotation.MAX_FILE))
    name, roles = body["name"]["en"], ", ".join(body["roles"])
    print(f"{body['party']} ({name}), {body['status']} as {roles}, org {body['org'] or 'none'}")
    made = endorse_rotation(body, open_key(arguments.key), open_key(arguments.new))
    write_new(arguments.out, write_rotation(made), field="--out")
    print(f"endorsed: give {arguments.out} to the registrar (carbonseal party rotate --endorsed)")
    print(f"then sign with --key {arguments.new} --state {arguments.key}.state")
    return 0


def run_join(arguments: argparse.Namespace) -> int:
    """Sign the two genesis statements and open the logs."""
    terms = _terms(arguments)
    invitation = Invitation.parse(read_file(arguments.invitation, "invitation", MAX_INVITATION))
    invitation.check_terms(terms)
    signer = open_key(arguments.key)
    with outbox_of(arguments) as outbox, ServiceClient(arguments.service) as client:
        outbox.join(
            Membership(invitation.party, invitation.registrar, invitation.log_host, *invitation.origins)
        )
        for statement, content in _genesis(invitation, signer, outbox):
            status = client.open_log(statement.raw, content)
            print(f"{statement.header.origin}: {'open' if status == 'accepted' else 'was open already'}")
    print(f"joined as {invitation.party} ({', '.join(invitation.roles)}): {invitation.name['en']}")
    return 0


def run_submit(arguments: argparse.Namespace) -> int:
    """Send a statement file again and keep its receipt."""
    trust = read_trust(arguments.trust)
    file = read_statement(arguments.file, "file", *KINDS_SENT)
    with ServiceClient(arguments.service) as client:
        logged = send(file, client, trust)
    replace(
        arguments.file,
        StatementFile.of(file.statement, file.content_bytes, logged.receipt).to_bytes(),
        field="file",
    )
    print(f"receipt: {logged.state}, entry {logged.index} of {file.statement.header.origin}")
    return 0


def run_withdraw(arguments: argparse.Namespace) -> int:
    """Take an opinion back."""
    try:
        withdrawn = bytes.fromhex(arguments.digest)
    except ValueError:
        withdrawn = b""
    if len(withdrawn) != 32:
        raise UsageInvalid("digest", "is not a statement digest", "give 64 hexadecimal digits")
    if arguments.out.exists():
        raise UsageInvalid("--out", f"{str(arguments.out)!r:.120} exists already", "name another file")
    trust, signer = read_trust(arguments.trust), open_key(arguments.key)
    with client_of(arguments) as client, outbox_of(arguments) as outbox:
        member = outbox.membership
        body: dict[str, Any] = {
            "withdraws": withdrawn,
            "role": "verification_body",
            "reason": arguments.reason,
        }
        desk = open_desk(signer, outbox, trust, client)
        file = desk.sign(member.register_origin, "withdrawal", body, party=member.party, subject=member.party)
        keep_and_send(desk, file, arguments.out, is_sent=client is not None)
    return 0


def keep_and_send(
    desk: BodyDesk, file: StatementFile, out: Path, *, is_sent: bool
) -> tuple[StatementFile, str | None]:
    """Write a statement file, send it, and write it again with its verified receipt.

    Returns the file as it stands now and the receipt state as the log host names it, None if it was not sent.
    """
    replace(out, file.to_bytes(), field="--out")
    print(f"signed: {file.content.kind} {file.statement.digest.hex()}")
    if not is_sent:
        print(f"not sent; send it with: carbonseal-verifier submit {out}")
        return file, None
    logged = desk.send(file)
    file = StatementFile.of(file.statement, file.content_bytes, logged.receipt)
    replace(out, file.to_bytes(), field="--out")
    print(f"receipt: {logged.state}, entry {logged.index} of {file.statement.header.origin}")
    return file, logged.state


def read_statement(path: Path, field: str, *kinds: str) -> StatementFile:
    """Return the statement file at a path, of one of some kinds.

    Raises:
        UsageInvalid: it cannot be opened.
        StatementFileInvalid: it is none, or of another kind.
    """
    data = read_file(path, field, MAX_FILE)
    return StatementFile.parse(data, kinds=kinds)


def _genesis(invitation: Invitation, signer: Signer, outbox: Outbox) -> list[tuple[Any, bytes]]:
    """Return the genesis statements: those signed before, or new ones, stored before they are sent."""
    before = {
        statement.header.origin: (statement, content)
        for statement, content in outbox.statements()
        if statement.header.kind == "genesis"
    }
    fresh = invitation.sign(signer, issued_at=now() // 1000)
    chosen = []
    for (statement, content), origin in zip(fresh, invitation.origins, strict=True):
        if origin in before and before[origin][1] != content:
            raise InvitationInvalid(
                "invitation",
                f"another genesis of {origin} was signed before",
                "ask the registrar which one counts",
            )
        if origin not in before:
            outbox.add(statement, content)
        chosen.append(before.get(origin, (statement, content)))
    return chosen


def _terms(arguments: argparse.Namespace) -> Terms:
    if arguments.trust is not None:
        trust = read_trust(arguments.trust)
        if len(trust.registrars) != 1 or len(trust.log_hosts) != 1:
            raise UsageInvalid(
                "--trust",
                "names several registrars or log hosts",
                "give --registrar-key and --log-key instead",
            )
        host = trust.log_hosts[0]
        return Terms(trust.registrars[0].key, host.key_for(host.log_of_logs, 1), trust)
    if arguments.registrar_key is None or arguments.log_key is None:
        raise UsageInvalid(
            "--trust", "is not given", "give your trust file, or both --registrar-key and --log-key"
        )
    return Terms(_public(arguments.registrar_key, "--registrar-key"), _public(arguments.log_key, "--log-key"))


def _public(text: str, field: str) -> PublicKey:
    try:
        return PublicKey.from_text(text.strip())
    except CarbonsealError as error:
        raise UsageInvalid(field, error.reason, error.remedy) from error
