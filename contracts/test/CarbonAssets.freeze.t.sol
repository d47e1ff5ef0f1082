// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ICarbonAssets} from "../src/interfaces/ICarbonAssets.sol";
import {CarbonAssetsExpectations} from "./CarbonAssetsExpectations.sol";

contract CarbonAssetsFreezeTest is CarbonAssetsExpectations {
    bytes32 private constant _OTHER_CAUSE = keccak256("a statement that revokes a device");
    bytes4 private constant _UNAUTHORIZED =
        bytes4(keccak256("AccessControlUnauthorizedAccount(address,bytes32)"));

    function setUp() public {
        _buildWorld();
    }

    function test_OneRegistrarFreezes() public {
        bytes32 recordId = _record(1, 10);
        VM.expectEmit(address(_assets));
        emit ICarbonAssets.RecordFrozen(recordId, CAUSE, REGISTRAR);
        _freeze(recordId, CAUSE);
        _assertFreeze(recordId, CAUSE, ICarbonAssets.Freeze.Standing, 1);
        _assertPart(recordId, recordId, 1, 10);
    }

    function test_RevertIf_FrozenRecordIsActedUpon() public {
        bytes32 recordId = _record(1, 10);
        _freeze(recordId, CAUSE);
        _expectEveryActRefused(recordId, _frozen(recordId, 1));
    }

    /// @dev Proposed before the cause came up: what is frozen does not slip through what is already on its way.
    function test_RevertIf_FrozenBetweenProposalAndConfirmation() public {
        bytes32 recordId = _record(1, 10);
        _propose(ALICE, _retirement(recordId));
        _freeze(recordId, CAUSE);
        _expect(_frozen(recordId, 1), REGISTRAR);
        _assets.retire(recordId, REFERENCE, ALICE);
    }

    function test_HolderProposesTheReleaseAndRegistrarConfirms() public {
        bytes32 recordId = _record(1, 10);
        _freeze(recordId, CAUSE);
        _propose(ALICE, _releasing(recordId, CAUSE));
        VM.expectEmit(address(_assets));
        emit ICarbonAssets.ActConfirmed(keccak256(_releasing(recordId, CAUSE)), ALICE, REGISTRAR);
        VM.expectEmit(address(_assets));
        emit ICarbonAssets.RecordReleased(recordId, CAUSE, CURE);
        VM.prank(REGISTRAR);
        _assets.release(recordId, CAUSE, CURE, ALICE);
        _assertFreeze(recordId, CAUSE, ICarbonAssets.Freeze.Cured, 0);
        _end(ICarbonAssets.Kind.Retire, recordId, ALICE);
        _assertState(recordId, ICarbonAssets.State.Retired);
    }

    function test_TwoRegistrarsReleaseWithoutTheHolder() public {
        bytes32 recordId = _record(1, 10);
        _freeze(recordId, CAUSE);
        _release(recordId, CAUSE, SECOND_REGISTRAR);
        _assertFreeze(recordId, CAUSE, ICarbonAssets.Freeze.Cured, 0);
    }

    function test_StaysFrozenWhileOneCauseStands() public {
        bytes32 recordId = _record(1, 10);
        _freeze(recordId, CAUSE);
        _propose(ALICE, _releasing(recordId, CAUSE));
        _freeze(recordId, _OTHER_CAUSE);
        VM.prank(REGISTRAR);
        _assets.release(recordId, CAUSE, CURE, ALICE);
        _assertFreeze(recordId, _OTHER_CAUSE, ICarbonAssets.Freeze.Standing, 1);
        _expectEveryActRefused(recordId, _frozen(recordId, 1));
        _release(recordId, _OTHER_CAUSE, ALICE);
        _end(ICarbonAssets.Kind.Retire, recordId, ALICE);
    }

    /// @dev Against a plain list of causes: frozen exactly while one stands, each once.
    function testFuzz_IsFrozenWhileAnyCauseStands(uint8[24] memory steps) public {
        bytes32 recordId = _record(1, 10);
        uint8[5] memory seen; // 0 never, 1 standing, 2 cured
        uint256 standing = 0;
        for (uint256 i = 0; i < steps.length; i++) {
            uint256 which = (steps[i] / 2) % 5;
            bytes32 cause = bytes32(which + 1);
            bool isFreeze = steps[i] % 2 == 0;
            bool isExpected = seen[which] == (isFreeze ? 0 : 1);
            bytes memory act = _releasing(recordId, cause);
            if (!isFreeze && _assets.expiryOf(keccak256(act), ALICE) == 0) _propose(ALICE, act);
            bytes memory call = isFreeze
                ? abi.encodeCall(_assets.freeze, (recordId, cause))
                : abi.encodeCall(_assets.release, (recordId, cause, CURE, ALICE));
            VM.prank(REGISTRAR);
            (bool isDone,) = address(_assets).call(call);
            assertTrue(isDone == isExpected, "a step went otherwise");
            if (isDone) {
                seen[which]++;
                standing = isFreeze ? standing + 1 : standing - 1;
            }
            assertEq(_assets.recordOf(recordId).freezes, standing, "causes that stand");
        }
        _propose(ALICE, _retirement(recordId));
        VM.prank(REGISTRAR);
        try _assets.retire(recordId, REFERENCE, ALICE) {
            assertEq(standing, 0, "a frozen record was retired");
        } catch {
            assertTrue(standing != 0, "a free record was refused");
        }
    }

    function test_PartsOfWhatWasReleasedAreFree() public {
        bytes32 recordId = _record(1, 10);
        _freeze(recordId, CAUSE);
        _release(recordId, CAUSE, ALICE);
        (bytes32 left, bytes32 right) = _split(recordId, 4, ALICE);
        _assertFreeze(left, CAUSE, ICarbonAssets.Freeze.None, 0);
        _freeze(left, CAUSE);
        _move(right, BOBS, REFERENCE, ALICE);
        _assertFreeze(left, CAUSE, ICarbonAssets.Freeze.Standing, 1);
    }

    function testFuzz_RevertIf_FrozenWithoutTheRole(address sender) public {
        VM.assume(sender != REGISTRAR && sender != SECOND_REGISTRAR);
        bytes32 recordId = _record(1, 10);
        _expect(abi.encodeWithSelector(_UNAUTHORIZED, sender, _assets.REGISTRAR_ROLE()), sender);
        _assets.freeze(recordId, CAUSE);
    }

    function test_RevertIf_FrozenByADismissedRegistrar() public {
        bytes32 recordId = _record(1, 10);
        VM.prank(ADMIN);
        _assets.dismiss(REGISTRAR);
        _expect(abi.encodeWithSelector(ICarbonAssets.CarbonAssetsNotMember.selector, REGISTRAR), REGISTRAR);
        _assets.freeze(recordId, CAUSE);
    }

    function test_RevertIf_FrozenTwiceForOneCause() public {
        bytes32 recordId = _record(1, 10);
        bytes memory refusal =
            abi.encodeWithSelector(ICarbonAssets.CarbonAssetsCauseUsed.selector, recordId, CAUSE);
        _freeze(recordId, CAUSE);
        _expect(refusal, REGISTRAR);
        _assets.freeze(recordId, CAUSE);
        _release(recordId, CAUSE, ALICE);
        _expect(refusal, REGISTRAR);
        _assets.freeze(recordId, CAUSE);
    }

    function test_RevertIf_WhatIsNotLiveIsFrozen() public {
        _expect(
            abi.encodeWithSelector(ICarbonAssets.CarbonAssetsUnknownRecord.selector, REFERENCE), REGISTRAR
        );
        _assets.freeze(REFERENCE, CAUSE);
        bytes32 recordId = _record(1, 10);
        _end(ICarbonAssets.Kind.Retire, recordId, ALICE);
        _expect(_notLive(recordId, ICarbonAssets.State.Retired), REGISTRAR);
        _assets.freeze(recordId, CAUSE);
        recordId = _record(11, 20);
        _split(recordId, 15, ALICE);
        _expect(_notLive(recordId, ICarbonAssets.State.Split), REGISTRAR);
        _assets.freeze(recordId, CAUSE);
    }

    function test_RevertIf_NoCauseOrCureIsNamed() public {
        bytes32 recordId = _record(1, 10);
        bytes memory refusal =
            abi.encodeWithSelector(ICarbonAssets.CarbonAssetsInvalidReference.selector, recordId, bytes32(0));
        _expect(refusal, REGISTRAR);
        _assets.freeze(recordId, 0);
        _freeze(recordId, CAUSE);
        _expect(refusal, REGISTRAR);
        _assets.release(recordId, CAUSE, 0, ALICE);
    }

    function test_RevertIf_ReleasedFromWhatDoesNotStand() public {
        bytes32 recordId = _record(1, 10);
        bytes memory refusal =
            abi.encodeWithSelector(ICarbonAssets.CarbonAssetsNotFrozenFor.selector, recordId, CAUSE);
        _freeze(recordId, _OTHER_CAUSE);
        _propose(ALICE, _releasing(recordId, CAUSE));
        _expect(refusal, REGISTRAR);
        _assets.release(recordId, CAUSE, CURE, ALICE);
        _freeze(recordId, CAUSE);
        VM.prank(REGISTRAR);
        _assets.release(recordId, CAUSE, CURE, ALICE);
        _expect(refusal, REGISTRAR);
        _assets.release(recordId, CAUSE, CURE, ALICE);
    }

    function test_RevertIf_ReleasedByOnePersonAlone() public {
        bytes32 recordId = _record(1, 10);
        _freeze(recordId, CAUSE);
        bytes32 actHash = keccak256(_releasing(recordId, CAUSE));
        _expect(_notProposed(actHash, ALICE), REGISTRAR);
        _assets.release(recordId, CAUSE, CURE, ALICE);
        _propose(REGISTRAR, _releasing(recordId, CAUSE));
        _expect(abi.encodeWithSelector(ICarbonAssets.CarbonAssetsSamePerson.selector, REGISTRAR), REGISTRAR);
        _assets.release(recordId, CAUSE, CURE, REGISTRAR);
        _propose(ALICE, _releasing(recordId, CAUSE));
        _expect(abi.encodeWithSelector(_UNAUTHORIZED, ALICE, _assets.REGISTRAR_ROLE()), ALICE);
        _assets.release(recordId, CAUSE, CURE, ALICE);
    }

    function test_RevertIf_ReleaseIsProposedByAStrangersParty() public {
        bytes32 recordId = _record(1, 10);
        _freeze(recordId, CAUSE);
        _propose(BOB, _releasing(recordId, CAUSE));
        _expectNotForHolder(BOB);
        _assets.release(recordId, CAUSE, CURE, BOB);
    }

    function test_RevertIf_AnotherCureIsConfirmed() public {
        bytes32 recordId = _record(1, 10);
        _freeze(recordId, CAUSE);
        _propose(ALICE, _releasing(recordId, CAUSE));
        bytes32 cure = keccak256("another cure");
        bytes32 actHash = keccak256(abi.encode(ICarbonAssets.Kind.Release, recordId, CAUSE, cure));
        _expect(_notProposed(actHash, ALICE), REGISTRAR);
        _assets.release(recordId, CAUSE, cure, ALICE);
    }

    function _assertFreeze(bytes32 recordId, bytes32 cause, ICarbonAssets.Freeze expected, uint256 freezes)
        private
        view
    {
        assertEq(uint256(_assets.freezeOf(recordId, cause)), uint256(expected), "freeze");
        assertEq(_assets.recordOf(recordId).freezes, freezes, "causes that stand");
    }
}
