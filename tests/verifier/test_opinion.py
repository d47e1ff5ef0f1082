"""Which opinion may be given, by whom, and what anybody finds again about one."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from body_world import BODY, BodyWorld, verified
from bundle_factory import GATEWAY, LOG_HOST, MAIN, OPERATOR, REGISTRAR, data, honest, register, signer
from hypothesis import given, settings
from hypothesis import strategies as st

from carbonseal_attest.contents.judging import verification_report as schema
from carbonseal_attest.receipt import make_receipt
from carbonseal_attest.statement import SignedStatement
from carbonseal_verifier.admissions import Admissions
from carbonseal_verifier.check import FAILED, NOT_RUN, PASSED
from carbonseal_verifier.errors import OpinionRefused, TranscriptInvalid
from carbonseal_verifier.examined import Examined
from carbonseal_verifier.findings_file import Finding, quantity_difference
from carbonseal_verifier.opinion import check_opinion, figures_of, misstatements, threshold
from carbonseal_verifier.opinion_check import recheck
from carbonseal_verifier.statement_file import StatementFile
from carbonseal_verifier.verification import KIND, Wish, body_in, compose

CREDIT = "91350100M000100Y43"
UNIT = "tCO2e"


def wish(opinion: str = "unmodified", **changes: Any) -> Wish:
    fields: dict[str, Any] = {
        "opinion": opinion, "level": "reasonable", "materiality_percent": "5", "criteria": None,
        "engagement": "en-example", **changes,
    }  # fmt: skip
    return Wish(**fields)


def finding(name: str = "nc-1", **changes: Any) -> Finding:
    fields: dict[str, Any] = {
        "finding": name, "type": "misstatement", "severity": "minor", "state": "open",
        "zh": "差错", "en": "an error", "digests": (), "samples": frozenset(), "figure": None, **changes,
    }  # fmt: skip
    return Finding(**fields)


def body(examined: Examined, *, world: BodyWorld, **changes: Any) -> dict[str, Any]:
    facts = body_in(examined, world.keys[BODY].public.kid)
    return compose(
        examined,
        facts,
        changes.pop("wish", wish()),
        changes.pop("findings", []),
        changes.pop("transcript", None),
    )


@pytest.fixture(scope="module")
def world() -> BodyWorld:
    return verified()


@pytest.fixture(scope="module")
def examined(world: BodyWorld) -> Examined:
    return world.examined()


@pytest.fixture(scope="module")
def fair(world: BodyWorld, examined: Examined) -> dict[str, Any]:
    return body(examined, world=world)


# -- who may give an opinion ---------------------------------------------------------------------------


@pytest.mark.parametrize("by", [OPERATOR, REGISTRAR, LOG_HOST, GATEWAY])
def test_no_other_key_gives_an_opinion(world: BodyWorld, examined: Examined, by: str) -> None:
    with pytest.raises(OpinionRefused, match=r"not admitted as verification_body|no party with key"):
        body_in(examined, world.keys[by].public.kid)


@pytest.mark.parametrize("status", ["suspended", "removed"])
def test_a_body_that_the_registrar_has_stopped_gives_no_opinion(status: str) -> None:
    made = BodyWorld().found()
    made.admit_body(status)
    made.measure().file()
    with pytest.raises(OpinionRefused, match=f"is {status}"):
        body_in(made.examined(), made.keys[BODY].public.kid)


def test_a_bank_gives_no_opinion() -> None:
    made = verified(roles=("bank",))
    with pytest.raises(OpinionRefused, match="admitted as bank, not admitted as verification_body"):
        body_in(made.examined(), made.keys[BODY].public.kid)


def test_a_key_that_the_registrar_has_replaced_gives_no_opinion(world: BodyWorld) -> None:
    made = BodyWorld().found()
    made.keys["another"] = signer("another")
    made.admit_body(rotated_to="another")
    made.measure().file()
    with pytest.raises(OpinionRefused, match="no party with key"):
        body_in(made.examined(), world.keys[BODY].public.kid)
    admissions = Admissions.of(_party_bodies(made))
    former = admissions.body_of(made.keys[BODY].public.kid, is_logged=True)
    assert former == admissions.body_of(made.keys["another"].public.kid)


def test_a_body_with_the_enterprises_credit_code_is_refused() -> None:
    made = verified(org={BODY: CREDIT, OPERATOR: CREDIT})
    with pytest.raises(OpinionRefused, match="one credit code"):
        body_in(made.examined(), made.keys[BODY].public.kid)


def test_a_credit_code_that_the_enterprise_had_earlier_counts_too() -> None:
    made = BodyWorld(org={OPERATOR: CREDIT}).found()
    made.org = {BODY: CREDIT}
    made.admit_body()
    made.measure().file()
    with pytest.raises(OpinionRefused, match="one credit code"):
        body_in(made.examined(), made.keys[BODY].public.kid)


def test_a_body_whose_key_is_a_device_of_the_enterprise_is_refused() -> None:
    made = BodyWorld(body_key=GATEWAY).found()
    made.measure().file()
    with pytest.raises(OpinionRefused, match="one key"):
        body_in(made.examined(), made.keys[BODY].public.kid)


def test_an_enterprise_that_is_admitted_as_verification_body_as_well_does_not_verify_itself() -> None:
    made = honest()
    made.add(register(REGISTRAR), REGISTRAR, "party", {
        "party": OPERATOR, "status": "admitted", "roles": ["enterprise", "verification_body"],
        "key": made.keys[OPERATOR].public.cose_key(), "register_origin": register(OPERATOR),
        "data_origin": data(OPERATOR), "name": {"zh": "企业", "en": "works"}, "org": None, "endorsements": [],
    }, subject=OPERATOR)  # fmt: skip
    made.close_epoch()
    result = made.check()
    assert result.has_passed
    both = Admissions.of(_party_bodies(made))
    facts = both.body_of(made.keys[OPERATOR].public.kid)
    with pytest.raises(OpinionRefused, match="is the party whose report this is"):
        both.check_independent(facts.party, OPERATOR)


def test_one_key_of_two_parties_is_nobodys(world: BodyWorld) -> None:
    bodies = _party_bodies(world)
    twin = {**bodies[-1], "party": "v-twin"}
    with pytest.raises(OpinionRefused, match="more than one party"):
        Admissions.of([*bodies, twin]).body_of(world.keys[BODY].public.kid)


def test_without_a_register_that_holds_nobody_is_admitted(world: BodyWorld) -> None:
    made = world.bundle()
    payload = next(
        digest
        for digest, content in made.contents.items()
        if b"party" in content and BODY.encode() in content
    )
    del made.contents[payload]
    from bundle_factory import to_bytes

    with pytest.raises(OpinionRefused, match="cannot be known"):
        body_in(world.examined(to_bytes(made)), world.keys[BODY].public.kid)


# -- which opinion is open ----------------------------------------------------------------------------


def test_an_honest_report_may_have_an_unmodified_opinion(fair: dict[str, Any], examined: Examined) -> None:
    schema(fair, "body")
    assert fair["figures"]["total"]["difference"] == {"value": "0", "unit": UNIT}
    assert set(fair["figures"]) == {"total", "electricity"}
    assert set(fair["steps"].values()) == {PASSED}
    assert fair["bundle_digest"] == examined.bundle_digest
    assert (misstatements(fair), fair["criteria"]) == (0, "GBT32150-2015@1.0.0")


@pytest.mark.parametrize("opinion", ["modified", "adverse", "disclaimer"])
def test_other_opinions_stay_open(world: BodyWorld, examined: Examined, opinion: str) -> None:
    found = body(examined, world=world, wish=wish(opinion))
    schema(found, "body")
    assert found["opinion_text"]["zh"]


def changed(fair: dict[str, Any], change: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    made = copy.deepcopy(fair)
    change(made)
    return made


def _figure(name: str, operator: str, own: str, unit: str = UNIT) -> Callable[[dict[str, Any]], None]:
    def change(made: dict[str, Any]) -> None:
        made["figures"][name] = quantity_difference(operator, own, unit)

    return change


def _step(name: str, outcome: str) -> Callable[[dict[str, Any]], None]:
    def change(made: dict[str, Any]) -> None:
        made["steps"][name] = outcome

    return change


def _sampled(answered: int, *rows: dict[str, Any]) -> Callable[[dict[str, Any]], None]:
    def change(made: dict[str, Any]) -> None:
        made["sampling"] = {
            "commitment_digest": bytes(32), "transcript_digest": b"\x01" * 32, "drawn": 10,
            "answered": answered,
        }  # fmt: skip
        made["findings"] = list(rows)

    return change


def _row(**changes: Any) -> dict[str, Any]:
    row = {
        "finding": "nc-1",
        "type": "observation",
        "severity": "minor",
        "state": "closed",
        "text": {},
        "digests": [],
    }
    return row | changes


ABOUT_SLOTS = {"digests": [b"\x01" * 32]}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (_step("signatures", FAILED), "step signatures did not pass"),
        (_step("rules", NOT_RUN), "step rules did not pass"),
        (lambda made: made["steps"].clear(), "did not pass"),
        (lambda made: made["figures"].clear(), "figures that were computed again"),
        (_figure("electricity", "130", "100"), "is material"),
        (_figure("total", "150", "100"), "is material"),
        (
            lambda made: made.update(findings=[_row(severity="critical", state="open")]),
            "critical finding nc-1",
        ),
        (_sampled(9), "no finding accounts for them"),
        (_sampled(9, _row()), "no finding accounts for them"),
        (_sampled(9, _row(state="open", **ABOUT_SLOTS)), "while a finding about unanswered slots is"),
        (_sampled(11), "more answers than slots"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_unmodified_opinion_is_refused(fair: dict[str, Any], change: Callable[..., Any], why: str) -> None:
    with pytest.raises(OpinionRefused, match=why):
        check_opinion(changed(fair, change), is_required=lambda _: True)


@pytest.mark.parametrize(
    "change",
    [
        _step("anchor", FAILED),
        lambda made: made.update(findings=[_row(severity="critical")]),
        lambda made: made.update(findings=[_row(severity="major", state="open")]),
        _sampled(9, _row(**ABOUT_SLOTS)),
        _figure("electricity", "25.9", "25.22159346"),
    ],
    ids=[
        "a step not required",
        "a critical finding closed",
        "a major finding open",
        "slots explained",
        "below materiality",
    ],
)
def test_an_unmodified_opinion_is_open(fair: dict[str, Any], change: Callable[..., Any]) -> None:
    check_opinion(changed(fair, change), is_required=lambda name: name != "anchor")


def test_misstatements_of_streams_that_cancel_out_count(fair: dict[str, Any]) -> None:
    def change(made: dict[str, Any]) -> None:
        _figure("electricity", "20", "10")(made)
        _figure("gas", "10", "20")(made)

    made = changed(fair, change)
    assert misstatements(made) == 20
    with pytest.raises(OpinionRefused, match="20 tCO2e misstated"):
        check_opinion(made, is_required=lambda _: True)


def test_only_open_findings_count_against_materiality(fair: dict[str, Any]) -> None:
    for state, found in (("open", "3"), ("closed", "0")):

        def change(made: dict[str, Any], state: str = state) -> None:
            made["findings"] = [_row(state=state)]
            _figure("finding/nc-1", "13", "10")(made)

        assert str(misstatements(changed(fair, change))) == found


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (
            lambda made: made["figures"]["electricity"].update(difference={"value": "1", "unit": UNIT}),
            "two figures",
        ),
        (_figure("electricity", "1", "1", "kg"), "is not in tCO2e"),
        (_figure("finding/nc-9", "1", "2"), "belongs to no finding"),
        (lambda made: made.update(materiality_percent="101"), "not between 0 and 100"),
        (lambda made: made.update(materiality_percent="-1"), "not between 0 and 100"),
        (lambda made: made["figures"].pop("total"), "no total"),
    ],
)
def test_figures_that_contradict_themselves_are_refused_for_any_opinion(
    fair: dict[str, Any], change: Callable[..., Any], why: str
) -> None:
    made = changed(fair, change)
    made["opinion"] = "adverse"
    with pytest.raises(OpinionRefused, match=why):
        check_opinion(made, is_required=lambda _: True)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.decimals(0, 10**9, places=3), st.decimals(0, 10**9, places=3), st.decimals(0, 10, places=2))
def test_exactly_what_exceeds_materiality_bars_an_unmodified_opinion(told, own, share) -> None:
    row = quantity_difference(f"{told:f}", f"{own:f}", UNIT)
    made = {
        "figures": {"total": row, "grid": row}, "findings": [], "sampling": None, "opinion": "unmodified",
        "materiality_percent": f"{share:f}", "steps": {"report": PASSED},
    }  # fmt: skip
    is_material = abs(told - own) * 100 > own * share
    assert (misstatements(made) > threshold(made)) == is_material
    if is_material:
        with pytest.raises(OpinionRefused, match="is material"):
            check_opinion(made, is_required=lambda _: True)
    else:
        check_opinion(made, is_required=lambda _: True)


@pytest.mark.parametrize("share", ["10.01", "11", "100"])
def test_a_body_that_calls_little_material_gives_no_unmodified_opinion(
    fair: dict[str, Any], share: str
) -> None:
    made = changed(fair, lambda body: body.update(materiality_percent=share))
    with pytest.raises(OpinionRefused, match="at most 10 per cent as immaterial"):
        check_opinion(made, is_required=lambda _: True)


def test_a_source_stream_called_total_does_not_hide_the_total(world: BodyWorld) -> None:
    again = copy.copy(world.examined())
    case = again.case

    class Inventory:
        def to_json(self) -> dict[str, Any]:
            amount = {"value": "1", "unit": UNIT}
            return {"total": {"value": "3", "unit": UNIT}, "by_stream": {
                name: {"emissions": amount} for name in ("total", "finding/x", "grid")
            }}  # fmt: skip

    class Again:
        inventory = Inventory()

    case.recomputed = Again()
    figures = figures_of(case)
    assert set(figures) == {"total", "stream/total", "stream/finding/x", "grid", "electricity"}
    assert figures["total"]["verification_body"]["value"] == "3"
    assert figures["electricity"]["verification_body"]["value"] == "0"


def test_a_report_with_a_wrong_total_gets_figures_and_no_unmodified_opinion() -> None:
    made = BodyWorld().found()
    made.measure()

    def lower(signed: dict[str, Any]) -> dict[str, Any]:
        signed["totals"]["total"]["value"] = "20"
        return signed

    made.file(report_body=lower)
    found = made.examined()
    assert found.outcome("recompute") == FAILED
    with pytest.raises(OpinionRefused, match="step recompute did not pass"):
        body(found, world=made)
    adverse = body(found, world=made, wish=wish("adverse"))
    schema(adverse, "body")
    assert adverse["figures"]["total"] == quantity_difference("20", "25.22159346", UNIT)


# -- samples ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sampled() -> tuple[BodyWorld, Examined, Any]:
    """A world in which four slots of a sample have no answer, its examined bundle, and the transcript."""
    made = BodyWorld().found()
    made.measure(
        change=lambda meter, slot, value: None if (meter, slot) in {(MAIN, n) for n in range(4)} else value
    )
    made.file()
    file = made.commit(sizes={"main": 192, "line": 5})
    made.anchor()
    found = made.examined()
    return made, found, made.drawn(file, examined=found)


def test_slots_without_an_answer_need_a_finding_that_names_them(sampled) -> None:
    made, found, transcript = sampled
    assert transcript.unanswered() == ["main/0", "main/1", "main/2", "main/3"]
    with pytest.raises(
        OpinionRefused, match="4 drawn slots have no answer and no finding, the first is main/0"
    ):
        body(found, world=made, wish=wish("modified"), transcript=transcript)
    half = [finding(samples=frozenset({"main/0", "main/1"}))]
    with pytest.raises(OpinionRefused, match="2 drawn slots"):
        body(found, world=made, wish=wish("modified"), transcript=transcript, findings=half)


def test_a_finding_about_unanswered_slots_names_the_transcript(sampled) -> None:
    made, found, transcript = sampled
    rows = [finding(samples=frozenset(transcript.unanswered()), state="closed")]
    signed = body(found, world=made, wish=wish("modified"), transcript=transcript, findings=rows)
    schema(signed, "body")
    assert signed["findings"][0]["digests"] == [transcript.digest]
    assert signed["sampling"] == {
        "commitment_digest": transcript.commitment_digest, "transcript_digest": transcript.digest,
        "drawn": 197, "answered": 193,
    }  # fmt: skip


def test_a_finding_cannot_account_for_slots_that_were_not_drawn(sampled) -> None:
    made, found, transcript = sampled
    rows = [finding(samples=frozenset({*transcript.unanswered(), "main/500"}))]
    with pytest.raises(OpinionRefused, match="main/500 is no drawn slot"):
        body(found, world=made, wish=wish("modified"), transcript=transcript, findings=rows)


def test_a_transcript_of_another_bundle_is_refused(sampled, world: BodyWorld, examined: Examined) -> None:
    with pytest.raises(TranscriptInvalid, match="another bundle"):
        body(examined, world=world, wish=wish("adverse"), transcript=sampled[2])


def test_a_transcript_of_another_engagement_is_refused(sampled) -> None:
    made, found, transcript = sampled
    with pytest.raises(OpinionRefused, match="another engagement"):
        body(found, world=made, wish=wish("adverse", engagement="en-other"), transcript=transcript)


def test_a_transcript_that_nothing_proves_to_be_in_time_is_refused() -> None:
    made = verified()
    file = made.commit(sizes={"main": 2, "line": 2})
    made.anchor()
    found = made.examined()
    late = made.drawn(file, examined=found, logged=None)
    with pytest.raises(
        OpinionRefused, match="does not prove that the commitment was logged before the anchor"
    ):
        body(found, world=made, transcript=late)


# -- anybody re-performs it ---------------------------------------------------------------------------


def signed(world: BodyWorld, fair: dict[str, Any], *, by: str = BODY, **changes: Any) -> StatementFile:
    statement = world.add(data(by), by, KIND, {**fair, **changes}, subject=OPERATOR)
    return StatementFile.of(statement, world.contents[statement.payload])


def outcomes(steps: list[Any]) -> dict[str, str]:
    return {step.name: step.outcome for step in steps}


def test_an_honest_opinion_holds(world: BodyWorld, examined: Examined, fair: dict[str, Any]) -> None:
    file = signed(world, fair)
    log = world.logs[data(BODY)]
    file = StatementFile.of(file.statement, file.content_bytes, _receipt(world, log))
    steps = recheck(examined, file, None)
    assert outcomes(steps) == dict.fromkeys(
        ("signature", "independence", "subject", "figures", "opinion", "receipt"), PASSED
    ) | {"sampling": NOT_RUN}


def test_an_opinion_with_its_sample_holds_and_is_drawn_again(sampled) -> None:
    made, found, transcript = sampled
    rows = [finding(samples=frozenset(transcript.unanswered()), state="closed")]
    value = body(found, world=made, wish=wish("modified"), transcript=transcript, findings=rows)
    steps = recheck(found, signed(made, value), transcript)
    assert outcomes(steps)["sampling"] == PASSED
    wrong = {**value, "sampling": {**value["sampling"], "answered": 197}}
    assert outcomes(recheck(found, signed(made, wrong), transcript))["sampling"] == FAILED


@pytest.mark.parametrize(
    ("changes", "step"),
    [
        ({"report_digest": bytes(32)}, "subject"),
        ({"operator": "e-other"}, "subject"),
        ({"period": {"start": 1, "end": 2}}, "subject"),
        ({"figures": {}}, "figures"),
        ({"figures": {"total": quantity_difference("25.3", "25.3", UNIT)}}, "figures"),
        ({"steps": {"signatures": FAILED}}, "opinion"),
        ({"findings": [_row(severity="critical", state="open", text={"zh": "", "en": ""})]}, "opinion"),
    ],
)
def test_a_signed_opinion_with_false_facts_does_not_hold(
    world: BodyWorld, examined: Examined, fair: dict[str, Any], changes: dict[str, Any], step: str
) -> None:
    found = outcomes(recheck(examined, signed(world, fair, **changes), None))
    assert found[step] == FAILED
    assert found["signature"] == PASSED


def test_a_step_stated_as_passed_that_fails_on_that_bundle_is_found() -> None:
    made = BodyWorld().found()
    made.measure()
    made.file(quality_body=lambda quality: {**quality, "code": "green", "findings": []} | {"figures": {}})
    found = made.examined()
    assert found.outcome("rules") == FAILED
    honest_body = body(found, world=made, wish=wish("adverse"))
    lie = {**honest_body, "opinion": "unmodified", "steps": dict.fromkeys(honest_body["steps"], PASSED)}
    assert outcomes(recheck(found, signed(made, lie), None))["opinion"] == FAILED


def test_an_opinion_signed_by_the_enterprise_does_not_hold(
    world: BodyWorld, examined: Examined, fair: dict[str, Any]
) -> None:
    found = outcomes(recheck(examined, signed(world, fair, by=OPERATOR), None))
    assert (found["signature"], found["independence"]) == (FAILED, FAILED)


def test_an_opinion_whose_signature_was_changed_does_not_hold(
    world: BodyWorld, examined: Examined, fair: dict[str, Any]
) -> None:
    file = signed(world, fair)
    forged = SignedStatement.parse(file.statement.raw[:-1] + bytes([file.statement.raw[-1] ^ 1]))
    assert forged.digest == file.statement.digest
    made = StatementFile.of(forged, file.content_bytes)
    assert outcomes(recheck(examined, made, None))["signature"] == FAILED


def test_an_opinion_in_another_partys_log_does_not_hold(
    world: BodyWorld, examined: Examined, fair: dict[str, Any]
) -> None:
    statement = world.add(data(OPERATOR), BODY, KIND, fair, subject=OPERATOR, issuer=BODY)
    file = StatementFile.of(statement, world.contents[statement.payload])
    assert outcomes(recheck(examined, file, None))["signature"] == FAILED


def test_a_receipt_of_another_key_or_statement_does_not_hold(
    world: BodyWorld, examined: Examined, fair: dict[str, Any]
) -> None:
    file, log = signed(world, fair), world.logs[data(BODY)]
    forged = _receipt(world, log, by=BODY)
    other = _receipt(world, log, index=1)
    for receipt in (forged, other):
        made = StatementFile.of(file.statement, file.content_bytes, receipt)
        assert outcomes(recheck(examined, made, None))["receipt"] == FAILED


# -- within -------------------------------------------------------------------------------------------


def _party_bodies(world: Any) -> list[dict[str, Any]]:
    from carbonseal_attest.contents import parse_content

    statements = [SignedStatement.parse(raw) for raw in world.logs[register(REGISTRAR)].entries]
    return [parse_content(world.contents[s.payload]).body for s in statements if s.header.kind == "party"]


def _receipt(world: BodyWorld, log: Any, *, by: str = "log", index: int | None = None) -> bytes:
    from carbonseal_attest.merkle import inclusion_path, leaf_hash, root_of

    leaves = [leaf_hash(raw) for raw in log.entries]
    at = len(leaves) - 1 if index is None else index

    def node(level: int, place: int) -> bytes:
        return root_of(leaves[place << level : (place + 1) << level])

    return make_receipt(
        world.keys[by], log_host=LOG_HOST, origin=log.origin, tree_size=len(leaves), index=at,
        path=inclusion_path(at, len(leaves), node), root=log.root(),
    )  # fmt: skip
