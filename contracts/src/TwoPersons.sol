// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {ITwoPersons} from "./interfaces/ITwoPersons.sol";

/// @title TwoPersons
/// @notice See {ITwoPersons}.
/// @dev Nobody has the admin role of AccessControl, so `grantRole` and `revokeRole` are closed to everybody.
abstract contract TwoPersons is ITwoPersons, AccessControl {
    bytes32 public constant REGISTRAR_ROLE = keccak256("REGISTRAR_ROLE");

    /// @dev Long enough for a second person to look, short enough that nothing forgotten is confirmed.
    uint64 private constant _PROPOSAL_LIFETIME = 7 days;
    uint256 private constant _MAX_ACT_LENGTH = 2048;
    uint256 private constant _LEAST_REGISTRARS = 2;

    mapping(bytes32 actHash => mapping(address proposer => uint64 expiresAt)) private _expiries;
    uint256 private _registrarCount;

    constructor(address first, address second) {
        if (first == second) revert TwoPersonsSamePerson(first);
        _addRegistrar(first);
        _addRegistrar(second);
    }

    /// @inheritdoc ITwoPersons
    function propose(bytes calldata act) external onlyRole(REGISTRAR_ROLE) returns (bytes32 actHash) {
        if (act.length == 0 || act.length > _MAX_ACT_LENGTH) revert TwoPersonsInvalidActLength(act.length);
        actHash = keccak256(act);
        uint64 open = _expiries[actHash][msg.sender];
        // a block's time may be off by seconds, a proposal is open for days
        // forge-lint: disable-next-line(block-timestamp)
        if (block.timestamp < open) revert TwoPersonsAlreadyProposed(actHash, msg.sender, open);
        uint64 expiresAt = uint64(block.timestamp) + _PROPOSAL_LIFETIME;
        _expiries[actHash][msg.sender] = expiresAt;
        emit ActProposed(actHash, msg.sender, act, expiresAt);
    }

    /// @inheritdoc ITwoPersons
    function withdrawProposal(bytes32 actHash) external {
        if (_expiries[actHash][msg.sender] == 0) revert TwoPersonsNotProposed(actHash, msg.sender);
        delete _expiries[actHash][msg.sender];
        emit ProposalWithdrawn(actHash, msg.sender);
    }

    /// @inheritdoc ITwoPersons
    function appointRegistrar(address account, address proposer) external {
        _confirm(abi.encode(ITwoPersons.appointRegistrar.selector, account), proposer);
        _addRegistrar(account);
    }

    /// @inheritdoc ITwoPersons
    function dismissRegistrar(address account, address proposer) external {
        _confirm(abi.encode(ITwoPersons.dismissRegistrar.selector, account), proposer);
        if (!_revokeRole(REGISTRAR_ROLE, account)) revert TwoPersonsNotRegistrar(account);
    }

    /// @inheritdoc ITwoPersons
    function registrarCount() external view returns (uint256) {
        return _registrarCount;
    }

    /// @inheritdoc ITwoPersons
    function expiryOf(bytes32 actHash, address proposer) external view returns (uint64 expiresAt) {
        return _expiries[actHash][proposer];
    }

    /// @dev Takes the second person's word: reverts unless the sender may confirm what `proposer` proposed.
    function _confirm(bytes memory act, address proposer) internal onlyRole(REGISTRAR_ROLE) {
        if (msg.sender == proposer) revert TwoPersonsSamePerson(proposer);
        bytes32 actHash = keccak256(act);
        uint64 expiresAt = _expiries[actHash][proposer];
        if (expiresAt == 0) revert TwoPersonsNotProposed(actHash, proposer);
        // forge-lint: disable-next-line(block-timestamp)
        if (block.timestamp >= expiresAt) revert TwoPersonsProposalExpired(actHash, proposer, expiresAt);
        if (!hasRole(REGISTRAR_ROLE, proposer)) revert TwoPersonsNotRegistrar(proposer);
        delete _expiries[actHash][proposer];
        emit ActConfirmed(actHash, proposer, msg.sender);
    }

    /// @dev Also what `renounceRole` of AccessControl comes to: nobody may leave fewer than two behind.
    function _revokeRole(bytes32 role, address account) internal override returns (bool isRevoked) {
        isRevoked = super._revokeRole(role, account);
        if (isRevoked && role == REGISTRAR_ROLE) {
            if (_registrarCount <= _LEAST_REGISTRARS) revert TwoPersonsTooFewRegistrars(_registrarCount);
            _registrarCount--;
        }
    }

    function _addRegistrar(address account) private {
        if (account == address(0)) revert TwoPersonsInvalidAccount(account);
        if (!_grantRole(REGISTRAR_ROLE, account)) revert TwoPersonsAlreadyRegistrar(account);
        _registrarCount++;
    }
}
