// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title RFC 9162 section 2.1 written plainly, for tests only
/// @dev Follows the text word by word, slow and obvious, and shares no line with the code under test.
library Rfc9162Reference {
    /// @dev Section 2.1.1: MTH over the leaf hashes `leaves[start:end]`, at least one.
    function root(bytes32[] memory leaves, uint256 start, uint256 end) internal pure returns (bytes32) {
        uint256 n = end - start;
        if (n == 1) return leaves[start];
        uint256 k = split(n);
        return hash(root(leaves, start, start + k), root(leaves, start + k, end));
    }

    /// @dev Section 2.1.4.1: PROOF(m, D_n) = SUBPROOF(m, D_n, true).
    function proof(uint256 m, bytes32[] memory leaves) internal pure returns (bytes32[] memory) {
        return subproof(m, leaves, 0, leaves.length, true);
    }

    function subproof(uint256 m, bytes32[] memory leaves, uint256 start, uint256 end, bool isWhole)
        internal
        pure
        returns (bytes32[] memory)
    {
        uint256 n = end - start;
        if (m == n) {
            if (isWhole) return new bytes32[](0);
            bytes32[] memory only = new bytes32[](1);
            only[0] = root(leaves, start, end);
            return only;
        }
        uint256 k = split(n);
        if (m <= k) {
            return append(subproof(m, leaves, start, start + k, isWhole), root(leaves, start + k, end));
        }
        return append(subproof(m - k, leaves, start + k, end, false), root(leaves, start, start + k));
    }

    /// @dev Section 2.1.4.2, steps 1 to 7. Gives the two roots that the path leads to (`fr`, `sr`), and whether the
    /// path was neither too short nor too long. With `first` a power of two, `firstHash` goes in front (step 2).
    function fold(uint256 first, uint256 second, bytes32 firstHash, bytes32[] memory path)
        internal
        pure
        returns (bool isExact, bytes32 fr, bytes32 sr)
    {
        if (path.length == 0) return (false, 0, 0);
        if (isPowerOfTwo(first)) {
            bytes32[] memory longer = new bytes32[](path.length + 1);
            longer[0] = firstHash;
            for (uint256 i = 0; i < path.length; i++) {
                longer[i + 1] = path[i];
            }
            path = longer;
        }
        uint256 fn = first - 1;
        uint256 sn = second - 1;
        while (fn & 1 == 1) {
            fn >>= 1;
            sn >>= 1;
        }
        fr = path[0];
        sr = path[0];
        for (uint256 i = 1; i < path.length; i++) {
            if (sn == 0) return (false, fr, sr);
            if (fn & 1 == 1 || fn == sn) {
                fr = hash(path[i], fr);
                sr = hash(path[i], sr);
                if (fn & 1 == 0) {
                    while (fn & 1 == 0 && fn != 0) {
                        fn >>= 1;
                        sn >>= 1;
                    }
                }
            } else {
                sr = hash(sr, path[i]);
            }
            fn >>= 1;
            sn >>= 1;
        }
        return (sn == 0, fr, sr);
    }

    /// @dev Section 2.1.3.1: PATH(m, D_n) for the leaves `leaves[start:end]`.
    function inclusionPath(uint256 m, bytes32[] memory leaves, uint256 start, uint256 end)
        internal
        pure
        returns (bytes32[] memory)
    {
        uint256 n = end - start;
        if (n == 1) return new bytes32[](0);
        uint256 k = split(n);
        if (m < k) return append(inclusionPath(m, leaves, start, start + k), root(leaves, start + k, end));
        return append(inclusionPath(m - k, leaves, start + k, end), root(leaves, start, start + k));
    }

    /// @dev Section 2.1.3.2, steps 1 to 5. Gives the root that the path leads to (`r`), and whether the path was
    /// neither too short nor too long.
    function foldInclusion(uint256 leafIndex, uint256 treeSize, bytes32 leaf, bytes32[] memory nodes)
        internal
        pure
        returns (bool isExact, bytes32 r)
    {
        if (leafIndex >= treeSize) return (false, 0);
        uint256 fn = leafIndex;
        uint256 sn = treeSize - 1;
        r = leaf;
        for (uint256 i = 0; i < nodes.length; i++) {
            if (sn == 0) return (false, r);
            if (fn & 1 == 1 || fn == sn) {
                r = hash(nodes[i], r);
                if (fn & 1 == 0) {
                    while (fn & 1 == 0 && fn != 0) {
                        fn >>= 1;
                        sn >>= 1;
                    }
                }
            } else {
                r = hash(r, nodes[i]);
            }
            fn >>= 1;
            sn >>= 1;
        }
        return (sn == 0, r);
    }

    /// @dev The number of nodes of PATH(m, D_n), counted along the recursion of section 2.1.3.1.
    function pathLength(uint256 m, uint256 n) internal pure returns (uint256 length) {
        while (n > 1) {
            uint256 k = split(n);
            if (m < k) {
                n = k;
            } else {
                m -= k;
                n -= k;
            }
            length++;
        }
    }

    /// @dev PATH over leaves that are all alike.
    function pathAlike(bytes32 leaf, uint256 m, uint256 n) internal pure returns (bytes32[] memory) {
        if (n == 1) return new bytes32[](0);
        uint256 k = split(n);
        if (m < k) return append(pathAlike(leaf, m, k), rootAlike(leaf, n - k));
        return append(pathAlike(leaf, m - k, n - k), rootAlike(leaf, k));
    }

    /// @dev MTH over `n` leaves that are all alike: two subtrees of one size have one hash, so any size is cheap.
    function rootAlike(bytes32 leaf, uint256 n) internal pure returns (bytes32) {
        if (n == 1) return leaf;
        uint256 k = split(n);
        bytes32 left = rootAlike(leaf, k);
        return hash(left, k == n - k ? left : rootAlike(leaf, n - k));
    }

    /// @dev SUBPROOF over leaves that are all alike.
    function proofAlike(bytes32 leaf, uint256 m, uint256 n, bool isWhole)
        internal
        pure
        returns (bytes32[] memory)
    {
        if (m == n) {
            if (isWhole) return new bytes32[](0);
            bytes32[] memory only = new bytes32[](1);
            only[0] = rootAlike(leaf, n);
            return only;
        }
        uint256 k = split(n);
        if (m <= k) return append(proofAlike(leaf, m, k, isWhole), rootAlike(leaf, n - k));
        return append(proofAlike(leaf, m - k, n - k, false), rootAlike(leaf, k));
    }

    function isPowerOfTwo(uint256 n) internal pure returns (bool) {
        while (n > 1) {
            if (n % 2 == 1) return false;
            n /= 2;
        }
        return n == 1;
    }

    function hash(bytes32 left, bytes32 right) internal pure returns (bytes32) {
        return sha256(abi.encodePacked(bytes1(0x01), left, right));
    }

    /// @dev The largest power of two smaller than `n`.
    function split(uint256 n) internal pure returns (uint256 k) {
        k = 1;
        while (k * 2 < n) k *= 2;
    }

    function append(bytes32[] memory list, bytes32 item) internal pure returns (bytes32[] memory longer) {
        longer = new bytes32[](list.length + 1);
        for (uint256 i = 0; i < list.length; i++) {
            longer[i] = list[i];
        }
        longer[list.length] = item;
    }
}
