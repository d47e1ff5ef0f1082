// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ICarbonAssets} from "../src/interfaces/ICarbonAssets.sol";
import {CarbonAssetsExpectations} from "./CarbonAssetsExpectations.sol";

contract CarbonAssetsEndsTest is CarbonAssetsExpectations {
    function setUp() public {
        _buildWorld();
    }

    function test_SplitGivesTwoPartsThatSum() public {
        bytes32 recordId = _record(1, 10);
        bytes32 left = _assets.recordIdOf(REGISTRY, BATCH, 1, 4);
        bytes32 right = _assets.recordIdOf(REGISTRY, BATCH, 5, 10);
        _propose(ALICE, abi.encode(ICarbonAssets.Kind.Split, recordId, uint64(4)));
        VM.expectEmit(address(_assets));
        emit ICarbonAssets.ActConfirmed(
            keccak256(abi.encode(ICarbonAssets.Kind.Split, recordId, uint64(4))), ALICE, REGISTRAR
        );
        VM.expectEmit(address(_assets));
        emit ICarbonAssets.RecordSplit(recordId, left, right);
        VM.prank(REGISTRAR);
        _assets.split(recordId, 4, ALICE);
        _assertState(recordId, ICarbonAssets.State.Split);
        _assertPart(left, recordId, 1, 4);
        _assertPart(right, recordId, 5, 10);
        (, bytes32 last) = _split(right, 9, ANNE);
        _assertPart(last, recordId, 10, 10);
    }

    function testFuzz_SplitPartsSum(uint64 first, uint64 last, uint64 lastOfLeft) public {
        first = uint64(bound(first, 1, type(uint64).max - 1));
        last = uint64(bound(last, first + 1, type(uint64).max));
        lastOfLeft = uint64(bound(lastOfLeft, first, last - 1));
        bytes32 recordId = _record(first, last);
        (bytes32 left, bytes32 right) = _split(recordId, lastOfLeft, ALICE);
        _assertPart(left, recordId, first, lastOfLeft);
        _assertPart(right, recordId, lastOfLeft + 1, last);
    }

    function test_RevertIf_SplitLeavesNothing() public {
        bytes32 recordId = _record(5, 10);
        uint64[3] memory ends = [uint64(4), 10, 11];
        for (uint256 i = 0; i < ends.length; i++) {
            _propose(ALICE, abi.encode(ICarbonAssets.Kind.Split, recordId, ends[i]));
            _expect(
                abi.encodeWithSelector(ICarbonAssets.CarbonAssetsInvalidSplit.selector, recordId, ends[i]),
                REGISTRAR
            );
            _assets.split(recordId, ends[i], ALICE);
        }
    }

    // Moving.

    function test_MovesToWhomTheOfficialTransferNames() public {
        bytes32 recordId = _record(1, 10);
        bytes memory act = abi.encode(ICarbonAssets.Kind.Move, recordId, BOBS, REFERENCE);
        _propose(ALICE, act);
        VM.expectEmit(address(_assets));
        emit ICarbonAssets.ActConfirmed(keccak256(act), ALICE, REGISTRAR);
        VM.expectEmit(address(_assets));
        emit ICarbonAssets.RecordMoved(recordId, ALICES, BOBS, REFERENCE);
        VM.prank(REGISTRAR);
        _assets.move(recordId, BOBS, REFERENCE, ALICE);
        assertEq(_assets.recordOf(recordId).holder, BOBS, "holder");
        _end(ICarbonAssets.Kind.Surrender, recordId, BOB);
        _assertState(recordId, ICarbonAssets.State.Surrendered);
    }

    function test_RevertIf_FormerHolderActs() public {
        bytes32 recordId = _record(1, 10);
        _propose(ALICE, _retirement(recordId));
        _move(recordId, BOBS, REFERENCE, ALICE);
        _expect(
            abi.encodeWithSelector(ICarbonAssets.CarbonAssetsNotForHolder.selector, ALICE, BOBS), REGISTRAR
        );
        _assets.retire(recordId, REFERENCE, ALICE);
    }

    function test_RevertIf_OfficialTransferIsMirroredTwice() public {
        (bytes32 left, bytes32 right) = _split(_record(1, 10), 5, ALICE);
        _move(left, BOBS, REFERENCE, ALICE);
        bytes memory refusal =
            abi.encodeWithSelector(ICarbonAssets.CarbonAssetsTransferUsed.selector, REGISTRY, REFERENCE);
        _expectMoveRefused(right, BOBS, REFERENCE, refusal);
    }

    function test_RevertIf_MovedToNobody() public {
        bytes32 nobody = keccak256("nobody");
        bytes memory refusal = abi.encodeWithSelector(ICarbonAssets.CarbonAssetsUnknownParty.selector, nobody);
        _expectMoveRefused(_record(1, 10), nobody, REFERENCE, refusal);
    }

    function test_RevertIf_MovedToWhoeverHoldsIt() public {
        bytes32 recordId = _record(1, 10);
        bytes memory refusal =
            abi.encodeWithSelector(ICarbonAssets.CarbonAssetsAlreadyHolds.selector, recordId, ALICES);
        _expectMoveRefused(recordId, ALICES, REFERENCE, refusal);
    }

    function test_RevertIf_MoveNamesNoOfficialTransfer() public {
        bytes32 recordId = _record(1, 10);
        bytes memory refusal =
            abi.encodeWithSelector(ICarbonAssets.CarbonAssetsInvalidReference.selector, recordId, bytes32(0));
        _expectMoveRefused(recordId, BOBS, 0, refusal);
    }

    // Ending.

    function test_EachEndHasItsState() public {
        bytes32 recordId = _record(1, 10);
        _end(ICarbonAssets.Kind.Retire, recordId, ALICE);
        _assertState(recordId, ICarbonAssets.State.Retired);
        recordId = _record(11, 20);
        _end(ICarbonAssets.Kind.Surrender, recordId, ALICE);
        _assertState(recordId, ICarbonAssets.State.Surrendered);
        recordId = _record(21, 30);
        _end(ICarbonAssets.Kind.Cancel, recordId, ALICE);
        _assertState(recordId, ICarbonAssets.State.Cancelled);
    }

    function test_TwoRegistrarsCancelWithoutTheHolder() public {
        bytes32 recordId = _record(1, 10);
        _end(ICarbonAssets.Kind.Cancel, recordId, SECOND_REGISTRAR);
        _assertState(recordId, ICarbonAssets.State.Cancelled);
    }

    function test_RevertIf_EndNamesNoOfficialAct() public {
        bytes32 recordId = _record(1, 10);
        for (uint256 kind = 3; kind < 6; kind++) {
            _expect(
                abi.encodeWithSelector(
                    ICarbonAssets.CarbonAssetsInvalidReference.selector, recordId, bytes32(0)
                ),
                REGISTRAR
            );
            _callEnd(ICarbonAssets.Kind(kind), recordId, 0, ALICE);
        }
    }

    function test_RevertIf_RecordIsUnknown() public {
        bytes memory refusal =
            abi.encodeWithSelector(ICarbonAssets.CarbonAssetsUnknownRecord.selector, REFERENCE);
        _expectEveryActRefused(REFERENCE, refusal);
    }

    function test_RevertIf_RecordIsNotLive() public {
        bytes32 recordId = _record(1, 10);
        _split(recordId, 5, ALICE);
        _expectEveryActRefused(recordId, _notLive(recordId, ICarbonAssets.State.Split));
        for (uint256 kind = 3; kind < 6; kind++) {
            recordId = _record(uint64(10 * kind), uint64(10 * kind + 9));
            _end(ICarbonAssets.Kind(kind), recordId, ALICE);
            _expectEveryActRefused(recordId, _notLive(recordId, ICarbonAssets.State(kind)));
        }
    }

    // Figures that must not drift unseen.
}
