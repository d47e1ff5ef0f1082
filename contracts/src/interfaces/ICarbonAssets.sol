// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Records of who holds which serials of which official registry
/// @notice A record mirrors units that an official carbon registry issued: serials `first` to `last`, both included, of
/// one batch. It is not a token: nothing here can be bought, approved, delegated or traded, and nothing is payable. Only
/// members act, and every act takes two persons, one who proposes and another one who confirms; only to freeze, which
/// takes nothing from anybody and stops what may be wrong, takes one.
///
/// | act | proposed by | confirmed by |
/// |---|---|---|
/// | record, split, move, retire, surrender, pledge | a member with `HOLDER_ROLE` of the holder's party | a member with `REGISTRAR_ROLE` |
/// | cancel, release | the same, or a member with `REGISTRAR_ROLE` | another member with `REGISTRAR_ROLE` |
/// | unpledge | a member with `HOLDER_ROLE` of the pledgee's party; where that takes part no more, one with `REGISTRAR_ROLE` | a member with `REGISTRAR_ROLE` |
/// | freeze | nobody | a member with `REGISTRAR_ROLE` |
///
/// Whoever confirms is never the proposer and never of the holder's or the pledgee's party. Where a {IMembership} contract is
/// named, whoever proposes, confirms, freezes or is to receive something is of a party that takes part at that moment.
/// @dev An act is proposed as bytes, which the event shows in full, and confirmed by the function that performs it, which
/// builds the same bytes again: `abi.encode(Kind.Record, claim)`, `abi.encode(Kind.Split, recordId, lastOfLeft)`,
/// `abi.encode(Kind.Move, recordId, to, transfer)`, `abi.encode(Kind.Release, recordId, cause, cure)`,
/// `abi.encode(Kind.Pledge, recordId, pledgee, pledge)`, `abi.encode(Kind.Unpledge, recordId, pledge, reference)` and
/// `abi.encode(kind, recordId, reference)` for the three that end a record.
/// Proposals are kept per proposer, so nobody can occupy or withdraw somebody else's; rights are checked when it is
/// confirmed, of both persons, so what was taken away since no longer counts.
///
/// A record is frozen for a cause: what it rests on was corrected, revoked or withdrawn. It may be frozen for several, and
/// stays frozen while one of them stands, so a release for one cause never undoes a freeze for another that came between
/// proposal and confirmation. What is frozen cannot be split, moved or ended. For one cause a record is frozen once and
/// released once, so every act here is performed at most once, however often it is sent.
///
/// A record is pledged to one party at a time, under the official registration of the pledge, which serves once. What is
/// pledged cannot be split, moved or ended, but frozen and released from freezes; the pledgee gives the pledge back.
///
/// Two things make a second record of one unit impossible. The id of a record is the hash of registry, batch and serials,
/// and a range once recorded or made by a split stays known for good. And the ranges recorded in one batch form a list
/// sorted by serial, one slot a range: a new one names the range before it and must fit between that one and the next, so
/// the check costs the same however many there are, in whatever order registries issue or members record. Ranges only
/// ever divide by `split`, within their bounds, so the list never has to be touched again.
///
/// WARNING: the chain cannot read the verification report. It shows that a leaf is in a log that an anchored epoch
/// commits to; that the leaf is a report with a positive opinion in force, and in the log of the verification body that
/// made it, is for the two persons to check, and for every reader of the log after them.
/// WARNING: whoever has the admin role admits members and so could admit two of its own. Give it to an account that
/// itself takes several persons.
interface ICarbonAssets {
    enum Kind {
        Record,
        Split,
        Move,
        Retire,
        Surrender,
        Cancel,
        Release,
        Pledge,
        Unpledge
    }

    /// @notice All but `Live` are final. A split record lives on in its two parts. A frozen one is live, but stays as it is.
    enum State {
        None,
        Live,
        Split,
        Retired,
        Surrendered,
        Cancelled
    }

    /// @notice What a cause means for a record: nothing, that it is frozen, or that it was frozen and is cured.
    enum Freeze {
        None,
        Standing,
        Cured
    }

    /// @notice What the official registration of a pledge means for a record.
    enum Pledge {
        None,
        Standing,
        Released
    }

    /// @notice What two persons say about units before they become a record.
    /// @param registry Id of the official registry. @param batch Id of the batch in that registry.
    /// @param first First serial, at least 1. @param last Last serial, included.
    /// @param holder Party that holds the units. @param origin Origin of the data log that has the verification report.
    /// @param reportLeaf RFC 9162 leaf hash of the verification report's signed statement.
    struct Claim {
        bytes32 registry;
        bytes32 batch;
        uint64 first;
        uint64 last;
        bytes32 holder;
        string origin;
        bytes32 reportLeaf;
    }

