// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {CarbonAssets} from "../src/CarbonAssets.sol";
import {LogAnchor} from "../src/LogAnchor.sol";
import {ICarbonAssets} from "../src/interfaces/ICarbonAssets.sol";
import {Rfc9162} from "../src/libraries/Rfc9162.sol";
import {CarbonAssetsFixture} from "./CarbonAssetsFixture.sol";
import {EpochVector} from "./EpochVector.sol";

contract CarbonAssetsTest is CarbonAssetsFixture {
    uint64 private constant _LIFETIME = 7 days;
    bytes4 private constant _UNAUTHORIZED =
        bytes4(keccak256("AccessControlUnauthorizedAccount(address,bytes32)"));

    function setUp() public {
        _buildWorld();
    }

    // Membership.

    function test_KnowsItsLogAndItsMembers() public view {
        (address anchor, bytes32 logId) = _assets.anchor();
        assertEq(anchor, address(_anchor), "anchor");
        assertEq(logId, _logId, "log id");
        assertEq(_assets.partyOf(ALICE), ALICES, "party");
        assertEq(_assets.partyOf(STRANGER), 0, "no party");
    }

    function test_CodeIsTheSameForEveryDeployment() public {
        VM.chainId(31_338);
        bytes32 logId = _anchor.open("another", ADMIN);
        CarbonAssets other = new CarbonAssets(_anchor, logId, STRANGER);
        assertEq(address(other).codehash, address(_assets).codehash, "code hash");
    }

    /// @dev Interface ids of ERC-20, ERC-721, ERC-1155 and, to show that the question works, AccessControl.
    function test_IsNoTokenAndTakesNoMoney() public {
        assertTrue(!_assets.supportsInterface(0x36372b07), "ERC-20");
        assertTrue(!_assets.supportsInterface(0x80ac58cd), "ERC-721");
        assertTrue(!_assets.supportsInterface(0xd9b67a26), "ERC-1155");
        assertTrue(_assets.supportsInterface(0x7965db0b), "AccessControl");
        (bool isAccepted,) = address(_assets).call{value: 1}("");
        assertTrue(!isAccepted, "money");
        (isAccepted,) = address(_assets).call{value: 1}(abi.encodeCall(_assets.propose, ("act")));
        assertTrue(!isAccepted, "money with a call");
    }

    function test_MemberMovesToAnotherPartyAndLeaves() public {
        VM.expectEmit(address(_assets));
        emit ICarbonAssets.MemberDismissed(ANNE, ALICES);
        VM.expectEmit(address(_assets));
        emit ICarbonAssets.MemberAdmitted(ANNE, BOBS);
        VM.prank(ADMIN);
        _assets.admit(ANNE, BOBS);
        assertEq(_assets.partyOf(ANNE), BOBS, "moved");
        VM.prank(ADMIN);
        _assets.dismiss(ANNE);
        assertEq(_assets.partyOf(ANNE), 0, "left");
    }

    function test_RevertIf_LogIsNotOpen() public {
        bytes32 logId = keccak256("closed");
        VM.expectRevert(abi.encodeWithSelector(ICarbonAssets.CarbonAssetsUnknownLog.selector, logId));
        new CarbonAssets(_anchor, logId, ADMIN);
    }

    function test_RevertIf_AdminIsZero() public {
        VM.expectRevert(
            abi.encodeWithSelector(ICarbonAssets.CarbonAssetsInvalidMember.selector, address(0), bytes32(0))
        );
        new CarbonAssets(_anchor, _logId, address(0));
    }

    function testFuzz_RevertIf_AdmittedByAnybodyElse(address sender) public {
        VM.assume(sender != ADMIN);
        _expect(abi.encodeWithSelector(_UNAUTHORIZED, sender, bytes32(0)), sender);
        _assets.admit(sender, ALICES);
        _expect(abi.encodeWithSelector(_UNAUTHORIZED, sender, bytes32(0)), sender);
        _assets.dismiss(ALICE);
    }

    function test_RevertIf_AdmittedForTheZeroParty() public {
        _expect(
            abi.encodeWithSelector(ICarbonAssets.CarbonAssetsInvalidMember.selector, STRANGER, bytes32(0)),
            ADMIN
        );
        _assets.admit(STRANGER, 0);
    }

    function test_RevertIf_ZeroAddressIsAdmitted() public {
        _expect(
            abi.encodeWithSelector(ICarbonAssets.CarbonAssetsInvalidMember.selector, address(0), ALICES),
            ADMIN
        );
        _assets.admit(address(0), ALICES);
    }

    function test_RevertIf_StrangerIsDismissed() public {
        _expect(abi.encodeWithSelector(ICarbonAssets.CarbonAssetsNotMember.selector, STRANGER), ADMIN);
        _assets.dismiss(STRANGER);
    }

    // Two persons.

    function test_ProposalShowsTheWholeActAndExpires() public {
        bytes memory act = abi.encode(ICarbonAssets.Kind.Record, _claim(1, 10));
        uint64 expiresAt = uint64(START) + _LIFETIME;
        VM.expectEmit(address(_assets));
        emit ICarbonAssets.ActProposed(keccak256(act), ALICE, act, expiresAt);
        bytes32 actHash = _propose(ALICE, act);
        assertEq(actHash, keccak256(act), "hash");
        assertEq(_assets.expiryOf(actHash, ALICE), expiresAt, "expiry");
        assertEq(_assets.expiryOf(actHash, ANNE), 0, "of nobody else");
    }

    function test_ConfirmedInTheLastSecond() public {
        bytes32 recordId = _record(1, 10);
        _propose(ALICE, _retirement(recordId));
        VM.warp(START + _LIFETIME - 1);
        VM.prank(REGISTRAR);
        _assets.retire(recordId, REFERENCE, ALICE);
        _assertState(recordId, ICarbonAssets.State.Retired);
    }

    function test_ProposedAgainAfterItExpired() public {
        bytes32 recordId = _record(1, 10);
        _propose(ALICE, _retirement(recordId));
        VM.warp(START + _LIFETIME);
        _end(ICarbonAssets.Kind.Retire, recordId, ALICE);
        _assertState(recordId, ICarbonAssets.State.Retired);
    }

    function test_ConfirmationIsUsedUp() public {
        bytes32 recordId = _record(1, 10);
        bytes32 actHash = keccak256(_retirement(recordId));
        _propose(ALICE, _retirement(recordId));
        VM.expectEmit(address(_assets));
        emit ICarbonAssets.ActConfirmed(actHash, ALICE, REGISTRAR);
        VM.expectEmit(address(_assets));
        emit ICarbonAssets.RecordRetired(recordId, REFERENCE);
        VM.prank(REGISTRAR);
        _assets.retire(recordId, REFERENCE, ALICE);
        assertEq(_assets.expiryOf(actHash, ALICE), 0, "used up");
    }

    function test_RevertIf_StrangerProposes() public {
        _expect(abi.encodeWithSelector(ICarbonAssets.CarbonAssetsNotMember.selector, STRANGER), STRANGER);
        _assets.propose("act");
    }

    function test_RevertIf_ActIsEmptyOrTooLong() public {
        _expect(abi.encodeWithSelector(ICarbonAssets.CarbonAssetsInvalidActLength.selector, 0), ALICE);
        _assets.propose("");
        _expect(abi.encodeWithSelector(ICarbonAssets.CarbonAssetsInvalidActLength.selector, 1025), ALICE);
        _assets.propose(new bytes(1025));
    }

    function test_RevertIf_ProposedTwiceByTheSamePerson() public {
        bytes32 actHash = _propose(ALICE, "act");
        _expect(
            abi.encodeWithSelector(
                ICarbonAssets.CarbonAssetsAlreadyProposed.selector, actHash, ALICE, START + _LIFETIME
            ),
            ALICE
        );
        _assets.propose("act");
    }

    function test_RevertIf_SomebodyElsesProposalIsWithdrawn() public {
        bytes32 actHash = _propose(ALICE, "act");
        _expect(_notProposed(actHash, ANNE), ANNE);
        _assets.withdrawProposal(actHash);
    }

    function test_RevertIf_ConfirmedAfterWithdrawal() public {
        bytes32 recordId = _record(1, 10);
        bytes32 actHash = _propose(ALICE, _retirement(recordId));
        VM.expectEmit(address(_assets));
        emit ICarbonAssets.ProposalWithdrawn(actHash, ALICE);
        VM.prank(ALICE);
        _assets.withdrawProposal(actHash);
        _expect(_notProposed(actHash, ALICE), REGISTRAR);
        _assets.retire(recordId, REFERENCE, ALICE);
    }

    function test_RevertIf_ProposalExpired() public {
        bytes32 recordId = _record(1, 10);
        bytes32 actHash = _propose(ALICE, _retirement(recordId));
        VM.warp(START + _LIFETIME);
        _expect(
            abi.encodeWithSelector(
                ICarbonAssets.CarbonAssetsProposalExpired.selector, actHash, ALICE, START + _LIFETIME
            ),
            REGISTRAR
        );
        _assets.retire(recordId, REFERENCE, ALICE);
    }

    function test_RevertIf_NobodyProposed() public {
        ICarbonAssets.Claim memory claim = _claim(1, 10);
        ICarbonAssets.Evidence memory evidence = _evidence();
        bytes32 actHash = keccak256(abi.encode(ICarbonAssets.Kind.Record, claim));
        _expect(_notProposed(actHash, ALICE), REGISTRAR);
        _assets.record(claim, ALICE, 0, evidence);
    }

    /// @dev Any difference at all between what one says and the other one confirms.
    function testFuzz_RevertIf_AnotherClaimIsConfirmed(uint8 field, uint64 change) public {
        change = uint64(bound(change, 1, type(uint64).max - 100));
        ICarbonAssets.Claim memory claim = _claim(20, 100);
        _proposeRecord(claim);
        field = uint8(field % 6);
        if (field == 0) claim.registry ^= bytes32(uint256(change));
        if (field == 1) claim.batch ^= bytes32(uint256(change));
        if (field == 2) claim.first = 20 + change;
        if (field == 3) claim.last = 100 + change;
        if (field == 4) claim.origin = "log.carbonseal.example/e-bb/data";
        if (field == 5) claim.reportLeaf ^= bytes32(uint256(change));
        ICarbonAssets.Evidence memory evidence = _evidence();
        _expect(_notProposed(keccak256(abi.encode(ICarbonAssets.Kind.Record, claim)), ALICE), REGISTRAR);
        _assets.record(claim, ALICE, 0, evidence);
    }

    function test_RevertIf_AnotherEndIsConfirmed() public {
        bytes32 recordId = _record(1, 10);
        _propose(ALICE, _retirement(recordId));
        bytes32 actHash = keccak256(abi.encode(ICarbonAssets.Kind.Cancel, recordId, REFERENCE));
        _expect(_notProposed(actHash, ALICE), REGISTRAR);
        _assets.cancel(recordId, REFERENCE, ALICE);
    }

    function test_RevertIf_ProposerConfirms() public {
        bytes32 recordId = _record(1, 10);
        _propose(REGISTRAR, abi.encode(ICarbonAssets.Kind.Cancel, recordId, REFERENCE));
        _expect(abi.encodeWithSelector(ICarbonAssets.CarbonAssetsSamePerson.selector, REGISTRAR), REGISTRAR);
        _assets.cancel(recordId, REFERENCE, REGISTRAR);
    }

    function test_RevertIf_ConfirmedWithoutTheRole() public {
        bytes32 recordId = _record(1, 10);
        _propose(ALICE, _retirement(recordId));
        _expect(abi.encodeWithSelector(_UNAUTHORIZED, ANNE, _assets.REGISTRAR_ROLE()), ANNE);
        _assets.retire(recordId, REFERENCE, ALICE);
    }

    function test_RevertIf_ConfirmerWasDismissed() public {
        bytes32 recordId = _record(1, 10);
        _propose(ALICE, _retirement(recordId));
        VM.prank(ADMIN);
        _assets.dismiss(REGISTRAR);
        _expect(abi.encodeWithSelector(ICarbonAssets.CarbonAssetsNotMember.selector, REGISTRAR), REGISTRAR);
        _assets.retire(recordId, REFERENCE, ALICE);
    }

    function test_RevertIf_ProposerWasDismissed() public {
        bytes32 recordId = _record(1, 10);
        _propose(ALICE, _retirement(recordId));
        VM.prank(ADMIN);
        _assets.dismiss(ALICE);
        _expect(abi.encodeWithSelector(ICarbonAssets.CarbonAssetsNotMember.selector, ALICE), REGISTRAR);
        _assets.retire(recordId, REFERENCE, ALICE);
    }

    function test_RevertIf_ProposerLostTheRole() public {
        bytes32 recordId = _record(1, 10);
        _propose(ALICE, _retirement(recordId));
        bytes32 role = _assets.HOLDER_ROLE();
        VM.prank(ADMIN);
        _assets.revokeRole(role, ALICE);
        _expectNotForHolder(ALICE);
        _assets.retire(recordId, REFERENCE, ALICE);
    }

    function test_RevertIf_ProposerIsOfAnotherParty() public {
        bytes32 recordId = _record(1, 10);
        _propose(BOB, _retirement(recordId));
        _expectNotForHolder(BOB);
        _assets.retire(recordId, REFERENCE, BOB);
    }

    function test_RevertIf_RegistrarProposesARetirement() public {
        bytes32 recordId = _record(1, 10);
        _propose(SECOND_REGISTRAR, _retirement(recordId));
        _expectNotForHolder(SECOND_REGISTRAR);
        _assets.retire(recordId, REFERENCE, SECOND_REGISTRAR);
    }

    function test_RevertIf_ConfirmerIsOfTheHoldersParty() public {
        bytes32 recordId = _record(1, 10);
        bytes32 role = _assets.REGISTRAR_ROLE();
        VM.prank(ADMIN);
        _assets.grantRole(role, ANNE);
        _propose(ALICE, _retirement(recordId));
        _expect(
            abi.encodeWithSelector(ICarbonAssets.CarbonAssetsConfirmedByHolder.selector, ANNE, ALICES), ANNE
        );
        _assets.retire(recordId, REFERENCE, ALICE);
    }

    // Recording.

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

    function test_GasAndSizeSnapshots() public {
        uint256 size = address(_assets).code.length;
        assertTrue(size < 24_576, "EIP-170");
        VM.snapshotValue("CarbonAssets", "runtime bytes", size);
        _record(1, 1_000);
        VM.snapshotGasLastCall("CarbonAssets", "record, 7 proof nodes, first of its batch");
        bytes32 recordId = _record(1_001, 2_000);
        VM.snapshotGasLastCall("CarbonAssets", "record, 7 proof nodes, after another one");
        _propose(ALICE, abi.encode(ICarbonAssets.Kind.Record, _claim(2_001, 3_000)));
        VM.snapshotGasLastCall("CarbonAssets", "propose a record");
        bytes32 actHash = _propose(ALICE, _retirement(recordId));
        VM.snapshotGasLastCall("CarbonAssets", "propose any other act");
        VM.prank(ALICE);
        _assets.withdrawProposal(actHash);
        VM.snapshotGasLastCall("CarbonAssets", "withdraw a proposal");

        (bytes32 left, bytes32 right) = _split(recordId, 1_500, ALICE);
        VM.snapshotGasLastCall("CarbonAssets", "split");
        _move(left, BOBS, REFERENCE, ALICE);
        VM.snapshotGasLastCall("CarbonAssets", "move");
        _end(ICarbonAssets.Kind.Retire, left, BOB);
        VM.snapshotGasLastCall("CarbonAssets", "retire");
        (left, right) = _split(right, 1_600, ALICE);
        _end(ICarbonAssets.Kind.Surrender, left, ALICE);
        VM.snapshotGasLastCall("CarbonAssets", "surrender");
        _end(ICarbonAssets.Kind.Cancel, right, SECOND_REGISTRAR);
        VM.snapshotGasLastCall("CarbonAssets", "cancel");
    }

    function _pythonWorld() private returns (CarbonAssets assets, ICarbonAssets.Claim memory claim) {
        LogAnchor anchor = new LogAnchor();
        bytes32 logId = anchor.open(EpochVector.GENESIS_LEAF, VM.addr(HEAD_PRIVATE_KEY));
        _advance(anchor, logId, EpochVector.LOG_SIZE, EpochVector.LOG_ROOT, EpochVector.consistencyProof());
        assets = new CarbonAssets(anchor, logId, address(this));
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

    /// @dev The next call, sent by `sender`, must be refused for exactly this reason.
    function _expect(bytes memory refusal, address sender) private {
        VM.expectRevert(refusal);
        VM.prank(sender);
    }

    function _expectNotForHolder(address proposer) private {
        _expect(
            abi.encodeWithSelector(ICarbonAssets.CarbonAssetsNotForHolder.selector, proposer, ALICES),
            REGISTRAR
        );
    }

    function _recordClaim(ICarbonAssets.Claim memory claim) private {
        ICarbonAssets.Evidence memory evidence = _evidence();
        _proposeRecord(claim);
        VM.prank(REGISTRAR);
        _assets.record(claim, ALICE, 0, evidence);
    }

    function _expectRecordRefused(ICarbonAssets.Claim memory claim, uint64 predecessor, bytes memory refusal)
        private
    {
        ICarbonAssets.Evidence memory evidence = _evidence();
        _proposeRecord(claim);
        _expect(refusal, REGISTRAR);
        _assets.record(claim, ALICE, predecessor, evidence);
    }

    function _expectEvidenceRefused(ICarbonAssets.Evidence memory evidence, bytes memory refusal) private {
        ICarbonAssets.Claim memory claim = _claim(1, 10);
        _proposeRecord(claim);
        _expect(refusal, REGISTRAR);
        _assets.record(claim, ALICE, 0, evidence);
    }

    /// @dev Its reason is a root mismatch whose computed root says nothing.
    function _expectRefusedWithoutReason(ICarbonAssets.Claim memory claim) private {
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
        private
    {
        _propose(ALICE, abi.encode(ICarbonAssets.Kind.Move, recordId, to, transfer));
        _expect(refusal, REGISTRAR);
        _assets.move(recordId, to, transfer, ALICE);
    }

    function _expectEveryActRefused(bytes32 recordId, bytes memory refusal) private {
        _expect(refusal, REGISTRAR);
        _assets.split(recordId, 1, ALICE);
        _expect(refusal, REGISTRAR);
        _assets.move(recordId, BOBS, keccak256("another transfer"), ALICE);
        for (uint256 kind = 3; kind < 6; kind++) {
            _expect(refusal, REGISTRAR);
            _callEnd(ICarbonAssets.Kind(kind), recordId, REFERENCE, ALICE);
        }
    }

    function _assertPart(bytes32 recordId, bytes32 lot, uint64 first, uint64 last) private view {
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

    function _assertState(bytes32 recordId, ICarbonAssets.State state) private view {
        assertEq(uint256(_state(recordId)), uint256(state), "state");
    }

    function _retirement(bytes32 recordId) private pure returns (bytes memory) {
        return abi.encode(ICarbonAssets.Kind.Retire, recordId, REFERENCE);
    }

    function _notProposed(bytes32 actHash, address proposer) private pure returns (bytes memory) {
        return abi.encodeWithSelector(ICarbonAssets.CarbonAssetsNotProposed.selector, actHash, proposer);
    }

    function _notLive(bytes32 recordId, ICarbonAssets.State state) private pure returns (bytes memory) {
        return abi.encodeWithSelector(ICarbonAssets.CarbonAssetsNotLive.selector, recordId, state);
    }

    function _overlap(uint64 first, uint64 last) private pure returns (bytes memory) {
        return
            abi.encodeWithSelector(ICarbonAssets.CarbonAssetsOverlap.selector, REGISTRY, BATCH, first, last);
    }

    function _wrongPredecessor(uint64 predecessor) private pure returns (bytes memory) {
        return abi.encodeWithSelector(
            ICarbonAssets.CarbonAssetsInvalidPredecessor.selector, REGISTRY, BATCH, predecessor
        );
    }

    function _invalidSerials(ICarbonAssets.Claim memory claim) private pure returns (bytes memory) {
        return abi.encodeWithSelector(
            ICarbonAssets.CarbonAssetsInvalidSerials.selector,
            claim.registry,
            claim.batch,
            claim.first,
            claim.last
        );
    }
}
