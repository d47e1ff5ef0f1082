"""Kinds that say who is who: genesis, policy, party, device, resume.

All but resume carry endorsements: detached COSE signatures over the content without them (see
`carbonseal_attest.endorsement`). How they must follow each other is `carbonseal_attest.identity`'s.
"""

from __future__ import annotations

from typing import Final

from carbonseal_attest.contents import schema as s

ROLES: Final = ("registrar", "log_host", "enterprise", "verification_body", "bank", "regulator", "laboratory")
CLASSES: Final = ("meter", "gateway", "person")
ACTIONS: Final = ("enrol", "rotate", "suspend", "lift", "revoke")
KEY_STORAGES: Final = ("file", "pkcs11", "tpm")

endorsement = s.shared(
    "endorsement",
    s.record(
        {
            "role": s.one_of("party", "log_host", "registrar", "device", "predecessor"),
            "signature": s.octets(1, 4096),
        }
    ),
)

_signers = s.shared("signer", s.one_of("party", "device", "log_host", "registrar"))
registration_policy = s.shared(
    "registration-policy",
    s.record(
        {
            "kinds": s.table(s.record({"signer": _signers, "content_first": s.boolean}), 64),
            "max_statement_bytes": s.integer(1024, 4096),
            "max_content_bytes": s.integer(1024, 1 << 20),
            "max_batch_statements": s.integer(1, 10_000),
            "statements_per_second": s.integer(1, 1_000_000),
            "bytes_per_day": s.integer(1 << 20, 1 << 48),
            "conflicts_per_key": s.integer(1, 1000),
            "clock_tolerance_ms": s.integer(0, 86_400_000),
            "late_after_ms": s.integer(60_000, 400 * 86_400_000),
            "epoch_ms": s.integer(60_000, 86_400_000),
        }
    ),
)

genesis = s.record(
    {
        "origin": s.origin,
        "party": s.code,
        "party_key": s.cose_key,
        "log_host": s.code,
        "log_key": s.cose_key,
        "policy": registration_policy,
        "log_of_logs": s.origin,
        "chain": s.nullable(
            s.record(
                {
                    "chain_id": s.integer(1, (1 << 53) - 1),
                    "contract": s.octets(20),
                    "head_key": s.octets(20),
                }
            )
        ),
        "predecessor": s.nullable(
            s.record({"origin": s.origin, "tree_size": s.integer(1, 1 << 48), "root_hash": s.digest})
        ),
        "endorsements": s.array(endorsement, 2, least=1),
    }
)

# Amends the registration policy of a party's two logs, for what follows it. The whole of it is stated, not
# what changes; endorsed as the genesis is.
policy = s.record(
    {
        "origin": s.origin,
        "policy": registration_policy,
        "amends": s.digest,
        "reason": s.text(400),
        "endorsements": s.array(endorsement, 2, least=2),
    }
)

party = s.record(
    {
        "party": s.code,
        "status": s.one_of("admitted", "suspended", "removed"),
        "roles": s.array(s.one_of(*ROLES), 8, least=1),
        "key": s.cose_key,
        "register_origin": s.origin,
        "data_origin": s.origin,
        "name": s.bilingual,
        "org": s.nullable(s.org),
        "endorsements": s.array(endorsement, 2),
    },
    # Stated by the registrar, so that nobody compares itself with the mildest industry.
    # And why it changed the status; a first admission has none.
    {"industry": s.text(40), "reason": s.text(400)},
)

device = s.record(
    {
        "party": s.code,
        "device": s.code,
        "action": s.one_of(*ACTIONS),
        "class": s.one_of(*CLASSES),
        "key_storage": s.one_of(*KEY_STORAGES),
        "key": s.cose_key,
        "name": s.bilingual,
        "subjects": s.array(s.code, 1000),
        "valid_from": s.nullable(s.instant),
        "expires": s.nullable(s.instant),
        "last": s.array(
            s.record({"stream": s.name, "sequence": s.integer(0, (1 << 53) - 1), "digest": s.digest}), 1000
        ),
        "reason": s.text(400),
        "endorsements": s.array(endorsement, 2),
    }
)

resume = s.record(
    {
        "device": s.code,
        "kid": s.digest,
        "stream": s.name,
        "next_sequence": s.integer(0, (1 << 53) - 1),
        "previous": s.nullable(s.digest),
        "reason": s.text(400),
    }
)