    /// @notice Three inclusion proofs, from the report's leaf up to the head that `LogAnchor` holds.
    /// @param headSize Size of the log of logs, which must be the anchored one.
    /// @param epoch Number of the epoch, which is the index of its entry. @param closedAt Its closing, milliseconds.
    /// @param mapRoot Root hash of the epoch's map. @param origins Number of entries in the map.
    /// @param mapIndex Index of the data log's entry in the map. @param dataSize Size of the data log there.
    /// @param dataRoot Root hash of the data log there. @param reportIndex Index of the report in the data log.
    struct Evidence {
        uint64 headSize;
        uint64 epoch;
        uint64 closedAt;
        bytes32 mapRoot;
        uint64 origins;
        uint64 mapIndex;
        uint64 dataSize;
        bytes32 dataRoot;
        uint64 reportIndex;
        bytes32[] epochProof;
        bytes32[] mapProof;
        bytes32[] reportProof;
    }

    /// @notice What is known of a range of serials.
    /// @param lot Id of the record from which it came by splitting; its own id when it was recorded as it is.
    /// @param freezes Number of causes that stand; frozen when it is not 0.
    /// @param pledgee Party to which it is pledged; zero when it is not.
    struct Record {
        bytes32 lot;
        bytes32 registry;
        bytes32 batch;
        uint64 first;
        uint64 last;
        bytes32 holder;
        bytes32 reportLeaf;
        State state;
        uint32 freezes;
        bytes32 pledgee;
    }

    /// @notice Records may not be kept on this chain.
    error CarbonAssetsChainNotAllowed(uint256 chainId);

    /// @notice The log of logs was closed and goes on in another one: the admin follows it there.
    error CarbonAssetsLogClosed(bytes32 logId, bytes32 successor);

    /// @notice The log of logs is open: there is nothing to follow.
    error CarbonAssetsLogNotSucceeded(bytes32 logId);

    /// @notice The party takes part no more, not now, or not yet.
    error CarbonAssetsPartyNotActive(bytes32 party);

    /// @notice What is pledged stays as it is until the pledgee gives it back.
    error CarbonAssetsPledged(bytes32 recordId, bytes32 pledgee);

    /// @notice This registration of a pledge served the record before.
    error CarbonAssetsPledgeUsed(bytes32 recordId, bytes32 pledge);

    /// @notice The record is not pledged under this registration.
    error CarbonAssetsNotPledgedFor(bytes32 recordId, bytes32 pledge);

    /// @notice Whoever confirms must be of another party than the pledgee.
    error CarbonAssetsConfirmedByPledgee(address account, bytes32 pledgee);

    /// @notice `LogAnchor` has no log under this id.
    error CarbonAssetsUnknownLog(bytes32 logId);

    /// @notice The zero party is nobody, and the zero address can confirm nothing.
    error CarbonAssetsInvalidMember(address account, bytes32 party);

    /// @notice The account has not been admitted for any party.
    error CarbonAssetsNotMember(address account);

    /// @notice Nobody has been admitted for this party.
    error CarbonAssetsUnknownParty(bytes32 party);

    /// @notice An act is empty or longer than 1,024 bytes.
    error CarbonAssetsInvalidActLength(uint256 length);

    /// @notice The same person has already proposed this act, and it is open.
    error CarbonAssetsAlreadyProposed(bytes32 actHash, address proposer, uint64 expiresAt);

    /// @notice This person has not proposed this act, has withdrawn it, or it has been confirmed.
    error CarbonAssetsNotProposed(bytes32 actHash, address proposer);

    /// @notice The proposal was open until this block time, in seconds.
    error CarbonAssetsProposalExpired(bytes32 actHash, address proposer, uint64 expiresAt);

    /// @notice The person who proposes cannot confirm.
    error CarbonAssetsSamePerson(address account);

    /// @notice The proposer may not act for the holder (or, for `cancel` and `release`, as registrar either).
    error CarbonAssetsNotForHolder(address proposer, bytes32 holder);

    /// @notice Whoever confirms must be of another party than the holder.
    error CarbonAssetsConfirmedByHolder(address account, bytes32 holder);

    /// @notice Registry and batch must not be zero, and `1 <= first <= last`.
    error CarbonAssetsInvalidSerials(bytes32 registry, bytes32 batch, uint64 first, uint64 last);

    /// @notice Serials of this range are in a range recorded before.
    error CarbonAssetsOverlap(bytes32 registry, bytes32 batch, uint64 recordedFirst, uint64 recordedLast);

