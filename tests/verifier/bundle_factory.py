"""Builds small evidence bundles: real keys, real logs in memory, a real chain state; two days, two meters.

`World` is the whole cast: registrar, log host, operator and gateway, their logs, epochs and the chain. Tests
tell the story up to a point, change one thing, and look which step catches it.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from decimal import Decimal
from typing import Any

from chain_evidence import TestChain

from carbonseal_accounting.packages import shipped
from carbonseal_attest.algorithms import ED25519
from carbonseal_attest.bundle import write_bundle
from carbonseal_attest.bundle_layout import BundledReport, EvidenceBundle, LogSection, to_members
from carbonseal_attest.checkpoint import Checkpoint, sign_checkpoint
from carbonseal_attest.contents import KINDS, build_content
from carbonseal_attest.contents.readings import Sample, Series, readings_body
from carbonseal_attest.endorsement import endorse
from carbonseal_attest.epoch import EpochEntry, EpochMap, MapEntry, MapProof
from carbonseal_attest.identity.device_statements import endorsed
from carbonseal_attest.merkle import Frontier, leaf_hash, root_of
from carbonseal_attest.packages import package_digest
from carbonseal_attest.signing import Ed25519Signer
from carbonseal_attest.statement import SignedStatement, sign_statement
from carbonseal_attest.trust import (
    Algorithms,
    Limits,
    LogKey,
    TrustedLogHost,
    TrustedRegistrar,
    TrustFile,
    Witnesses,
    format_trust_file,
)
from carbonseal_verifier.check import CheckResult, run_check
from carbonseal_verifier.recompute import Recomputed, profile_package, recompute_period
from carbonseal_verifier.report_contents import expected_report

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
START = 1_767_196_800_000  # 2026-01-01T00:00 in Shanghai
END = START + 2 * DAY
STEP = 15 * MINUTE
HOST = "log.carbonseal.example"
EPOCHS = f"{HOST}/epochs"
REGISTRAR, LOG_HOST, OPERATOR, SITE = "r-registrar", "h-host", "e-enterprise", "i-site"
GATEWAY, MAIN, LINE = "g-gateway", "m-main", "m-line"
METHOD, GRID, GWP, PROFILE = "GBT32150-2015@1.0.0", "CN-GRID@1.0.0", "GWP100@1.0.0", "default@1"
POLICY = {"kinds": {}, "max_statement_bytes": 4096, "max_content_bytes": 1 << 20,
          "max_batch_statements": 10_000, "statements_per_second": 10_000, "bytes_per_day": 1 << 34,
          "conflicts_per_key": 16, "clock_tolerance_ms": 300_000, "late_after_ms": 26 * 3_600_000,
          "epoch_ms": DAY}  # fmt: skip
PDF = b"%PDF-1.4 a report"
ZONE = "Asia/Shanghai"


def signer(name: str) -> Ed25519Signer:
    return Ed25519Signer.from_seed(hashlib.sha256(name.encode()).digest())


@dataclass
class MemoryLog:
    """A log in memory: its entries, and the contents behind them."""

    origin: str
    entries: list[bytes] = field(default_factory=list)
    streams: dict[tuple[bytes, str], tuple[int, bytes]] = field(default_factory=dict)

    def root(self, size: int | None = None) -> bytes:
        return root_of([leaf_hash(raw) for raw in self.entries[:size]])


def plan_body(**changes: Any) -> dict[str, Any]:
    def measurement(identifier: str, device: str, form: str, **more: Any) -> dict[str, Any]:
        return {
            "id": identifier, "device": device, "point": "energy", "quantity": "active_energy", "form": form,
            "unit": "kW.h", "step_ms": STEP, "name": {"zh": "电表", "en": identifier},
            "register_modulus": None,
            "capacity_per_hour": "4000", "calibration": {"required": True, "cycle_days": 365}, **more,
        }  # fmt: skip

    return {
        "plan": "p-plan", "plan_version": 1, "name": {"zh": "监测计划", "en": "monitoring plan"},
        "time_zone": "Asia/Shanghai", "effective": {"start": START, "end": None}, "method": METHOD,
        "measurements": [measurement("main", MAIN, "interval"), measurement("line", LINE, "register")],
        "source_streams": [{
            "id": "electricity", "type": "purchased_electricity",
            "name": {"zh": "外购电力", "en": "electricity"},
            "activity": [{"measurement": "main", "sign": 1}], "unit": "MW.h",
            "factors": {"grid_factor": {"set": GRID, "key": "CN.location_average.2023"}},
        }],
        "cross_checks": [{"id": "line-in-main", "check": "sum", "whole": "main", "parts": ["line"],
                          "tolerance_percent": "1"}],
        "quality_profile": PROFILE,
    } | changes  # fmt: skip


def load(slot: int) -> Decimal:
    """The plant's consumption of one quarter of an hour, in kWh."""
    return Decimal(10_000 + (slot * 7919) % 997 + 300 * (slot % 96)) / 100


