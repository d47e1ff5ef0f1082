// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Heads of logs of logs, kept append-only by proof
/// @notice Keeps one head (size and root hash) per log of logs and moves it forward only with an RFC 9162
/// consistency proof and the head key's signature. A fork of a log can therefore not be anchored, and whoever
/// steals the key that pays for gas can neither anchor a head nor block the log.
/// @dev Layout of storage, which offline evidence proves with `eth_getProof`: a mapping from log id at slot 0;
/// with `b = keccak256(abi.encode(logId, uint256(0)))`, slot `b` packs, from the highest bits down, `anchoredAt`
/// (40 bits), closed (1 bit), `size` (55 bits) and the head key (160 bits); slot `b + 1` is the root hash and slot `b + 2`
/// the history. With `c = keccak256(abi.encode(logId, uint256(1)))`, slot `c` is the successor of a closed log, `c + 1`
/// the root hash of its last head that counts, and `c + 2` packs the time of closing and that head's size (64 bits each).
///
/// A log whose keys or data are lost is closed and succeeded by two guardians. The head key appoints them once, by
/// signature, right after the opening; from then on it has no say in who they are, so a thief of the head key can neither
/// replace them nor stop them. Each may hand its seat over; neither can take the other's.
/// WARNING: until guardians are appointed, whoever has the head key can appoint them. Appoint before anything is anchored.
/// WARNING: a reader honours a succession only where its trust file names it. That the last head stated was anchored is
/// checked here only where it is the newest one; an earlier one is found in the history by whoever has the list.
/// WARNING: the chain checks the log of logs alone. That an organisation's log has no fork is shown elsewhere, by
/// the epoch map proofs and the consistency proofs in an evidence bundle.
interface ILogAnchor {
    /// @notice No log has been opened under this id.
    error LogAnchorUnknownLog(bytes32 logId);

    /// @notice The zero address can sign nothing: it is what a failed key recovery gives.
    error LogAnchorInvalidHeadKey(address headKey);

    /// @notice Sizes must satisfy `1 <= oldSize < newSize <= 2**48`.
    error LogAnchorInvalidSizes(uint64 oldSize, uint64 newSize);

    /// @notice The head has another size than the one this step starts from.
    error LogAnchorSizeMismatch(bytes32 logId, uint64 storedSize, uint64 oldSize);

    /// @notice The signature is malformed, has a high `s`, or was not made by the head key over this step.
    error LogAnchorInvalidHeadSignature(bytes32 logId, address headKey);

    /// @notice The log is closed, or it is the same log: its head stays where it is, and no log goes on in it.
    error LogAnchorClosed(bytes32 logId);

    /// @notice The head key has appointed guardians before.
    error LogAnchorAlreadyAppointed(bytes32 logId);

    /// @notice A guardian is neither nobody, nor the head key, nor the other guardian.
    error LogAnchorInvalidGuardian(bytes32 logId, address guardian);

    /// @notice Only the log's two guardians may do this.
    error LogAnchorNotGuardian(bytes32 logId, address account);

    /// @notice The last head that counts has a size from 1 to the stored one, and there the stored root hash.
    error LogAnchorInvalidLastHead(bytes32 logId, uint64 size, bytes32 root);

    /// @notice This guardian has proposed nothing for the log, or something else.
    error LogAnchorNotProposed(bytes32 logId, address proposer);

    /// @notice The succession can be confirmed from this block time on, in seconds.
    error LogAnchorSuccessionLocked(bytes32 logId, uint64 notBefore);

    /// @notice The succession could be confirmed until this block time, in seconds.
    error LogAnchorProposalExpired(bytes32 logId, uint64 expiresAt);

    /// @notice A log was opened; its head is `(1, genesisLeafHash)`.
    event LogOpened(bytes32 indexed logId, address indexed headKey, bytes32 genesisLeafHash);

    /// @notice A log's head moved to `(newSize, newRoot)`. The time is the block's.
    event HeadAdvanced(bytes32 indexed logId, uint64 newSize, bytes32 newRoot);

    /// @notice The head key named the two persons who may close the log.
    event GuardiansAppointed(bytes32 indexed logId, address indexed first, address indexed second);

    /// @notice A guardian handed its seat over.
    event GuardianReplaced(bytes32 indexed logId, address indexed previous, address indexed next);

    /// @notice A guardian proposed that a log be closed; the other one can confirm from `notBefore` on, in seconds.
    event SuccessionProposed(
        bytes32 indexed oldLogId,
        bytes32 indexed newLogId,
        address indexed proposer,
        uint64 size,
        bytes32 root,
        uint64 notBefore
    );

    /// @notice A guardian withdrew its proposal.
    event SuccessionWithdrawn(bytes32 indexed oldLogId, address indexed proposer);

    /// @notice A log was closed at its head `(size, root)`, and goes on in another one.
    event LogSucceeded(
        bytes32 indexed oldLogId,
        bytes32 indexed newLogId,
        uint64 size,
        bytes32 root,
        address proposer,
        address confirmer
    );

