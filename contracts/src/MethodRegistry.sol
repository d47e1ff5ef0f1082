// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {TwoPersons} from "./TwoPersons.sol";
import {IMethodRegistry} from "./interfaces/IMethodRegistry.sol";

/// @title MethodRegistry
/// @notice See {IMethodRegistry}. No upgrade path, nothing payable, no admin.
/// @dev There are no immutable variables, so that every deployment has one code hash.
contract MethodRegistry is IMethodRegistry, TwoPersons {
    uint256 private constant _MAX_NAME_LENGTH = 64;

    mapping(bytes32 key => Version) private _versions;
    mapping(bytes32 key => bytes32 methodHash) private _methods;
    mapping(bytes32 digest => bytes32 key) private _packages;

    /// @param first A registrar. @param second Another one.
    constructor(address first, address second) TwoPersons(first, second) {}

    /// @inheritdoc IMethodRegistry
    function publish(
        string calldata method,
        string calldata version,
        bytes32 digest,
        uint64 effectiveFrom,
        uint64 effectiveUntil,
        address proposer
    ) external returns (bytes32 key) {
        _confirm(
            abi.encode(
                IMethodRegistry.publish.selector, method, version, digest, effectiveFrom, effectiveUntil
            ),
            proposer
        );
        if (!_isName(method) || !_isName(version)) revert MethodRegistryInvalidName(method, version);
        if (digest == 0) revert MethodRegistryInvalidDigest(digest);
        if (effectiveUntil != 0 && effectiveUntil <= effectiveFrom) {
            revert MethodRegistryInvalidPeriod(effectiveFrom, effectiveUntil);
        }
        key = keyOf(method, version);
        if (_versions[key].status != Status.None) {
            revert MethodRegistryKnownVersion(key, _versions[key].digest);
        }
        if (_packages[digest] != 0) revert MethodRegistryKnownPackage(digest, _packages[digest]);

        uint64 publishedAt = uint64(block.timestamp);
        _versions[key] =
            Version(digest, 0, effectiveFrom, effectiveUntil, publishedAt, publishedAt, Status.Published);
        _methods[key] = keccak256(bytes(method));
        _packages[digest] = key;
        emit MethodPublished(key, digest, method, version, effectiveFrom, effectiveUntil);
    }

    /// @inheritdoc IMethodRegistry
    function end(bytes32 key, uint64 effectiveUntil, address proposer) external {
        _confirm(abi.encode(IMethodRegistry.end.selector, key, effectiveUntil), proposer);
        _shorten(_published(key), effectiveUntil);
        emit MethodEnded(key, effectiveUntil);
    }

    /// @inheritdoc IMethodRegistry
    function supersede(bytes32 key, bytes32 successor, uint64 effectiveUntil, address proposer) external {
        _confirm(abi.encode(IMethodRegistry.supersede.selector, key, successor, effectiveUntil), proposer);
        Version storage it = _published(key);
        _published(successor);
        if (key == successor || _methods[key] != _methods[successor]) {
            revert MethodRegistryInvalidSuccessor(key, successor);
        }
        // It may end just then already.
        if (effectiveUntil == 0 || effectiveUntil != it.effectiveUntil) _shorten(it, effectiveUntil);
        it.status = Status.Superseded;
        it.successor = successor;
        it.changedAt = uint64(block.timestamp);
        emit MethodSuperseded(key, successor, effectiveUntil);
    }

    /// @inheritdoc IMethodRegistry
    function withdraw(bytes32 key, bytes32 cause, address proposer) external {
        _confirm(abi.encode(IMethodRegistry.withdraw.selector, key, cause), proposer);
        Version storage it = _versions[key];
        if (it.status == Status.None || it.status == Status.Withdrawn) {
            revert MethodRegistryNotPublished(key, it.status);
        }
        if (cause == 0) revert MethodRegistryInvalidDigest(cause);
        it.status = Status.Withdrawn;
        it.changedAt = uint64(block.timestamp);
        emit MethodWithdrawn(key, cause);
    }

    /// @inheritdoc IMethodRegistry
    function versionOf(bytes32 key) external view returns (Version memory) {
        return _versions[key];
    }

    /// @inheritdoc IMethodRegistry
    function keyOfDigest(bytes32 digest) external view returns (bytes32 key) {
        return _packages[digest];
    }

    /// @inheritdoc IMethodRegistry
    function checkInForce(string calldata method, string calldata version, bytes32 digest, uint64 instant)
        external
        view
    {
        bytes32 key = keyOf(method, version);
        Version storage it = _versions[key];
        if (it.status == Status.None || it.status == Status.Withdrawn) {
            revert MethodRegistryNotPublished(key, it.status);
        }
        if (it.digest != digest) revert MethodRegistryDigestMismatch(key, it.digest, digest);
        if (instant < it.effectiveFrom || (it.effectiveUntil != 0 && instant >= it.effectiveUntil)) {
            revert MethodRegistryNotInForce(key, instant);
        }
    }

    /// @inheritdoc IMethodRegistry
    function keyOf(string calldata method, string calldata version) public pure returns (bytes32 key) {
        return keccak256(abi.encode(method, version));
    }

    function _shorten(Version storage it, uint64 effectiveUntil) private {
        bool isLater = it.effectiveUntil != 0 && effectiveUntil >= it.effectiveUntil;
        if (effectiveUntil <= it.effectiveFrom || isLater) {
            revert MethodRegistryInvalidPeriod(it.effectiveFrom, effectiveUntil);
        }
        it.effectiveUntil = effectiveUntil;
        it.changedAt = uint64(block.timestamp);
    }

    function _published(bytes32 key) private view returns (Version storage it) {
        it = _versions[key];
        if (it.status != Status.Published) revert MethodRegistryNotPublished(key, it.status);
    }

    function _isName(string calldata name) private pure returns (bool) {
        return bytes(name).length != 0 && bytes(name).length <= _MAX_NAME_LENGTH;
    }
}
