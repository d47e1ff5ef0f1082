"""The threat model of the check: one attack a test, and the step that catches it.

`world` tells the honest story once; attacks on what is handed over change its bundle, attacks by the operator
or the log host tell another story, signed with their real keys.
"""

from __future__ import annotations

import copy
import hashlib
import io
from dataclasses import replace
from decimal import Decimal

import pytest
from bundle_factory import (
    DAY,
    EPOCHS,
    GATEWAY,
    GRID,
    HOUR,
    LINE,
    LOG_HOST,
    MAIN,
    METHOD,
    MINUTE,
    OPERATOR,
    PDF,
    PROFILE,
    REGISTRAR,
    START,
    World,
    caught,
    data,
    honest,
    reason,
    register,
    signer,
    to_bytes,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from carbonseal_attest import cbor
from carbonseal_attest.algorithms import ED25519
from carbonseal_attest.bundle import read_members, write_bundle
from carbonseal_attest.bundle_layout import to_members
from carbonseal_attest.checkpoint import Checkpoint, sign_checkpoint
from carbonseal_attest.contents import build_content
from carbonseal_attest.contents.readings import Sample, Series, readings_body
from carbonseal_attest.epoch import EpochMap, MapEntry
from carbonseal_attest.merkle import leaf_hash, root_of
from carbonseal_attest.statement import SignedStatement, sign_statement
from carbonseal_attest.trust import Algorithms, TrustedRegistrar

DATA, REGISTER = data(OPERATOR), register(OPERATOR)


@pytest.fixture(scope="module")
def told():
    return honest()


@pytest.fixture
def world(told):
    return copy.deepcopy(told)


def mended(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    write_bundle(members.items(), out)
    return out.getvalue()


def signed_note(world, origin, entries, key="log"):
    head = Checkpoint(origin, len(entries), root_of([leaf_hash(raw) for raw in entries]))
    return sign_checkpoint(head, world.keys[key])


def with_entries(world, bundle, origin, entries, *, note=None):
    """The bundle with other entries in a log and, by default, a checkpoint of the log host over them."""
    section = bundle.logs[origin]
    bundle.logs[origin] = replace(
        section,
        entries=tuple(entries),
        end=len(entries),
        checkpoint=note or signed_note(world, origin, entries),
    )
    return bundle


def change_report(bundle, **changes):
    """Let the bundle's report be another in some respect."""
    (report,) = bundle.reports
    bundle.reports = (replace(report, **changes),)


def disclosing_no_more(bundle):
    """The bundle without contents that none of its statements signs; ticks of one instant share theirs."""
    raws = [raw for section in bundle.logs.values() for raw in section.entries]
    signed = {SignedStatement.parse(raw).payload for raw in [*raws, bundle.log_of_logs_entries[0]]}
    bundle.contents = {digest: c for digest, c in bundle.contents.items() if digest in signed}
    return bundle


# -- the file --------------------------------------------------------------------------------------


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(min_value=0), st.integers(0, 7))
def test_any_flipped_bit_of_the_file_is_caught(told, place, bit):
    raw = bytearray(_file(told))
    raw[place % len(raw)] ^= 1 << bit
    assert caught(told.check(bytes(raw))) == "container"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_flipped_bit_is_caught_by_a_named_step_with_digests_and_trailer_mended(told, data):
    members = dict(read_members(io.BytesIO(_file(told))))
    name = data.draw(st.sampled_from(sorted(members)))
    changed = bytearray(members[name])
    place = data.draw(st.integers(0, len(changed) - 1))
    changed[place] ^= 1 << data.draw(st.integers(0, 7))
    result = told.check(mended(members | {name: bytes(changed)}))
    step = caught(result)
    assert step not in {"trust-file", "container"}
    assert "can't be checked" not in reason(result, step)


_FILES: dict[int, bytes] = {}


def _file(world) -> bytes:
    if id(world) not in _FILES:
        _FILES[id(world)] = to_bytes(world.bundle())
    return _FILES[id(world)]


def test_catches_a_file_cut_off(told):
    assert caught(told.check(_file(told)[:-40])) == "container"


def test_catches_bytes_after_the_trailer(told):
    assert caught(told.check(_file(told) + b"\0")) == "container"


def test_catches_a_member_that_no_bundle_has(told):
    assert caught(told.check(mended(dict(to_members(told.bundle())) | {"policy": b"be kind"}))) == "members"


@pytest.mark.parametrize("name", ["subject", "logs", "log-of-logs", "report.json", "report.pdf", "anchor"])
def test_catches_a_member_left_out(told, name):
    members = dict(to_members(told.bundle()))
    if name.startswith("report."):
        name = f"reports/{told.report.digest.hex()}.{name[7:]}"
    del members[name]
    assert caught(told.check(mended(members))) == "members"


def test_catches_a_chunk_of_entries_left_out(told):
    members = dict(to_members(told.bundle()))
    del members[f"entries/{DATA}/000000"]
    assert caught(told.check(mended(members))) == "members"


def test_catches_the_map_proofs_of_a_log_left_out(told):
    members = dict(to_members(told.bundle()))
    del members[f"maps/{DATA}"]
    assert caught(told.check(mended(members))) == "members"


def test_catches_a_statement_replayed_from_another_log(world):
    entries = list(world.logs[DATA].entries)
    entries.append(world.logs[register(LOG_HOST)].entries[1])
    assert caught(world.check(with_entries(world, world.bundle(), DATA, entries))) == "members"


# -- who is who ------------------------------------------------------------------------------------


def test_catches_a_registrar_that_the_trust_file_does_not_name(world):
    other = TrustedRegistrar("r-another", register("r-another"), world.keys[REGISTRAR].public)
    assert caught(world.check(trust=world.trust(registrars=(other,)))) == "parties"


def test_catches_admissions_by_a_key_that_is_not_the_registrars(world):
    other = TrustedRegistrar(REGISTRAR, register(REGISTRAR), signer("another").public)
    assert caught(world.check(trust=world.trust(registrars=(other,)))) == "parties"


def test_catches_a_log_host_that_the_trust_file_does_not_name(world):
    bundle = world.bundle()
    bundle.log_host = "h-another"
    assert caught(world.check(bundle)) == "parties"


def test_catches_an_operator_whom_the_registrar_has_suspended():
    world = World().found().measure()
    world.admit(OPERATOR, "enterprise", "suspended")
    assert caught(world.file().check()) == "parties"


def test_catches_an_operator_without_the_role():
    world = World().found().measure()
    world.admit(OPERATOR, "bank")
    assert caught(world.file().check()) == "parties"


def test_catches_a_report_of_another_party_passed_off_as_the_operators(world):
    bundle = world.bundle()
    bundle.operator = LOG_HOST
    assert caught(world.check(bundle)) == "parties"


def test_catches_a_genesis_that_the_registrar_did_not_endorse():
    class Unendorsed(World):
        def genesis(self, origin, party, by):
            own = self.keys[REGISTRAR]
            if origin == DATA:
                self.keys[REGISTRAR] = signer("somebody")
            super().genesis(origin, party, by)
            self.keys[REGISTRAR] = own

    assert caught(Unendorsed().found().measure().file().check()) == "parties"


def test_catches_the_registrars_register_cut_before_its_first_entry(world):
    bundle = world.bundle()
    section = bundle.logs[register(REGISTRAR)]
    frontier = section.prefix.extend([leaf_hash(section.entries[0])])
    bundle.logs[section.origin] = replace(section, first=1, prefix=frontier, entries=section.entries[1:])
    assert caught(world.check(bundle)) == "parties"


def test_catches_a_device_key_enrolled_without_proof_that_anybody_holds_it():
    world = World().found()
    world.keys["stranger"] = signer("stranger")
    # endorsed by the stranger's key, while the key enrolled is another
    world.enrol("g-second", "stranger", [MAIN], key=signer("victim").public.cose_key())
    assert caught(world.measure().file().check()) == "parties"


# -- who signed ------------------------------------------------------------------------------------


def sign_readings(world, by, *, subject=MAIN, stream=None, issuer=GATEWAY, start=START):
    series = Series.of("energy", "interval", "kW.h", [Sample(start, Decimal(1))], width_ms=900_000)
    return world.add(DATA, by, "readings", readings_body([series]), subject=subject,
                     stream=stream or f"readings/{subject}", interval=(start, start + 900_000),
                     issuer=issuer)  # fmt: skip


def test_catches_a_statement_signed_by_a_key_that_is_not_enrolled():
    world = World().found().measure()
    world.keys["stranger"] = signer("stranger")
    sign_readings(world, "stranger")
    assert caught(world.file().check()) == "signatures"


def test_catches_a_gateway_that_signs_for_a_meter_it_was_not_enrolled_for():
    world = World().found().measure()
    sign_readings(world, GATEWAY, subject="m-neighbour")
    assert caught(world.file().check()) == "signatures"


def test_catches_readings_signed_by_the_partys_own_key():
    world = World().found().measure()
    sign_readings(world, OPERATOR, issuer=OPERATOR)
    assert caught(world.file().check()) == "signatures"


def test_catches_a_statement_issued_in_another_partys_name():
    world = World().found().measure()
    sign_readings(world, GATEWAY, issuer=LOG_HOST)
    assert caught(world.file().check()) == "signatures"


def test_catches_a_tick_that_the_log_host_did_not_sign():
    world = World().found().measure()
    world.add(DATA, GATEWAY, "tick", {"at": START}, subject=LOG_HOST, issuer=LOG_HOST)
    assert caught(world.file().check()) == "signatures"


def test_catches_a_party_statement_that_the_operator_wrote_for_itself():
    world = World().found().measure()
    world.add(REGISTER, OPERATOR, "party", {
        "party": OPERATOR, "status": "admitted", "roles": ["registrar"],
        "key": world.keys[OPERATOR].public.cose_key(), "register_origin": REGISTER, "data_origin": DATA,
        "name": {"zh": "一", "en": "a"}, "org": None, "endorsements": [],
    })  # fmt: skip
    assert caught(world.file().check()) == "signatures"


def test_catches_a_register_statement_hidden_in_the_data_log():
    world = World().found().measure()
    world.add(DATA, OPERATOR, "withdrawal", {"withdraws": b"\1" * 32, "role": "operator", "reason": "none"})
    assert caught(world.file().check()) == "signatures"


def test_catches_a_key_used_in_an_epoch_before_its_enrolment():
    world = World().found()
    world.keys["later"] = signer("later")
    world.measure(windows=4)
    sign_readings(world, "later", stream="readings/other")
    world.now += HOUR
    world.close_epoch()
    world.enrol("g-second", "later", [MAIN])
    world.file()
    assert caught(world.check()) == "signatures"


def test_catches_a_key_used_in_an_epoch_after_its_revocation():
    world = World().found().measure(windows=4)
    world.revoke()
    world.now += HOUR
    world.close_epoch()
    world.seal_window(START + DAY, 24)
    world.file()
    assert caught(world.check()) == "signatures"


def test_catches_backdated_backfill_by_a_revoked_key():
    world = World().found().measure()
    world.revoke()
    world.now += HOUR
    world.close_epoch()
    sign_readings(world, GATEWAY, start=START + HOUR)  # a claim about long ago
    world.file()
    assert caught(world.check()) == "signatures"


def test_catches_a_withdrawal_that_names_another_last_statement():
    world = World().found().measure()
    kid = world.keys[GATEWAY].public.kid
    last = [{"stream": f"readings/{MAIN}", "sequence": 3, "digest": b"\5" * 32},
            {"stream": f"readings/{LINE}", "sequence": world.logs[DATA].streams[kid, f"readings/{LINE}"][0],
             "digest": world.logs[DATA].streams[kid, f"readings/{LINE}"][1]}]  # fmt: skip
    world.enrol(GATEWAY, GATEWAY, [], "revoke", last=last, reason="stolen")
    world.file()
    assert caught(world.check()) == "signatures"


def test_catches_a_signature_that_does_not_verify_although_the_log_host_logged_it(world):
    entries = list(world.logs[DATA].entries)
    entries[3] = entries[3][:-1] + bytes([entries[3][-1] ^ 1])
    assert caught(world.check(with_entries(world, world.bundle(), DATA, entries))) == "signatures"


# -- what was disclosed ----------------------------------------------------------------------------


def first_readings(world) -> SignedStatement:
    statements = map(SignedStatement.parse, world.logs[DATA].entries)
    return next(s for s in statements if s.header.kind == "readings")


def test_catches_a_reading_changed_inside_the_bundle_with_digest_and_trailer_mended(world):
    bundle = world.bundle()
    statement = first_readings(world)
    content = cbor.decode(bundle.contents.pop(statement.payload))
    content["body"]["series"][0]["values"][5] += 1
    changed = cbor.encode(content)
    bundle.contents[hashlib.sha256(changed).digest()] = changed
    assert caught(world.check(bundle)) == "contents"


def test_catches_a_reading_withheld_within_the_period(world):
    bundle = world.bundle()
    del bundle.contents[first_readings(world).payload]
    assert caught(world.check(bundle)) == "contents"


def test_catches_a_tick_withheld(world):
    bundle = world.bundle()
    statements = map(SignedStatement.parse, world.logs[DATA].entries)
    del bundle.contents[next(s for s in statements if s.header.kind == "tick").payload]
    assert caught(world.check(bundle)) == "contents"


@pytest.mark.parametrize("kind", ["device", "monitoring_plan"])
def test_catches_a_register_content_withheld(world, kind):
    bundle = world.bundle()
    statements = map(SignedStatement.parse, world.logs[REGISTER].entries)
    del bundle.contents[next(s for s in statements if s.header.kind == kind).payload]
    assert caught(world.check(bundle)) in {"parties", "contents"}


def test_catches_a_content_that_no_statement_signs(world):
    bundle = world.bundle()
    bundle.contents[hashlib.sha256(b"stray").digest()] = b"stray"
    assert caught(world.check(bundle)) == "contents"


def test_catches_a_content_that_contradicts_its_header(world):
    """Signed for one meter, while the content speaks of another."""
    body = {"points": ["energy"], "reason": "stopped", "detail": ""}
    about = {"stream": "gaps", "interval": (START, START + HOUR)}
    content = build_content("gap", subject=LINE, body=body, salt=bytes(16), **about)
    statement = sign_statement(
        world.keys[GATEWAY], kind="gap", issuer=GATEWAY, subject=MAIN, issued_at=world.now // 1000,
        origin=DATA,
        sequence=0, previous=None, checkpoint=None, content=content, **about,
    )  # fmt: skip
    bundle = with_entries(world, world.bundle(), DATA, [*world.logs[DATA].entries, statement.raw])
    bundle.contents[statement.payload] = content
    result = world.check(bundle)
    assert caught(result) == "contents"
    assert "differs from the signed header" in reason(result, "contents")


def test_catches_a_report_digest_that_is_no_report(world):
    bundle = world.bundle()
    change_report(bundle, digest=first_readings(world).digest)
    assert caught(world.check(bundle)) == "filed"


# -- streams ---------------------------------------------------------------------------------------


def test_catches_a_hole_in_a_stream():
    world = World().found().measure()
    log, key = world.logs[DATA], (world.keys[GATEWAY].public.kid, f"readings/{MAIN}")
    log.streams[key] = (log.streams[key][0] + 1, log.streams[key][1])
    sign_readings(world, GATEWAY, start=START + 3 * DAY)
    assert caught(world.file().check()) == "continuity"


def test_catches_two_statements_at_one_place_of_a_stream():
    world = World().found().measure()
    log, key = world.logs[DATA], (world.keys[GATEWAY].public.kid, f"readings/{MAIN}")
    at = log.streams[key]
    sign_readings(world, GATEWAY, start=START + 3 * DAY)
    log.streams[key] = at
    sign_readings(world, GATEWAY, start=START + 4 * DAY)
    assert caught(world.file().check()) == "continuity"


def test_catches_a_stream_that_was_begun_anew():
    world = World().found().measure()
    log, key = world.logs[DATA], (world.keys[GATEWAY].public.kid, f"readings/{MAIN}")
    log.streams[key] = (log.streams[key][0], b"\3" * 32)
    sign_readings(world, GATEWAY, start=START + 3 * DAY)
    assert caught(world.file().check()) == "continuity"


# -- logs ------------------------------------------------------------------------------------------


def test_catches_a_statement_removed_from_the_bundle(world):
    entries = list(world.logs[DATA].entries)
    del entries[5]
    bundle = with_entries(world, world.bundle(), DATA, entries, note=world.bundle().logs[DATA].checkpoint)
    outcomes = {s.name: s.outcome for s in world.check(disclosing_no_more(bundle)).steps}
    assert outcomes["continuity"] == outcomes["log-proofs"] == "failed"


def test_catches_a_statement_removed_by_a_log_host_that_signs_a_new_checkpoint(world):
    entries = list(world.logs[DATA].entries)
    entries.pop()
    bundle = disclosing_no_more(with_entries(world, world.bundle(), DATA, entries))
    assert caught(world.check(bundle)) == "epochs"


def test_catches_two_statements_exchanged(world):
    entries = list(world.logs[DATA].entries)
    at = [i for i, raw in enumerate(entries) if SignedStatement.parse(raw).header.kind == "readings"][:2]
    entries[at[0]], entries[at[1]] = entries[at[1]], entries[at[0]]
    note = world.bundle().logs[DATA].checkpoint
    assert caught(world.check(with_entries(world, world.bundle(), DATA, entries, note=note))) == "log-proofs"


def test_catches_a_checkpoint_signed_by_another_key(world):
    bundle = world.bundle()
    note = signed_note(world, DATA, world.logs[DATA].entries, key=OPERATOR)
    bundle.logs[DATA] = replace(bundle.logs[DATA], checkpoint=note)
    assert caught(world.check(bundle)) == "log-proofs"


def test_catches_a_checkpoint_rolled_back(world):
    bundle = world.bundle()
    older = world.logs[DATA].entries[:-2]
    bundle.logs[DATA] = replace(bundle.logs[DATA], checkpoint=signed_note(world, DATA, older))
    assert caught(world.check(bundle)) == "log-proofs"


def test_catches_log_and_checkpoint_rolled_back_together(world):
    entries = list(world.logs[DATA].entries)
    bundle = disclosing_no_more(with_entries(world, world.bundle(), DATA, entries[:-2]))
    assert caught(world.check(bundle)) == "epochs"


def test_catches_a_revocation_left_out_of_the_register():
    world = World().found().measure(windows=4)
    size = len(world.logs[REGISTER].entries)
    world.revoke()
    for window in range(4, 8):
        world.seal_window(START + window * 6 * HOUR, 24)
    world.seal_window(START + 2 * DAY, 1, meters=(LINE,))
    world.now = START + 2 * DAY + HOUR
    world.file()
    bundle = with_entries(world, world.bundle(), REGISTER, world.logs[REGISTER].entries[:size])
    result = world.check(disclosing_no_more(bundle))
    assert caught(result) == "registers-whole"
    assert "left out" in reason(result, "registers-whole")


# -- epochs ----------------------------------------------------------------------------------------


def test_catches_a_second_history_of_the_enterprises_log():
    """The log host keeps two data logs, maps one and shows the other, both well signed and anchored."""

    class Forking(World):
        def close_epoch(self):
            if len(self.epochs) == 2:
                log = self.logs[DATA]
                shown = list(log.entries)
                log.entries[-1] = self._other(log.entries[-1])
                super().close_epoch()
                log.entries[:] = [*shown, *log.entries[len(shown) :]]
            else:
                super().close_epoch()

        def _other(self, raw):
            return raw[:-1] + bytes([raw[-1] ^ 1])

    result = Forking().found().measure().file().check()
    assert caught(result) == "epochs"
    assert "another history" in reason(result, "epochs")


def test_catches_a_map_proof_left_out_for_one_epoch_of_the_period(world):
    bundle = world.bundle()
    del bundle.maps[DATA][3]
    assert caught(world.check(bundle)) == "epochs"


def test_catches_the_first_epochs_left_out_as_if_the_log_had_been_opened_later(world):
    bundle = world.bundle()
    del bundle.maps[DATA][1]
    del bundle.maps[DATA][2]
    result = world.check(bundle)
    assert caught(result) == "epochs"
    assert "no map proof for that epoch" in reason(result, "epochs")


def test_catches_an_epoch_that_says_it_was_closed_before_the_ticks_it_holds():
    class Backdating(World):
        def close_epoch(self):
            self.tick()
            self.now -= 5 * HOUR
            heads = [MapEntry(o, len(log.entries), log.root()) for o, log in self.logs.items()]
            epoch_map = EpochMap(heads)
            entry = epoch_map.close(len(self.epochs) + 1, self.now)
            self.now += 5 * HOUR
            self.epochs.append((entry, epoch_map))
            self.log_of_logs.append(entry.encode())
            root = root_of([leaf_hash(e) for e in self.log_of_logs])
            self.chain.advance(len(self.log_of_logs), root, self.now)

    assert caught(Backdating().found().measure().file().check()) == "epochs"


def test_catches_the_newest_epoch_left_out(world):
    bundle = world.bundle()
    del bundle.maps[REGISTER][max(bundle.maps[REGISTER])]
    assert caught(world.check(bundle)) == "epochs"


def test_catches_a_map_proof_of_another_log(world):
    bundle = world.bundle()
    bundle.maps[DATA][2] = replace(bundle.maps[REGISTER][2], entry=bundle.maps[DATA][2].entry)
    assert caught(world.check(bundle)) == "epochs"


def test_catches_an_epoch_removed_from_the_log_of_logs(world):
    bundle = world.bundle()
    del bundle.log_of_logs_entries[2]
    assert caught(world.check(bundle)) == "epochs"


def test_catches_an_epoch_removed_by_a_log_host_that_signs_a_new_checkpoint(world):
    bundle = world.bundle()
    del bundle.log_of_logs_entries[2]
    bundle.log_of_logs_checkpoint = signed_note(world, EPOCHS, bundle.log_of_logs_entries)
    assert caught(world.check(bundle)) == "epochs"


def test_catches_a_log_of_logs_checkpoint_by_another_key(world):
    bundle = world.bundle()
    bundle.log_of_logs_checkpoint = signed_note(world, EPOCHS, bundle.log_of_logs_entries, key=OPERATOR)
    assert caught(world.check(bundle)) == "epochs"


def test_catches_epochs_that_were_closed_in_another_order_than_they_say():
    world = World().found().measure()
    world.now -= 3 * DAY
    world.close_epoch()
    world.now += 4 * DAY
    assert caught(world.file().check()) == "epochs"


# -- the chain -------------------------------------------------------------------------------------


def test_catches_an_anchor_of_another_log_of_logs(world):
    last = world.chain.heads[-1]
    world.chain.heads[-1] = replace(last, root_hash=b"\1" * 32)
    assert caught(world.check()) == "anchor"


def test_catches_a_log_of_logs_behind_the_chain(world):
    world.chain.advance(len(world.log_of_logs) + 1, b"\2" * 32, world.now)
    result = world.check()
    assert caught(result) == "anchor"
    assert "ends at" in reason(result, "anchor")


def test_catches_evidence_of_another_contract(world):
    profile = replace(world.chain.profile(), contract=b"\7" * 20)
    assert caught(world.check(trust=world.trust(chains=(profile,)))) == "anchor"


def test_catches_evidence_of_another_chain(world):
    profile = replace(world.chain.profile(), chain_id=1)
    assert caught(world.check(trust=world.trust(chains=(profile,)))) == "anchor"


def test_catches_a_contract_with_other_code(world):
    profile = replace(world.chain.profile(), code_hash=b"\7" * 32)
    assert caught(world.check(trust=world.trust(chains=(profile,)))) == "anchor"


def test_catches_a_block_that_the_trust_file_does_not_vouch_for(world):
    profile = world.chain.profile()
    blocks = (replace(profile.trusted_blocks[0], block_hash=b"\7" * 32),)
    assert (
        caught(world.check(trust=world.trust(chains=(replace(profile, trusted_blocks=blocks),)))) == "anchor"
    )


def test_catches_anchor_evidence_that_is_noise(world):
    bundle = world.bundle()
    bundle.anchor = b"noise"
    assert caught(world.check(bundle)) == "anchor"


def test_catches_broken_evidence_even_where_no_anchor_is_required(world):
    bundle = world.bundle()
    bundle.anchor = b"noise"
    assert not world.check(bundle, trust=world.trust(is_anchor_required=False)).has_passed


def test_catches_an_algorithm_that_no_longer_counted_when_it_was_anchored(world):
    assert caught(world.check(trust=world.trust(algorithms=Algorithms({ED25519: START})))) == "algorithms"


def test_headers_that_cannot_be_checked_offline_are_said_to_be_so(world):
    profile = replace(world.chain.profile(), header_profile="qbft")
    result = world.check(trust=world.trust(chains=(profile,)))
    assert caught(result) == "anchor"
    assert "online only" in reason(result, "anchor")


# -- freshness, whole registers, cut-off -----------------------------------------------------------


def test_catches_a_bundle_older_than_the_trust_files_freshness(world):
    assert caught(world.check(at=world.now + 49 * HOUR)) == "freshness"


@pytest.mark.parametrize("with_anchor", [True, False])
def test_catches_a_head_from_after_the_instant_of_the_check(told, with_anchor):
    world = told if with_anchor else honest(with_anchor=False)
    assert world.check(at=world.now - 5 * MINUTE).has_passed
    result = world.check(at=world.now - 11 * MINUTE)
    assert caught(result) == "freshness"
    assert "after the instant of the check" in reason(result, "freshness")


def test_catches_an_anchor_before_the_trust_files_earliest_instant(world):
    assert caught(world.check(trust=world.trust(not_before=world.now + HOUR))) == "freshness"


def test_catches_the_register_of_a_party_relied_upon_left_out(world):
    bundle = world.bundle()
    section = bundle.logs.pop(register(LOG_HOST))
    bundle.maps.pop(section.origin)
    assert caught(world.check(disclosing_no_more(bundle))) == "registers-whole"


def test_catches_a_report_that_was_never_anchored():
    class Unanchored(World):
        def close_epoch(self):
            if not self.report_json:
                super().close_epoch()

    assert caught(Unanchored().found().measure().file().check()) == "cut-off"


def test_catches_a_cut_off_of_another_history():
    def other(body):
        body["cut_off"][0]["root_hash"] = b"\6" * 32
        return body

    world = World().found().measure().file(quality_body=other, report_body=other)
    assert caught(world.check()) == "cut-off"


def test_catches_a_code_and_a_report_with_different_cut_offs():
    def other(body):
        body["cut_off"][0] = {**body["cut_off"][0], "tree_size": 10}
        return body

    assert caught(World().found().measure().file(quality_body=other).check()) == "cut-off"


def test_catches_a_bundle_about_another_period_than_its_report(world):
    bundle = world.bundle()
    change_report(bundle, period=(START, START + DAY))
    assert caught(world.check(bundle)) == "cut-off"


# -- packages --------------------------------------------------------------------------------------


def halved(files):
    return {path: raw.replace(b"0.5306", b"0.2653") for path, raw in files.items()}


def test_catches_a_factor_swapped_in_the_bundle(world):
    bundle = world.bundle()
    bundle.packages[GRID] = halved(bundle.packages[GRID])
    assert bundle.packages[GRID] != world.packages[GRID]
    assert caught(world.check(bundle)) == "packages"


def test_catches_a_factor_swapped_before_the_report_was_computed_and_signed():
    world = World().found().measure()
    world.packages[GRID] = halved(world.packages[GRID])
    result = world.file().check()
    assert caught(result) == "packages"
    assert "published" in reason(result, "packages")


def test_catches_a_method_that_the_registrar_has_withdrawn():
    world = World().found().measure()
    world.publish(METHOD, world.packages[METHOD], "withdrawn")
    assert caught(world.file().check()) == "packages"


def test_catches_a_method_that_is_only_a_draft():
    world = World().found().measure()
    world.publish(METHOD, world.packages[METHOD], "draft")
    assert caught(world.file().check()) == "packages"


def test_catches_a_package_left_out(world):
    bundle = world.bundle()
    del bundle.packages[GRID]
    assert caught(world.check(bundle)) == "packages"


def test_catches_a_package_that_the_report_does_not_name(world):
    bundle = world.bundle()
    bundle.packages["CN-HEAT@1.0.0"] = {"factor_set.toml": b""}
    assert caught(world.check(bundle)) == "packages"


def test_catches_a_quality_profile_weakened_under_its_own_name_even_if_the_registrar_published_it():
    world = World()
    weak = {"profile.toml": world.packages[PROFILE]["profile.toml"].replace(b'"95"', b'"1"')}
    world.packages[PROFILE] = world.published[PROFILE] = weak
    assert caught(world.found().measure().file().check()) == "packages"


def test_catches_another_profile_than_the_trust_files(world):
    assert caught(world.check(trust=world.trust(rule_profiles=("strict@2",)))) == "packages"


# -- figures ---------------------------------------------------------------------------------------


def test_catches_a_total_edited_before_it_was_signed():
    def lower(body):
        body["totals"]["total"]["value"] = "1.5"
        return body

    result = World().found().measure().file(report_body=lower).check()
    assert caught(result) == "recompute"
    assert "reported 1.5 tCO2e" in reason(result, "recompute")


def test_catches_activity_data_edited_in_the_last_digit():
    def nudge(body):
        activity = body["by_stream"]["electricity"]["activity"]
        activity["value"] = activity["value"][:-1] + str((int(activity["value"][-1]) + 1) % 10)
        return body

    assert caught(World().found().measure().file(report_body=nudge).check()) == "recompute"


def test_catches_a_source_stream_left_out_of_the_report():
    def drop(body):
        body["by_stream"] = {}
        return body

    assert caught(World().found().measure().file(report_body=drop).check()) == "recompute"


def test_catches_a_plan_that_the_register_does_not_hold():
    def other(body):
        return {**body, "plan_digest": b"\4" * 32}

    result = World().found().measure().file(report_body=other, quality_body=other).check()
    assert caught(result) == "packages"


def test_catches_a_code_signed_green_that_is_red():
    def green(body):
        return {**body, "code": "green"}

    def half(meter, slot, value):
        return value / 2 if meter == MAIN and slot > 100 else value

    world = World().found().measure(change=half).file(quality_body=green)
    result = world.check()
    assert caught(result) == "rules"
    assert "another code" in reason(result, "rules")


def test_catches_a_finding_left_out_of_the_code():
    def silent(body):
        return {**body, "findings": []}

    def half(meter, slot, value):
        return value / 2 if meter == MAIN and slot > 100 else value

    assert caught(World().found().measure(change=half).file(quality_body=silent).check()) == "rules"


# -- the report ------------------------------------------------------------------------------------


def test_catches_a_report_figure_edited_in_the_bundle(world):
    bundle = world.bundle()
    total = world.recomputed.inventory.to_json()["total"]["value"].encode()
    change_report(bundle, report_json=world.report_json.replace(total, b"1.00000000", 1))
    assert caught(world.check(bundle)) == "report"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("emissions.total.value", "1"),
        ("emissions.total.rounded", "1"),
        ("emissions.total.unit", "kgCO2e"),
        ("emissions.totals.electricity.rounded", "1"),
        ("emissions.by_stream.0.rounded", "1"),
        ("emissions.by_stream.0.is_counted", False),
        ("emissions.by_month.0.by_stream.electricity.rounded", "1"),
        ("emissions.shares.late", "0.5"),
        ("activity_data.electricity.value", "1"),
        ("emissions.by_stream.0.value", "1"),
        ("emissions.by_month.0.value", "1"),
        ("factors.0.value", "0.1"),
        ("factors.0.source", "hearsay"),
        ("data_quality.code", "red"),
        ("data_quality.completeness.0.missing", 7),
        ("data_quality.shares.late_percent", "9"),
        ("data_quality.greatest_commit_delay_ms", 0),
        ("data_quality.signer_classes.0.statements", 1),
        ("cut_off.data.tree_size", 1),
        ("method.packages.0.digest", "00"),
        ("parties.operator.party", "e-another"),
        ("period.start", "2025-01-01T00:00:00Z"),
        ("trace.sha256", "00"),
    ],
)
def test_catches_a_report_figure_edited_before_report_json_was_signed(path, value):
    def edit(report):
        place, keys = report, [int(k) if k.isdigit() else k for k in path.split(".")]
        for key in keys[:-1]:
            place = place[key]
        assert place[keys[-1]] != value
        place[keys[-1]] = value
        return report

    assert caught(World().found().measure().file(report_json=edit).check()) == "report"