class World:
    """Registrar, log host, operator and gateway with their logs; `now` is the one clock."""

    def __init__(self, *, with_anchor: bool = True, **plan_changes: Any) -> None:
        self.plan_changes = plan_changes
        self.now = START - 2 * HOUR
        self.keys = {name: signer(name) for name in (REGISTRAR, LOG_HOST, OPERATOR, GATEWAY, "log")}
        self.logs: dict[str, MemoryLog] = {}
        self.contents: dict[bytes, bytes] = {}
        self.epochs: list[tuple[EpochEntry, EpochMap]] = []
        self.log_of_logs: list[bytes] = []
        self.with_anchor = with_anchor
        self.packages = {
            METHOD: dict(shipped("methods")[METHOD]),
            GRID: dict(shipped("factor_sets")[GRID]),
            GWP: dict(shipped("factor_sets")[GWP]),
            PROFILE: profile_package(PROFILE),
        }
        self.published = dict(self.packages)
        self.code = ""
        self.report_json = b""
        self.filed: list[BundledReport] = []

    # -- writing -----------------------------------------------------------------------------------

    def add(
        self, origin: str, by: str, kind: str, body: dict[str, Any], *, subject: str | None = None,
        stream: str | None = None, interval: tuple[int, int] | None = None, issuer: str | None = None,
        issued_at: int | None = None,
    ) -> SignedStatement:  # fmt: skip
        log = self.logs.setdefault(origin, MemoryLog(origin))
        key, stream = self.keys[by], stream or kind
        sequence, previous = log.streams.get((key.public.kid, stream), (-1, None))
        party = origin.split("/")[1]
        subject = subject or party
        salt = (
            b""
            if KINDS[kind].is_public
            else hashlib.sha256(f"{origin}{len(log.entries)}".encode()).digest()[:16]
        )
        content = build_content(kind, subject=subject, stream=stream, interval=interval, body=body, salt=salt)
        known = (len(log.entries), log.root()) if log.entries and len(log.entries) < 8 else None
        statement = sign_statement(
            key, kind=kind, version=KINDS[kind].version, issuer=issuer or party, subject=subject,
            origin=origin, stream=stream,
            issued_at=(issued_at or self.now) // 1000, sequence=sequence + 1, previous=previous,
            interval=interval, checkpoint=known, content=content,
        )  # fmt: skip
        log.entries.append(statement.raw)
        log.streams[key.public.kid, stream] = (sequence + 1, statement.digest)
        self.contents[hashlib.sha256(content).digest()] = content
        return statement

    def genesis(self, origin: str, party: str, by: str) -> None:
        body: dict[str, Any] = {
            "origin": origin, "party": party, "party_key": self.keys[by].public.cose_key(),
            "log_host": LOG_HOST,
            "log_key": self.keys["log"].public.cose_key(), "policy": POLICY, "log_of_logs": EPOCHS,
            "chain": None, "predecessor": None, "endorsements": [],
        }  # fmt: skip
        body["endorsements"] = [
            endorse(self.keys["log"], "genesis", party, "log_host", body),
            endorse(self.keys[REGISTRAR], "genesis", party, "registrar", body),
        ]
        if origin == EPOCHS:
            statement = self.add(origin, by, "genesis", body, subject=party, issuer=party)
            self.log_of_logs.append(self.logs.pop(origin).entries[0])
            self.chain = TestChain(leaf_hash(statement.raw), self.now)
        else:
            self.add(origin, by, "genesis", body, subject=party)

    def tick(self, *origins: str) -> None:
        for origin in origins or tuple(self.logs):
            body = {"at": self.now}
            self.add(origin, "log", "tick", body, subject=LOG_HOST, issuer=LOG_HOST)

    def close_epoch(self) -> None:
        self.tick()
        heads = [MapEntry(o, len(log.entries), log.root()) for o, log in self.logs.items()]
        epoch_map = EpochMap(heads)
        entry = epoch_map.close(len(self.epochs) + 1, self.now)
        self.epochs.append((entry, epoch_map))
        self.log_of_logs.append(entry.encode())
        self.chain.advance(len(self.log_of_logs), root_of([leaf_hash(e) for e in self.log_of_logs]), self.now)

    # -- the story ---------------------------------------------------------------------------------

    def found(self) -> World:
        """Open the logs, admit parties and the gateway, publish packages, file plan and calibrations."""
        self.genesis(EPOCHS, LOG_HOST, LOG_HOST)
        for party in (REGISTRAR, LOG_HOST, OPERATOR):
            self.genesis(register(party), party, party)
        self.genesis(data(OPERATOR), OPERATOR, OPERATOR)
        for party, role in ((REGISTRAR, "registrar"), (LOG_HOST, "log_host"), (OPERATOR, "enterprise")):
            self.admit(party, role)
        for name, files in self.published.items():
            self.publish(name, files)
        self.enrol(GATEWAY, GATEWAY, [MAIN, LINE])
        self.plan = self.add(
            register(OPERATOR), OPERATOR, "monitoring_plan", plan_body(**self.plan_changes), subject=SITE
        )
        for meter in (MAIN, LINE):
            self.add(register_or_data(), OPERATOR, "calibration", {
                "device": meter, "certificate": "c-1", "laboratory": "a laboratory", "accuracy_class": "0.5",
                "calibrated_at": START - 30 * DAY, "valid_until": START + 300 * DAY, "document_digest": None,
            })  # fmt: skip
        self.now = START - HOUR
        self.close_epoch()
        return self

    def admit(self, party: str, role: str, status: str = "admitted") -> None:
        self.add(register(REGISTRAR), REGISTRAR, "party", {
            "party": party, "status": status, "roles": [role], "key": self.keys[party].public.cose_key(),
            "register_origin": register(party), "data_origin": data(party),
            "name": {"zh": party, "en": party}, "org": None, "endorsements": [],
        }, subject=party)  # fmt: skip

    def publish(self, name: str, files: dict[str, bytes], status: str = "active") -> None:
        kind = (
            "method"
            if "method.toml" in files
            else "factor_set"
            if "factor_set.toml" in files
            else "quality_profile"
        )
        self.add(register(REGISTRAR), REGISTRAR, "method", {
            "id": name, "type": kind, "package_digest": package_digest(files), "status": status,
            "effective": {"start": 0, "end": None},
        })  # fmt: skip

    def enrol(
        self, device: str, by: str, subjects: list[str], action: str = "enrol", *,
        predecessor: str | None = None, **changes: Any,
    ) -> None:  # fmt: skip
        body: dict[str, Any] = {
            "party": OPERATOR, "device": device, "action": action, "class": "gateway", "key_storage": "file",
            "key": self.keys[by].public.cose_key(), "name": {"zh": "网关", "en": "gateway"},
            "subjects": sorted(subjects), "valid_from": None, "expires": None, "last": [], "reason": "",
            "endorsements": [], **changes,
        }  # fmt: skip
        if action in {"enrol", "rotate"}:
            body = endorsed(body, self.keys[by], None if predecessor is None else self.keys[predecessor])
        self.add(register(OPERATOR), OPERATOR, "device", body, subject=device)

    def revoke(self, device: str = GATEWAY, by: str = GATEWAY) -> None:
        log = self.logs[data(OPERATOR)]
        kid = self.keys[by].public.kid
        last = [{"stream": stream, "sequence": at[0], "digest": at[1]}
                for (k, stream), at in sorted(log.streams.items()) if k == kid]  # fmt: skip
        self.enrol(device, by, [], "revoke", last=last, reason="the gateway was stolen")

    def measure(
        self, *, windows: int = 8, change: Callable[[str, int, Decimal], Decimal | None] | None = None,
        by: str = GATEWAY, delay: int = MINUTE,
    ) -> World:  # fmt: skip
        """Seal and register the readings of both meters, six hours a statement; an epoch a day."""
        for window in range(windows):
            start = START + window * 6 * HOUR
            self.now = start + 6 * HOUR + delay
            self.seal_window(start, 24, by=by, change=change)
            if window % 4 == 3:
                self.now += MINUTE
                self.close_epoch()
        self.seal_window(END, 1, by=by, meters=(LINE,))
        self.now = max(self.now, END + 10 * MINUTE)
        self.tick(data(OPERATOR))
        return self

    def seal_window(
        self, start: int, slots: int, *, by: str = GATEWAY, meters: tuple[str, ...] = (MAIN, LINE),
        change: Callable[[str, int, Decimal], Decimal | None] | None = None,
    ) -> None:  # fmt: skip
        for meter in meters:
            samples = []
            for i in range(slots):
                slot = (start - START) // STEP + i
                value: Decimal | None = (
                    load(slot) if meter == MAIN else sum(map(load, range(slot)), Decimal(5000))
                )
                if change is not None and value is not None:
                    value = change(meter, slot, value)
                samples.append(Sample(start + i * STEP, value))
            form, width = ("interval", STEP) if meter == MAIN else ("register", 0)
            series = Series.of("energy", form, "kW.h", samples, width_ms=width)
            self.add(data(OPERATOR), by, "readings", readings_body([series]), subject=meter,
                     stream=f"readings/{meter}", interval=(start, start + slots * STEP),
                     issuer=GATEWAY)  # fmt: skip
        self.tick(data(OPERATOR))

    def file(self, *, period: tuple[int, int] = (START, END), **edits: Callable[[Any], Any]) -> World:
        """Take the cut-off, compute, sign data code and report, register the PDF, anchor.

        Args:
            period: what the report is about; `bundle` hands over the report filed last.
            edits: quality_body, report_body, report_json: functions that change what is about to be signed.
        """
        self.now += MINUTE
        self.tick(data(OPERATOR))
        cut_off = [
            (o, len(self.logs[o].entries), self.logs[o].root()) for o in (data(OPERATOR), register(OPERATOR))
        ]
        again = recompute_period(
            register_entries=self.logs[register(OPERATOR)].entries,
            data_entries=list(enumerate(self.logs[data(OPERATOR)].entries)),
            contents=self.contents, plan_digest=self.plan.digest, start_ms=period[0], end_ms=period[1],
            cut_off=cut_off, packages=self.packages,
        )  # fmt: skip
        self.recomputed = again
        body = edits.get("quality_body", lambda b: b)(again.quality_body)
        self.code = body["code"]
        about = {"subject": SITE, "interval": period}
        self.period = period
        self.quality = self.add(data(OPERATOR), OPERATOR, "quality_code", body, **about)
        report = edits.get("report_json", lambda r: r)(compose_report(self, again, cut_off))
        self.report_json = (json.dumps(report, ensure_ascii=False, sort_keys=True, indent=2) + "\n").encode()
        signed = edits.get("report_body", lambda b: b)(report_body(self, again, cut_off))
        self.report = self.add(data(OPERATOR), OPERATOR, "emissions_report", signed, **about)
        self.add(data(OPERATOR), OPERATOR, "document", {
            "title": "report.pdf", "media_type": "application/pdf", "size": len(PDF),
            "document_digest": hashlib.sha256(PDF).digest(), "relates_to": [self.report.digest],
        })  # fmt: skip
        self.now += MINUTE
        self.close_epoch()
        self.filed.append(BundledReport(self.report.digest, period, ZONE, self.report_json, PDF))
        return self

    # -- handing over ------------------------------------------------------------------------------

    def bundle(self) -> EvidenceBundle:
        sections, maps = {}, {}
        for origin, log in self.logs.items():
            head = Checkpoint(origin, len(log.entries), log.root())
            note = sign_checkpoint(head, self.keys["log"])
            sections[origin] = LogSection(origin, 0, len(log.entries), Frontier(), note, tuple(log.entries))
            maps[origin] = {
                e.epoch: m.prove(origin) for e, m in self.epochs if any(x.origin == origin for x in m.entries)
            }
        top = Checkpoint(EPOCHS, len(self.log_of_logs), root_of([leaf_hash(e) for e in self.log_of_logs]))
        return EvidenceBundle(
            operator=OPERATOR, registrar=REGISTRAR, log_host=LOG_HOST, logs=sections,
            reports=(self.filed[-1],),
            log_of_logs_checkpoint=sign_checkpoint(top, self.keys["log"]),
            log_of_logs_entries=list(self.log_of_logs), maps=maps, contents=dict(self.contents),
            packages={name: dict(files) for name, files in self.packages.items()},
            anchor=self.chain.evidence().to_cbor() if self.with_anchor else None,
        )  # fmt: skip

    def trust(self, **changes: Any) -> TrustFile:
        log_key = LogKey(self.keys["log"].public, 0, None)
        trust = TrustFile(
            publisher="the demo", label="made by the demo", published_at=self.now,
            digest=bytes(32), signed_by=None,
            registrars=(TrustedRegistrar(REGISTRAR, register(REGISTRAR), self.keys[REGISTRAR].public),),
            log_hosts=(TrustedLogHost(LOG_HOST, f"{HOST}/", EPOCHS, (log_key,)),),
            closed_logs=(), witnesses=Witnesses.none(), chains=(self.chain.profile(),),
            algorithms=Algorithms({ED25519: START + 3650 * DAY}),
            limits=Limits(
                max_age_ms=48 * HOUR, not_before=None, is_anchor_required=self.with_anchor,
                commit_delay_ms=26 * HOUR, rule_profiles=(PROFILE,), grade_profiles=(),
            ),
        )  # fmt: skip
        # Limits may be named as if they stood in the file itself.
        names = {one.name for one in fields(Limits)} & set(changes)
        limits = replace(trust.limits, **{name: changes.pop(name) for name in names})
        return TrustFile.parse(format_trust_file(replace(trust, limits=limits, **changes)).encode())

    def check(self, bundle: EvidenceBundle | bytes | None = None, **changes: Any) -> CheckResult:
        """Check a bundle (this world's own by default) under this world's trust file."""
        raw = bundle if isinstance(bundle, bytes) else to_bytes(bundle or self.bundle())
        trust = changes.pop("trust", None) or self.trust()
        return run_check(io.BytesIO(raw), trust=trust, at=changes.pop("at", self.now + HOUR), **changes)