    /// @notice Opens a log with the head `(1, genesisLeafHash)`, or does nothing when it is open already.
    /// @dev Both arguments are in the id, so whoever opens first, the log that results is the same: front-running
    /// changes nothing but who pays.
    /// @param genesisLeafHash The RFC 9162 leaf hash of the log's entry 0, which is the root of the tree of size 1.
    /// @param headKey The secp256k1 address whose signatures move the head. It holds no funds and sends nothing.
    /// @return logId `keccak256(abi.encode(genesisLeafHash, headKey))`.
    function open(bytes32 genesisLeafHash, address headKey) external returns (bytes32 logId);

    /// @notice Moves a log's head from `oldSize` to `newSize`. Anybody may send it; only the head key can sign it.
    /// @dev The consistency proof alone authenticates neither the new leaves nor the new size, hence the signature:
    /// EIP-712, domain `{name: "Carbonseal LogAnchor", version: "1", chainId, verifyingContract}`, type
    /// `Advance(bytes32 logId,uint64 oldSize,uint64 newSize,bytes32 newRoot)`. The stored old root needs no
    /// signature: the id and the old size fix it.
    /// @param logId The log.
    /// @param oldSize The size that the log's head has now.
    /// @param newSize The size to move to, at most `2**48`.
    /// @param newRoot The root hash at `newSize`.
    /// @param proof The RFC 9162 section 2.1.4 consistency proof, of exactly the length the sizes call for.
    /// @param headSignature The head key's signature, 65 bytes `r, s, v`, with a low `s`.
    function advance(
        bytes32 logId,
        uint64 oldSize,
        uint64 newSize,
        bytes32 newRoot,
        bytes32[] calldata proof,
        bytes calldata headSignature
    ) external;

    /// @notice Names the two guardians of a log, once. Anybody may send it; only the head key can sign it.
    /// @dev EIP-712, same domain, type `Appoint(bytes32 logId,address first,address second)`. An account that is itself a
    /// contract of several persons may be a guardian: what guardians do, they send themselves.
    /// @param headSignature The head key's signature, of the same form as for {advance}.
    function appoint(bytes32 logId, address first, address second, bytes calldata headSignature) external;

    /// @notice Hands the sender's seat as guardian of a log to another account. What it had proposed is withdrawn.
    function handOver(bytes32 logId, address next) external;

    /// @notice Proposes, as one guardian, that a log be closed at its head `(size, root)` and go on in another one.
    /// @dev A guardian has one proposal a log: a new one replaces it and its lock begins anew. Neither guardian can
    /// occupy or withdraw the other's.
    /// @param newLogId An open log, of another head key or another genesis.
    /// @param size Size of the last head that counts: the newest one, or an earlier one where a stolen key moved on.
    /// @param root Root hash at that size.
    /// @return notBefore Block time from which the other guardian can confirm, in seconds: seven days from now.
    function proposeSuccession(bytes32 oldLogId, bytes32 newLogId, uint64 size, bytes32 root)
        external
        returns (uint64 notBefore);

    /// @notice Withdraws the sender's own proposal.
    function withdrawSuccession(bytes32 oldLogId) external;

    /// @notice Confirms, as the other guardian, what was proposed, in the fourteen days after its lock: the old log is
    /// closed for good, and its head stays readable.
    function succeed(bytes32 oldLogId, bytes32 newLogId, uint64 size, bytes32 root) external;

    /// @notice Reverts unless an entry with this leaf hash stands at `index` under the newest head of a log.
    /// @param size The size that the proof was made for, which must be the head's.
    /// @param proof The RFC 9162 section 2.1.3 inclusion proof, of exactly the length that index and size call for.
    /// @return anchoredAt Block time of that head, in seconds: the entry is not younger.
    function verifyInclusion(
        bytes32 logId,
        uint64 size,
        uint64 index,
        bytes32 leafHash,
        bytes32[] calldata proof
    ) external view returns (uint64 anchoredAt);

    /// @notice The newest head of a log; all zero when the log is not open.
    /// @return size Number of entries. @return root RFC 9162 root hash. @return anchoredAt Block time, seconds.
    function head(bytes32 logId) external view returns (uint64 size, bytes32 root, uint64 anchoredAt);

    /// @notice The hash chain over all heads: `h' = keccak256(abi.encode(h, size, root, block.timestamp))` from
    /// zero, the first link being the opening. Whoever has the list can prove every head and its time from one block.
    function history(bytes32 logId) external view returns (bytes32);

    /// @notice The address whose signatures move the head; zero when the log is not open.
    function headKey(bytes32 logId) external view returns (address);

    /// @notice What two guardians closed a log with: all zero when it is not closed.
    /// @return successor The log that goes on.
    /// @return size Size of the last head that counts.
    /// @return root Its root hash.
    /// @return closedAt Block time of the closing, in seconds.
    function successionOf(bytes32 logId)
        external
        view
        returns (bytes32 successor, uint64 size, bytes32 root, uint64 closedAt);

    /// @notice The two guardians of a log; zero when none were appointed.
    function guardiansOf(bytes32 logId) external view returns (address first, address second);

    /// @notice What a guardian has proposed: `keccak256(abi.encode(newLogId, size, root))`, and from when it can be
    /// confirmed, in seconds; zero when it has proposed nothing.
    function proposalOf(bytes32 logId, address guardian)
        external
        view
        returns (bytes32 termsHash, uint64 notBefore);

    /// @notice The EIP-712 domain separator on this chain, for signers that want to compare it.
    function domainSeparator() external view returns (bytes32);
}
