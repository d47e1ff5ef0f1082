// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ILogAnchor} from "./interfaces/ILogAnchor.sol";
import {Rfc9162} from "./libraries/Rfc9162.sol";

/// @title LogAnchor
/// @notice See {ILogAnchor}. No owner, no upgrade path, nothing payable.
/// @dev There are no immutable variables on purpose: the runtime code, and so the code hash that a trust file
/// names, is the same for every deployment.
contract LogAnchor is ILogAnchor {
    /// @dev One slot packed, so that a step writes three slots. 56 bits hold 2**48, 40 bits a time in seconds.
    struct Log {
        address headKey;
        uint56 size;
        uint40 anchoredAt;
        bytes32 root;
        bytes32 history;
    }

    uint64 private constant _MAX_SIZE = 2 ** 48;

    /// @dev The greatest `s` of a secp256k1 signature that has a low `s`: half of the group order.
    uint256 private constant _MAX_S = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0;

    bytes32 private constant _ADVANCE_TYPEHASH =
        keccak256("Advance(bytes32 logId,uint64 oldSize,uint64 newSize,bytes32 newRoot)");
    bytes32 private constant _DOMAIN_TYPEHASH =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 private constant _NAME_HASH = keccak256("Carbonseal LogAnchor");
    bytes32 private constant _VERSION_HASH = keccak256("1");

    mapping(bytes32 logId => Log) private _logs;

    /// @inheritdoc ILogAnchor
    function open(bytes32 genesisLeafHash, address headKey_) external returns (bytes32 logId) {
        if (headKey_ == address(0)) revert LogAnchorInvalidHeadKey(headKey_);
        logId = keccak256(abi.encode(genesisLeafHash, headKey_));
        Log storage log = _logs[logId];
        if (log.size != 0) return logId;

        log.headKey = headKey_;
        log.size = 1;
        log.anchoredAt = uint40(block.timestamp);
        log.root = genesisLeafHash;
        log.history = _link(0, 1, genesisLeafHash);
        emit LogOpened(logId, headKey_, genesisLeafHash);
    }

    /// @inheritdoc ILogAnchor
    function advance(
        bytes32 logId,
        uint64 oldSize,
        uint64 newSize,
        bytes32 newRoot,
        bytes32[] calldata proof,
        bytes calldata headSignature
    ) external {
        if (oldSize == 0 || oldSize >= newSize || newSize > _MAX_SIZE) {
            revert LogAnchorInvalidSizes(oldSize, newSize);
        }
        Log storage log = _logs[logId];
        address key = log.headKey;
        uint64 storedSize = log.size;
        if (storedSize == 0) revert LogAnchorUnknownLog(logId);
        if (storedSize != oldSize) revert LogAnchorSizeMismatch(logId, storedSize, oldSize);

        bytes32 step = keccak256(abi.encode(_ADVANCE_TYPEHASH, logId, oldSize, newSize, newRoot));
        bytes32 digest = keccak256(abi.encodePacked(hex"1901", domainSeparator(), step));
        if (_recover(digest, headSignature) != key) revert LogAnchorInvalidHeadSignature(logId, key);
        Rfc9162.verifyConsistency(oldSize, newSize, log.root, newRoot, proof);

        // casting to 'uint56' is safe because newSize is at most 2**48
        // forge-lint: disable-next-line(unsafe-typecast)
        log.size = uint56(newSize);
        log.anchoredAt = uint40(block.timestamp);
        log.root = newRoot;
        log.history = _link(log.history, newSize, newRoot);
        emit HeadAdvanced(logId, newSize, newRoot);
    }

    /// @inheritdoc ILogAnchor
    function head(bytes32 logId) external view returns (uint64 size, bytes32 root, uint64 anchoredAt) {
        Log storage log = _logs[logId];
        return (log.size, log.root, log.anchoredAt);
    }

    /// @inheritdoc ILogAnchor
    function history(bytes32 logId) external view returns (bytes32) {
        return _logs[logId].history;
    }

    /// @inheritdoc ILogAnchor
    function headKey(bytes32 logId) external view returns (address) {
        return _logs[logId].headKey;
    }

    /// @inheritdoc ILogAnchor
    function domainSeparator() public view returns (bytes32) {
        return
            keccak256(abi.encode(_DOMAIN_TYPEHASH, _NAME_HASH, _VERSION_HASH, block.chainid, address(this)));
    }

    function _link(bytes32 previous, uint64 size, bytes32 root) private view returns (bytes32) {
        return keccak256(abi.encode(previous, size, root, block.timestamp));
    }

    /// @dev The signer, or the zero address (which is nobody's head key) for anything but one strict form:
    /// 65 bytes, low `s`, `v` 27 or 28. One form only, so that nobody can alter a signature that stays valid.
    function _recover(bytes32 digest, bytes calldata signature) private pure returns (address) {
        if (signature.length != 65) return address(0);
        bytes32 r = bytes32(signature[:32]);
        bytes32 s = bytes32(signature[32:64]);
        if (uint256(s) > _MAX_S) return address(0);
        return ecrecover(digest, uint8(signature[64]), r, s);
    }
}