def honest(**story: Any) -> World:
    """A world that has told its whole story without any change."""
    return World(**story).found().measure().file()


def to_bytes(bundle: EvidenceBundle) -> bytes:
    out = io.BytesIO()
    write_bundle(to_members(bundle), out)
    return out.getvalue()


def register(party: str) -> str:
    return f"{HOST}/{party}/register"


def data(party: str) -> str:
    return f"{HOST}/{party}/data"


def register_or_data() -> str:
    """Where calibrations go: the register log once its kind may stand there, until then the data log."""
    return register(OPERATOR) if KINDS["calibration"].log in {"any", "register"} else data(OPERATOR)


def caught(result: CheckResult) -> str:
    """The step that caught it: the first required one that failed."""
    assert not result.has_passed
    assert not [s for s in result.steps if "can't be checked" in s.reason], (
        "hostile input met no refusal of ours"
    )
    return next(step.name for step in result.steps if step.outcome == "failed")


def reason(result: CheckResult, name: str) -> str:
    return next(step.reason for step in result.steps if step.name == name)


def _quantity(value: dict[str, Any]) -> dict[str, str]:
    return {"value": value["value"], "unit": value["unit"]}


def report_body(world: World, again: Recomputed, cut_off: list[tuple[str, int, bytes]]) -> dict[str, Any]:
    inventory = again.inventory.to_json()
    return {
        "report": f"rp-report{len(world.filed) or ''}",
        "plan_digest": world.plan.digest, "method": inventory["method"],
        "packages": [{"id": n, "digest": package_digest(f)} for n, f in sorted(world.packages.items())],
        "period": {"start": world.period[0], "end": world.period[1], "time_zone": ZONE},
        "cut_off": [{"origin": o, "tree_size": n, "root_hash": r} for o, n, r in cut_off],
        "totals": {"total": _quantity(inventory["total"])},
        "by_stream": {
            name: {"activity": _quantity(row["activity"]), "emissions": _quantity(row["emissions"])}
            for name, row in inventory["by_stream"].items()
        },
        "quality_code_digest": world.quality.digest,
        "report_json_digest": hashlib.sha256(world.report_json).digest(),
    }  # fmt: skip


def compose_report(world: World, again: Recomputed, cut_off: list[tuple[str, int, bytes]]) -> dict[str, Any]:
    """report.json as the service writes it; tests/api holds the two ways of composing it together."""
    signed = report_body(world, again, cut_off) | {"quality_code_digest": world.quality.digest}
    codes = {"operator": OPERATOR, "registrar": REGISTRAR, "log_host": LOG_HOST}
    parties = {role: {"party": code, "name": {"zh": code, "en": code}} for role, code in codes.items()}
    return expected_report(again, signed, parties, world.period)


__all__ = ["MapProof", "World", "caught", "honest", "reason", "to_bytes"]
