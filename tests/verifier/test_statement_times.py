"""Wrong clocks: a device's, the log host's, and what the bundle alone still shows."""

from __future__ import annotations

from typing import Any

import pytest
from bundle_factory import DAY, END, HOUR, MINUTE, OPERATOR, START, World, caught, data, honest, reason

from carbonseal_attest.commit_delay import is_imported_late, is_late
from carbonseal_attest.statement import SignedStatement, sign_statement
from carbonseal_verifier.check import CheckResult
from carbonseal_verifier.tick_timeline import TickTimeline

LIMIT = 26 * HOUR


class WrongDevice(World):
    """A world whose gateway's clock stands beside the true time; its readings carry that clock's time."""

    offset = 0

    def add(self, origin: str, by: str, kind: str, body: dict[str, Any], **more: Any) -> SignedStatement:
        if kind == "readings":
            more["issued_at"] = self.now + self.offset
        return super().add(origin, by, kind, body, **more)


def told(world: World, **how: Any) -> World:
    return world.found().measure(**how).file()


def with_clock(offset: int) -> World:
    world = WrongDevice()
    world.offset = offset
    return told(world)


def code(result: CheckResult) -> str:
    return reason(result, "rules").split()[2]


def figure(world: World, name: str) -> str:
    return str(world.recomputed.quality_body["figures"][name])


# -- the device's clock ----------------------------------------------------------------------------


def test_in_time_the_bounds_are_shown_by_ticks_and_by_blocks():
    world = honest()
    result = world.check()
    assert result.has_passed
    shown = reason(result, "times")
    assert "commit delay at most 0.0 hours by the ticks, 18.0 hours by the blocks" in shown
    assert "0 late, 0 of them imported late" in shown


@pytest.mark.parametrize("offset", [3 * DAY, -3 * DAY])
def test_a_device_clock_ahead_or_behind_moves_no_bound(offset):
    result, right = with_clock(offset).check(), honest().check()
    assert result.has_passed
    assert reason(result, "times") == reason(right, "times")


def test_catches_a_device_clock_ahead_as_a_finding_of_the_data_code():
    world = with_clock(3 * DAY)
    rules = [finding["rule"] for finding in world.recomputed.quality_body["findings"]]
    assert "clock-offset@1" in rules


def test_a_device_clock_set_back_makes_late_readings_neither_timely_nor_fewer():
    world = WrongDevice()
    world.offset = -40 * HOUR
    told(world, delay=40 * HOUR)
    assert world.check().has_passed
    assert int(figure(world, "late")) > 0
    assert world.code == "red"


# -- files from the past ---------------------------------------------------------------------------


def test_readings_signed_long_after_their_interval_are_marked_imported_late():
    world = told(World(), delay=40 * HOUR)
    result = world.check()
    assert result.has_passed
    late = int(figure(world, "imported_late_statements"))
    assert late > 0
    assert f"{late} late, {late} of them imported late" in reason(result, "times")


def test_a_clock_set_back_does_not_hide_a_file_from_the_past_where_the_signer_knew_a_newer_head():
    """Of four readings that cite a head, two cite one with a tick long after their interval."""
    world = WrongDevice()
    world.offset = -40 * HOUR
    told(world, delay=40 * HOUR)
    statements = map(SignedStatement.parse, world.logs[data(OPERATOR)].entries)
    citing = [s for s in statements if s.header.kind == "readings" and s.header.checkpoint is not None]
    assert len(citing) == 4
    assert figure(world, "imported_late_statements") == "2"
    assert "12 without a lower bound" in reason(world.check(), "times")


def test_what_the_signer_knew_shows_that_a_file_is_from_the_past_whatever_date_it_carries():
    assert is_imported_late((0, HOUR), LIMIT + HOUR + 1, 2 * LIMIT, LIMIT)
    assert not is_imported_late((0, HOUR), LIMIT + HOUR, 2 * LIMIT, LIMIT)
    assert not is_imported_late((0, HOUR), 2 * LIMIT, LIMIT, LIMIT), "registered in time: not late at all"


