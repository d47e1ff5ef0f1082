// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ICarbonAssets} from "../src/interfaces/ICarbonAssets.sol";
import {CarbonAssetsFixture} from "./CarbonAssetsFixture.sol";

/// @dev Does whatever members may do, honest and not, and remembers every record and every end it has seen.
contract CarbonAssetsHandler is CarbonAssetsFixture {
    /// @dev What was recorded.
    struct Recorded {
        bytes32 lot;
        uint64 first;
        uint64 last;
    }

    bytes32[] public ids;
    Recorded[] public recorded;
    mapping(bytes32 recordId => ICarbonAssets.State) public ended;
    mapping(bytes32 recordId => uint256) public standing;
    mapping(bytes32 recordId => bytes32) public frozenHolder;
    uint256 private _transferCount;

    constructor() {
        _buildWorld();
    }

    function idCount() external view returns (uint256) {
        return ids.length;
    }

    function recordedCount() external view returns (uint256) {
        return recorded.length;
    }

    function recordOf(bytes32 recordId) external view returns (ICarbonAssets.Record memory) {
        return _assets.recordOf(recordId);
    }

    function balance() external view returns (uint256) {
        return address(_assets).balance;
    }

    /// @dev Any range among few serials, so that most of them meet another one; any predecessor now and then.
    function record(uint64 first, uint64 last, uint64 predecessor, bool isHonest) external {
        first = uint64(bound(first, 1, 400));
        last = uint64(bound(last, first, first + 30));
        ICarbonAssets.Claim memory claim = _claim(first, last);
        ICarbonAssets.Evidence memory evidence = _evidence();
        bytes memory act = abi.encode(ICarbonAssets.Kind.Record, claim);
        predecessor = isHonest ? _assets.predecessorOf(REGISTRY, BATCH, first) : predecessor % 400;
        if (_assets.expiryOf(keccak256(act), ALICE) == 0) _propose(ALICE, act);
        VM.prank(REGISTRAR);
        try _assets.record(claim, ALICE, predecessor, evidence) returns (bytes32 recordId) {
            ids.push(recordId);
            recorded.push(Recorded(recordId, first, last));
        } catch {}
    }

    function split(uint256 which, uint64 lastOfLeft) external {
        if (ids.length == 0) return;
        bytes32 recordId = ids[which % ids.length];
        ICarbonAssets.Record memory it = _assets.recordOf(recordId);
        lastOfLeft = uint64(bound(lastOfLeft, it.first, it.last));
        if (!_tryPropose(abi.encode(ICarbonAssets.Kind.Split, recordId, lastOfLeft), it.holder)) return;
        VM.prank(REGISTRAR);
        try _assets.split(recordId, lastOfLeft, _memberOf(it.holder)) returns (bytes32 left, bytes32 right) {
            _checkFree(recordId);
            ids.push(left);
            ids.push(right);
        } catch {}
    }

    function move(uint256 which, bool isNewTransfer) external {
        if (ids.length == 0) return;
        bytes32 recordId = ids[which % ids.length];
        bytes32 holder = _assets.recordOf(recordId).holder;
        bytes32 to = holder == ALICES ? BOBS : ALICES;
        if (isNewTransfer) _transferCount++;
        bytes32 transfer = keccak256(abi.encode(_transferCount));
        if (!_tryPropose(abi.encode(ICarbonAssets.Kind.Move, recordId, to, transfer), holder)) return;
        VM.prank(REGISTRAR);
        try _assets.move(recordId, to, transfer, _memberOf(holder)) {
            _checkFree(recordId);
        } catch {}
    }

    function end(uint256 which, uint256 kind) external {
        if (ids.length == 0 || which % 4 != 0) return;
        bytes32 recordId = ids[(which / 4) % ids.length];
        bytes32 holder = _assets.recordOf(recordId).holder;
        ICarbonAssets.Kind act = ICarbonAssets.Kind(bound(kind, 3, 5));
        if (!_tryPropose(abi.encode(act, recordId, REFERENCE), holder)) return;
        bytes4 selector = [
            ICarbonAssets.retire.selector, ICarbonAssets.surrender.selector, ICarbonAssets.cancel.selector
        ][uint256(act) - 3];
        bytes memory call = abi.encodeWithSelector(selector, recordId, REFERENCE, _memberOf(holder));
        VM.prank(REGISTRAR);
        (bool isDone,) = address(_assets).call(call);
        if (!isDone) return;
        _checkFree(recordId);
        if (ended[recordId] != ICarbonAssets.State.None) {
            revert AssertionFailed("what had ended, ended again");
        }
        ended[recordId] = _assets.recordOf(recordId).state;
    }

    /// @dev One of three causes, so that some come back and some stand together.
    function freeze(uint256 which, uint256 cause) external {
        if (ids.length == 0) return;
        bytes32 recordId = ids[which % ids.length];
        VM.prank(REGISTRAR);
        try _assets.freeze(recordId, bytes32(bound(cause, 1, 3))) {
            if (standing[recordId] == 0) frozenHolder[recordId] = _assets.recordOf(recordId).holder;
            standing[recordId]++;
        } catch {}
    }

    function release(uint256 which, uint256 cause, bool isByHolder) external {
        if (ids.length == 0) return;
        bytes32 recordId = ids[which % ids.length];
        cause = bound(cause, 1, 3);
        address proposer = isByHolder ? _memberOf(_assets.recordOf(recordId).holder) : SECOND_REGISTRAR;
        bytes memory act = _releasing(recordId, bytes32(cause));
        if (_assets.expiryOf(keccak256(act), proposer) == 0) _propose(proposer, act);
        VM.prank(REGISTRAR);
        try _assets.release(recordId, bytes32(cause), CURE, proposer) {
            if (standing[recordId] == 0) revert AssertionFailed("what was not frozen was released");
            standing[recordId]--;
        } catch {}
    }

    /// @dev One person alone, in every way: nothing may come of it.
    function confirmAlone(uint256 which) external {
        if (ids.length == 0) return;
        bytes32 recordId = ids[which % ids.length];
        address member = [ALICE, BOB, REGISTRAR][which % 3];
        bytes memory act = abi.encode(ICarbonAssets.Kind.Cancel, recordId, REFERENCE);
        if (_assets.expiryOf(keccak256(act), member) == 0) _propose(member, act);
        VM.prank(member);
        try _assets.cancel(recordId, REFERENCE, member) {
            revert AssertionFailed("one person was enough");
        } catch {}
        act = _releasing(recordId, bytes32(uint256(1)));
        if (_assets.expiryOf(keccak256(act), member) == 0) _propose(member, act);
        VM.prank(member);
        try _assets.release(recordId, bytes32(uint256(1)), CURE, member) {
            revert AssertionFailed("one person was enough to release");
        } catch {}
    }

    function _checkFree(bytes32 recordId) private view {
        if (standing[recordId] != 0) revert AssertionFailed("a frozen record left");
    }

    function _tryPropose(bytes memory act, bytes32 holder) private returns (bool) {
        if (_memberOf(holder) == address(0)) return false;
        if (_assets.expiryOf(keccak256(act), _memberOf(holder)) == 0) _propose(_memberOf(holder), act);
        return true;
    }

    function _memberOf(bytes32 party) private pure returns (address) {
        if (party == ALICES) return ALICE;
        return party == BOBS ? BOB : address(0);
    }
}

