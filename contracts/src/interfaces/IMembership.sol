// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Who takes part: parties, what they are, what they may do, with which keys, and whether now
/// @notice Parties, kinds and roles are `bytes32` ids (keccak256 of their text), so that a new one needs no new contract. A
/// party has several kinds and roles; two that exclude each other are refused. Its keys are named by thumbprint, each with
/// the time in which it counts, and serve one party once.
///
/// | act | persons |
/// |---|---|
/// | admit, designate, renew, addKey, endKey, lift, remove, exclude, permit | two registrars |
/// | suspend | one registrar |
///
/// A party is suspended for a cause, the digest of the statement that says why; it may be for several, and is active again
/// when the last one is lifted. For one cause it is suspended once. Removal is for good.
/// @dev Times are block times in seconds, periods half-open, an end of zero is open. Each event here is mirrored as a
/// registrar's statement with its block; offline verdicts rest on those statements, and whoever has a node compares.
/// WARNING: the chain does not know who a legal person is: that one person has not two parties, and that a thumbprint is
/// of a key that the party holds, is for both registrars to check.
interface IMembership {
    enum Status {
        None,
        Admitted,
        Removed
    }

    /// @notice What a cause means for a party: nothing, that it is suspended, or that it was and is again active.
    enum Suspension {
        None,
        Standing,
        Lifted
    }

    /// @notice What two registrars say about a party that is new.
    /// @param party Id of the party. @param kinds What it is, 1 to 8. @param roles What it may do, 0 to 8.
    /// @param key Thumbprint of its first key. @param validFrom From when it takes part. @param validUntil Until when.
    struct Admission {
        bytes32 party;
        bytes32[] kinds;
        bytes32[] roles;
        bytes32 key;
        uint64 validFrom;
        uint64 validUntil;
    }

    /// @notice What is known of a party.
    /// @param suspensions Number of causes that stand; suspended when it is not 0.
    struct Party {
        Status status;
        uint32 suspensions;
        uint64 validFrom;
        uint64 validUntil;
        bytes32[] kinds;
        bytes32[] roles;
    }

    /// @notice What is known of a key.
    struct Key {
        bytes32 party;
        uint64 validFrom;
        uint64 validUntil;
    }

    /// @notice The zero id is nobody and nothing.
    error MembershipInvalidId();

    /// @notice A party with this id is there, or was and has been removed.
    error MembershipPartyKnown(bytes32 party, Status status);

    /// @notice No such party takes part: never admitted, or removed.
    error MembershipUnknownParty(bytes32 party, Status status);

    /// @notice There are too many kinds or roles, no kind, or one twice.
    error MembershipInvalidDesignations(bytes32 party);

    /// @notice These two exclude each other.
    error MembershipExcluded(bytes32 party, bytes32 one, bytes32 other);

    /// @notice A period ends after it begins, and is narrowed only.
    error MembershipInvalidPeriod(uint64 validFrom, uint64 validUntil);

    /// @notice This key is a party's, or was.
    error MembershipKeyUsed(bytes32 key, bytes32 party);

    /// @notice No party has this key.
    error MembershipUnknownKey(bytes32 key);

    /// @notice The party is suspended for this cause already, or was: name the new cause.
    error MembershipCauseUsed(bytes32 party, bytes32 cause);

    /// @notice The party is not suspended for this cause.
    error MembershipNotSuspendedFor(bytes32 party, bytes32 cause);

    /// @notice The exclusion stands already, or does not stand.
    error MembershipExclusionUnchanged(bytes32 one, bytes32 other);

    /// @notice A party was admitted.
    event PartyAdmitted(
        bytes32 indexed party, bytes32[] kinds, bytes32[] roles, uint64 validFrom, uint64 validUntil
    );

    /// @notice A party has other kinds and roles; these are all of them.
    event PartyDesignated(bytes32 indexed party, bytes32[] kinds, bytes32[] roles);

