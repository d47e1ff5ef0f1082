"""The service as its own process for a measurement: founded, with enrolled gateways and one API key.

Started by `site_under_load.py` with a folder and a port; prints one line of JSON before it listens. Database,
log host, application and server are the product's own, put together as `carbonseal up` does; only the
founding of the parties, which takes people elsewhere, is done here in one go.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import uvicorn

from carbonseal_api.app import create_app
from carbonseal_api.assembly import Parts, assemble, system_clock
from carbonseal_api.founding import DEFAULT_POLICY, HostFacts, PartyFacts, admission, enrolment, genesis
from carbonseal_api.issuing import Issuer
from carbonseal_api.settings import load_settings
from carbonseal_attest.signing import Ed25519Signer
from carbonseal_ledger.database import open_database, stop_embedded
from carbonseal_ledger.log_host import LogHost
from carbonseal_ledger.outcomes import Status
from carbonseal_ledger.publishing import PublishedCopy

REGISTRAR = PartyFacts("r-bench", {"zh": "登记机构", "en": "Registrar"}, ["registrar"])
HOST = PartyFacts("h-bench", {"zh": "日志运营方", "en": "Log host"}, ["log_host"])
ENTERPRISE = PartyFacts("e-bench", {"zh": "企业", "en": "Enterprise"}, ["enterprise"])
HOST_NAME = "log.bench.example"


def found(host: LogHost, facts: HostFacts, registrar: Ed25519Signer, gateways: list[dict[str, Any]]) -> None:
    """Open every log, admit the parties, enrol the gateways whose seeds are given."""
    signers = {party.code: Ed25519Signer.generate() for party in (HOST, ENTERPRISE)} | {
        REGISTRAR.code: registrar
    }
    issued_at = int(time.time())
    host_signer = signers[HOST.code]
    epochs = genesis(
        facts.log_of_logs, HOST, host_signer, host=facts, registrar=registrar, issued_at=issued_at
    )
    host.open_log(epochs.statement, epochs.content or b"")
    for party in (REGISTRAR, HOST, ENTERPRISE):
        for log in ("register", "data"):
            opening = genesis(
                facts.origin(party.code, log),
                party,
                signers[party.code],
                host=facts,
                registrar=registrar,
                issued_at=issued_at,
            )
            outcome = host.open_log(opening.statement, opening.content or b"")
            assert outcome.status is Status.ACCEPTED, outcome

    def issuer(party: PartyFacts) -> Issuer:
        return Issuer(
            party.code,
            signers[party.code],
            system_clock,
            register=host.register,
            head=host.head,
            streams=lambda origin, kid: host.stream_heads(origin, kid=kid),
        )

    for party in (HOST, ENTERPRISE):
        body = admission(party, signers[party.code].public, facts)
        issuer(REGISTRAR).issue(facts.origin(REGISTRAR.code, "register"), "party", body, subject=party.code)
    enterprise = issuer(ENTERPRISE)
    for gateway in gateways:
        body = enrolment(
            gateway["code"],
            Ed25519Signer.from_seed(bytes.fromhex(gateway["seed"])),
            name={"zh": "网关", "en": "Gateway"},
            subjects=gateway["meters"],
        )
        enterprise.issue(facts.origin(ENTERPRISE.code, "register"), "device", body, subject=gateway["code"])


def serve(parts: Parts, port: int) -> None:
    """Serve until the process is asked to end."""
    uvicorn.run(create_app(parts), host="127.0.0.1", port=port, log_level="warning", access_log=False)


def main() -> None:
    """Found, print where things are, serve."""
    folder, port = Path(sys.argv[1]), int(sys.argv[2])
    gateways = json.loads((folder / "gateways.json").read_text(encoding="utf-8"))
    settings = load_settings({}, data_folder=folder, port=port, log_host_name=HOST_NAME)
    engine = open_database(None, folder / "pg", pool_size=16)
    try:
        registrar, log_signer = Ed25519Signer.generate(), Ed25519Signer.generate()
        facts = HostFacts(HOST_NAME, HOST.code, log_signer, None, DEFAULT_POLICY)
        published = PublishedCopy(settings.published)
        host = LogHost(
            engine,
            published,
            log_signer,
            system_clock,
            name=HOST_NAME,
            party=HOST.code,
            registrar=REGISTRAR.code,
            registrar_keys=[registrar.public],
        )
        found(host, facts, registrar, gateways)
        parts = assemble(
            settings,
            engine,
            host,
            published=published,
            log_key=log_signer.public,
            host_party=HOST.code,
            registrar=REGISTRAR.code,
            clock=system_clock,
        )
        key = parts.keys.issue(ENTERPRISE.code, ["gateway", "enterprise"], "bench")
        url = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        origin = facts.origin(ENTERPRISE.code, "data")
        facts_line = {"party": ENTERPRISE.code, "origin": origin, "api_key": key, "database": url}
        print(json.dumps(facts_line), flush=True)
        serve(parts, port)
        parts.close()
    finally:
        stop_embedded(folder / "pg")


if __name__ == "__main__":
    main()
