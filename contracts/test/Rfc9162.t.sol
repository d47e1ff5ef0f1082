// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Rfc9162} from "../src/libraries/Rfc9162.sol";
import {ForgeTest} from "./ForgeTest.sol";
import {Rfc9162Reference} from "./Rfc9162Reference.sol";

/// @dev Gives the library's internal functions an outside.
contract Rfc9162Harness {
    function exposed_verifyConsistency(
        uint256 oldSize,
        uint256 newSize,
        bytes32 oldRoot,
        bytes32 newRoot,
        bytes32[] calldata proof
    ) external view {
        Rfc9162.verifyConsistency(oldSize, newSize, oldRoot, newRoot, proof);
    }

    function exposed_proofLength(uint256 oldSize, uint256 newSize) external pure returns (uint256) {
        return Rfc9162.proofLength(oldSize, newSize);
    }
}

contract Rfc9162Test is ForgeTest {
    uint256 private constant _MAX_SIZE = 2 ** 48;

    Rfc9162Harness private _harness;

    function setUp() public {
        _harness = new Rfc9162Harness();
    }

    function test_AcceptsEveryPairOfSizesUpTo17() public view {
        bytes32[] memory all = _leaves(17, "all");
        for (uint256 n = 2; n <= 17; n++) {
            bytes32[] memory leaves = _first(all, n);
            bytes32 newRoot = Rfc9162Reference.root(leaves, 0, n);
            for (uint256 m = 1; m < n; m++) {
                _harness.exposed_verifyConsistency(
                    m, n, Rfc9162Reference.root(leaves, 0, m), newRoot, Rfc9162Reference.proof(m, leaves)
                );
            }
        }
    }

    function testFuzz_AcceptsProofOfRealTree(uint256 oldSize, uint256 newSize, bytes32 seed) public view {
        newSize = bound(newSize, 2, 300);
        oldSize = bound(oldSize, 1, newSize - 1);
        bytes32[] memory leaves = _leaves(newSize, seed);
        _harness.exposed_verifyConsistency(
            oldSize,
            newSize,
            Rfc9162Reference.root(leaves, 0, oldSize),
            Rfc9162Reference.root(leaves, 0, newSize),
            Rfc9162Reference.proof(oldSize, leaves)
        );
    }

    /// @dev Real trees stop at a few hundred leaves here; for every other size the plain algorithm of the RFC says
    /// which roots a path of arbitrary nodes leads to, and the library must agree on those and on the length.
    function testFuzz_AgreesWithPlainAlgorithmAtAnySize(uint256 oldSize, uint256 newSize, bytes32 seed)
        public
        view
    {
        newSize = _anySize(newSize, 2, _MAX_SIZE);
        oldSize = _anySize(oldSize, 1, newSize - 1);
        bytes32[] memory path = _leaves(_harness.exposed_proofLength(oldSize, newSize), seed);
        (bool isExact, bytes32 oldRoot, bytes32 newRoot) =
            Rfc9162Reference.fold(oldSize, newSize, keccak256(abi.encode(seed)), path);
        assertTrue(isExact, "the length is the RFC's");
        _harness.exposed_verifyConsistency(oldSize, newSize, oldRoot, newRoot, path);
    }

    function test_AcceptsLargestSizes() public view {
        uint256[4] memory oldSizes = [uint256(1), _MAX_SIZE / 2, _MAX_SIZE / 2 + 1, _MAX_SIZE - 1];
        for (uint256 i = 0; i < oldSizes.length; i++) {
            bytes32[] memory path = _leaves(_harness.exposed_proofLength(oldSizes[i], _MAX_SIZE), "largest");
            (bool isExact, bytes32 oldRoot, bytes32 newRoot) =
                Rfc9162Reference.fold(oldSizes[i], _MAX_SIZE, "first", path);
            assertTrue(isExact, "the length is the RFC's");
            _harness.exposed_verifyConsistency(oldSizes[i], _MAX_SIZE, oldRoot, newRoot, path);
        }
    }

    function testFuzz_RevertIf_ProofHasAnotherLength(uint256 oldSize, uint256 newSize, uint256 given) public {
        newSize = _anySize(newSize, 2, _MAX_SIZE);
        oldSize = _anySize(oldSize, 1, newSize - 1);
        given = bound(given, 0, 60);
        uint256 expected = _harness.exposed_proofLength(oldSize, newSize);
        VM.assume(given != expected);
        VM.expectRevert(abi.encodeWithSelector(Rfc9162.Rfc9162ProofLengthMismatch.selector, expected, given));
        _harness.exposed_verifyConsistency(oldSize, newSize, 0, 0, new bytes32[](given));
    }

    function testFuzz_RevertIf_AnyBitOfAProofNodeIsFlipped(
        uint256 oldSize,
        uint256 newSize,
        uint256 node,
        uint8 bit
    ) public {
        newSize = bound(newSize, 2, 64);
        oldSize = bound(oldSize, 1, newSize - 1);
        bytes32[] memory leaves = _leaves(newSize, "flip");
        bytes32 oldRoot = Rfc9162Reference.root(leaves, 0, oldSize);
        bytes32 newRoot = Rfc9162Reference.root(leaves, 0, newSize);
        bytes32[] memory proof = Rfc9162Reference.proof(oldSize, leaves);
        node = bound(node, 0, proof.length - 1);
        proof[node] ^= bytes32(uint256(1) << bit);
        VM.expectRevert();
        _harness.exposed_verifyConsistency(oldSize, newSize, oldRoot, newRoot, proof);
    }

    function test_RevertIf_OldRootDiffers() public {
        bytes32[] memory leaves = _leaves(7, "roots");
        bytes32 oldRoot = Rfc9162Reference.root(leaves, 0, 6);
        bytes32 newRoot = Rfc9162Reference.root(leaves, 0, 7);
        bytes32[] memory proof = Rfc9162Reference.proof(6, leaves);
        bytes32 other = oldRoot ^ bytes32(uint256(1));
        VM.expectRevert(abi.encodeWithSelector(Rfc9162.Rfc9162OldRootMismatch.selector, other, oldRoot));
        _harness.exposed_verifyConsistency(6, 7, other, newRoot, proof);
    }

    function test_RevertIf_NewRootDiffers() public {
        bytes32[] memory leaves = _leaves(7, "roots");
        bytes32 oldRoot = Rfc9162Reference.root(leaves, 0, 6);
        bytes32 newRoot = Rfc9162Reference.root(leaves, 0, 7);
        bytes32[] memory proof = Rfc9162Reference.proof(6, leaves);
        bytes32 other = newRoot ^ bytes32(uint256(1));
        VM.expectRevert(abi.encodeWithSelector(Rfc9162.Rfc9162NewRootMismatch.selector, other, newRoot));
        _harness.exposed_verifyConsistency(6, 7, oldRoot, other, proof);
    }

    function test_RevertIf_NewTreeDroppedALeaf() public {
        bytes32[] memory leaves = _leaves(8, "history");
        bytes32 oldRoot = Rfc9162Reference.root(leaves, 0, 5);
        leaves[2] = keccak256("rewritten");
        bytes32 newRoot = Rfc9162Reference.root(leaves, 0, 8);
        bytes32[] memory proof = Rfc9162Reference.proof(5, leaves);
        VM.expectRevert();
        _harness.exposed_verifyConsistency(5, 8, oldRoot, newRoot, proof);
    }

    /// @dev Starved at every point of the way: a hash that did not run must never make a proof pass.
    function test_RevertIf_HashingRunsOutOfGas() public view {
        bytes32[] memory leaves = _leaves(7, "roots");
        bytes32[] memory proof = Rfc9162Reference.proof(6, leaves);
        bytes memory forged = abi.encodeCall(
            _harness.exposed_verifyConsistency,
            (6, 7, keccak256("forged old root"), keccak256("forged new root"), proof)
        );
        for (uint256 gas_ = 300; gas_ < 8000; gas_ += 50) {
            (bool isAccepted,) = address(_harness).staticcall{gas: gas_}(forged);
            assertTrue(!isAccepted, "starved of gas");
        }
    }

    /// @dev Small, large and power-of-two-like sizes in equal parts, since uniform ones would all be large.
    function _anySize(uint256 value, uint256 low, uint256 high) private pure returns (uint256) {
        uint256 bits = (value >> 248) % 49;
        uint256 size = value & ((uint256(1) << bits) - 1);
        if ((value >> 240) & 3 == 0) size = (uint256(1) << bits) - ((value >> 238) & 1);
        if ((value >> 240) & 3 == 1) size = (uint256(1) << bits) | (uint256(1) << (bits / 2));
        return bound(size, low, high);
    }

    function _leaves(uint256 count, bytes32 seed) private pure returns (bytes32[] memory leaves) {
        leaves = new bytes32[](count);
        for (uint256 i = 0; i < count; i++) {
            leaves[i] = keccak256(abi.encode(seed, i));
        }
    }

    function _first(bytes32[] memory all, uint256 count) private pure returns (bytes32[] memory leaves) {
        leaves = new bytes32[](count);
        for (uint256 i = 0; i < count; i++) {
            leaves[i] = all[i];
        }
    }
}
