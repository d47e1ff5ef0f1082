// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Versions of published methods and factor sets
/// @notice Says which package a method's version is, by the package's digest, in which period it is in force, and what has
/// become of it. A version is published once; another digest under its name is refused, and so is one package under two
/// names. Every act takes two registrars.
/// @dev A digest is SHA-256 over the package's sorted `sha256  path` lines, the same for everybody. Times are in seconds
/// since 1970 UTC, periods half-open, an end of zero is open: they are about reporting periods, not about block times.
/// WARNING: a version that ends or is withdrawn changes no result that names it: who reads a result asks what was in force
/// for its period, and when the version was withdrawn.
interface IMethodRegistry {
    enum Status {
        None,
        Published,
        Superseded,
        Withdrawn
    }

    /// @notice What is known of a version.
    /// @param successor Key of the version that superseded it, see {keyOf}; zero when none did.
    struct Version {
        bytes32 digest;
        bytes32 successor;
        uint64 effectiveFrom;
        uint64 effectiveUntil;
        uint64 publishedAt;
        uint64 changedAt;
        Status status;
    }

    /// @notice Method and version are 1 to 64 characters, and a digest, a cause or a reason is not zero.
    error MethodRegistryInvalidName(string method, string version);

    /// @notice A digest or a cause must be named.
    error MethodRegistryInvalidDigest(bytes32 digest);

    /// @notice A period ends after it begins, and a version that is published ends earlier only.
    error MethodRegistryInvalidPeriod(uint64 effectiveFrom, uint64 effectiveUntil);

    /// @notice This version was published before, with this digest.
    error MethodRegistryKnownVersion(bytes32 key, bytes32 digest);

    /// @notice This package was published before, under another name.
    error MethodRegistryKnownPackage(bytes32 digest, bytes32 key);

    /// @notice No such version was published, or it is no longer in this state.
    error MethodRegistryNotPublished(bytes32 key, Status status);

    /// @notice A version is superseded by another one of the same method.
    error MethodRegistryInvalidSuccessor(bytes32 key, bytes32 successor);

    /// @notice The package has another digest than the one published.
    error MethodRegistryDigestMismatch(bytes32 key, bytes32 published, bytes32 given);

    /// @notice The version is not in force at that time.
    error MethodRegistryNotInForce(bytes32 key, uint64 instant);

    /// @notice A version was published.
    event MethodPublished(
        bytes32 indexed key,
        bytes32 indexed digest,
        string method,
        string version,
        uint64 effectiveFrom,
        uint64 effectiveUntil
    );

    /// @notice A version ends earlier than was said.
    event MethodEnded(bytes32 indexed key, uint64 effectiveUntil);

    /// @notice A version ended because another one takes its place.
    event MethodSuperseded(bytes32 indexed key, bytes32 indexed successor, uint64 effectiveUntil);

    /// @notice A version was withdrawn: it was never right.
    event MethodWithdrawn(bytes32 indexed key, bytes32 indexed cause);

    /// @notice Confirms and performs a publication.
    /// @param effectiveUntil End of the period, zero for an open one.
    function publish(
        string calldata method,
        string calldata version,
        bytes32 digest,
        uint64 effectiveFrom,
        uint64 effectiveUntil,
        address proposer
    ) external returns (bytes32 key);

    /// @notice Confirms that a version ends earlier than was said, or ends at all.
    function end(bytes32 key, uint64 effectiveUntil, address proposer) external;

    /// @notice Confirms that a version ends, and that another published version of the method takes its place.
    function supersede(bytes32 key, bytes32 successor, uint64 effectiveUntil, address proposer) external;

    /// @notice Confirms that a version is withdrawn.
    /// @param cause Digest of the statement that says why.
    function withdraw(bytes32 key, bytes32 cause, address proposer) external;

    /// @notice A version as it stands; all zero when it was never published.
    function versionOf(bytes32 key) external view returns (Version memory);

    /// @notice Key of the version that is this package; zero when it was never published.
    function keyOfDigest(bytes32 digest) external view returns (bytes32 key);

    /// @notice Reverts unless this very package is in force at a time, in seconds.
    function checkInForce(string calldata method, string calldata version, bytes32 digest, uint64 instant)
        external
        view;

    /// @notice `keccak256(abi.encode(method, version))`.
    function keyOf(string calldata method, string calldata version) external pure returns (bytes32 key);
}
