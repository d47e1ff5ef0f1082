// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {TwoPersons} from "./TwoPersons.sol";
import {IMembership} from "./interfaces/IMembership.sol";

/// @title Membership
/// @notice See {IMembership}. No upgrade path, nothing payable, no admin.
/// @dev There are no immutable variables, so that every deployment has one code hash.
contract Membership is IMembership, TwoPersons {
    /// @dev Bounds the pairs that are compared: at most 120.
    uint256 private constant _MAX_DESIGNATIONS = 8;

    mapping(bytes32 party => Party) private _parties;
    mapping(bytes32 key => Key) private _keys;
    mapping(bytes32 party => mapping(bytes32 cause => Suspension)) private _suspensions;
    mapping(bytes32 pair => bool) private _exclusions;

    /// @param first A registrar. @param second Another one. @param exclusions Pairs of kinds or roles that exclude each
    /// other from the beginning.
    constructor(address first, address second, bytes32[2][] memory exclusions) TwoPersons(first, second) {
        for (uint256 i = 0; i < exclusions.length; i++) {
            _setExclusion(exclusions[i][0], exclusions[i][1], true);
        }
    }

    /// @inheritdoc IMembership
    function admit(Admission calldata admission, address proposer) external {
        _confirm(abi.encode(IMembership.admit.selector, admission), proposer);
        bytes32 party = admission.party;
        if (party == 0) revert MembershipInvalidId();
        Party storage standing = _parties[party];
        if (standing.status != Status.None) revert MembershipPartyKnown(party, standing.status);
        _checkPeriod(admission.validFrom, admission.validUntil);
        _checkDesignations(party, admission.kinds, admission.roles);

        standing.status = Status.Admitted;
        standing.validFrom = admission.validFrom;
        standing.validUntil = admission.validUntil;
        standing.kinds = admission.kinds;
        standing.roles = admission.roles;
        emit PartyAdmitted(party, admission.kinds, admission.roles, admission.validFrom, admission.validUntil);
        _addKey(party, admission.key, admission.validFrom, admission.validUntil);
    }

    /// @inheritdoc IMembership
    function designate(bytes32 party, bytes32[] calldata kinds, bytes32[] calldata roles, address proposer)
        external
    {
        _confirm(abi.encode(IMembership.designate.selector, party, kinds, roles), proposer);
        Party storage standing = _standing(party);
        _checkDesignations(party, kinds, roles);
        standing.kinds = kinds;
        standing.roles = roles;
        emit PartyDesignated(party, kinds, roles);
    }

    /// @inheritdoc IMembership
    function renew(bytes32 party, uint64 validUntil, address proposer) external {
        _confirm(abi.encode(IMembership.renew.selector, party, validUntil), proposer);
        Party storage standing = _standing(party);
        _checkPeriod(standing.validFrom, validUntil);
        standing.validUntil = validUntil;
        emit PartyRenewed(party, validUntil);
    }

    /// @inheritdoc IMembership
    function addKey(bytes32 party, bytes32 key, uint64 validFrom, uint64 validUntil, address proposer)
        external
    {
        _confirm(abi.encode(IMembership.addKey.selector, party, key, validFrom, validUntil), proposer);
        _standing(party);
        _checkPeriod(validFrom, validUntil);
        _addKey(party, key, validFrom, validUntil);
    }

    /// @inheritdoc IMembership
    function endKey(bytes32 key, uint64 validUntil, address proposer) external {
        _confirm(abi.encode(IMembership.endKey.selector, key, validUntil), proposer);
        Key storage it = _keys[key];
        if (it.party == 0) revert MembershipUnknownKey(key);
        // An end before the beginning would be no period; at the beginning it says that the key never counted.
        if (
            validUntil == 0 || validUntil < it.validFrom
                || (it.validUntil != 0 && validUntil >= it.validUntil)
        ) {
            revert MembershipInvalidPeriod(it.validFrom, validUntil);
        }
        it.validUntil = validUntil;
        emit KeyEnded(it.party, key, validUntil);
    }

    /// @inheritdoc IMembership
    function suspend(bytes32 party, bytes32 cause) external onlyRole(REGISTRAR_ROLE) {
        Party storage standing = _standing(party);
        if (cause == 0) revert MembershipInvalidId();
        if (_suspensions[party][cause] != Suspension.None) revert MembershipCauseUsed(party, cause);
        _suspensions[party][cause] = Suspension.Standing;
        standing.suspensions++;
        emit PartySuspended(party, cause, msg.sender);
    }

    /// @inheritdoc IMembership
    function lift(bytes32 party, bytes32 cause, bytes32 cure, address proposer) external {
        _confirm(abi.encode(IMembership.lift.selector, party, cause, cure), proposer);
        if (_suspensions[party][cause] != Suspension.Standing) {
            revert MembershipNotSuspendedFor(party, cause);
        }
        Party storage standing = _standing(party);
        if (cure == 0) revert MembershipInvalidId();
        _suspensions[party][cause] = Suspension.Lifted;
        standing.suspensions--;
        emit SuspensionLifted(party, cause, cure);
    }

    /// @inheritdoc IMembership
    function remove(bytes32 party, bytes32 cause, address proposer) external {
        _confirm(abi.encode(IMembership.remove.selector, party, cause), proposer);
        Party storage standing = _standing(party);
        if (cause == 0) revert MembershipInvalidId();
        standing.status = Status.Removed;
        emit PartyRemoved(party, cause);
    }

    /// @inheritdoc IMembership
    function exclude(bytes32 one, bytes32 other, address proposer) external {
        _confirm(abi.encode(IMembership.exclude.selector, one, other), proposer);
        _setExclusion(one, other, true);
    }

    /// @inheritdoc IMembership
    function permit(bytes32 one, bytes32 other, address proposer) external {
        _confirm(abi.encode(IMembership.permit.selector, one, other), proposer);
        _setExclusion(one, other, false);
    }

    /// @inheritdoc IMembership
    function partyOf(bytes32 party) external view returns (Party memory) {
        return _parties[party];
    }

    /// @inheritdoc IMembership
    function keyOf(bytes32 key) external view returns (Key memory) {
        return _keys[key];
    }

    /// @inheritdoc IMembership
    function suspensionOf(bytes32 party, bytes32 cause) external view returns (Suspension) {
        return _suspensions[party][cause];
    }

    /// @inheritdoc IMembership
    function isActiveAs(bytes32 party, bytes32 kindOrRole) external view returns (bool) {
        Party storage standing = _parties[party];
        return isActive(party) && (_has(standing.kinds, kindOrRole) || _has(standing.roles, kindOrRole));
    }

    /// @inheritdoc IMembership
    function isActiveKey(bytes32 key) external view returns (bool) {
        Key storage it = _keys[key];
        return isActive(it.party) && _isNow(it.validFrom, it.validUntil);
    }

    /// @inheritdoc IMembership
    function excludedPair(bytes32 party) external view returns (bytes32 one, bytes32 other) {
        return _findExcluded(_joined(_parties[party].kinds, _parties[party].roles));
    }

    /// @inheritdoc IMembership
    function isActive(bytes32 party) public view returns (bool) {
        Party storage standing = _parties[party];
        return standing.status == Status.Admitted && standing.suspensions == 0
            && _isNow(standing.validFrom, standing.validUntil);
    }

    /// @inheritdoc IMembership
    function isExcluded(bytes32 one, bytes32 other) public view returns (bool) {
        return _exclusions[_pair(one, other)];
    }

    function _addKey(bytes32 party, bytes32 key, uint64 validFrom, uint64 validUntil) private {
        if (key == 0) revert MembershipInvalidId();
        if (_keys[key].party != 0) revert MembershipKeyUsed(key, _keys[key].party);
        _keys[key] = Key(party, validFrom, validUntil);
        emit KeyAdded(party, key, validFrom, validUntil);
    }

    function _setExclusion(bytes32 one, bytes32 other, bool isSet) private {
        if (one == 0 || other == 0 || one == other) revert MembershipInvalidId();
        bytes32 pair = _pair(one, other);
        if (_exclusions[pair] == isSet) revert MembershipExclusionUnchanged(one, other);
        _exclusions[pair] = isSet;
        if (isSet) emit ExclusionSet(one, other);
        else emit ExclusionLifted(one, other);
    }

    function _standing(bytes32 party) private view returns (Party storage standing) {
        standing = _parties[party];
        if (standing.status != Status.Admitted) revert MembershipUnknownParty(party, standing.status);
    }

    function _checkDesignations(bytes32 party, bytes32[] memory kinds, bytes32[] memory roles) private view {
        if (kinds.length == 0 || kinds.length > _MAX_DESIGNATIONS || roles.length > _MAX_DESIGNATIONS) {
            revert MembershipInvalidDesignations(party);
        }
        _checkDistinct(party, kinds);
        _checkDistinct(party, roles);
        (bytes32 one, bytes32 other) = _findExcluded(_joined(kinds, roles));
        if (one != 0) revert MembershipExcluded(party, one, other);
    }

    function _findExcluded(bytes32[] memory ids) private view returns (bytes32 one, bytes32 other) {
        for (uint256 i = 1; i < ids.length; i++) {
            for (uint256 j = 0; j < i; j++) {
                if (isExcluded(ids[j], ids[i])) return (ids[j], ids[i]);
            }
        }
    }

    function _has(bytes32[] storage ids, bytes32 id) private view returns (bool) {
        for (uint256 i = 0; i < ids.length; i++) {
            if (ids[i] == id) return true;
        }
        return false;
    }

    function _isNow(uint64 validFrom, uint64 validUntil) private view returns (bool) {
        // a block's time may be off by seconds, periods are days and years
        // forge-lint: disable-next-line(block-timestamp)
        return block.timestamp >= validFrom && (validUntil == 0 || block.timestamp < validUntil);
    }

    function _checkPeriod(uint64 validFrom, uint64 validUntil) private pure {
        if (validUntil != 0 && validUntil <= validFrom) {
            revert MembershipInvalidPeriod(validFrom, validUntil);
        }
    }

    function _checkDistinct(bytes32 party, bytes32[] memory ids) private pure {
        for (uint256 i = 0; i < ids.length; i++) {
            if (ids[i] == 0) revert MembershipInvalidId();
            for (uint256 j = 0; j < i; j++) {
                if (ids[i] == ids[j]) revert MembershipInvalidDesignations(party);
            }
        }
    }

    function _joined(bytes32[] memory kinds, bytes32[] memory roles)
        private
        pure
        returns (bytes32[] memory ids)
    {
        ids = new bytes32[](kinds.length + roles.length);
        for (uint256 i = 0; i < ids.length; i++) {
            ids[i] = i < kinds.length ? kinds[i] : roles[i - kinds.length];
        }
    }

    /// @dev One id for two, in whatever order they are named.
    function _pair(bytes32 one, bytes32 other) private pure returns (bytes32) {
        return one < other ? keccak256(abi.encode(one, other)) : keccak256(abi.encode(other, one));
    }
}
