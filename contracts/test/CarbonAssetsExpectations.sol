// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {CarbonAssets} from "../src/CarbonAssets.sol";
import {ICarbonAssets} from "../src/interfaces/ICarbonAssets.sol";
import {Rfc9162} from "../src/libraries/Rfc9162.sol";
import {CarbonAssetsFixture} from "./CarbonAssetsFixture.sol";

/// @dev What the tests of CarbonAssets expect of it, beside the world that the fixture builds.
abstract contract CarbonAssetsExpectations is CarbonAssetsFixture {
    /// @dev The next call, sent by `sender`, must be refused for exactly this reason.
    function _expect(bytes memory refusal, address sender) internal {
        VM.expectRevert(refusal);
        VM.prank(sender);
    }

    function _expectNotForHolder(address proposer) internal {
        _expect(
            abi.encodeWithSelector(ICarbonAssets.CarbonAssetsNotForHolder.selector, proposer, ALICES),
            REGISTRAR
        );
    }

    function _recordClaim(ICarbonAssets.Claim memory claim) internal {
        ICarbonAssets.Evidence memory evidence = _evidence();
        _proposeRecord(claim);
        VM.prank(REGISTRAR);
        _assets.record(claim, ALICE, 0, evidence);
    }

    function _expectRecordRefused(ICarbonAssets.Claim memory claim, uint64 predecessor, bytes memory refusal)
        internal
    {
        ICarbonAssets.Evidence memory evidence = _evidence();
        _proposeRecord(claim);
        _expect(refusal, REGISTRAR);
        _assets.record(claim, ALICE, predecessor, evidence);
    }

    function _expectEvidenceRefused(ICarbonAssets.Evidence memory evidence, bytes memory refusal) internal {
        ICarbonAssets.Claim memory claim = _claim(1, 10);
        _proposeRecord(claim);
        _expect(refusal, REGISTRAR);
        _assets.record(claim, ALICE, 0, evidence);
    }

    /// @dev Its reason is a root mismatch whose computed root says nothing.
    function _expectRefusedWithoutReason(ICarbonAssets.Claim memory claim) internal {
        ICarbonAssets.Evidence memory evidence = _evidence();
        _proposeRecord(claim);
        VM.prank(REGISTRAR);
        try _assets.record(claim, ALICE, 0, evidence) {
            revert AssertionFailed("recorded without a report");
        } catch (bytes memory reason) {
            assertEq(bytes32(bytes4(reason)), bytes32(Rfc9162.Rfc9162RootMismatch.selector), "reason");
        }
    }

    function _expectMoveRefused(bytes32 recordId, bytes32 to, bytes32 transfer, bytes memory refusal)
        internal
    {
        _propose(ALICE, abi.encode(ICarbonAssets.Kind.Move, recordId, to, transfer));
        _expect(refusal, REGISTRAR);
        _assets.move(recordId, to, transfer, ALICE);
    }

    function _expectEveryActRefused(bytes32 recordId, bytes memory refusal) internal {
        _expect(refusal, REGISTRAR);
        _assets.split(recordId, 1, ALICE);
        _expect(refusal, REGISTRAR);
        _assets.move(recordId, BOBS, keccak256("another transfer"), ALICE);
        for (uint256 kind = 3; kind < 6; kind++) {
            _expect(refusal, REGISTRAR);
            _callEnd(ICarbonAssets.Kind(kind), recordId, REFERENCE, ALICE);
        }
    }

    function _assertPart(bytes32 recordId, bytes32 lot, uint64 first, uint64 last) internal view {
        ICarbonAssets.Record memory it = _assets.recordOf(recordId);
        assertEq(it.lot, lot, "lot");
        assertEq(it.registry, REGISTRY, "registry");
        assertEq(it.batch, BATCH, "batch");
        assertEq(it.first, first, "first");
        assertEq(it.last, last, "last");
        assertEq(it.holder, ALICES, "holder");
        assertEq(it.reportLeaf, _dataLeaves[3], "report");
        assertEq(uint256(it.state), uint256(ICarbonAssets.State.Live), "state");
    }

    function _assertState(bytes32 recordId, ICarbonAssets.State state) internal view {
        assertEq(uint256(_state(recordId)), uint256(state), "state");
    }

    function _retirement(bytes32 recordId) internal pure returns (bytes memory) {
        return abi.encode(ICarbonAssets.Kind.Retire, recordId, REFERENCE);
    }

    function _notProposed(bytes32 actHash, address proposer) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(ICarbonAssets.CarbonAssetsNotProposed.selector, actHash, proposer);
    }

    function _notLive(bytes32 recordId, ICarbonAssets.State state) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(ICarbonAssets.CarbonAssetsNotLive.selector, recordId, state);
    }

    function _frozen(bytes32 recordId, uint32 freezes) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(ICarbonAssets.CarbonAssetsFrozen.selector, recordId, freezes);
    }

    function _overlap(uint64 first, uint64 last) internal pure returns (bytes memory) {
        return
            abi.encodeWithSelector(ICarbonAssets.CarbonAssetsOverlap.selector, REGISTRY, BATCH, first, last);
    }

    function _wrongPredecessor(uint64 predecessor) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(
            ICarbonAssets.CarbonAssetsInvalidPredecessor.selector, REGISTRY, BATCH, predecessor
        );
    }

    function _invalidSerials(ICarbonAssets.Claim memory claim) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(
            ICarbonAssets.CarbonAssetsInvalidSerials.selector,
            claim.registry,
            claim.batch,
            claim.first,
            claim.last
        );
    }
}
