// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Heads of logs of logs, kept append-only by proof
/// @notice Keeps one head (size and root hash) per log of logs and moves it forward only with an RFC 9162
/// consistency proof and the head key's signature. A fork of a log can therefore not be anchored, and whoever
/// steals the key that pays for gas can neither anchor a head nor block the log.
/// @dev Layout of storage, which offline evidence proves with `eth_getProof`: a mapping from log id at slot 0;
/// with `b = keccak256(abi.encode(logId, uint256(0)))`, slot `b` packs, from the highest bits down, `anchoredAt`
/// (40 bits), `size` (56 bits) and the head key (160 bits); slot `b + 1` is the root hash and slot `b + 2` the history.
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

    /// @notice A log was opened; its head is `(1, genesisLeafHash)`.
    event LogOpened(bytes32 indexed logId, address indexed headKey, bytes32 genesisLeafHash);

    /// @notice A log's head moved to `(newSize, newRoot)`. The time is the block's.
    event HeadAdvanced(bytes32 indexed logId, uint64 newSize, bytes32 newRoot);

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

    /// @notice The newest head of a log; all zero when the log is not open.
    /// @return size Number of entries. @return root RFC 9162 root hash. @return anchoredAt Block time, seconds.
    function head(bytes32 logId) external view returns (uint64 size, bytes32 root, uint64 anchoredAt);

    /// @notice The hash chain over all heads: `h' = keccak256(abi.encode(h, size, root, block.timestamp))` from
    /// zero, the first link being the opening. Whoever has the list can prove every head and its time from one block.
    function history(bytes32 logId) external view returns (bytes32);

    /// @notice The address whose signatures move the head; zero when the log is not open.
    function headKey(bytes32 logId) external view returns (address);

    /// @notice The EIP-712 domain separator on this chain, for signers that want to compare it.
    function domainSeparator() external view returns (bytes32);
}
