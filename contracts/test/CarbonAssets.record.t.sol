// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {CarbonAssets} from "../src/CarbonAssets.sol";
import {IMembership} from "../src/interfaces/IMembership.sol";
import {LogAnchor} from "../src/LogAnchor.sol";
import {ICarbonAssets} from "../src/interfaces/ICarbonAssets.sol";
import {Rfc9162} from "../src/libraries/Rfc9162.sol";
import {CarbonAssetsExpectations} from "./CarbonAssetsExpectations.sol";
import {EpochVector} from "./EpochVector.sol";

contract CarbonAssetsRecordTest is CarbonAssetsExpectations {
    function setUp() public {
        _buildWorld();
    }

    function test_RecordsWhatBothPersonsSaid() public {
        ICarbonAssets.Claim memory claim = _claim(1001, 2000);
        ICarbonAssets.Evidence memory evidence = _evidence();
        bytes32 recordId = _assets.recordIdOf(REGISTRY, BATCH, 1001, 2000);
        assertEq(recordId, keccak256(abi.encode(REGISTRY, BATCH, uint256(1001), uint256(2000))), "id");
        _proposeRecord(claim);
        VM.expectEmit(address(_assets));
        emit ICarbonAssets.ActConfirmed(
            keccak256(abi.encode(ICarbonAssets.Kind.Record, claim)), ALICE, REGISTRAR
        );
        VM.expectEmit(address(_assets));
        emit ICarbonAssets.SerialsRecorded(recordId, ALICES, claim);
        VM.prank(REGISTRAR);
        assertEq(_assets.record(claim, ALICE, 0, evidence), recordId, "returned id");

        ICarbonAssets.Record memory it = _assets.recordOf(recordId);
        assertEq(it.lot, recordId, "lot");
        assertEq(it.registry, REGISTRY, "registry");
        assertEq(it.batch, BATCH, "batch");
        assertEq(it.first, 1001, "first");
        assertEq(it.last, 2000, "last");
        assertEq(it.holder, ALICES, "holder");
        assertEq(it.reportLeaf, claim.reportLeaf, "report");
        _assertState(recordId, ICarbonAssets.State.Live);
    }

    function test_RecordsAgainstWhatThePythonSideProves() public {
        (CarbonAssets assets, ICarbonAssets.Claim memory claim) = _pythonWorld();
        ICarbonAssets.Evidence memory evidence = _pythonEvidence();
        VM.prank(ALICE);
        assets.propose(abi.encode(ICarbonAssets.Kind.Record, claim));
        VM.prank(REGISTRAR);
        bytes32 recordId = assets.record(claim, ALICE, 0, evidence);
        VM.snapshotGasLastCall("CarbonAssets", "record, 20 proof nodes, first of its batch");
        assertEq(assets.recordOf(recordId).reportLeaf, EpochVector.REPORT_LEAF, "report");
    }

    function test_UnknownRecordReadsAsZero() public view {
        ICarbonAssets.Record memory it = _assets.recordOf(REFERENCE);
        assertEq(it.lot, 0, "lot");
        assertEq(it.holder, 0, "holder");
        _assertState(REFERENCE, ICarbonAssets.State.None);
    }

    function test_RecordsInAnyOrderAndUpToTheLastSerial() public {
        _record(100, 199);
        _record(300, 399);
        _record(1, 99);
        _record(200, 299);
        _record(type(uint64).max, type(uint64).max);
        _record(400, type(uint64).max - 1);
        assertEq(_assets.predecessorOf(REGISTRY, BATCH, 1), 0, "first");
        assertEq(_assets.predecessorOf(REGISTRY, BATCH, 300), 200, "between");
        assertEq(_assets.predecessorOf(REGISTRY, BATCH, type(uint64).max), 400, "last");
    }

    /// @dev Against a plain list of ranges: recorded exactly when nothing overlaps.
    function testFuzz_RecordsWhatDoesNotOverlapAndNothingElse(uint8[2][8] memory ranges) public {
        bool[257] memory taken;
        ICarbonAssets.Evidence memory evidence = _evidence();
        for (uint256 i = 0; i < ranges.length; i++) {
            uint64 first = uint64(ranges[i][0]) + 1;
            uint64 last = uint64(bound(ranges[i][1], first, first + 40 > 256 ? 256 : first + 40));
            bool isFree = true;
            for (uint256 serial = first; serial <= last; serial++) {
                if (taken[serial]) isFree = false;
            }
            ICarbonAssets.Claim memory claim = _claim(first, last);
            uint64 predecessor = _assets.predecessorOf(REGISTRY, BATCH, first);
            bytes memory act = abi.encode(ICarbonAssets.Kind.Record, claim);
            if (_assets.expiryOf(keccak256(act), ALICE) == 0) _propose(ALICE, act);
            VM.prank(REGISTRAR);
            try _assets.record(claim, ALICE, predecessor, evidence) {
                assertTrue(isFree, "overlapping ranges were recorded");
                for (uint256 serial = first; serial <= last; serial++) {
                    taken[serial] = true;
                }
            } catch {
                assertTrue(!isFree, "a free range was refused");
            }
        }
    }

    function test_SerialsOfAnotherBatchOrRegistryAreOthers() public {
        _record(1, 10);
        ICarbonAssets.Claim memory claim = _claim(1, 10);
        claim.batch = keccak256("another batch");
        _recordClaim(claim);
        claim.registry = keccak256("another registry");
        _recordClaim(claim);
    }

    function test_RevertIf_RecordedTwice() public {
        _record(1, 10);
        _expectRecordRefused(_claim(1, 10), 0, _overlap(1, 10));
    }

    function test_RevertIf_RecordedAgainAfterItWasRetired() public {
        _end(ICarbonAssets.Kind.Retire, _record(1, 10), ALICE);
        _expectRecordRefused(_claim(1, 10), 0, _overlap(1, 10));
    }

    function test_RevertIf_RecordedAgainAfterItWasSplit() public {
        _split(_record(1, 10), 4, ALICE);
        _expectRecordRefused(_claim(1, 4), 0, _overlap(1, 10));
        _expectRecordRefused(_claim(5, 10), 1, _overlap(1, 10));
    }

    function test_RevertIf_RangesOverlap() public {
        _record(10, 20);
        _record(30, 40);
        _expectRecordRefused(_claim(1, 10), 0, _overlap(10, 20));
        _expectRecordRefused(_claim(5, 25), 0, _overlap(10, 20));
        _expectRecordRefused(_claim(20, 25), 10, _overlap(10, 20));
        _expectRecordRefused(_claim(12, 15), 10, _overlap(10, 20));
        _expectRecordRefused(_claim(21, 30), 10, _overlap(30, 40));
        _expectRecordRefused(_claim(41, 50), 10, _wrongPredecessor(10));
        _expectRecordRefused(_claim(40, 50), 30, _overlap(30, 40));
    }

    function test_RevertIf_PredecessorIsWrong() public {
        _record(10, 20);
        _record(30, 40);
        _expectRecordRefused(_claim(50, 60), 0, _wrongPredecessor(0));
        _expectRecordRefused(_claim(21, 29), 15, _wrongPredecessor(15));
        _expectRecordRefused(_claim(22, 29), 30, _wrongPredecessor(30));
        _expectRecordRefused(_claim(1, 5), 50, _wrongPredecessor(50));
    }

    function test_RevertIf_SerialsAreNoRange() public {
        _expectRecordRefused(_claim(0, 10), 0, _invalidSerials(_claim(0, 10)));
        _expectRecordRefused(_claim(11, 10), 0, _invalidSerials(_claim(11, 10)));
        ICarbonAssets.Claim memory claim = _claim(1, 10);
        claim.registry = 0;
        _expectRecordRefused(claim, 0, _invalidSerials(claim));
        claim = _claim(1, 10);
        claim.batch = 0;
        _expectRecordRefused(claim, 0, _invalidSerials(claim));
    }

    function test_RevertIf_HeadMovedOnSinceTheEvidence() public {
        ICarbonAssets.Evidence memory evidence = _evidence();
        evidence.headSize = 3;
        _expectEvidenceRefused(
            evidence, abi.encodeWithSelector(ICarbonAssets.CarbonAssetsHeadSizeMismatch.selector, 4, 3)
        );
    }

    function test_RevertIf_EpochIsTheGenesis() public {
        ICarbonAssets.Evidence memory evidence = _evidence();
        evidence.epoch = 0;
        _expectEvidenceRefused(
            evidence, abi.encodeWithSelector(ICarbonAssets.CarbonAssetsInvalidEpoch.selector, 0)
        );
    }

    function test_RevertIf_EpochIsNotAnchoredYet() public {
        ICarbonAssets.Evidence memory evidence = _evidence();
        evidence.epoch = 4;
        _expectEvidenceRefused(
            evidence, abi.encodeWithSelector(Rfc9162.Rfc9162IndexOutOfRange.selector, 4, 4)
        );
    }

    /// @dev Every single value of the evidence matters: change one, and the record does not come into being.
    function testFuzz_RevertIf_AnyEvidenceDiffers(uint8 field, uint64 change, uint8 bit) public {
        change = uint64(bound(change, 1, type(uint64).max - 10));
        bytes32 flipped = bytes32(uint256(1) << bit);
        ICarbonAssets.Evidence memory it = _evidence();
        field = uint8(field % 12);
        if (field == 0) it.headSize += change;
        if (field == 1) it.epoch += change % 2 == 0 ? 1 : type(uint64).max - 2;
        if (field == 2) it.closedAt ^= change;
        if (field == 3) it.mapRoot ^= flipped;
        if (field == 4) it.origins ^= change;
        if (field == 5) it.mapIndex ^= change;
        if (field == 6) it.dataSize ^= change;
        if (field == 7) it.dataRoot ^= flipped;
        if (field == 8) it.reportIndex ^= change;
        if (field == 9) it.epochProof[change % it.epochProof.length] ^= flipped;
        if (field == 10) it.mapProof[change % it.mapProof.length] ^= flipped;
        if (field == 11) it.reportProof[change % it.reportProof.length] ^= flipped;
        ICarbonAssets.Claim memory claim = _claim(1, 10);
        _proposeRecord(claim);
        VM.expectRevert();
        VM.prank(REGISTRAR);
        _assets.record(claim, ALICE, 0, it);
    }

    function test_RevertIf_ReportIsNotInTheLog() public {
        ICarbonAssets.Claim memory claim = _claim(1, 10);
        claim.reportLeaf = keccak256("a report that nobody logged");
        _expectRefusedWithoutReason(claim);
    }

    function test_RevertIf_ReportIsInAnotherLogThanSaid() public {
        ICarbonAssets.Claim memory claim = _claim(1, 10);
        claim.origin = "log.carbonseal.example/e-bb/data";
        _expectRefusedWithoutReason(claim);
    }

    // Splitting.

    function _pythonWorld() private returns (CarbonAssets assets, ICarbonAssets.Claim memory claim) {
        LogAnchor anchor = LogAnchor(VM.deployCode("LogAnchor.sol:LogAnchor", ""));
        bytes32 logId = anchor.open(EpochVector.GENESIS_LEAF, VM.addr(HEAD_PRIVATE_KEY));
        _advance(anchor, logId, EpochVector.LOG_SIZE, EpochVector.LOG_ROOT, EpochVector.consistencyProof());
        assets = _deployAssets(anchor, logId, address(this), IMembership(address(0)));
        assets.admit(ALICE, ALICES);
        assets.grantRole(assets.HOLDER_ROLE(), ALICE);
        assets.admit(REGISTRAR, REGISTRAR_PARTY);
        assets.grantRole(assets.REGISTRAR_ROLE(), REGISTRAR);
        claim = ICarbonAssets.Claim(
            REGISTRY, BATCH, 1, 5_000, ALICES, EpochVector.ORIGIN, EpochVector.REPORT_LEAF
        );
    }

    function _pythonEvidence() private pure returns (ICarbonAssets.Evidence memory) {
        return ICarbonAssets.Evidence({
            headSize: EpochVector.LOG_SIZE,
            epoch: EpochVector.EPOCH,
            closedAt: EpochVector.CLOSED_AT,
            mapRoot: EpochVector.MAP_ROOT,
            origins: EpochVector.ORIGINS,
            mapIndex: EpochVector.MAP_INDEX,
            dataSize: EpochVector.DATA_SIZE,
            dataRoot: EpochVector.DATA_ROOT,
            reportIndex: EpochVector.REPORT_INDEX,
            epochProof: EpochVector.epochProof(),
            mapProof: EpochVector.mapProof(),
            reportProof: EpochVector.reportProof()
        });
    }
}
