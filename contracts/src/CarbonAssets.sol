// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {ICarbonAssets} from "./interfaces/ICarbonAssets.sol";
import {ILogAnchor} from "./interfaces/ILogAnchor.sol";
import {IMembership} from "./interfaces/IMembership.sol";
import {EpochEntries} from "./libraries/EpochEntries.sol";
import {Rfc9162} from "./libraries/Rfc9162.sol";

/// @title CarbonAssets
/// @notice See {ICarbonAssets}. No upgrade path, nothing payable, no token interface.
/// @dev As in LogAnchor there are no immutable variables, so that every deployment has one code hash.
contract CarbonAssets is ICarbonAssets, AccessControl {
    /// @dev What all parts of one recorded range have in common.
    struct Lot {
        bytes32 registry;
        bytes32 batch;
        bytes32 reportLeaf;
    }

    /// @dev `lot` is zero for a range that is its own lot, which saves a slot.
    struct Part {
        bytes32 lot;
        bytes32 holder;
        uint64 first;
        uint64 last;
        State state;
        uint32 freezes;
        bool isPledged;
    }

    /// @dev Whom a record is pledged to, while it is.
    struct Lien {
        bytes32 pledgee;
        bytes32 pledge;
    }

    /// @dev A recorded range in the sorted list of its batch, under its first serial. The one under 0, where no serial
    /// is, only leads to the first. `next` is 0 at the end.
    struct Span {
        uint64 last;
        uint64 next;
    }

    bytes32 public constant REGISTRAR_ROLE = keccak256("REGISTRAR_ROLE");
    bytes32 public constant HOLDER_ROLE = keccak256("HOLDER_ROLE");

    /// @dev Long enough for a second person to check a report, short enough that nothing forgotten is confirmed.
    uint64 private constant _PROPOSAL_LIFETIME = 7 days;

    /// @dev The longest act is a record: 10 words and an origin of at most 120 bytes.
    uint256 private constant _MAX_ACT_LENGTH = 1024;

    ILogAnchor private _anchor;
    bytes32 private _logId;
    mapping(address member => bytes32 party) private _parties;
    mapping(bytes32 party => uint256 count) private _memberCounts;
    mapping(bytes32 actHash => mapping(address proposer => uint64 expiresAt)) private _expiries;
    mapping(bytes32 lotId => Lot) private _lots;
    mapping(bytes32 recordId => Part) private _parts;
    mapping(bytes32 batchKey => mapping(uint64 first => Span)) private _spans;
    mapping(bytes32 transferKey => bool isUsed) private _transfers;
    mapping(bytes32 recordId => mapping(bytes32 cause => Freeze)) private _freezes;
    IMembership private _membership;
    mapping(bytes32 recordId => Lien) private _liens;
    mapping(bytes32 recordId => mapping(bytes32 pledge => Pledge)) private _pledges;

    /// @param logAnchor The contract that holds heads of logs of logs. @param logId The log of logs, which is open.
    /// @param admin Who admits members and grants roles. @param members Who takes part; the zero address asks nobody.
    /// @param chainIds The chains on which records may be kept: on any other one this cannot be deployed.
    constructor(
        ILogAnchor logAnchor,
        bytes32 logId,
        address admin,
        IMembership members,
        uint256[] memory chainIds
    ) {
        _checkChain(chainIds);
        (uint64 size,,) = logAnchor.head(logId);
        if (size == 0) revert CarbonAssetsUnknownLog(logId);
        if (admin == address(0)) revert CarbonAssetsInvalidMember(admin, 0);
        _anchor = logAnchor;
        _logId = logId;
        _membership = members;
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
    }

    /// @inheritdoc ICarbonAssets
    function admit(address member, bytes32 party) external onlyRole(DEFAULT_ADMIN_ROLE) {
        if (member == address(0) || party == 0) revert CarbonAssetsInvalidMember(member, party);
        _leave(member);
        _parties[member] = party;
        _memberCounts[party]++;
        emit MemberAdmitted(member, party);
    }

    /// @inheritdoc ICarbonAssets
    function dismiss(address member) external onlyRole(DEFAULT_ADMIN_ROLE) {
        if (_parties[member] == 0) revert CarbonAssetsNotMember(member);
        _leave(member);
    }

    /// @inheritdoc ICarbonAssets
    function follow() external onlyRole(DEFAULT_ADMIN_ROLE) returns (bytes32 successor) {
        bytes32 logId = _logId;
        (successor,,,) = _anchor.successionOf(logId);
        if (successor == 0) revert CarbonAssetsLogNotSucceeded(logId);
        _logId = successor;
        emit LogFollowed(logId, successor);
    }

    /// @inheritdoc ICarbonAssets
    function propose(bytes calldata act) external returns (bytes32 actHash) {
        _activeParty(msg.sender);
        if (act.length == 0 || act.length > _MAX_ACT_LENGTH) revert CarbonAssetsInvalidActLength(act.length);
        actHash = keccak256(act);
        uint64 open = _expiries[actHash][msg.sender];
        // a block's time may be off by seconds, a proposal is open for days
        // forge-lint: disable-next-line(block-timestamp)
        if (block.timestamp < open) revert CarbonAssetsAlreadyProposed(actHash, msg.sender, open);
        uint64 expiresAt = uint64(block.timestamp) + _PROPOSAL_LIFETIME;
        _expiries[actHash][msg.sender] = expiresAt;
        emit ActProposed(actHash, msg.sender, act, expiresAt);
    }

    /// @inheritdoc ICarbonAssets
    function withdrawProposal(bytes32 actHash) external {
        if (_expiries[actHash][msg.sender] == 0) revert CarbonAssetsNotProposed(actHash, msg.sender);
        delete _expiries[actHash][msg.sender];
        emit ProposalWithdrawn(actHash, msg.sender);
    }

    /// @inheritdoc ICarbonAssets
    function record(Claim calldata claim, address proposer, uint64 predecessor, Evidence calldata evidence)
        external
        returns (bytes32 recordId)
    {
        _confirm(abi.encode(Kind.Record, claim), proposer, claim.holder, false);
        _insertSpan(claim.registry, claim.batch, claim.first, claim.last, predecessor);
        _checkReport(claim.origin, claim.reportLeaf, evidence);
        recordId = recordIdOf(claim.registry, claim.batch, claim.first, claim.last);
        _lots[recordId] = Lot(claim.registry, claim.batch, claim.reportLeaf);
        _parts[recordId] = Part(0, claim.holder, claim.first, claim.last, State.Live, 0, false);
        emit SerialsRecorded(recordId, claim.holder, claim);
    }

    /// @inheritdoc ICarbonAssets
    function split(bytes32 recordId, uint64 lastOfLeft, address proposer)
        external
        returns (bytes32 leftId, bytes32 rightId)
    {
        Part storage part = _free(recordId);
        bytes32 holder = part.holder;
        (uint64 first, uint64 last) = (part.first, part.last);
        if (lastOfLeft < first || lastOfLeft >= last) revert CarbonAssetsInvalidSplit(recordId, lastOfLeft);
        _confirm(abi.encode(Kind.Split, recordId, lastOfLeft), proposer, holder, false);

        bytes32 lotId = part.lot == 0 ? recordId : part.lot;
        Lot storage lot = _lots[lotId];
        // Both parts are shorter than what they come from, and no range comes twice, so the ids are new.
        leftId = recordIdOf(lot.registry, lot.batch, first, lastOfLeft);
        rightId = recordIdOf(lot.registry, lot.batch, lastOfLeft + 1, last);
        part.state = State.Split;
        _parts[leftId] = Part(lotId, holder, first, lastOfLeft, State.Live, 0, false);
        _parts[rightId] = Part(lotId, holder, lastOfLeft + 1, last, State.Live, 0, false);
        emit RecordSplit(recordId, leftId, rightId);
    }

    /// @inheritdoc ICarbonAssets
    function move(bytes32 recordId, bytes32 to, bytes32 transfer, address proposer) external {
        Part storage part = _free(recordId);
        bytes32 from = part.holder;
        if (transfer == 0) revert CarbonAssetsInvalidReference(recordId, transfer);
        if (_memberCounts[to] == 0) revert CarbonAssetsUnknownParty(to);
        if (to == from) revert CarbonAssetsAlreadyHolds(recordId, from);
        _checkActive(to);
        bytes32 registry = _lots[part.lot == 0 ? recordId : part.lot].registry;
        bytes32 transferKey = keccak256(abi.encode(registry, transfer));
        if (_transfers[transferKey]) revert CarbonAssetsTransferUsed(registry, transfer);
        _confirm(abi.encode(Kind.Move, recordId, to, transfer), proposer, from, false);

        _transfers[transferKey] = true;
        part.holder = to;
        emit RecordMoved(recordId, from, to, transfer);
    }

    /// @inheritdoc ICarbonAssets
    function retire(bytes32 recordId, bytes32 officialReference, address proposer) external {
        _end(Kind.Retire, State.Retired, recordId, officialReference, proposer);
        emit RecordRetired(recordId, officialReference);
    }

    /// @inheritdoc ICarbonAssets
    function surrender(bytes32 recordId, bytes32 officialReference, address proposer) external {
        _end(Kind.Surrender, State.Surrendered, recordId, officialReference, proposer);
        emit RecordSurrendered(recordId, officialReference);
    }

    /// @inheritdoc ICarbonAssets
    function cancel(bytes32 recordId, bytes32 officialReference, address proposer) external {
        _end(Kind.Cancel, State.Cancelled, recordId, officialReference, proposer);
        emit RecordCancelled(recordId, officialReference);
    }

    /// @inheritdoc ICarbonAssets
    function freeze(bytes32 recordId, bytes32 cause) external {
        _checkRole(REGISTRAR_ROLE);
        _activeParty(msg.sender);
        Part storage part = _live(recordId);
        if (cause == 0) revert CarbonAssetsInvalidReference(recordId, cause);
        if (_freezes[recordId][cause] != Freeze.None) revert CarbonAssetsCauseUsed(recordId, cause);

        _freezes[recordId][cause] = Freeze.Standing;
        part.freezes++;
        emit RecordFrozen(recordId, cause, msg.sender);
    }

    /// @inheritdoc ICarbonAssets
    function release(bytes32 recordId, bytes32 cause, bytes32 cure, address proposer) external {
        if (_freezes[recordId][cause] != Freeze.Standing) revert CarbonAssetsNotFrozenFor(recordId, cause);
        if (cure == 0) revert CarbonAssetsInvalidReference(recordId, cure);
        Part storage part = _parts[recordId];
        _confirm(abi.encode(Kind.Release, recordId, cause, cure), proposer, part.holder, true);

        _freezes[recordId][cause] = Freeze.Cured;
        part.freezes--;
        emit RecordReleased(recordId, cause, cure);
    }

    /// @inheritdoc ICarbonAssets
    function pledge(bytes32 recordId, bytes32 pledgee, bytes32 pledge_, address proposer) external {
        Part storage part = _free(recordId);
        bytes32 holder = part.holder;
        if (pledge_ == 0) revert CarbonAssetsInvalidReference(recordId, pledge_);
        if (_memberCounts[pledgee] == 0) revert CarbonAssetsUnknownParty(pledgee);
        if (pledgee == holder) revert CarbonAssetsAlreadyHolds(recordId, holder);
        _checkActive(pledgee);
        if (_pledges[recordId][pledge_] != Pledge.None) revert CarbonAssetsPledgeUsed(recordId, pledge_);
        _confirm(abi.encode(Kind.Pledge, recordId, pledgee, pledge_), proposer, holder, false);
        if (_parties[msg.sender] == pledgee) revert CarbonAssetsConfirmedByPledgee(msg.sender, pledgee);

        _pledges[recordId][pledge_] = Pledge.Standing;
        _liens[recordId] = Lien(pledgee, pledge_);
        part.isPledged = true;
        emit RecordPledged(recordId, pledgee, pledge_);
    }

    /// @inheritdoc ICarbonAssets
    function unpledge(bytes32 recordId, bytes32 pledge_, bytes32 officialReference, address proposer)
        external
    {
        if (_pledges[recordId][pledge_] != Pledge.Standing) {
            revert CarbonAssetsNotPledgedFor(recordId, pledge_);
        }
        if (officialReference == 0) revert CarbonAssetsInvalidReference(recordId, officialReference);
        Part storage part = _parts[recordId];
        bytes32 pledgee = _liens[recordId].pledgee;
        bytes memory act = abi.encode(Kind.Unpledge, recordId, pledge_, officialReference);
        // Who takes part no more can give nothing back: then registrars of two persons do it.
        _confirm(act, proposer, pledgee, !_isActive(pledgee));
        if (_parties[msg.sender] == part.holder) {
            revert CarbonAssetsConfirmedByHolder(msg.sender, part.holder);
        }

        _pledges[recordId][pledge_] = Pledge.Released;
        delete _liens[recordId];
        part.isPledged = false;
        emit PledgeReleased(recordId, pledgee, pledge_, officialReference);
    }

    /// @inheritdoc ICarbonAssets
    function membership() external view returns (address) {
        return address(_membership);
    }

    /// @inheritdoc ICarbonAssets
    function pledgeOf(bytes32 recordId, bytes32 pledge_) external view returns (Pledge) {
        return _pledges[recordId][pledge_];
    }

    /// @inheritdoc ICarbonAssets
    function anchor() external view returns (address logAnchor, bytes32 logId) {
        return (address(_anchor), _logId);
    }

    /// @inheritdoc ICarbonAssets
    function partyOf(address member) external view returns (bytes32) {
        return _parties[member];
    }

    /// @inheritdoc ICarbonAssets
    function expiryOf(bytes32 actHash, address proposer) external view returns (uint64 expiresAt) {
        return _expiries[actHash][proposer];
    }

    /// @inheritdoc ICarbonAssets
    function recordOf(bytes32 recordId) external view returns (Record memory) {
        Part memory part = _parts[recordId];
        bytes32 lotId = part.lot == 0 && part.state != State.None ? recordId : part.lot;
        Lot memory lot = _lots[lotId];
        return Record(
            lotId,
            lot.registry,
            lot.batch,
            part.first,
            part.last,
            part.holder,
            lot.reportLeaf,
            part.state,
            part.freezes,
            _liens[recordId].pledgee
        );
    }

    /// @inheritdoc ICarbonAssets
    function freezeOf(bytes32 recordId, bytes32 cause) external view returns (Freeze) {
        return _freezes[recordId][cause];
    }

    /// @inheritdoc ICarbonAssets
    function predecessorOf(bytes32 registry, bytes32 batch, uint64 first)
        external
        view
        returns (uint64 predecessor)
    {
        mapping(uint64 => Span) storage spans = _spans[keccak256(abi.encode(registry, batch))];
        for (uint64 next = spans[0].next; next != 0 && next < first; next = spans[next].next) {
            predecessor = next;
        }
    }

    /// @inheritdoc ICarbonAssets
    function recordIdOf(bytes32 registry, bytes32 batch, uint64 first, uint64 last)
        public
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(registry, batch, first, last));
    }

    function _leave(address member) private {
        bytes32 party = _parties[member];
        if (party == 0) return;
        delete _parties[member];
        _memberCounts[party]--;
        emit MemberDismissed(member, party);
    }

    function _end(Kind kind, State state, bytes32 recordId, bytes32 officialReference, address proposer)
        private
    {
        Part storage part = _free(recordId);
        if (officialReference == 0) revert CarbonAssetsInvalidReference(recordId, officialReference);
        bytes memory act = abi.encode(kind, recordId, officialReference);
        _confirm(act, proposer, part.holder, kind == Kind.Cancel);
        part.state = state;
    }

    /// @dev Takes the second person's word: reverts unless the sender may confirm what `proposer` proposed.
    function _confirm(bytes memory act, address proposer, bytes32 holder, bool mayRegistrarPropose) private {
        _checkRole(REGISTRAR_ROLE);
        bytes32 party = _activeParty(msg.sender);
        if (msg.sender == proposer) revert CarbonAssetsSamePerson(proposer);
        if (party == holder) revert CarbonAssetsConfirmedByHolder(msg.sender, holder);

        bytes32 actHash = keccak256(act);
        uint64 expiresAt = _expiries[actHash][proposer];
        if (expiresAt == 0) revert CarbonAssetsNotProposed(actHash, proposer);
        // forge-lint: disable-next-line(block-timestamp)
        if (block.timestamp >= expiresAt) revert CarbonAssetsProposalExpired(actHash, proposer, expiresAt);

        bytes32 proposerParty = _activeParty(proposer);
        bool isForHolder = proposerParty == holder && hasRole(HOLDER_ROLE, proposer);
        if (!isForHolder && !(mayRegistrarPropose && hasRole(REGISTRAR_ROLE, proposer))) {
            revert CarbonAssetsNotForHolder(proposer, holder);
        }
        delete _expiries[actHash][proposer];
        emit ActConfirmed(actHash, proposer, msg.sender);
    }

    /// @dev Puts a range into the sorted list of its batch, between `predecessor` and what comes after that.
    function _insertSpan(bytes32 registry, bytes32 batch, uint64 first, uint64 last, uint64 predecessor)
        private
    {
        if (registry == 0 || batch == 0 || first == 0 || last < first) {
            revert CarbonAssetsInvalidSerials(registry, batch, first, last);
        }
        mapping(uint64 => Span) storage spans = _spans[keccak256(abi.encode(registry, batch))];
        Span memory before = spans[predecessor];
        if (predecessor > first || (predecessor != 0 && before.last == 0)) {
            revert CarbonAssetsInvalidPredecessor(registry, batch, predecessor);
        }
        if (before.last >= first) revert CarbonAssetsOverlap(registry, batch, predecessor, before.last);
        if (before.next != 0 && before.next <= last) {
            uint64 nextLast = spans[before.next].last;
            if (nextLast < first) revert CarbonAssetsInvalidPredecessor(registry, batch, predecessor);
            revert CarbonAssetsOverlap(registry, batch, before.next, nextLast);
        }
        spans[first] = Span(last, before.next);
        spans[predecessor].next = first;
    }

    /// @dev Reverts unless the evidence leads from the report's leaf up to the anchored head. Each size comes from
    /// what the proof above it shows, the uppermost from LogAnchor, so none has to be believed.
    function _checkReport(string calldata origin, bytes32 reportLeaf, Evidence calldata evidence)
        private
        view
    {
        bytes32 logId = _logId;
        (uint64 size, bytes32 root,) = _anchor.head(logId);
        (bytes32 successor,,,) = _anchor.successionOf(logId);
        if (successor != 0) revert CarbonAssetsLogClosed(logId, successor);
        if (size != evidence.headSize) revert CarbonAssetsHeadSizeMismatch(size, evidence.headSize);
        if (evidence.epoch == 0) revert CarbonAssetsInvalidEpoch(evidence.epoch);
        bytes memory entry =
            EpochEntries.epochEntry(evidence.epoch, evidence.mapRoot, evidence.origins, evidence.closedAt);
        bytes32 leaf = Rfc9162.leafHash(entry);
        Rfc9162.verifyInclusion(evidence.epoch, size, leaf, root, evidence.epochProof);

        leaf = Rfc9162.leafHash(EpochEntries.mapEntry(origin, evidence.dataSize, evidence.dataRoot));
        Rfc9162.verifyInclusion(
            evidence.mapIndex, evidence.origins, leaf, evidence.mapRoot, evidence.mapProof
        );
        Rfc9162.verifyInclusion(
            evidence.reportIndex, evidence.dataSize, reportLeaf, evidence.dataRoot, evidence.reportProof
        );
    }

    /// @dev The party that an account acts for, which takes part now.
    function _activeParty(address member) private view returns (bytes32 party) {
        party = _parties[member];
        if (party == 0) revert CarbonAssetsNotMember(member);
        _checkActive(party);
    }

    function _checkActive(bytes32 party) private view {
        if (!_isActive(party)) revert CarbonAssetsPartyNotActive(party);
    }

    function _isActive(bytes32 party) private view returns (bool) {
        return address(_membership) == address(0) || _membership.isActive(party);
    }

    function _checkChain(uint256[] memory chainIds) private view {
        for (uint256 i = 0; i < chainIds.length; i++) {
            if (chainIds[i] == block.chainid) return;
        }
        revert CarbonAssetsChainNotAllowed(block.chainid);
    }

    function _live(bytes32 recordId) private view returns (Part storage part) {
        part = _parts[recordId];
        if (part.state == State.None) revert CarbonAssetsUnknownRecord(recordId);
        if (part.state != State.Live) revert CarbonAssetsNotLive(recordId, part.state);
    }

    /// @dev What may change: live, and nothing stands against it.
    function _free(bytes32 recordId) private view returns (Part storage part) {
        part = _live(recordId);
        if (part.freezes != 0) revert CarbonAssetsFrozen(recordId, part.freezes);
        if (part.isPledged) revert CarbonAssetsPledged(recordId, _liens[recordId].pledgee);
    }
}
