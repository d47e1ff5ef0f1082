// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {LogAnchor} from "../src/LogAnchor.sol";
import {ILogAnchor} from "../src/interfaces/ILogAnchor.sol";
import {Rfc9162} from "../src/libraries/Rfc9162.sol";
import {ForgeTest} from "./ForgeTest.sol";
import {Rfc9162Reference} from "./Rfc9162Reference.sol";

contract LogAnchorSuccessionTest is ForgeTest {
    uint256 private constant _HEAD_PRIVATE_KEY = 0xa11ce;
    uint256 private constant _NEW_PRIVATE_KEY = 0xb0b;
    uint256 private constant _START = 1_767_225_600; // 2026-01-01T00:00:00Z, in seconds
    uint256 private constant _LOCK = 7 days;
    uint256 private constant _WINDOW = 14 days;
    address private constant _FIRST = address(0x1001);
    address private constant _SECOND = address(0x1002);
    address private constant _THIRD = address(0x1003);
    address private constant _STRANGER = address(0x4001);
    bytes32 private constant _LEAF = keccak256("every entry alike");
    bytes32 private constant _NEW_LEAF = keccak256("genesis of the log that goes on");

    LogAnchor private _anchor;
    bytes32 private _old;
    bytes32 private _new;
    bytes32[] private _roots;

    function setUp() public {
        VM.warp(_START);
        _roots.push(0);
        for (uint256 size = 1; size < 13; size++) {
            _roots.push(Rfc9162Reference.rootAlike(_LEAF, size));
        }
        _anchor = new LogAnchor();
        _old = _anchor.open(_LEAF, VM.addr(_HEAD_PRIVATE_KEY));
        _new = _anchor.open(_NEW_LEAF, VM.addr(_NEW_PRIVATE_KEY));
        _anchor.appoint(_old, _FIRST, _SECOND, _signAppoint(_HEAD_PRIVATE_KEY, _old, _FIRST, _SECOND));
        _advance(1, 5);
        _advance(5, 9);
    }

    // Appointing.

    function test_HeadKeyAppointsTwoGuardiansAndAnybodyMaySendIt() public {
        bytes memory signature = _signAppoint(_NEW_PRIVATE_KEY, _new, _FIRST, _THIRD);
        VM.expectEmit(address(_anchor));
        emit ILogAnchor.GuardiansAppointed(_new, _FIRST, _THIRD);
        VM.prank(_STRANGER);
        _anchor.appoint(_new, _FIRST, _THIRD, signature);
        (address first, address second) = _anchor.guardiansOf(_new);
        assertEq(first, _FIRST, "first");
        assertEq(second, _THIRD, "second");
    }

    function test_RevertIf_GuardiansAreAppointedAgain() public {
        bytes memory signature = _signAppoint(_HEAD_PRIVATE_KEY, _old, _THIRD, _STRANGER);
        VM.expectRevert(abi.encodeWithSelector(ILogAnchor.LogAnchorAlreadyAppointed.selector, _old));
        _anchor.appoint(_old, _THIRD, _STRANGER, signature);
    }

    function test_RevertIf_GuardiansAreAppointedForAnUnknownLog() public {
        bytes32 unknown = keccak256("nothing");
        bytes memory signature = _signAppoint(_HEAD_PRIVATE_KEY, unknown, _FIRST, _SECOND);
        VM.expectRevert(abi.encodeWithSelector(ILogAnchor.LogAnchorUnknownLog.selector, unknown));
        _anchor.appoint(unknown, _FIRST, _SECOND, signature);
    }

    function test_RevertIf_SomebodyElseAppoints() public {
        bytes memory signature = _signAppoint(_HEAD_PRIVATE_KEY, _new, _FIRST, _SECOND);
        _expectBadAppointment(_FIRST, _SECOND, signature);
    }

    function test_RevertIf_AppointmentNamesSomebodyElseThanWasSigned() public {
        _expectBadAppointment(_FIRST, _STRANGER, _signAppoint(_NEW_PRIVATE_KEY, _new, _FIRST, _SECOND));
        _expectBadAppointment(_SECOND, _FIRST, _signAppoint(_NEW_PRIVATE_KEY, _new, _FIRST, _SECOND));
        _expectBadAppointment(_FIRST, _SECOND, "");
    }

    function test_RevertIf_BothGuardiansAreOne() public {
        _expectInvalidGuardian(_FIRST, _FIRST, _FIRST);
    }

    function test_RevertIf_AGuardianIsNobody() public {
        _expectInvalidGuardian(_FIRST, address(0), address(0));
        _expectInvalidGuardian(address(0), _FIRST, address(0));
    }

    function test_RevertIf_TheHeadKeyIsAGuardian() public {
        address key = VM.addr(_NEW_PRIVATE_KEY);
        _expectInvalidGuardian(_FIRST, key, key);
        _expectInvalidGuardian(key, _FIRST, key);
    }

    // Succession.

    function test_TwoGuardiansCloseALogAfterTheLock() public {
        VM.expectEmit(address(_anchor));
        emit ILogAnchor.SuccessionProposed(_old, _new, _FIRST, 9, _root(9), uint64(_START + _LOCK));
        assertEq(_propose(_FIRST, 9, _root(9)), _START + _LOCK, "not before");
        VM.warp(_START + _LOCK);
        VM.expectEmit(address(_anchor));
        emit ILogAnchor.LogSucceeded(_old, _new, 9, _root(9), _FIRST, _SECOND);
        _succeed(_SECOND, 9, _root(9));

        (bytes32 successor, uint64 size, bytes32 root, uint64 closedAt) = _anchor.successionOf(_old);
        assertEq(successor, _new, "successor");
        assertEq(size, 9, "size");
        assertEq(root, _root(9), "root");
        assertEq(closedAt, _START + _LOCK, "time");
    }

    function test_ClosedLogKeepsItsHeadAndHistory() public {
        bytes32 history = _anchor.history(_old);
        _close(9, _root(9));
        (uint64 size, bytes32 root, uint64 anchoredAt) = _anchor.head(_old);
        assertEq(size, 9, "size");
        assertEq(root, _root(9), "root");
        assertEq(anchoredAt, _START, "time");
        assertEq(_anchor.history(_old), history, "history");
        assertEq(_anchor.headKey(_old), VM.addr(_HEAD_PRIVATE_KEY), "head key");
    }

    function test_ClosedLogIsMarkedInTheSlotThatEvidenceProves() public {
        uint256 base = uint256(keccak256(abi.encode(_old, uint256(0))));
        uint256 before = uint256(VM.load(address(_anchor), bytes32(base)));
        _close(5, _root(5));
        uint256 packed = uint256(VM.load(address(_anchor), bytes32(base)));
        assertEq(packed, before | (uint256(1) << 215), "the highest bit of the size alone");
        uint256 closing = uint256(keccak256(abi.encode(_old, uint256(1))));
        assertEq(VM.load(address(_anchor), bytes32(closing)), _new, "successor");
        assertEq(VM.load(address(_anchor), bytes32(closing + 1)), _root(5), "root");
        uint256 last = uint256(VM.load(address(_anchor), bytes32(closing + 2)));
        assertEq(last, ((_START + _LOCK) << 64) | 5, "time and size");
    }

    function test_RevertIf_AClosedLogAdvances() public {
        _close(9, _root(9));
        bytes memory signature = _signAdvance(9, 12);
        bytes32[] memory proof = Rfc9162Reference.proofAlike(_LEAF, 9, 12, true);
        VM.expectRevert(abi.encodeWithSelector(ILogAnchor.LogAnchorClosed.selector, _old));
        _anchor.advance(_old, 9, 12, _root(12), proof, signature);
    }

    function testFuzz_RevertIf_AClosedLogAdvancesFromAnySize(uint64 oldSize, uint64 newSize) public {
        _close(9, _root(9));
        oldSize = uint64(bound(oldSize, 1, 2 ** 48 - 1));
        newSize = uint64(bound(newSize, oldSize + 1, 2 ** 48));
        VM.expectRevert(abi.encodeWithSelector(ILogAnchor.LogAnchorClosed.selector, _old));
        _anchor.advance(_old, oldSize, newSize, _LEAF, new bytes32[](0), "");
    }

    function test_OpeningAClosedLogAgainChangesNothing() public {
        _close(9, _root(9));
        _anchor.open(_LEAF, VM.addr(_HEAD_PRIVATE_KEY));
        (bytes32 successor,,,) = _anchor.successionOf(_old);
        assertEq(successor, _new, "still closed");
        (uint64 size,,) = _anchor.head(_old);
        assertEq(size, 9, "size");
    }

    function test_SuccessorGoesOn() public {
        _close(9, _root(9));
        bytes32 root = Rfc9162Reference.rootAlike(_NEW_LEAF, 3);
        bytes32[] memory proof = Rfc9162Reference.proofAlike(_NEW_LEAF, 1, 3, true);
        bytes memory signature = _signStep(_NEW_PRIVATE_KEY, _new, 1, 3, root);
        _anchor.advance(_new, 1, 3, root, proof, signature);
        (uint64 size,,) = _anchor.head(_new);
        assertEq(size, 3, "size");
    }

    /// @dev A thief of the head key can move the head, but neither stop the guardians nor outrun them.
    function test_StolenHeadKeyCannotStopASuccessionToAnEarlierHead() public {
        _propose(_FIRST, 9, _root(9));
        VM.warp(_START + _LOCK);
        _advance(9, 400);
        _succeed(_SECOND, 9, _root(9));
        (, uint64 size, bytes32 root,) = _anchor.successionOf(_old);
        assertEq(size, 9, "size");
        assertEq(root, _root(9), "root");
    }

    function test_RevertIf_OneGuardianConfirmsItself() public {
        _propose(_FIRST, 9, _root(9));
        VM.warp(_START + _LOCK);
        VM.expectRevert(abi.encodeWithSelector(ILogAnchor.LogAnchorNotProposed.selector, _old, _SECOND));
        _succeed(_FIRST, 9, _root(9));
    }

    function test_RevertIf_AStrangerProposesOrConfirms() public {
        bytes memory refusal =
            abi.encodeWithSelector(ILogAnchor.LogAnchorNotGuardian.selector, _old, _STRANGER);
        bytes32 root = _root(9);
        VM.expectRevert(refusal);
        _propose(_STRANGER, 9, root);
        _propose(_FIRST, 9, root);
        VM.warp(_START + _LOCK);
        VM.expectRevert(refusal);
        _succeed(_STRANGER, 9, root);
    }

    function test_RevertIf_TheHeadKeyProposes() public {
        address key = VM.addr(_HEAD_PRIVATE_KEY);
        bytes32 root = _root(9);
        VM.expectRevert(abi.encodeWithSelector(ILogAnchor.LogAnchorNotGuardian.selector, _old, key));
        _propose(key, 9, root);
    }

    function test_RevertIf_NoGuardiansWereAppointed() public {
        bytes32 root = _root(9);
        VM.prank(_FIRST);
        VM.expectRevert(abi.encodeWithSelector(ILogAnchor.LogAnchorNotGuardian.selector, _new, _FIRST));
        _anchor.proposeSuccession(_new, _old, 9, root);
        VM.prank(address(0));
        VM.expectRevert(abi.encodeWithSelector(ILogAnchor.LogAnchorNotGuardian.selector, _new, address(0)));
        _anchor.proposeSuccession(_new, _old, 9, root);
    }

    function testFuzz_RevertIf_ItIsConfirmedBeforeTheLockEnds(uint256 early) public {
        bytes32 root = _root(9);
        _propose(_FIRST, 9, root);
        VM.warp(_START + bound(early, 0, _LOCK - 1));
        VM.expectRevert(
            abi.encodeWithSelector(ILogAnchor.LogAnchorSuccessionLocked.selector, _old, _START + _LOCK)
        );
        _succeed(_SECOND, 9, root);
    }

    function testFuzz_RevertIf_ItIsConfirmedAfterTheWindow(uint32 late) public {
        bytes32 root = _root(9);
        _propose(_FIRST, 9, root);
        VM.warp(_START + _LOCK + _WINDOW + late);
        VM.expectRevert(
            abi.encodeWithSelector(
                ILogAnchor.LogAnchorProposalExpired.selector, _old, _START + _LOCK + _WINDOW
            )
        );
        _succeed(_SECOND, 9, root);
    }

    function test_ProposalCanBeConfirmedInTheLastSecond() public {
        _propose(_FIRST, 9, _root(9));
        VM.warp(_START + _LOCK + _WINDOW - 1);
        _succeed(_SECOND, 9, _root(9));
    }

    function test_RevertIf_SomethingElseIsConfirmedThanWasProposed() public {
        (bytes32 five, bytes32 nine) = (_root(5), _root(9));
        bytes32 third = _anchor.open("another", VM.addr(_NEW_PRIVATE_KEY));
        _propose(_FIRST, 9, nine);
        VM.warp(_START + _LOCK);
        bytes memory refusal = abi.encodeWithSelector(ILogAnchor.LogAnchorNotProposed.selector, _old, _FIRST);
        VM.expectRevert(refusal);
        _succeed(_SECOND, 5, five);
        VM.expectRevert(refusal);
        _succeed(_SECOND, 9, five);
        VM.prank(_SECOND);
        VM.expectRevert(refusal);
        _anchor.succeed(_old, third, 9, nine);
    }

    function test_NewProposalReplacesTheOldOneAndLocksAnew() public {
        bytes32 root = _root(9);
        _propose(_FIRST, 5, _root(5));
        VM.warp(_START + _LOCK);
        _propose(_FIRST, 9, root);
        VM.expectRevert(
            abi.encodeWithSelector(ILogAnchor.LogAnchorSuccessionLocked.selector, _old, _START + 2 * _LOCK)
        );
        _succeed(_SECOND, 9, root);
    }

    function test_RevertIf_AProposalWasWithdrawn() public {
        bytes32 root = _root(9);
        _propose(_FIRST, 9, root);
        VM.expectEmit(address(_anchor));
        emit ILogAnchor.SuccessionWithdrawn(_old, _FIRST);
        VM.prank(_FIRST);
        _anchor.withdrawSuccession(_old);
        VM.warp(_START + _LOCK);
        VM.expectRevert(abi.encodeWithSelector(ILogAnchor.LogAnchorNotProposed.selector, _old, _FIRST));
        _succeed(_SECOND, 9, root);
    }

    function test_RevertIf_AGuardianWithdrawsTheOthersProposal() public {
        _propose(_FIRST, 9, _root(9));
        VM.prank(_SECOND);
        VM.expectRevert(abi.encodeWithSelector(ILogAnchor.LogAnchorNotProposed.selector, _old, _SECOND));
        _anchor.withdrawSuccession(_old);
        (bytes32 termsHash, uint64 notBefore) = _anchor.proposalOf(_old, _FIRST);
        assertEq(termsHash, keccak256(abi.encode(_new, uint64(9), _root(9))), "terms");
        assertEq(notBefore, _START + _LOCK, "not before");
    }

    function test_RevertIf_LastHeadIsBeyondTheStoredOne() public {
        _expectInvalidLastHead(10, _root(10));
    }

    function test_RevertIf_LastHeadHasSizeZero() public {
        _expectInvalidLastHead(0, 0);
    }

    function test_RevertIf_LastHeadHasAnotherRootThanTheStoredOne() public {
        _expectInvalidLastHead(9, _root(8));
    }

    function test_RevertIf_SuccessorIsNotOpen() public {
        (bytes32 root, bytes32 unknown) = (_root(9), keccak256("nothing"));
        VM.prank(_FIRST);
        VM.expectRevert(abi.encodeWithSelector(ILogAnchor.LogAnchorUnknownLog.selector, unknown));
        _anchor.proposeSuccession(_old, unknown, 9, root);
    }

    function test_RevertIf_LogSucceedsItself() public {
        bytes32 root = _root(9);
        VM.prank(_FIRST);
        VM.expectRevert(abi.encodeWithSelector(ILogAnchor.LogAnchorClosed.selector, _old));
        _anchor.proposeSuccession(_old, _old, 9, root);
    }

    function test_RevertIf_LogsWouldSucceedEachOther() public {
        bytes memory signature = _signAppoint(_NEW_PRIVATE_KEY, _new, _FIRST, _SECOND);
        _anchor.appoint(_new, _FIRST, _SECOND, signature);
        VM.prank(_FIRST);
        _anchor.proposeSuccession(_new, _old, 1, _NEW_LEAF);
        _close(9, _root(9));
        VM.prank(_SECOND);
        VM.expectRevert(abi.encodeWithSelector(ILogAnchor.LogAnchorClosed.selector, _old));
        _anchor.succeed(_new, _old, 1, _NEW_LEAF);
    }

    function test_RevertIf_LogIsClosedTwice() public {
        bytes32 root = _root(9);
        _close(9, root);
        VM.expectRevert(abi.encodeWithSelector(ILogAnchor.LogAnchorClosed.selector, _old));
        _propose(_FIRST, 9, root);
        VM.expectRevert(abi.encodeWithSelector(ILogAnchor.LogAnchorNotProposed.selector, _old, _FIRST));
        _succeed(_SECOND, 9, root);
    }

    // Seats.

    function test_GuardianHandsItsSeatOver() public {
        VM.expectEmit(address(_anchor));
        emit ILogAnchor.GuardianReplaced(_old, _SECOND, _THIRD);
        VM.prank(_SECOND);
        _anchor.handOver(_old, _THIRD);
        _propose(_FIRST, 9, _root(9));
        VM.warp(_START + _LOCK);
        _succeed(_THIRD, 9, _root(9));
    }

    function test_RevertIf_ASeatIsHandedToTheOtherGuardianOrToWhoHasIt() public {
        address key = VM.addr(_HEAD_PRIVATE_KEY);
        address[4] memory wrong = [_FIRST, _SECOND, address(0), key];
        for (uint256 i = 0; i < wrong.length; i++) {
            VM.prank(_FIRST);
            VM.expectRevert(
                abi.encodeWithSelector(ILogAnchor.LogAnchorInvalidGuardian.selector, _old, wrong[i])
            );
            _anchor.handOver(_old, wrong[i]);
        }
    }

    function test_RevertIf_AStrangerHandsASeatOver() public {
        VM.prank(_STRANGER);
        VM.expectRevert(abi.encodeWithSelector(ILogAnchor.LogAnchorNotGuardian.selector, _old, _STRANGER));
        _anchor.handOver(_old, _THIRD);
    }

    /// @dev A seat that goes away and comes back brings no old proposal along.
    function test_RevertIf_TheProposerHandedItsSeatOverAndBack() public {
        bytes32 root = _root(9);
        _propose(_FIRST, 9, root);
        VM.prank(_FIRST);
        _anchor.handOver(_old, _THIRD);
        VM.warp(_START + _LOCK);
        VM.expectRevert(abi.encodeWithSelector(ILogAnchor.LogAnchorNotProposed.selector, _old, _THIRD));
        _succeed(_SECOND, 9, root);
        VM.prank(_THIRD);
        _anchor.handOver(_old, _FIRST);
        VM.expectRevert(abi.encodeWithSelector(ILogAnchor.LogAnchorNotProposed.selector, _old, _FIRST));
        _succeed(_SECOND, 9, root);
    }

    // Inclusion.

    function test_VerifiesInclusionUnderTheAnchoredHead() public view {
        bytes32[] memory path = _path(9);
        assertEq(_anchor.verifyInclusion(_old, 9, 3, _LEAF, path), _START, "time of the head");
    }

    function test_VerifiesInclusionInAClosedLog() public {
        _close(9, _root(9));
        assertEq(_anchor.verifyInclusion(_old, 9, 3, _LEAF, _path(9)), _START, "time of the head");
    }

    function test_RevertIf_InclusionIsOfAnotherLeaf() public {
        bytes32[] memory path = _path(9);
        VM.expectRevert();
        _anchor.verifyInclusion(_old, 9, 3, keccak256("another"), path);
    }

    function test_RevertIf_InclusionIsUnderAnotherSize() public {
        bytes32[] memory path = _path(9);
        VM.expectRevert(abi.encodeWithSelector(ILogAnchor.LogAnchorSizeMismatch.selector, _old, 9, 8));
        _anchor.verifyInclusion(_old, 8, 3, _LEAF, path);
        VM.expectRevert(abi.encodeWithSelector(Rfc9162.Rfc9162IndexOutOfRange.selector, 9, 9));
        _anchor.verifyInclusion(_old, 9, 9, _LEAF, path);
    }

    function test_RevertIf_InclusionIsInAnUnknownLog() public {
        VM.expectRevert(abi.encodeWithSelector(ILogAnchor.LogAnchorUnknownLog.selector, bytes32(0)));
        _anchor.verifyInclusion(0, 0, 0, _LEAF, new bytes32[](0));
    }

    // Figures that must not drift unseen.

    function test_GasSnapshotsOfASuccession() public {
        bytes memory signature = _signAppoint(_NEW_PRIVATE_KEY, _new, _FIRST, _SECOND);
        _anchor.appoint(_new, _FIRST, _SECOND, signature);
        VM.snapshotGasLastCall("LogAnchor", "appoint");
        bytes32 root = _root(9);
        _propose(_FIRST, 9, root);
        VM.snapshotGasLastCall("LogAnchor", "propose a succession");
        VM.warp(_START + _LOCK);
        _succeed(_SECOND, 9, root);
        VM.snapshotGasLastCall("LogAnchor", "succeed");
    }

    function _propose(address guardian, uint64 size, bytes32 root) private returns (uint64) {
        VM.prank(guardian);
        return _anchor.proposeSuccession(_old, _new, size, root);
    }

    function _succeed(address guardian, uint64 size, bytes32 root) private {
        VM.prank(guardian);
        _anchor.succeed(_old, _new, size, root);
    }

    function _close(uint64 size, bytes32 root) private {
        _propose(_FIRST, size, root);
        VM.warp(_START + _LOCK);
        _succeed(_SECOND, size, root);
    }

    function _expectInvalidLastHead(uint64 size, bytes32 root) private {
        VM.expectRevert(
            abi.encodeWithSelector(ILogAnchor.LogAnchorInvalidLastHead.selector, _old, size, root)
        );
        _propose(_FIRST, size, root);
    }

    function _expectInvalidGuardian(address first, address second, address wrong) private {
        bytes memory signature = _signAppoint(_NEW_PRIVATE_KEY, _new, first, second);
        VM.expectRevert(abi.encodeWithSelector(ILogAnchor.LogAnchorInvalidGuardian.selector, _new, wrong));
        _anchor.appoint(_new, first, second, signature);
    }

    function _expectBadAppointment(address first, address second, bytes memory signature) private {
        address key = VM.addr(_NEW_PRIVATE_KEY);
        VM.expectRevert(abi.encodeWithSelector(ILogAnchor.LogAnchorInvalidHeadSignature.selector, _new, key));
        _anchor.appoint(_new, first, second, signature);
    }

    function _advance(uint64 oldSize, uint64 newSize) private {
        bytes memory signature = _signAdvance(oldSize, newSize);
        bytes32[] memory proof = Rfc9162Reference.proofAlike(_LEAF, oldSize, newSize, true);
        _anchor.advance(_old, oldSize, newSize, _root(newSize), proof, signature);
    }

    /// @dev The path to entry 3 of a tree whose leaves are all alike, of 9 entries.
    function _path(uint256 size) private pure returns (bytes32[] memory) {
        bytes32[] memory leaves = new bytes32[](size);
        for (uint256 i = 0; i < size; i++) {
            leaves[i] = _LEAF;
        }
        return Rfc9162Reference.inclusionPath(3, leaves, 0, size);
    }

    /// @dev Small ones ready made: computing one calls the SHA-256 precompile, which would be the next call.
    function _root(uint256 size) private view returns (bytes32) {
        return size < _roots.length ? _roots[size] : Rfc9162Reference.rootAlike(_LEAF, size);
    }

    function _signAdvance(uint64 oldSize, uint64 newSize) private view returns (bytes memory) {
        return _signStep(_HEAD_PRIVATE_KEY, _old, oldSize, newSize, _root(newSize));
    }

    function _signStep(uint256 key, bytes32 logId, uint64 oldSize, uint64 newSize, bytes32 newRoot)
        private
        view
        returns (bytes memory)
    {
        bytes32 typeHash = keccak256("Advance(bytes32 logId,uint64 oldSize,uint64 newSize,bytes32 newRoot)");
        return _sign(key, keccak256(abi.encode(typeHash, logId, oldSize, newSize, newRoot)));
    }

    function _signAppoint(uint256 key, bytes32 logId, address first, address second)
        private
        view
        returns (bytes memory)
    {
        bytes32 typeHash = keccak256("Appoint(bytes32 logId,address first,address second)");
        return _sign(key, keccak256(abi.encode(typeHash, logId, first, second)));
    }

    function _sign(uint256 key, bytes32 words) private view returns (bytes memory) {
        bytes32 digest = keccak256(abi.encodePacked(hex"1901", _anchor.domainSeparator(), words));
        (uint8 v, bytes32 r, bytes32 s) = VM.sign(key, digest);
        return abi.encodePacked(r, s, v);
    }
}
