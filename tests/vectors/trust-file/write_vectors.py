"""Vectors of the trust file: files that say something, and files that must be refused with the part named.

Beside what a file says, `keys` tells which log key signs which size of which log, and `met` which witnesses
make its quorum.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from example_contents import DATA, key
from vector_files import Vector, document, write

from carbonseal_attest.chain_profile import ChainProfile, HeadKey, TrustedBlock
from carbonseal_attest.errors import TrustInvalid
from carbonseal_attest.tlog_policy import TlogPolicy
from carbonseal_attest.trust import (
    Algorithms,
    ClosedLog,
    Limits,
    LogKey,
    TrustedLogHost,
    TrustedRegistrar,
    TrustFile,
    Witnesses,
    format_trust_file,
    sign_trust_file,
)
from carbonseal_attest.vkey import ED25519_COSIGNATURE, Vkey

HOUR, DAY = 3_600_000, 86_400_000
AT = 1_769_904_000_000  # 2026-02-01T00:00:00Z
HOST = "log.example.org"
CLOSED = "log.old.example/e-exampleworks/data"
OLD, NEW, WITNESS, OTHER = (key(name).public for name in ("log host", "device", "party", "registrar"))
POLICY = (
    f"witness w1 {Vkey('w1.example.org', ED25519_COSIGNATURE, WITNESS)}\n"
    f"witness w2 {Vkey('w2.example.org', ED25519_COSIGNATURE, NEW)}\n"
    f"witness w3 {Vkey('w3.example.org', ED25519_COSIGNATURE, OTHER)}\n"
    "group two-of-three 2 w1 w2 w3\nquorum two-of-three\n"
)
PLAIN = TrustFile(
    publisher="Example association",
    label="made for the vectors",
    published_at=AT,
    digest=b"",
    signed_by=None,
    registrars=(TrustedRegistrar("r-exampleregistrar", f"{HOST}/r-exampleregistrar/register", OTHER),),
    log_hosts=(
        TrustedLogHost(
            "h-examplehost",
            f"{HOST}/",
            f"{HOST}/epochs",
            (LogKey(OLD, 0, None), LogKey(OLD, 0, 100, DATA), LogKey(NEW, 100, None, DATA)),
        ),
    ),
    closed_logs=(ClosedLog(CLOSED, 812, b"\x05" * 32, DATA),),
    witnesses=Witnesses(TlogPolicy.parse(POLICY), {"w3": 40}),
    chains=(
        ChainProfile(
            chain_id=31337,
            header_profile="evm-rlp",
            contract=b"\xc0" * 20,
            code_hash=b"\xcc" * 32,
            log_id=b"\x11" * 32,
            slot=0,
            head_keys=(HeadKey(b"\xab" * 20, 0, None),),
            trusted_blocks=(TrustedBlock(1200, b"\xbb" * 32, "node of the example association"),),
        ),
    ),
    algorithms=Algorithms({-19: AT + 3650 * DAY}),
    limits=Limits(
        max_age_ms=72 * HOUR,
        not_before=AT,
        is_anchor_required=True,
        commit_delay_ms=26 * HOUR,
        rule_profiles=("default@1",),
        grade_profiles=("CARBON-EFFICIENCY@1.0.0",),
    ),
)
TEXT = format_trust_file(PLAIN)
SIGNED = sign_trust_file(PLAIN, key("registrar")).decode()


def files() -> dict[str, str]:
    """The files of this family, by name."""
    return {"trust-file.json": document(__file__, "trust-file.md", _vectors())}


def _vectors() -> list[Vector]:
    made = [
        _good("says everything, and is signed by nobody", TEXT),
        _good("signed by its publisher", SIGNED),
        _good("a comment changes nothing but the digest", f"# a comment\n{TEXT}"),
        _good("without witnesses, chains and closed logs, all said in so many words", _bare()),
    ]
    chain, host = TEXT.index("[[chain]]"), TEXT.index("[[log_host]]")
    for desc, old, new in (
        ("no publisher's key is named", 'publisher_key = "none"\n', ""),
        ("a key of nobody is named and no signature is there", '"none"', f'"{OTHER.text()}"'),
        ("no freshness", TEXT[TEXT.index("[freshness]") : TEXT.index("[requirements]")], ""),
        ("neither age nor instant", 'max_age_hours = 72\nnot_before = "2026-02-01T00:00:00Z"\n', ""),
        ("anchor is neither required nor optional", '"required"', '"yes"'),
        ("no commit delay", "[commit_delay]\nlimit_hours = 26\n", ""),
        ("no rule profile", 'rule = ["default@1"]', "rule = []"),
        ("no grade profiles, not even none", 'grade = ["CARBON-EFFICIENCY@1.0.0"]\n', ""),
        ("no witnesses, not even none", TEXT[TEXT.index("[witnesses]") : TEXT.index("[[algorithm]]")], ""),
        ("a quorum that no line defines", "quorum two-of-three", "quorum three-of-three"),
        ("a policy with a log line", "quorum two", f"log {Vkey(DATA, 1, OLD)}\nquorum two"),
        ("a witness retired that the policy does not name", 'name = "w3"', 'name = "w4"'),
        ("no algorithm", TEXT[TEXT.index("[[algorithm]]") : TEXT.index("[[registrar]]")], ""),
        ("an algorithm without a last date", 'id = -19\nlast_date = "2036-01-30T00:00:00Z"', "id = -19"),
        ("keys of an algorithm that is not listed", "id = -19", "id = -9"),
        ("a registrar's key of low order", OTHER.text(), "00" * 32),
        ("no registrar", TEXT[TEXT.index("[[registrar]]") : host], ""),
        ("two keys for one size of one log", "from_size = 100", "from_size = 99"),
        ("a log of logs outside its host's prefix", f"{HOST}/epochs", "other.example.org/epochs"),
        ("a closed log without a word about a successor", f'successor = "{DATA}"\n', ""),
        ("a closed log that succeeds itself", f'successor = "{DATA}"', f'successor = "{CLOSED}"'),
        ("an anchor is required and no chain named", TEXT[chain:], ""),
        ("no head key, not even none", f'[[chain.head_key]]\naddress = "{"ab" * 20}"\nfrom_size = 0\n', ""),
        ("a key that nobody knows", "slot = 0", "slot = 0\nslots = 1"),
        ("an instant that is no string", '"2026-02-01T00:00:00Z"', "2026-02-01T00:00:00Z"),
        ("another format", "carbonseal-trust/v1", "carbonseal-trust/v2"),
    ):  # fmt: skip
        made.append(_bad(desc, TEXT, old, new))
    made.append(_bad("signed, and one figure changed", SIGNED, "max_age_hours = 72", "max_age_hours = 73"))
    made.append(_bad("the signature is lost", SIGNED, SIGNED[SIGNED.index("# signature") :], ""))
    return made


def _bare() -> str:
    text = TEXT[: TEXT.index("[[closed_log]]")].replace(POLICY, "quorum none\n")
    start, end = text.index("[[witnesses.retired]]"), text.index("[[algorithm]]")
    text = text[:start] + "retired = []\n\n" + text[end:]
    return text.replace("[freshness]", "closed_log = []\nchain = []\n\n[freshness]").replace(
        '"required"', '"optional"'
    )


def _good(desc: str, text: str) -> Vector:
    trust = TrustFile.parse(text.encode())
    (host,) = trust.log_hosts
    meaning: dict[str, Any] = {
        "digest": trust.digest.hex(),
        "signed_by": None if trust.signed_by is None else trust.signed_by.text(),
        "algorithms": {str(number): last for number, last in trust.algorithms.last_dates.items()},
        "keys": [
            [origin, size, host.key_for(origin, size).text()]
            for origin in (DATA, f"{HOST}/e-other/data")
            for size in (1, 99, 100)
        ],
        "met": [[list(names), trust.witnesses.policy.is_met(names)] for names in ((), ("w1",), ("w1", "w3"))],
    }
    return {"desc": desc, "want_error": None, "file": text, **meaning}


def _bad(desc: str, text: str, old: str, new: str) -> Vector:
    changed = text.replace(old, new, 1)
    try:
        TrustFile.parse(changed.encode())
    except TrustInvalid as error:
        return {"desc": desc, "want_error": error.code, "field": error.field, "file": changed}
    raise AssertionError(desc)


if __name__ == "__main__":
    write(__file__, files())
