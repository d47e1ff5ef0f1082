// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Rfc9162} from "../src/libraries/Rfc9162.sol";
import {ForgeTest} from "./ForgeTest.sol";
import {Rfc9162Reference} from "./Rfc9162Reference.sol";

/// @dev Gives the library's internal functions an outside.
contract Rfc9162InclusionHarness {
    function exposed_verifyInclusion(
        uint256 index,
        uint256 size,
        bytes32 leaf,
        bytes32 root,
        bytes32[] calldata proof
    ) external view {
        Rfc9162.verifyInclusion(index, size, leaf, root, proof);
    }

    function exposed_leafHash(bytes calldata entry) external view returns (bytes32) {
        return Rfc9162.leafHash(entry);
    }
}

contract Rfc9162InclusionTest is ForgeTest {
    uint256 private constant _MAX_SIZE = 2 ** 48;
    bytes32 private constant _LEAF = "leaf";
    bytes32 private constant _ROOT = "root";

    Rfc9162InclusionHarness private _harness;

    function setUp() public {
        _harness = new Rfc9162InclusionHarness();
    }

    function test_AcceptsEveryLeafOfEverySizeUpTo17() public view {
        for (uint256 n = 1; n <= 17; n++) {
            bytes32[] memory leaves = _leaves(n, "all");
            bytes32 root = Rfc9162Reference.root(leaves, 0, n);
            for (uint256 m = 0; m < n; m++) {
                _harness.exposed_verifyInclusion(
                    m, n, leaves[m], root, Rfc9162Reference.inclusionPath(m, leaves, 0, n)
                );
            }
        }
    }

    function testFuzz_AcceptsProofOfRealTree(uint256 index, uint256 size, bytes32 seed) public view {
        size = bound(size, 1, 300);
        index = bound(index, 0, size - 1);
        bytes32[] memory leaves = _leaves(size, seed);
        bytes32 root = Rfc9162Reference.root(leaves, 0, size);
        _harness.exposed_verifyInclusion(
            index, size, leaves[index], root, Rfc9162Reference.inclusionPath(index, leaves, 0, size)
        );
    }

    /// @dev For sizes that no real tree reaches here, the plain algorithm of the RFC says which root a path of
    /// arbitrary nodes leads to.
    function testFuzz_AgreesWithPlainAlgorithmAtAnySize(uint256 index, uint256 size, bytes32 seed)
        public
        view
    {
        size = _anySize(size);
        index = bound(index, 0, size - 1);
        bytes32[] memory path = _leaves(Rfc9162Reference.pathLength(index, size), seed);
        (bool isExact, bytes32 root) = Rfc9162Reference.foldInclusion(index, size, "leaf", path);
        assertTrue(isExact, "the length is the RFC's");
        _harness.exposed_verifyInclusion(index, size, "leaf", root, path);
    }

    function test_AcceptsLargestSize() public view {
        uint256[4] memory indexes = [uint256(0), _MAX_SIZE / 2 - 1, _MAX_SIZE / 2, _MAX_SIZE - 1];
        for (uint256 i = 0; i < indexes.length; i++) {
            bytes32[] memory path = _leaves(48, "largest");
            (bool isExact, bytes32 root) = Rfc9162Reference.foldInclusion(indexes[i], _MAX_SIZE, "leaf", path);
            assertTrue(isExact, "the length is the RFC's");
            _harness.exposed_verifyInclusion(indexes[i], _MAX_SIZE, "leaf", root, path);
        }
    }

    function testFuzz_LeafHashIsTheRfcs(bytes calldata entry) public view {
        assertEq(_harness.exposed_leafHash(entry), sha256(abi.encodePacked(bytes1(0x00), entry)), "leaf hash");
    }

    function testFuzz_RevertIf_ProofHasAnotherLength(uint256 index, uint256 size, uint256 given) public {
        size = _anySize(size);
        index = bound(index, 0, size - 1);
        given = bound(given, 0, 60);
        uint256 expected = Rfc9162Reference.pathLength(index, size);
        VM.assume(given != expected);
        VM.expectRevert(abi.encodeWithSelector(Rfc9162.Rfc9162ProofLengthMismatch.selector, expected, given));
        _harness.exposed_verifyInclusion(index, size, 0, 0, new bytes32[](given));
    }

    function testFuzz_RevertIf_AnyBitOfAProofNodeIsFlipped(
        uint256 index,
        uint256 size,
        uint256 node,
        uint8 bit
    ) public {
        size = bound(size, 2, 64);
        index = bound(index, 0, size - 1);
        bytes32[] memory leaves = _leaves(size, "flip");
        bytes32 root = Rfc9162Reference.root(leaves, 0, size);
        bytes32[] memory proof = Rfc9162Reference.inclusionPath(index, leaves, 0, size);
        proof[bound(node, 0, proof.length - 1)] ^= bytes32(uint256(1) << bit);
        (, bytes32 computed) = Rfc9162Reference.foldInclusion(index, size, leaves[index], proof);
        VM.expectRevert(abi.encodeWithSelector(Rfc9162.Rfc9162RootMismatch.selector, root, computed));
        _harness.exposed_verifyInclusion(index, size, leaves[index], root, proof);
    }

    function testFuzz_RevertIf_LeafStandsAtAnotherIndex(uint256 index, uint256 size, uint256 other) public {
        size = bound(size, 2, 64);
        index = bound(index, 0, size - 1);
        other = bound(other, 0, size - 1);
        VM.assume(index != other);
        bytes32[] memory leaves = _leaves(size, "index");
        bytes32 root = Rfc9162Reference.root(leaves, 0, size);
        bytes32[] memory proof = Rfc9162Reference.inclusionPath(index, leaves, 0, size);
        VM.expectRevert();
        _harness.exposed_verifyInclusion(other, size, leaves[index], root, proof);
    }

    /// @dev The classic forgery: the hash of an inner node in place of a leaf, with the rest of its path.
    function test_RevertIf_InnerNodePassesForALeaf() public {
        bytes32[] memory leaves = _leaves(8, "inner");
        bytes32 root = Rfc9162Reference.root(leaves, 0, 8);
        bytes32 inner = Rfc9162Reference.root(leaves, 0, 2);
        bytes32[] memory whole = Rfc9162Reference.inclusionPath(0, leaves, 0, 8);
        bytes32[] memory rest = new bytes32[](2);
        (rest[0], rest[1]) = (whole[1], whole[2]);
        VM.expectRevert(abi.encodeWithSelector(Rfc9162.Rfc9162ProofLengthMismatch.selector, 3, 2));
        _harness.exposed_verifyInclusion(0, 8, inner, root, rest);
    }

    function test_RevertIf_RootDiffers() public {
        bytes32[] memory leaves = _leaves(7, "roots");
        bytes32 root = Rfc9162Reference.root(leaves, 0, 7);
        bytes32[] memory proof = Rfc9162Reference.inclusionPath(6, leaves, 0, 7);
        bytes32 other = root ^ bytes32(uint256(1));
        VM.expectRevert(abi.encodeWithSelector(Rfc9162.Rfc9162RootMismatch.selector, other, root));
        _harness.exposed_verifyInclusion(6, 7, leaves[6], other, proof);
    }

    function test_RevertIf_LeafIsNotTheOnlyOne() public {
        VM.expectRevert(abi.encodeWithSelector(Rfc9162.Rfc9162RootMismatch.selector, _ROOT, _LEAF));
        _harness.exposed_verifyInclusion(0, 1, _LEAF, _ROOT, new bytes32[](0));
    }

    function testFuzz_RevertIf_IndexIsNotInTheTree(uint256 index, uint256 size) public {
        size = bound(size, 0, _MAX_SIZE);
        index = bound(index, size, type(uint256).max - 1);
        VM.expectRevert(abi.encodeWithSelector(Rfc9162.Rfc9162IndexOutOfRange.selector, index, size));
        _harness.exposed_verifyInclusion(index, size, 0, 0, new bytes32[](0));
    }

    function testFuzz_RevertIf_TreeExceedsLimit(uint256 size) public {
        size = bound(size, _MAX_SIZE + 1, type(uint256).max - 1);
        VM.expectRevert(abi.encodeWithSelector(Rfc9162.Rfc9162IndexOutOfRange.selector, 0, size));
        _harness.exposed_verifyInclusion(0, size, 0, 0, new bytes32[](0));
    }

    /// @dev Starved at every point of the way: a hash that did not run must never make a proof pass.
    function test_RevertIf_HashingRunsOutOfGas() public view {
        bytes32[] memory leaves = _leaves(7, "roots");
        bytes memory forged = abi.encodeCall(
            _harness.exposed_verifyInclusion,
            (2, 7, leaves[2], keccak256("forged root"), Rfc9162Reference.inclusionPath(2, leaves, 0, 7))
        );
        for (uint256 gas_ = 300; gas_ < 8000; gas_ += 50) {
            (bool isAccepted,) = address(_harness).staticcall{gas: gas_}(forged);
            assertTrue(!isAccepted, "starved of gas");
        }
    }

    /// @dev Small, large and power-of-two-like sizes in equal parts, since uniform ones would all be large.
    function _anySize(uint256 value) private pure returns (uint256) {
        uint256 bits = (value >> 248) % 49;
        uint256 size = value & ((uint256(1) << bits) - 1);
        if ((value >> 240) & 3 == 0) size = (uint256(1) << bits) - ((value >> 238) & 1);
        if ((value >> 240) & 3 == 1) size = (uint256(1) << bits) | (uint256(1) << (bits / 2));
        return bound(size, 1, _MAX_SIZE);
    }

    function _leaves(uint256 count, bytes32 seed) private pure returns (bytes32[] memory leaves) {
        leaves = new bytes32[](count);
        for (uint256 i = 0; i < count; i++) {
            leaves[i] = keccak256(abi.encode(seed, i));
        }
    }
}