    /// @notice No recorded range of the batch starts there, or another one lies between it and the new range.
    error CarbonAssetsInvalidPredecessor(bytes32 registry, bytes32 batch, uint64 predecessor);

    /// @notice The head anchored now has another size than the evidence was made for.
    error CarbonAssetsHeadSizeMismatch(uint64 anchoredSize, uint64 headSize);

    /// @notice Epochs count from 1: entry 0 of the log of logs is the log host's genesis.
    error CarbonAssetsInvalidEpoch(uint64 epoch);

    /// @notice There is no record under this id.
    error CarbonAssetsUnknownRecord(bytes32 recordId);

    /// @notice What is not live stays as it is.
    error CarbonAssetsNotLive(bytes32 recordId, State state);

    /// @notice What is frozen stays as it is until every cause is cured.
    error CarbonAssetsFrozen(bytes32 recordId, uint32 freezes);

    /// @notice The record is frozen for this cause already, or was and is cured: name the new cause.
    error CarbonAssetsCauseUsed(bytes32 recordId, bytes32 cause);

    /// @notice The record is not frozen for this cause.
    error CarbonAssetsNotFrozenFor(bytes32 recordId, bytes32 cause);

    /// @notice The left part must end before the record does: `first <= lastOfLeft < last`.
    error CarbonAssetsInvalidSplit(bytes32 recordId, uint64 lastOfLeft);

    /// @notice A move needs another holder.
    error CarbonAssetsAlreadyHolds(bytes32 recordId, bytes32 holder);

    /// @notice An official act, a cause or a cure must be named.
    error CarbonAssetsInvalidReference(bytes32 recordId, bytes32 officialReference);

    /// @notice An earlier move mirrors this official transfer.
    error CarbonAssetsTransferUsed(bytes32 registry, bytes32 transfer);

    /// @notice An account was admitted for a party.
    event MemberAdmitted(address indexed member, bytes32 indexed party);

    /// @notice An account is no longer a member.
    event MemberDismissed(address indexed member, bytes32 indexed party);

    /// @notice An act was proposed; it can be confirmed in blocks before `expiresAt`, in seconds.
    event ActProposed(bytes32 indexed actHash, address indexed proposer, bytes act, uint64 expiresAt);

    /// @notice A proposal was withdrawn by its proposer.
    event ProposalWithdrawn(bytes32 indexed actHash, address indexed proposer);

    /// @notice An act was confirmed; what it changed is in the event after this one.
    event ActConfirmed(bytes32 indexed actHash, address indexed proposer, address indexed confirmer);

    /// @notice Units became a record.
    event SerialsRecorded(bytes32 indexed recordId, bytes32 indexed holder, Claim claim);

    /// @notice A record was divided into two parts.
    event RecordSplit(bytes32 indexed recordId, bytes32 leftId, bytes32 rightId);

    /// @notice A record changed its holder, as the official transfer had done.
    event RecordMoved(bytes32 indexed recordId, bytes32 indexed from, bytes32 indexed to, bytes32 transfer);

    /// @notice A record was retired: its units are used up for a voluntary claim.
    event RecordRetired(bytes32 indexed recordId, bytes32 officialReference);

    /// @notice A record was surrendered: its units are used up against an obligation.
    event RecordSurrendered(bytes32 indexed recordId, bytes32 officialReference);

    /// @notice A record was cancelled: its units are gone and nobody may claim them.
    event RecordCancelled(bytes32 indexed recordId, bytes32 officialReference);

    /// @notice A record was frozen for a cause.
    event RecordFrozen(bytes32 indexed recordId, bytes32 indexed cause, address indexed registrar);

    /// @notice A cause no longer stands against a record; it is free when none is left.
    event RecordReleased(bytes32 indexed recordId, bytes32 indexed cause, bytes32 cure);

    /// @notice A record was pledged.
    event RecordPledged(bytes32 indexed recordId, bytes32 indexed pledgee, bytes32 pledge);

    /// @notice A pledge was given back.
    event PledgeReleased(
        bytes32 indexed recordId, bytes32 indexed pledgee, bytes32 pledge, bytes32 officialReference
    );

    /// @notice Evidence is checked against the log in which the one before goes on.
    event LogFollowed(bytes32 indexed logId, bytes32 indexed successor);

    /// @notice Makes an account a member for a party, or moves it to another one. Admin only.
    /// @dev Roles are granted beside it, by AccessControl. Without being a member they have no effect here.
    function admit(address member, bytes32 party) external;

    /// @notice Ends an account's membership. Its open proposals can no longer be confirmed. Admin only.
    function dismiss(address member) external;

    /// @notice Takes the log in which a closed log of logs goes on, as its two guardians said in `LogAnchor`. Admin only.
    /// @dev WARNING: the admin decides when, the guardians decide which. Look at the trust files before.
    function follow() external returns (bytes32 successor);

