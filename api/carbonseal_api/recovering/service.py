"""What `carbonseal recover` works with: the operators of the settings, and a decision as a file.

A decision file is JSON that people can read: {format, host, decision}, where the decision is the JSON view of
a `recovery` content's body. Operators hand it to one another; what they sign is the body, not the file. No
log host is made here, because the ledger refuses to run.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from carbonseal_api.assembly import system_clock
from carbonseal_api.deployment import LOG, chain_side, database_of, key_folder, outside_of, read_identity
from carbonseal_api.founding import EPOCHS
from carbonseal_api.key_files import write_private
from carbonseal_api.problems import RequestInvalid
from carbonseal_api.published_place import open_published
from carbonseal_api.settings import Settings
from carbonseal_api.witnesses.opening import open_witnesses
from carbonseal_attest.algorithms import ADMITTED, SM2
from carbonseal_attest.contents import schema as s
from carbonseal_attest.contents.upkeep import recovery
from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.instants import format_instant
from carbonseal_attest.json_view import read_json_view, to_json_view
from carbonseal_attest.keys import PublicKey
from carbonseal_ledger.decisions_in_force import Operators
from carbonseal_ledger.entry_reader import EntryReader
from carbonseal_ledger.recovery import Recovery

FORMAT: Final = "carbonseal-recovery/1"
MAX_FILE: Final = 65_536  # bytes; two ML-DSA keys and signatures take 15 kB in hex
_FILE: Final = s.record({"format": s.one_of(FORMAT), "host": s.code, "decision": s.anything})
_UNSIGNED: Final = [{"role": "first_operator", "signature": b"-"}] * 2


@dataclass(frozen=True, slots=True)
class DecisionFile:
    """A decision on its way from one operator to the other. `host` is the log host's party code."""

    host: str
    body: dict[str, Any]

    def write(self, path: Path) -> None:
        """Write the file, in place of the one that is there; readable by its owner alone."""
        value = {"format": FORMAT, "host": self.host, "decision": to_json_view(self.body)}
        write_private(path, (json.dumps(value, ensure_ascii=False, indent=1) + "\n").encode())

    def words(self) -> list[str]:
        """What the decision says, a line each, for whoever is about to sign it."""
        body = self.body
        named = [PublicKey.from_cose_key(key).text() for key in body["operators"]]
        return [
            f"log host  {self.host}",
            f"act       {body['act']}" + (f" {body['view']}" if body["view"] else ""),
            f"log       {body['origin']}",
            f"believed  {body['tree_size']} entries, root {body['root_hash'].hex()}",
            f"finding   {body['finding']}",
            f"reason    {body['reason']}",
            f"decided   {format_instant(body['decided_at'])}, until {format_instant(body['until'])}",
            f"operators {named[0]}",
            f"          {named[1]}",
            f"signed    {len(body['endorsements'])} of 2",
        ]


def read_decision(path: Path) -> DecisionFile:
    """Return the decision of a file; who signed it is not checked here.

    Raises:
        RequestInvalid: no decision file.
    """
    try:
        with path.open("rb") as file:
            value = read_json_view(file.read(MAX_FILE).decode())
        _FILE(value, "FILE")
        body: dict[str, Any] = value["decision"]
        # Before both have signed it, only what they sign has its final form.
        recovery({**body, "endorsements": _UNSIGNED}, "FILE.decision")
        if body["endorsements"]:
            recovery({**body, "endorsements": [*body["endorsements"], *_UNSIGNED][:2]}, "FILE.decision")
    except OSError as error:
        raise RequestInvalid("FILE", f"{path} cannot be read ({error.strerror})", "name the file") from error
    except (CarbonsealError, UnicodeDecodeError, TypeError, KeyError) as error:
        raise RequestInvalid("FILE", f"is no decision file: {error}", "ask for it again") from error
    return DecisionFile(value["host"], body)


@contextmanager
def opened_recovery(settings: Settings, tell: Callable[[str], None]) -> Iterator[tuple[Recovery, str]]:
    """Yield what recovers the ledger of a deployment, and the log host's party code."""
    identity = read_identity(settings)
    engine = database_of(settings)
    try:
        signer = key_folder(settings).signer(LOG)
        operators = Operators(
            identity.log_host_name,
            identity.host_party,
            list(named_operators(settings).values()),
            ADMITTED | {SM2} if settings.sm2 else ADMITTED,
        )
        published, facts = open_published(settings), identity.chain_facts()
        anchors = None if facts is None else chain_side(settings, engine, system_clock, facts.chain_id)
        witnesses = open_witnesses(settings, engine, system_clock, f"{identity.log_host_name}/{EPOCHS}")
        log_keys = EntryReader(engine).keys(signer.public).all()
        outside = outside_of(anchors, witnesses, published, identity, log_keys)
        yield (
            Recovery(
                engine, published, signer, system_clock, operators=operators, outside=outside, tell=tell
            ),
            identity.host_party,
        )
    finally:
        engine.dispose()


def named_operators(settings: Settings) -> Mapping[str, PublicKey]:
    """Return the operators of the settings by name."""
    return {name: PublicKey.from_text(key) for name, _, key in (o.partition("=") for o in settings.operators)}


def deciders(settings: Settings, names: list[str]) -> list[PublicKey]:
    """Return the keys of the two operators that were named.

    Raises:
        RequestInvalid: not two, the same twice, or one whom the settings do not name.
    """
    known = named_operators(settings)
    if len(set(names)) != 2:
        raise RequestInvalid("--by", "two different operators decide", "name both: --by NAME --by NAME")
    for name in names:
        if name not in known:
            listed = ", ".join(sorted(known)) or "nobody"
            raise RequestInvalid(
                "--by", f"{name} is no operator; the settings name {listed}", "set CARBONSEAL_OPERATORS"
            )
    return [known[name] for name in names]