def test_catches_a_report_json_that_is_not_json(world):
    def broken(body):
        return body

    story = World().found().measure().file(report_json=lambda _: ["not", "a", "report"], report_body=broken)
    assert caught(story.check()) == "report"


def test_catches_a_pdf_swapped_in_the_bundle(world):
    bundle = world.bundle()
    change_report(bundle, report_pdf=PDF + b" with other figures")
    assert caught(world.check(bundle)) == "report"


@pytest.mark.parametrize(("kind", "field"), [("withdrawal", "withdraws"), ("correction", "supersedes")])
def test_catches_a_report_that_was_taken_back(world, kind, field):
    body = {field: world.report.digest, "role": "operator", "reason": "an error"}
    if kind == "correction":
        body["replacement"] = None
    world.add(REGISTER, OPERATOR, kind, body)
    world.close_epoch()
    result = world.check()
    assert caught(result) == "report"
    assert "1 statement revoked, corrected or withdrawn" in reason(result, "freshness")


def test_catches_an_entry_of_a_kind_that_is_still_a_draft(world):
    nothing = {"zh": "", "en": ""}
    body = {
        "answers": {"statement_digest": world.report.digest, "rule": None, "subject": None},
        "stance": "disputed",
        "text": nothing,
        "evidence": [],
        "role": "operator",
        "person_digest": None,
        "replaces": None,
    }
    world.add(data(OPERATOR), OPERATOR, "explanation", body)
    world.close_epoch()
    assert "kind explanation v0 is not in the registry" in reason(world.check(), "signatures")


def test_a_step_after_a_failed_one_is_not_run_and_never_passed(world):
    bundle = world.bundle()
    del bundle.packages[GRID]
    outcomes = {s.name: s.outcome for s in world.check(bundle).steps}
    assert outcomes["packages"] == "failed"
    assert {outcomes[name] for name in ("completeness", "recompute", "rules", "report")} == {"not run"}