def test_a_statement_without_an_upper_bound_is_late():
    assert is_late((0, HOUR), None, LIMIT)
    timeline = TickTimeline.of([(5, 100), (9, 50), (12, 200)])
    assert timeline.registered_by(6) == 200, "a tick that goes back bounds nothing"
    assert timeline.registered_by(13) is None


def test_a_wide_window_does_not_hide_a_long_wait():
    assert is_late((0, 30 * DAY), 30 * DAY, LIMIT)
    assert not is_late((0, HOUR), HOUR + LIMIT, LIMIT)
    assert is_late((0, HOUR), HOUR + LIMIT + 1, LIMIT)


# -- the log host's clock --------------------------------------------------------------------------


class LyingHost(World):
    """A world whose log host states another time than it is, in ticks and closings; the chain does not."""

    lie = 0

    def tick(self, *origins: str) -> None:
        true, self.now = self.now, self.now + self.lie
        super().tick(*origins)
        self.now = true

    def close_epoch(self) -> None:
        true, self.now = self.now, self.now + self.lie
        lie, self.lie = self.lie, 0
        advance = self.chain.advance
        self.chain.advance = lambda size, root, _: advance(size, root, true)  # type: ignore[method-assign]
        super().close_epoch()
        self.chain.advance = advance  # type: ignore[method-assign]
        self.now, self.lie = true, lie


def lying(lie: int) -> World:
    world = LyingHost()
    world.found()
    world.lie = lie
    return world.measure().file()


def test_a_host_whose_ticks_run_a_minute_ahead_is_within_tolerance():
    assert lying(MINUTE).check().has_passed


def test_catches_a_host_whose_ticks_run_ahead_of_the_block_that_anchors_them():
    result = lying(2 * HOUR).check()
    assert caught(result) == "anchor"
    assert "after it was anchored" in reason(result, "anchor")


def test_catches_a_host_that_dates_its_ticks_back_so_that_late_readings_look_timely():
    world = LyingHost().found()
    world.lie = -40 * HOUR
    world.measure(delay=40 * HOUR)
    world.lie = 0
    world.now = max(world.now, END + 41 * HOUR)
    result = world.file().check()
    assert caught(result) == "times"
    assert "not confirmed within the commit delay" in reason(result, "times")


# -- lower bounds ----------------------------------------------------------------------------------


def test_a_checkpoint_known_is_a_lower_bound_and_one_from_before_the_interval_proves_nothing_more():
    timeline = TickTimeline.of([(2, START), (5, START + HOUR), (9, START + 2 * HOUR)])
    assert timeline.known_at(2) is None, "no tick below that size"
    assert timeline.known_at(3) == START
    assert timeline.known_at(9) == START + HOUR
    assert timeline.known_at(10) == START + 2 * HOUR


def test_catches_a_lower_bound_that_a_signer_could_not_have_known():
    """A statement that cites a head of a size which its log had not yet reached."""
    world = World().found()
    log = world.logs[data(OPERATOR)]
    entries, root = log.entries, log.root
    world.measure(windows=1)
    statement = SignedStatement.parse(entries[-3])
    header = statement.header
    assert header.kind == "readings"
    later = sign_statement(
        world.keys["g-gateway"], kind="readings", issuer=header.issuer, subject=header.subject,
        origin=header.origin, stream=header.stream, issued_at=header.issued_at, sequence=header.sequence,
        previous=header.previous, interval=header.interval, checkpoint=(len(entries), root()),
        content=world.contents[statement.payload],
    )  # fmt: skip
    entries[-3] = later.raw
    world.close_epoch()
    world.file()
    result = world.check()
    assert caught(result) == "log-proofs"
    assert "claims to have known a head of size" in reason(result, "log-proofs")