contract CarbonAssetsInvariantTest is CarbonAssetsFixture {
    CarbonAssetsHandler private _handler;

    function setUp() public {
        _handler = new CarbonAssetsHandler();
    }

    /// @dev Tells Forge to call the handler alone.
    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_handler);
    }

    /// @dev All parts of a lot that were not split further, live or ended, are exactly what was recorded.
    function invariant_PartsSumToWhatWasRecorded() public view {
        for (uint256 i = 0; i < _handler.recordedCount(); i++) {
            (bytes32 lot, uint64 first, uint64 last) = _handler.recorded(i);
            uint256 sum = 0;
            for (uint256 j = 0; j < _handler.idCount(); j++) {
                ICarbonAssets.Record memory it = _handler.recordOf(_handler.ids(j));
                if (it.lot != lot || it.state == ICarbonAssets.State.Split) continue;
                assertTrue(first <= it.first && it.last <= last, "a part lies outside its lot");
                sum += it.last - it.first + 1;
            }
            assertEq(sum, last - first + 1, "parts sum to what was recorded");
        }
    }

    /// @dev Stronger than needed: what has ended keeps its serials too.
    function invariant_RangesNeverOverlap() public view {
        uint256 count = _handler.idCount();
        bool[512] memory taken;
        for (uint256 i = 0; i < count; i++) {
            ICarbonAssets.Record memory it = _handler.recordOf(_handler.ids(i));
            if (it.state == ICarbonAssets.State.Split) continue;
            for (uint256 serial = it.first; serial <= it.last; serial++) {
                assertTrue(!taken[serial], "a serial is in two records");
                taken[serial] = true;
            }
        }
    }

    function invariant_NothingLeavesAnEnd() public view {
        for (uint256 i = 0; i < _handler.idCount(); i++) {
            bytes32 recordId = _handler.ids(i);
            ICarbonAssets.State seen = _handler.ended(recordId);
            if (seen == ICarbonAssets.State.None) continue;
            assertEq(uint256(_handler.recordOf(recordId).state), uint256(seen), "an end was left");
        }
        assertEq(_handler.balance(), 0, "balance");
    }

    /// @dev Frozen as long as a cause stands; until it is cured the record stays with its holder, live and whole.
    function invariant_NothingLeavesFrozenWithoutRelease() public view {
        for (uint256 i = 0; i < _handler.idCount(); i++) {
            bytes32 recordId = _handler.ids(i);
            ICarbonAssets.Record memory it = _handler.recordOf(recordId);
            assertEq(it.freezes, _handler.standing(recordId), "causes that stand");
            if (it.freezes == 0) continue;
            assertEq(uint256(it.state), uint256(ICarbonAssets.State.Live), "a frozen record is live");
            assertEq(it.holder, _handler.frozenHolder(recordId), "a frozen record changed its holder");
        }
    }
}