    /// @notice Proposes an act, open for seven days. Members only.
    /// @param act The act's bytes, see above. @return actHash keccak256 of them.
    function propose(bytes calldata act) external returns (bytes32 actHash);

    /// @notice Withdraws one's own proposal, open or expired.
    function withdrawProposal(bytes32 actHash) external;

    /// @notice Confirms and performs a record of units whose verification report is in an anchored log.
    /// @dev Shown in this order, each with an exact RFC 9162 inclusion proof: the report's leaf in the data log; the
    /// entry of the data log's head in the epoch's map; the epoch's entry in the log of logs whose head `LogAnchor`
    /// holds now. A report may stand for several ranges, a range has one report. The evidence is not part of what is
    /// proposed, because the head moves on between the two persons.
    /// @param predecessor First serial of the nearest range recorded below in the batch, 0 when there is none: see
    /// {predecessorOf}. @return recordId See {recordIdOf}.
    function record(Claim calldata claim, address proposer, uint64 predecessor, Evidence calldata evidence)
        external
        returns (bytes32 recordId);

    /// @notice Confirms and performs a split into `[first, lastOfLeft]` and `[lastOfLeft + 1, last]`.
    function split(bytes32 recordId, uint64 lastOfLeft, address proposer)
        external
        returns (bytes32 leftId, bytes32 rightId);

    /// @notice Confirms and performs a move to another holder.
    /// @param transfer The official transfer that it mirrors. Within one registry each serves once.
    function move(bytes32 recordId, bytes32 to, bytes32 transfer, address proposer) external;

    /// @notice Confirms and performs a retirement. @param officialReference The official act that it mirrors.
    function retire(bytes32 recordId, bytes32 officialReference, address proposer) external;

    /// @notice Confirms and performs a surrender. @param officialReference The official act that it mirrors.
    function surrender(bytes32 recordId, bytes32 officialReference, address proposer) external;

    /// @notice Confirms and performs a cancellation. @param officialReference The official act that it mirrors.
    function cancel(bytes32 recordId, bytes32 officialReference, address proposer) external;

    /// @notice Freezes a live record for a cause. One member with `REGISTRAR_ROLE` is enough.
    /// @dev WARNING: one registrar can so stop every record, for as many causes as it likes. It takes nothing from anybody
    /// and shows who did it; each cause still takes two persons to cure.
    /// @param cause Digest of the statement by which what the record rests on no longer holds.
    function freeze(bytes32 recordId, bytes32 cause) external;

    /// @notice Confirms and performs a release from one cause. @param cure Digest of the statement that cures it.
    function release(bytes32 recordId, bytes32 cause, bytes32 cure, address proposer) external;

    /// @notice Confirms and performs a pledge.
    /// @param pledgee Party to which the record is pledged. @param pledge The official registration that it mirrors.
    function pledge(bytes32 recordId, bytes32 pledgee, bytes32 pledge, address proposer) external;

    /// @notice Confirms and performs the return of a pledge.
    /// @param officialReference The official act that it mirrors.
    function unpledge(bytes32 recordId, bytes32 pledge, bytes32 officialReference, address proposer) external;

    /// @notice Who says which parties take part; the zero address when nobody is asked.
    function membership() external view returns (address);

    /// @notice What the official registration of a pledge means for a record.
    function pledgeOf(bytes32 recordId, bytes32 pledge) external view returns (Pledge);

    /// @notice The contract and the log of logs that evidence is checked against.
    function anchor() external view returns (address logAnchor, bytes32 logId);

    /// @notice The party an account acts for; zero when it is not a member.
    function partyOf(address member) external view returns (bytes32);

    /// @notice Until when a proposal is open, seconds; zero when there is none.
    function expiryOf(bytes32 actHash, address proposer) external view returns (uint64 expiresAt);

    /// @notice The record under an id; all zero, with state `None`, when there is none.
    function recordOf(bytes32 recordId) external view returns (Record memory);

    /// @notice What a cause means for a record.
    function freezeOf(bytes32 recordId, bytes32 cause) external view returns (Freeze);

    /// @notice `keccak256(abi.encode(registry, batch, first, last))`.
    function recordIdOf(bytes32 registry, bytes32 batch, uint64 first, uint64 last)
        external
        pure
        returns (bytes32);

    /// @notice First serial of the nearest range recorded in the batch that starts below `first`; 0 when there is none.
    /// @dev Walks through the batch: to be called from outside the chain only.
    function predecessorOf(bytes32 registry, bytes32 batch, uint64 first) external view returns (uint64);
}
