// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {CarbonAssets} from "../src/CarbonAssets.sol";
import {ICarbonAssets} from "../src/interfaces/ICarbonAssets.sol";
import {IMembership} from "../src/interfaces/IMembership.sol";
import {ITwoPersons} from "../src/interfaces/ITwoPersons.sol";
import {CarbonAssetsExpectations} from "./CarbonAssetsExpectations.sol";

/// @dev Pledges, parties that take part no more, chains, and a log of logs that goes on in another one.
contract CarbonAssetsPledgeTest is CarbonAssetsExpectations {
    bytes32 private constant _PLEDGE = keccak256("official registration of a pledge");
    bytes32 private constant _OTHER = keccak256("another registration");

    bytes32 private _recordId;

    function setUp() public {
        _buildWorld();
        _recordId = _record(1, 10);
    }

    // Pledges.

    function test_HolderPledgesAndPledgeeGivesBack() public {
        bytes memory act = abi.encode(ICarbonAssets.Kind.Pledge, _recordId, BOBS, _PLEDGE);
        _propose(ALICE, act);
        VM.expectEmit(address(_assets));
        emit ICarbonAssets.ActConfirmed(keccak256(act), ALICE, REGISTRAR);
        VM.expectEmit(address(_assets));
        emit ICarbonAssets.RecordPledged(_recordId, BOBS, _PLEDGE);
        VM.prank(REGISTRAR);
        _assets.pledge(_recordId, BOBS, _PLEDGE, ALICE);
        assertEq(_assets.recordOf(_recordId).pledgee, BOBS, "pledgee");
        assertTrue(_assets.pledgeOf(_recordId, _PLEDGE) == ICarbonAssets.Pledge.Standing, "stands");

        _unpledge(_recordId, _PLEDGE, BOB);
        assertEq(_assets.recordOf(_recordId).pledgee, 0, "nobody");
        assertTrue(_assets.pledgeOf(_recordId, _PLEDGE) == ICarbonAssets.Pledge.Released, "released");
        _end(ICarbonAssets.Kind.Retire, _recordId, ALICE);
    }

    function test_RevertIf_PledgedRecordIsActedUpon() public {
        _pledge(_recordId, _PLEDGE);
        bytes memory refusal =
            abi.encodeWithSelector(ICarbonAssets.CarbonAssetsPledged.selector, _recordId, BOBS);
        _expectEveryActRefused(_recordId, refusal);
        _propose(ALICE, abi.encode(ICarbonAssets.Kind.Pledge, _recordId, BOBS, _OTHER));
        _expect(refusal, REGISTRAR);
        _assets.pledge(_recordId, BOBS, _OTHER, ALICE);
    }

    function test_PledgedRecordIsFrozenAndReleasedFromItsFreeze() public {
        _pledge(_recordId, _PLEDGE);
        _freeze(_recordId, CAUSE);
        _unpledge(_recordId, _PLEDGE, BOB);
        _release(_recordId, CAUSE, ALICE);
        _end(ICarbonAssets.Kind.Retire, _recordId, ALICE);
    }

    function test_RevertIf_FrozenRecordIsPledged() public {
        _freeze(_recordId, CAUSE);
        _propose(ALICE, abi.encode(ICarbonAssets.Kind.Pledge, _recordId, BOBS, _PLEDGE));
        _expect(
            abi.encodeWithSelector(ICarbonAssets.CarbonAssetsFrozen.selector, _recordId, uint32(1)), REGISTRAR
        );
        _assets.pledge(_recordId, BOBS, _PLEDGE, ALICE);
    }

    function test_RevertIf_APledgeServesTwice() public {
        _pledge(_recordId, _PLEDGE);
        _unpledge(_recordId, _PLEDGE, BOB);
        _propose(ALICE, abi.encode(ICarbonAssets.Kind.Pledge, _recordId, BOBS, _PLEDGE));
        _expect(
            abi.encodeWithSelector(ICarbonAssets.CarbonAssetsPledgeUsed.selector, _recordId, _PLEDGE),
            REGISTRAR
        );
        _assets.pledge(_recordId, BOBS, _PLEDGE, ALICE);
        _propose(BOB, abi.encode(ICarbonAssets.Kind.Unpledge, _recordId, _PLEDGE, CURE));
        _expect(_notPledgedFor(_PLEDGE), REGISTRAR);
        _assets.unpledge(_recordId, _PLEDGE, CURE, BOB);
    }

    function test_RevertIf_AnotherPledgeIsReleased() public {
        _pledge(_recordId, _PLEDGE);
        _propose(BOB, abi.encode(ICarbonAssets.Kind.Unpledge, _recordId, _OTHER, CURE));
        _expect(_notPledgedFor(_OTHER), REGISTRAR);
        _assets.unpledge(_recordId, _OTHER, CURE, BOB);
    }

    function test_RevertIf_TheHolderOrARegistrarGivesThePledgeBack() public {
        _pledge(_recordId, _PLEDGE);
        address[2] memory others = [ALICE, SECOND_REGISTRAR];
        for (uint256 i = 0; i < others.length; i++) {
            _propose(others[i], abi.encode(ICarbonAssets.Kind.Unpledge, _recordId, _PLEDGE, CURE));
            _expect(
                abi.encodeWithSelector(ICarbonAssets.CarbonAssetsNotForHolder.selector, others[i], BOBS),
                REGISTRAR
            );
            _assets.unpledge(_recordId, _PLEDGE, CURE, others[i]);
        }
    }

    function test_RegistrarsReleaseThePledgeOfAPartyThatTakesPartNoMore() public {
        _pledge(_recordId, _PLEDGE);
        _suspend(BOBS);
        _unpledge(_recordId, _PLEDGE, SECOND_REGISTRAR);
        assertEq(_assets.recordOf(_recordId).pledgee, 0, "nobody");
    }

    function test_RevertIf_SomebodyElsePledges() public {
        _propose(BOB, abi.encode(ICarbonAssets.Kind.Pledge, _recordId, BOBS, _PLEDGE));
        _expectNotForHolder(BOB);
        _assets.pledge(_recordId, BOBS, _PLEDGE, BOB);
    }

    function test_RevertIf_PledgedToOneselfOrNobodyOrWithoutRegistration() public {
        _expect(
            abi.encodeWithSelector(ICarbonAssets.CarbonAssetsAlreadyHolds.selector, _recordId, ALICES),
            REGISTRAR
        );
        _assets.pledge(_recordId, ALICES, _PLEDGE, ALICE);
        bytes32 nobody = keccak256("nobody");
        _expect(abi.encodeWithSelector(ICarbonAssets.CarbonAssetsUnknownParty.selector, nobody), REGISTRAR);
        _assets.pledge(_recordId, nobody, _PLEDGE, ALICE);
        bytes memory refusal = abi.encodeWithSelector(
            ICarbonAssets.CarbonAssetsInvalidReference.selector, _recordId, bytes32(0)
        );
        _expect(refusal, REGISTRAR);
        _assets.pledge(_recordId, BOBS, 0, ALICE);
        _pledge(_recordId, _PLEDGE);
        _expect(refusal, REGISTRAR);
        _assets.unpledge(_recordId, _PLEDGE, 0, BOB);
    }

    function test_RevertIf_ThePledgeeConfirms() public {
        bytes32 role = _assets.REGISTRAR_ROLE();
        VM.prank(ADMIN);
        _assets.grantRole(role, BOB);
        _propose(ALICE, abi.encode(ICarbonAssets.Kind.Pledge, _recordId, BOBS, _PLEDGE));
        _expect(abi.encodeWithSelector(ICarbonAssets.CarbonAssetsConfirmedByPledgee.selector, BOB, BOBS), BOB);
        _assets.pledge(_recordId, BOBS, _PLEDGE, ALICE);
    }

    function test_RevertIf_TheHolderConfirmsTheReturn() public {
        bytes32 role = _assets.REGISTRAR_ROLE();
        VM.prank(ADMIN);
        _assets.grantRole(role, ANNE);
        _pledge(_recordId, _PLEDGE);
        _propose(BOB, abi.encode(ICarbonAssets.Kind.Unpledge, _recordId, _PLEDGE, CURE));
        _expect(
            abi.encodeWithSelector(ICarbonAssets.CarbonAssetsConfirmedByHolder.selector, ANNE, ALICES), ANNE
        );
        _assets.unpledge(_recordId, _PLEDGE, CURE, BOB);
    }

    // Parties that take part no more.

    function test_RevertIf_ASuspendedPartyProposes() public {
        _suspend(ALICES);
        bytes memory act = abi.encode(ICarbonAssets.Kind.Retire, _recordId, REFERENCE);
        _expect(_notActive(ALICES), ALICE);
        _assets.propose(act);
    }

    function test_RevertIf_TheProposersPartyWasSuspendedSince() public {
        _propose(ALICE, abi.encode(ICarbonAssets.Kind.Retire, _recordId, REFERENCE));
        _suspend(ALICES);
        _expect(_notActive(ALICES), REGISTRAR);
        _assets.retire(_recordId, REFERENCE, ALICE);
    }

    function test_RevertIf_TheRegistrarsPartyIsSuspended() public {
        _propose(ALICE, abi.encode(ICarbonAssets.Kind.Retire, _recordId, REFERENCE));
        _suspend(REGISTRAR_PARTY);
        _expect(_notActive(REGISTRAR_PARTY), REGISTRAR);
        _assets.retire(_recordId, REFERENCE, ALICE);
        _expect(_notActive(REGISTRAR_PARTY), REGISTRAR);
        _assets.freeze(_recordId, CAUSE);
    }

    function test_RevertIf_ASuspendedPartyIsToReceive() public {
        _propose(ALICE, abi.encode(ICarbonAssets.Kind.Move, _recordId, BOBS, REFERENCE));
        _propose(ALICE, abi.encode(ICarbonAssets.Kind.Pledge, _recordId, BOBS, _PLEDGE));
        _suspend(BOBS);
        _expect(_notActive(BOBS), REGISTRAR);
        _assets.move(_recordId, BOBS, REFERENCE, ALICE);
        _expect(_notActive(BOBS), REGISTRAR);
        _assets.pledge(_recordId, BOBS, _PLEDGE, ALICE);
    }

    function test_RegistrarsCancelARecordOfASuspendedHolder() public {
        _suspend(ALICES);
        _end(ICarbonAssets.Kind.Cancel, _recordId, SECOND_REGISTRAR);
    }

    function test_SuspensionEndsWithItsLastCause() public {
        _suspend(ALICES);
        VM.prank(REGISTRAR);
        ITwoPersons(address(_membership)).propose(abi.encode(IMembership.lift.selector, ALICES, CAUSE, CURE));
        VM.prank(SECOND_REGISTRAR);
        _membership.lift(ALICES, CAUSE, CURE, REGISTRAR);
        _end(ICarbonAssets.Kind.Retire, _recordId, ALICE);
    }

    // Chains.

    function test_RevertIf_DeployedOnAChainThatIsNotListed() public {
        uint256[] memory chains = _chains();
        VM.chainId(1);
        VM.expectRevert(
            abi.encodeWithSelector(ICarbonAssets.CarbonAssetsChainNotAllowed.selector, uint256(1))
        );
        new CarbonAssets(_anchor, _logId, ADMIN, _membership, chains);
        VM.expectRevert(
            abi.encodeWithSelector(ICarbonAssets.CarbonAssetsChainNotAllowed.selector, uint256(1))
        );
        new CarbonAssets(_anchor, _logId, ADMIN, _membership, new uint256[](0));
    }

    // A log of logs that goes on in another one.

    function test_FollowsTheLogThatGoesOn() public {
        bytes32 next = _succeed();
        ICarbonAssets.Claim memory claim = _claim(20, 30);
        ICarbonAssets.Evidence memory evidence = _evidence();
        _proposeRecord(claim);
        _expect(abi.encodeWithSelector(ICarbonAssets.CarbonAssetsLogClosed.selector, _logId, next), REGISTRAR);
        _assets.record(claim, ALICE, 1, evidence);

        VM.expectEmit(address(_assets));
        emit ICarbonAssets.LogFollowed(_logId, next);
        VM.prank(ADMIN);
        _assets.follow();
        (, bytes32 logId) = _assets.anchor();
        assertEq(logId, next, "the log that goes on");
        _expect(
            abi.encodeWithSelector(ICarbonAssets.CarbonAssetsHeadSizeMismatch.selector, uint64(1), uint64(4)),
            REGISTRAR
        );
        _assets.record(claim, ALICE, 1, evidence);
    }

    function test_RevertIf_ThereIsNothingToFollowOrAnybodyElseFollows() public {
        VM.prank(ADMIN);
        VM.expectRevert(abi.encodeWithSelector(ICarbonAssets.CarbonAssetsLogNotSucceeded.selector, _logId));
        _assets.follow();
        _succeed();
        VM.prank(REGISTRAR);
        VM.expectRevert();
        _assets.follow();
    }

    function _succeed() private returns (bytes32 next) {
        (address first, address second) = (address(0x5001), address(0x5002));
        bytes32 typeHash = keccak256("Appoint(bytes32 logId,address first,address second)");
        bytes32 words = keccak256(abi.encode(typeHash, _logId, first, second));
        bytes32 digest = keccak256(abi.encodePacked(hex"1901", _anchor.domainSeparator(), words));
        (uint8 v, bytes32 r, bytes32 s) = VM.sign(HEAD_PRIVATE_KEY, digest);
        _anchor.appoint(_logId, first, second, abi.encodePacked(r, s, v));
        next = _anchor.open(keccak256("genesis of the log that goes on"), VM.addr(HEAD_PRIVATE_KEY));
        bytes32 root = _logRoot();
        VM.prank(first);
        VM.warp(_anchor.proposeSuccession(_logId, next, 4, root));
        VM.prank(second);
        _anchor.succeed(_logId, next, 4, root);
    }

    function _notPledgedFor(bytes32 pledge) private view returns (bytes memory) {
        return abi.encodeWithSelector(ICarbonAssets.CarbonAssetsNotPledgedFor.selector, _recordId, pledge);
    }

    function _notActive(bytes32 party) private pure returns (bytes memory) {
        return abi.encodeWithSelector(ICarbonAssets.CarbonAssetsPartyNotActive.selector, party);
    }
}
