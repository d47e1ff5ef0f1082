// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title The CBOR of an epoch map's entry and of an epoch's entry in the log of logs
/// @notice Writes two arrays in the deterministic form of RFC 8949 section 4.2.1, byte for byte what the log host hashes
/// into its trees (docs/spec/epochs-and-anchor.md). Reads nothing and knows no other shape.
library EpochEntries {
    // Initial bytes: the major type in the three highest bits.
    uint8 private constant _UNSIGNED = 0x00;
    uint8 private constant _TEXT = 0x60;

    /// @notice CBOR `[origin, size, root]`.
    /// @dev The origin's bytes are taken as they are: what is not the log host's text gives a hash that is in no map.
    function mapEntry(string memory origin, uint64 size, bytes32 root) internal pure returns (bytes memory) {
        return bytes.concat(
            hex"83",
            _head(_TEXT, uint64(bytes(origin).length)),
            bytes(origin),
            _head(_UNSIGNED, size),
            hex"5820",
            root
        );
    }

    /// @notice CBOR `[epoch, map root, origins, closed at]`, the time in milliseconds.
    function epochEntry(uint64 epoch, bytes32 mapRoot, uint64 origins, uint64 closedAt)
        internal
        pure
        returns (bytes memory)
    {
        return bytes.concat(
            hex"84",
            _head(_UNSIGNED, epoch),
            hex"5820",
            mapRoot,
            _head(_UNSIGNED, origins),
            _head(_UNSIGNED, closedAt)
        );
    }

    /// @dev Type and number in the shortest form: in the initial byte below 24, else in 1, 2, 4 or 8 bytes after it.
    function _head(uint8 major, uint64 value) private pure returns (bytes memory) {
        // casting is safe because each branch has just bounded the value
        // forge-lint: disable-start(unsafe-typecast)
        if (value < 24) return abi.encodePacked(major | uint8(value));
        if (value <= type(uint8).max) return abi.encodePacked(major | 24, uint8(value));
        if (value <= type(uint16).max) return abi.encodePacked(major | 25, uint16(value));
        if (value <= type(uint32).max) return abi.encodePacked(major | 26, uint32(value));
        // forge-lint: disable-end(unsafe-typecast)
        return abi.encodePacked(major | 27, value);
    }
}
