// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title RFC 9162 consistency and inclusion proofs, with the SHA-256 precompile
/// @notice Shows that the tree of the new size starts with all leaves of the tree of the old size, or that a leaf
/// stands at an index of a tree.
/// @dev Uses the closed forms of sections 2.1.4.2 and 2.1.3.2: the sizes fix the proof's length and, for each node,
/// whether it is a left or a right sibling. WARNING: a proof authenticates roots, not sizes; the caller must get all
/// sizes from somebody it trusts for them.
library Rfc9162 {
    /// @notice The sizes call for another number of nodes.
    error Rfc9162ProofLengthMismatch(uint256 expected, uint256 given);

    /// @notice The proof leads to another root for the old size.
    error Rfc9162OldRootMismatch(bytes32 expected, bytes32 computed);

    /// @notice The proof leads to another root for the new size.
    error Rfc9162NewRootMismatch(bytes32 expected, bytes32 computed);

    /// @notice The tree has no such index, or is larger than `2**48` entries.
    error Rfc9162IndexOutOfRange(uint256 index, uint256 size);

    /// @notice The inclusion proof leads to another root.
    error Rfc9162RootMismatch(bytes32 expected, bytes32 computed);

    /// @notice The SHA-256 precompile is missing on this chain, or ran out of gas.
    error Rfc9162HashUnavailable();

    uint256 private constant _MAX_SIZE = 2 ** 48;

    /// @notice Reverts unless `proof` shows that the tree `(newSize, newRoot)` extends `(oldSize, oldRoot)`.
    /// @dev The caller guarantees `1 <= oldSize < newSize <= 2**63`.
    function verifyConsistency(
        uint256 oldSize,
        uint256 newSize,
        bytes32 oldRoot,
        bytes32 newRoot,
        bytes32[] calldata proof
    ) internal view {
        (uint256 expected, uint256 sides, bool startsAtOldRoot) = _path(oldSize, newSize);
        if (proof.length != expected) {
            revert Rfc9162ProofLengthMismatch(expected, proof.length);
        }

        bytes32 computedOld;
        bytes32 computedNew;
        bool isHashed;
        assembly ("memory-safe") {
            // Two buffers in free memory, which nothing else uses before this block ends: a node hash's input is
            // 0x01, left, right (65 bytes), and its result goes to where the next input has its right half.
            let oldInput := add(mload(0x40), 0x1f)
            let oldLeft := add(oldInput, 1)
            let oldRight := add(oldInput, 33)
            let newInput := add(oldInput, 96)
            let newLeft := add(oldInput, 97)
            let newRight := add(oldInput, 129)
            mstore8(oldInput, 1)
            mstore8(newInput, 1)

            let node := proof.offset
            let end := add(node, shl(5, proof.length))
            // A complete old tree is itself the first node: the proof leaves it out.
            let start := oldRoot
            if iszero(startsAtOldRoot) {
                start := calldataload(node)
                node := add(node, 0x20)
            }
            mstore(oldRight, start)
            mstore(newRight, start)

            isHashed := 1
            for {} lt(node, end) { node := add(node, 0x20) } {
                let sibling := calldataload(node)
                switch and(sides, 1)
                case 0 {
                    // A right sibling holds new leaves only.
                    mstore(newLeft, mload(newRight))
                    mstore(newRight, sibling)
                }
                default {
                    mstore(oldLeft, sibling)
                    mstore(newLeft, sibling)
                    isHashed := and(isHashed, staticcall(gas(), 0x02, oldInput, 65, oldRight, 32))
                }
                isHashed := and(isHashed, staticcall(gas(), 0x02, newInput, 65, newRight, 32))
                sides := shr(1, sides)
            }
            // An address without code succeeds and returns nothing, so the last answer's size tells for all.
            isHashed := and(isHashed, eq(returndatasize(), 32))
            computedOld := mload(oldRight)
            computedNew := mload(newRight)
        }
        if (!isHashed) revert Rfc9162HashUnavailable();
        if (computedOld != oldRoot) revert Rfc9162OldRootMismatch(oldRoot, computedOld);
        if (computedNew != newRoot) revert Rfc9162NewRootMismatch(newRoot, computedNew);
    }

    /// @notice Reverts unless `proof` shows that the leaf with this hash is entry `index` of the tree `(size, root)`.
    /// @dev Since the length is exact for the size, the hash of an inner node cannot pass for a leaf.
    function verifyInclusion(
        uint256 index,
        uint256 size,
        bytes32 leaf,
        bytes32 root,
        bytes32[] calldata proof
    ) internal view {
        if (index >= size || size > _MAX_SIZE) {
            revert Rfc9162IndexOutOfRange(index, size);
        }
        uint256 sides;
        {
            // Up to the node where the paths of this leaf and the last one meet, siblings stand where the index
            // says; above it they are all left ones, one for each bit set.
            uint256 inner = _bitLength(index ^ (size - 1));
            uint256 expected = inner + _popCount(index >> inner);
            if (proof.length != expected) revert Rfc9162ProofLengthMismatch(expected, proof.length);
            sides = index | (type(uint256).max << inner);
        }

        bytes32 computed = leaf;
        bool isHashed = true;
        if (proof.length != 0) {
            assembly ("memory-safe") {
                // A node hash's input in free memory: 0x01, left, right (65 bytes).
                let input := add(mload(0x40), 0x1f)
                let left := add(input, 1)
                let right := add(input, 33)
                mstore8(input, 1)
                let node := proof.offset
                let end := add(node, shl(5, proof.length))
                for {} lt(node, end) { node := add(node, 0x20) } {
                    switch and(sides, 1)
                    case 0 {
                        mstore(left, computed)
                        mstore(right, calldataload(node))
                    }
                    default {
                        mstore(left, calldataload(node))
                        mstore(right, computed)
                    }
                    isHashed := and(isHashed, staticcall(gas(), 0x02, input, 65, 0x00, 32))
                    computed := mload(0x00)
                    sides := shr(1, sides)
                }
                // As above: the last answer's size tells whether the precompile is there.
                isHashed := and(isHashed, eq(returndatasize(), 32))
            }
        }
        if (!isHashed) revert Rfc9162HashUnavailable();
        if (computed != root) revert Rfc9162RootMismatch(root, computed);
    }

    /// @notice The RFC 9162 hash of an entry: SHA-256 of a zero byte and the entry.
    function leafHash(bytes memory entry) internal view returns (bytes32) {
        (bool isHashed, bytes memory digest) = address(0x02).staticcall(bytes.concat(hex"00", entry));
        if (!isHashed || digest.length != 32) revert Rfc9162HashUnavailable();
        // casting to 'bytes32' is safe because the digest has just been found to have 32 bytes
        // forge-lint: disable-next-line(unsafe-typecast)
        return bytes32(digest);
    }

    /// @notice The number of nodes that a proof between two sizes has.
    /// @dev The caller guarantees `1 <= oldSize < newSize <= 2**63`.
    function proofLength(uint256 oldSize, uint256 newSize) internal pure returns (uint256 length) {
        (length,,) = _path(oldSize, newSize);
    }

    /// @dev What the two sizes fix. `sides` has one bit for each sibling from the lowest up, 1 for a left one.
    function _path(uint256 oldSize, uint256 newSize)
        private
        pure
        returns (uint256 length, uint256 sides, bool startsAtOldRoot)
    {
        // Nothing here can wrap: the sizes are below 2**64, and because newSize - 1 >= oldSize the two last indexes
        // differ above the lowest set bit of oldSize, so `inner` is at least 1.
        unchecked {
            uint256 lastOld = oldSize - 1;
            startsAtOldRoot = oldSize & lastOld == 0;
            // The proof starts at the largest perfect subtree that ends the old tree, of height `shift`.
            uint256 shift = _popCount(lastOld & ~oldSize);
            // Up to the node where the paths of the two last leaves meet, siblings may stand on either side;
            uint256 inner = _bitLength(lastOld ^ (newSize - 1)) - shift;
            sides = lastOld >> shift;
            // above it they are all left ones, one for each bit set.
            length = inner + _popCount(sides >> inner) + (startsAtOldRoot ? 0 : 1);
            sides |= type(uint256).max << inner;
        }
    }

    /// @dev Number of bits needed to write a value below 2**64: fills all bits below the highest, then counts.
    function _bitLength(uint256 value) private pure returns (uint256) {
        value |= value >> 1;
        value |= value >> 2;
        value |= value >> 4;
        value |= value >> 8;
        value |= value >> 16;
        value |= value >> 32;
        return _popCount(value);
    }

    /// @dev Number of bits set in a value below 2**64, added up pairwise in parallel.
    function _popCount(uint256 value) private pure returns (uint256) {
        // Each lane is wide enough for its sum; only the last product exceeds 64 bits, and not 256.
        unchecked {
            value -= (value >> 1) & 0x5555555555555555;
            value = (value & 0x3333333333333333) + ((value >> 2) & 0x3333333333333333);
            value = (value + (value >> 4)) & 0x0f0f0f0f0f0f0f0f;
            return ((value * 0x0101010101010101) >> 56) & 0xff;
        }
    }
}
