// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title RFC 8949 section 4.2.1 written plainly for two arrays, for tests only
library EpochEntriesReference {
    function mapLeaf(string memory origin, uint64 size, bytes32 root) internal pure returns (bytes32) {
        return sha256(abi.encodePacked(bytes1(0), mapEntry(origin, size, root)));
    }

    function epochLeaf(uint64 epoch, bytes32 mapRoot, uint64 origins, uint64 closedAt)
        internal
        pure
        returns (bytes32)
    {
        return sha256(abi.encodePacked(bytes1(0), epochEntry(epoch, mapRoot, origins, closedAt)));
    }

    function mapEntry(string memory origin, uint64 size, bytes32 root) internal pure returns (bytes memory) {
        return
            abi.encodePacked(
                head(4, 3), head(3, bytes(origin).length), origin, head(0, size), head(2, 32), root
            );
    }

    function epochEntry(uint64 epoch, bytes32 mapRoot, uint64 origins, uint64 closedAt)
        internal
        pure
        returns (bytes memory)
    {
        return abi.encodePacked(
            head(4, 4), head(0, epoch), head(2, 32), mapRoot, head(0, origins), head(0, closedAt)
        );
    }

    /// @dev The shortest of the five forms that holds the number, filled byte by byte from the right.
    function head(uint256 major, uint256 value) internal pure returns (bytes memory out) {
        uint256 width = 0;
        uint256 additional = value;
        if (value >= 24) (width, additional) = (1, 24);
        if (value >= 256) (width, additional) = (2, 25);
        if (value >= 65_536) (width, additional) = (4, 26);
        if (value >= 4_294_967_296) (width, additional) = (8, 27);
        out = new bytes(width + 1);
        out[0] = _byte(major * 32 + additional);
        for (uint256 i = width; i > 0; i--) {
            out[i] = _byte(value % 256);
            value /= 256;
        }
    }

    function _byte(uint256 value) private pure returns (bytes1) {
        return bytes32(value)[31];
    }
}
