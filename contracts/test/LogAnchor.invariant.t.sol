// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {LogAnchor} from "../src/LogAnchor.sol";
import {ForgeTest} from "./ForgeTest.sol";
import {Rfc9162Reference} from "./Rfc9162Reference.sol";

/// @dev Does whatever anybody may do, honest and not, and keeps its own account of what should have come of it.
contract LogAnchorHandler is ForgeTest {
    uint256 private constant _HEAD_PRIVATE_KEY = 0xa11ce;
    bytes32 private constant _LEAF = keccak256("every entry alike");

    LogAnchor public immutable ANCHOR;
    bytes32 public immutable LOG_ID;
    bytes32 public immutable NEXT_ID;
    address private constant _FIRST = address(0x1001);
    address private constant _SECOND = address(0x1002);
    uint64 public size = 1;
    bytes32 public history;
    bool public isClosed;
    uint64 public closedSize;
    bytes32 private _closedRoot;

    constructor(LogAnchor anchor) {
        ANCHOR = anchor;
        LOG_ID = anchor.open(_LEAF, VM.addr(_HEAD_PRIVATE_KEY));
        history = keccak256(abi.encode(bytes32(0), uint256(1), _LEAF, block.timestamp));
        NEXT_ID = anchor.open(keccak256("genesis of the log that goes on"), VM.addr(_HEAD_PRIVATE_KEY));
        bytes32 typeHash = keccak256("Appoint(bytes32 logId,address first,address second)");
        bytes32 words = keccak256(abi.encode(typeHash, LOG_ID, _FIRST, _SECOND));
        anchor.appoint(LOG_ID, _FIRST, _SECOND, _signWords(_HEAD_PRIVATE_KEY, words));
    }

    function root() public view returns (bytes32) {
        return Rfc9162Reference.rootAlike(_LEAF, size);
    }

    /// @dev An honest step, some time later.
    function advance(uint256 step, uint32 later) external {
        uint64 next = size + uint64(bound(step, 1, uint256(1) << (step % 40)));
        if (next > 2 ** 48) return;
        VM.warp(block.timestamp + later % 86_400);
        bytes32 newRoot = Rfc9162Reference.rootAlike(_LEAF, next);
        bytes32[] memory proof = Rfc9162Reference.proofAlike(_LEAF, size, next, true);
        bytes memory signature = _sign(size, next, newRoot);
        try ANCHOR.advance(LOG_ID, size, next, newRoot, proof, signature) {
            assertTrue(!isClosed, "a closed log moved on");
        } catch {
            assertTrue(isClosed, "an honest step was refused");
            return;
        }
        size = next;
        history = keccak256(abi.encode(history, uint256(next), newRoot, block.timestamp));
    }

    /// @dev The head key signs, but the tree is another one: the proof has to stop it.
    function advanceFork(uint256 step, bytes32 newRoot, bytes32 node) external {
        uint64 next = size + uint64(bound(step, 1, 1000));
        bytes32[] memory proof = Rfc9162Reference.proofAlike(_LEAF, size, next, true);
        proof[step % proof.length] = node;
        bytes memory signature = _sign(size, next, newRoot);
        try ANCHOR.advance(LOG_ID, size, next, newRoot, proof, signature) {
            revert AssertionFailed("a fork was anchored");
        } catch {}
    }

    /// @dev The proof holds, but somebody without the head key signs.
    function advanceUnsigned(uint256 step, uint256 otherKey) external {
        otherKey = bound(otherKey, 1, type(uint128).max);
        if (otherKey == _HEAD_PRIVATE_KEY) return;
        uint64 next = size + uint64(bound(step, 1, 1000));
        bytes32 newRoot = Rfc9162Reference.rootAlike(_LEAF, next);
        bytes32[] memory proof = Rfc9162Reference.proofAlike(_LEAF, size, next, true);
        bytes memory signature = _signWith(otherKey, size, next, newRoot);
        try ANCHOR.advance(LOG_ID, size, next, newRoot, proof, signature) {
            revert AssertionFailed("a head was anchored without the head key");
        } catch {}
    }

    /// @dev Going back is never possible, whoever signs.
    function rollBack(uint256 step) external {
        uint64 next = uint64(bound(step, 0, size));
        bytes32 newRoot = next == 0 ? bytes32(0) : Rfc9162Reference.rootAlike(_LEAF, next);
        bytes memory signature = _sign(size, next, newRoot);
        try ANCHOR.advance(LOG_ID, size, next, newRoot, new bytes32[](0), signature) {
            revert AssertionFailed("a head was rolled back");
        } catch {}
    }

    /// @dev One guardian, or somebody else, tries whatever closes a log; time passes as it likes.
    function closeAlone(uint256 who, uint32 later) external {
        address[3] memory persons = [_FIRST, address(0x4001), VM.addr(_HEAD_PRIVATE_KEY)];
        address person = persons[who % 3];
        bytes32 newest = root();
        VM.prank(person);
        try ANCHOR.proposeSuccession(LOG_ID, NEXT_ID, size, newest) {
            assertTrue(person == _FIRST && !isClosed, "proposed by somebody else");
        } catch {}
        VM.warp(block.timestamp + later % 30 days);
        VM.prank(person);
        try ANCHOR.succeed(LOG_ID, NEXT_ID, size, newest) {
            revert AssertionFailed("closed by one person");
        } catch {}
        VM.prank(person);
        try ANCHOR.handOver(LOG_ID, _SECOND) {
            revert AssertionFailed("one person has both seats");
        } catch {}
    }

    /// @dev Both guardians, seldom enough that there is something to close, before, in and after the time for it.
    function close(uint256 seed, uint32 later) external {
        if (isClosed || seed % 8 != 0) return;
        bytes32 newest = root();
        VM.prank(_SECOND);
        uint64 notBefore = ANCHOR.proposeSuccession(LOG_ID, NEXT_ID, size, newest);
        VM.warp(block.timestamp + later % 30 days);
        bool isTime = block.timestamp >= notBefore && block.timestamp < notBefore + 14 days;
        VM.prank(_FIRST);
        try ANCHOR.succeed(LOG_ID, NEXT_ID, size, newest) {
            assertTrue(isTime, "closed before its time or after");
            (isClosed, closedSize, _closedRoot) = (true, size, newest);
        } catch {
            assertTrue(!isTime, "not closed in its time");
            // Else the first guardian alone could confirm it later, which would be two persons after all.
            VM.prank(_SECOND);
            ANCHOR.withdrawSuccession(LOG_ID);
        }
    }

    function checkClosing() external view {
        (bytes32 next, uint64 last, bytes32 lastRoot, uint64 closedAt) = ANCHOR.successionOf(LOG_ID);
        assertTrue((closedAt != 0) == isClosed, "closed");
        assertEq(next, isClosed ? NEXT_ID : bytes32(0), "successor");
        assertEq(last, closedSize, "last size");
        assertEq(lastRoot, _closedRoot, "last root");
    }

    function openAgain() external {
        ANCHOR.open(_LEAF, VM.addr(_HEAD_PRIVATE_KEY));
    }

    function _sign(uint64 oldSize, uint64 newSize, bytes32 newRoot) private view returns (bytes memory) {
        return _signWith(_HEAD_PRIVATE_KEY, oldSize, newSize, newRoot);
    }

    function _signWith(uint256 key, uint64 oldSize, uint64 newSize, bytes32 newRoot)
        private
        view
        returns (bytes memory)
    {
        bytes32 step = keccak256(
            abi.encode(
                keccak256("Advance(bytes32 logId,uint64 oldSize,uint64 newSize,bytes32 newRoot)"),
                LOG_ID,
                oldSize,
                newSize,
                newRoot
            )
        );
        return _signWords(key, step);
    }

    function _signWords(uint256 key, bytes32 words) private view returns (bytes memory) {
        bytes32 digest = keccak256(abi.encodePacked(hex"1901", ANCHOR.domainSeparator(), words));
        (uint8 v, bytes32 r, bytes32 s) = VM.sign(key, digest);
        return abi.encodePacked(r, s, v);
    }
}

contract LogAnchorInvariantTest is ForgeTest {
    LogAnchor private _anchor;
    LogAnchorHandler private _handler;

    function setUp() public {
        _anchor = new LogAnchor();
        _handler = new LogAnchorHandler(_anchor);
    }

    /// @dev Tells Forge to call the handler alone.
    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_handler);
    }

    function invariant_OnlyHonestStepsCount() public view {
        (uint64 size, bytes32 root,) = _anchor.head(_handler.LOG_ID());
        assertEq(size, _handler.size(), "size");
        assertEq(root, _handler.root(), "root");
        assertEq(_anchor.history(_handler.LOG_ID()), _handler.history(), "history");
        _handler.checkClosing();
        assertEq(address(_anchor).balance, 0, "balance");
    }
}