    /// @notice A party takes part until another time.
    event PartyRenewed(bytes32 indexed party, uint64 validUntil);

    /// @notice A key became a party's.
    event KeyAdded(bytes32 indexed party, bytes32 indexed key, uint64 validFrom, uint64 validUntil);

    /// @notice A key counts until an earlier time.
    event KeyEnded(bytes32 indexed party, bytes32 indexed key, uint64 validUntil);

    /// @notice A party was suspended for a cause.
    event PartySuspended(bytes32 indexed party, bytes32 indexed cause, address indexed registrar);

    /// @notice A cause no longer stands against a party; it is active when none is left.
    event SuspensionLifted(bytes32 indexed party, bytes32 indexed cause, bytes32 cure);

    /// @notice A party takes part no more.
    event PartyRemoved(bytes32 indexed party, bytes32 indexed cause);

    /// @notice Two kinds or roles exclude each other from now on.
    event ExclusionSet(bytes32 indexed one, bytes32 indexed other);

    /// @notice Two kinds or roles exclude each other no longer.
    event ExclusionLifted(bytes32 indexed one, bytes32 indexed other);

    /// @notice Confirms and performs an admission.
    function admit(Admission calldata admission, address proposer) external;

    /// @notice Confirms that a party has these kinds and roles, and no others.
    function designate(bytes32 party, bytes32[] calldata kinds, bytes32[] calldata roles, address proposer)
        external;

    /// @notice Confirms that a party takes part until `validUntil`.
    function renew(bytes32 party, uint64 validUntil, address proposer) external;

    /// @notice Confirms a further key of a party.
    function addKey(bytes32 party, bytes32 key, uint64 validFrom, uint64 validUntil, address proposer)
        external;

    /// @notice Confirms that a key ends earlier than was said, also in the past. It comes never back.
    function endKey(bytes32 key, uint64 validUntil, address proposer) external;

    /// @notice Suspends a party for a cause, at once. One registrar is enough.
    /// @dev WARNING: one registrar can so stop every party, visibly; each cause takes two to lift.
    /// @param cause Digest of the statement that says why.
    function suspend(bytes32 party, bytes32 cause) external;

    /// @notice Confirms that a cause no longer stands.
    /// @param cure Digest of the statement that says so.
    function lift(bytes32 party, bytes32 cause, bytes32 cure, address proposer) external;

    /// @notice Confirms that a party takes part no more, for good.
    function remove(bytes32 party, bytes32 cause, address proposer) external;

    /// @notice Confirms that two kinds or roles exclude each other.
    /// @dev WARNING: it binds what is admitted or designated from now on; parties that have both keep them until then, and
    /// {excludedPair} shows them.
    function exclude(bytes32 one, bytes32 other, address proposer) external;

    /// @notice Confirms that two kinds or roles exclude each other no longer.
    function permit(bytes32 one, bytes32 other, address proposer) external;

    /// @notice A party as it stands; all zero when it was never admitted.
    function partyOf(bytes32 party) external view returns (Party memory);

    /// @notice A key as it stands; all zero when it is nobody's.
    function keyOf(bytes32 key) external view returns (Key memory);

    /// @notice What a cause means for a party.
    function suspensionOf(bytes32 party, bytes32 cause) external view returns (Suspension);

    /// @notice Whether a party takes part now: admitted, not suspended, in its period.
    function isActive(bytes32 party) external view returns (bool);

    /// @notice Whether a party is active and has a kind or a role.
    function isActiveAs(bytes32 party, bytes32 kindOrRole) external view returns (bool);

    /// @notice Whether a key counts now: its party is active, and it is the key's time.
    function isActiveKey(bytes32 key) external view returns (bool);

    /// @notice Whether two kinds or roles exclude each other.
    function isExcluded(bytes32 one, bytes32 other) external view returns (bool);

    /// @notice The first two of a party's kinds and roles that exclude each other; zero when none do.
    function excludedPair(bytes32 party) external view returns (bytes32 one, bytes32 other);
}
