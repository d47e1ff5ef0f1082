// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {CarbonAssets} from "../src/CarbonAssets.sol";
import {ICarbonAssets} from "../src/interfaces/ICarbonAssets.sol";
import {CarbonAssetsExpectations} from "./CarbonAssetsExpectations.sol";

contract CarbonAssetsTest is CarbonAssetsExpectations {
    uint64 private constant _LIFETIME = 7 days;
    bytes4 private constant _UNAUTHORIZED =
        bytes4(keccak256("AccessControlUnauthorizedAccount(address,bytes32)"));

    function setUp() public {
        _buildWorld();
    }

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
        CarbonAssets other = _deployAssets(_anchor, logId, STRANGER, _membership);
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
        uint256[] memory chainIds = _chains();
        VM.expectRevert(abi.encodeWithSelector(ICarbonAssets.CarbonAssetsUnknownLog.selector, logId));
        new CarbonAssets(_anchor, logId, ADMIN, _membership, chainIds);
    }

    function test_RevertIf_AdminIsZero() public {
        uint256[] memory chainIds = _chains();
        VM.expectRevert(
            abi.encodeWithSelector(ICarbonAssets.CarbonAssetsInvalidMember.selector, address(0), bytes32(0))
        );
        new CarbonAssets(_anchor, _logId, address(0), _membership, chainIds);
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
        _freeze(left, CAUSE);
        VM.snapshotGasLastCall("CarbonAssets", "freeze");
        _release(left, CAUSE, BOB);
        VM.snapshotGasLastCall("CarbonAssets", "release");
        _end(ICarbonAssets.Kind.Retire, left, BOB);
        VM.snapshotGasLastCall("CarbonAssets", "retire");
        (left, right) = _split(right, 1_600, ALICE);
        _pledge(left, REFERENCE);
        VM.snapshotGasLastCall("CarbonAssets", "pledge");
        _unpledge(left, REFERENCE, BOB);
        VM.snapshotGasLastCall("CarbonAssets", "unpledge");
        _end(ICarbonAssets.Kind.Surrender, left, ALICE);
        VM.snapshotGasLastCall("CarbonAssets", "surrender");
        _end(ICarbonAssets.Kind.Cancel, right, SECOND_REGISTRAR);
        VM.snapshotGasLastCall("CarbonAssets", "cancel");
    }
}
