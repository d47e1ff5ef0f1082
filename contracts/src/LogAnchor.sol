// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ILogAnchor} from "./interfaces/ILogAnchor.sol";
import {Rfc9162} from "./libraries/Rfc9162.sol";

/// @title LogAnchor
/// @notice See {ILogAnchor}. No owner, no upgrade path, nothing payable, no role that spans logs.
/// @dev There are no immutable variables on purpose: the runtime code, and so the code hash that a trust file
/// names, is the same for every deployment.
contract LogAnchor is ILogAnchor {
    /// @dev One slot packed, so that a step writes three slots. 49 of the 56 bits hold 2**48, the highest one says that
    /// the log is closed, so that a step needs no further slot to know; 40 bits are a time in seconds.
    struct Log {
        address headKey;
        uint56 size;
        uint40 anchoredAt;
        bytes32 root;
        bytes32 history;
    }

    /// @dev What two guardians said when they closed a log.
    struct Closing {
        bytes32 successor;
        bytes32 root;
        uint64 size;
        uint64 closedAt;
    }

    struct Guardians {
        address first;
        address second;
    }

    struct Proposal {
        bytes32 termsHash;
        uint64 notBefore;
    }

    uint64 private constant _MAX_SIZE = 2 ** 48;
    uint56 private constant _CLOSED = 1 << 55;

    /// @dev Long enough for everybody who follows the log to see it and to object to the two guardians.
    uint64 private constant _LOCK = 7 days;

    /// @dev After the lock a proposal can be confirmed for so long: nothing forgotten is confirmed years later.
    uint64 private constant _WINDOW = 14 days;

    /// @dev The greatest `s` of a secp256k1 signature that has a low `s`: half of the group order.
    uint256 private constant _MAX_S = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0;

    bytes32 private constant _ADVANCE_TYPEHASH =
        keccak256("Advance(bytes32 logId,uint64 oldSize,uint64 newSize,bytes32 newRoot)");
    bytes32 private constant _APPOINT_TYPEHASH =
        keccak256("Appoint(bytes32 logId,address first,address second)");
    bytes32 private constant _DOMAIN_TYPEHASH =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 private constant _NAME_HASH = keccak256("Carbonseal LogAnchor");
    bytes32 private constant _VERSION_HASH = keccak256("1");

    mapping(bytes32 logId => Log) private _logs;
    mapping(bytes32 logId => Closing) private _closings;
    mapping(bytes32 logId => Guardians) private _guardians;
    mapping(bytes32 logId => mapping(address guardian => Proposal)) private _proposals;

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
        if (storedSize != oldSize) {
            // A closed log's size has the flag, so it equals no size that is allowed.
            if (storedSize & _CLOSED != 0) revert LogAnchorClosed(logId);
            revert LogAnchorSizeMismatch(logId, storedSize, oldSize);
        }

        bytes32 step = keccak256(abi.encode(_ADVANCE_TYPEHASH, logId, oldSize, newSize, newRoot));
        _checkSignature(logId, key, step, headSignature);
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
    function appoint(bytes32 logId, address first, address second, bytes calldata headSignature) external {
        address key = _logs[logId].headKey;
        if (key == address(0)) revert LogAnchorUnknownLog(logId);
        Guardians storage guardians = _guardians[logId];
        if (guardians.first != address(0)) revert LogAnchorAlreadyAppointed(logId);
        if (first == second) revert LogAnchorInvalidGuardian(logId, second);
        _checkGuardian(logId, key, first);
        _checkGuardian(logId, key, second);
        bytes32 words = keccak256(abi.encode(_APPOINT_TYPEHASH, logId, first, second));
        _checkSignature(logId, key, words, headSignature);

        guardians.first = first;
        guardians.second = second;
        emit GuardiansAppointed(logId, first, second);
    }

    /// @inheritdoc ILogAnchor
    function handOver(bytes32 logId, address next) external {
        Guardians storage guardians = _guardians[logId];
        address other = _otherGuardian(logId);
        if (next == other || next == msg.sender) revert LogAnchorInvalidGuardian(logId, next);
        _checkGuardian(logId, _logs[logId].headKey, next);

        delete _proposals[logId][msg.sender];
        // Whoever takes a seat begins without a proposal, also one that it left behind in an earlier turn.
        delete _proposals[logId][next];
        if (guardians.first == msg.sender) guardians.first = next;
        else guardians.second = next;
        emit GuardianReplaced(logId, msg.sender, next);
    }

    /// @inheritdoc ILogAnchor
    function proposeSuccession(bytes32 oldLogId, bytes32 newLogId, uint64 size, bytes32 root)
        external
        returns (uint64 notBefore)
    {
        _otherGuardian(oldLogId);
        _checkSuccession(oldLogId, newLogId, size, root);
        notBefore = uint64(block.timestamp) + _LOCK;
        _proposals[oldLogId][msg.sender] = Proposal(_termsHash(newLogId, size, root), notBefore);
        emit SuccessionProposed(oldLogId, newLogId, msg.sender, size, root, notBefore);
    }

    /// @inheritdoc ILogAnchor
    function withdrawSuccession(bytes32 oldLogId) external {
        if (_proposals[oldLogId][msg.sender].notBefore == 0) {
            revert LogAnchorNotProposed(oldLogId, msg.sender);
        }
        delete _proposals[oldLogId][msg.sender];
        emit SuccessionWithdrawn(oldLogId, msg.sender);
    }

    /// @inheritdoc ILogAnchor
    function succeed(bytes32 oldLogId, bytes32 newLogId, uint64 size, bytes32 root) external {
        address proposer = _otherGuardian(oldLogId);
        Proposal storage proposal = _proposals[oldLogId][proposer];
        uint64 notBefore = proposal.notBefore;
        if (notBefore == 0 || proposal.termsHash != _termsHash(newLogId, size, root)) {
            revert LogAnchorNotProposed(oldLogId, proposer);
        }
        // a block's time may be off by seconds, lock and window are days
        // forge-lint: disable-next-line(block-timestamp)
        if (block.timestamp < notBefore) revert LogAnchorSuccessionLocked(oldLogId, notBefore);
        // forge-lint: disable-next-line(block-timestamp)
        if (block.timestamp >= notBefore + _WINDOW) {
            revert LogAnchorProposalExpired(oldLogId, notBefore + _WINDOW);
        }
        // Again, because the new log may have been closed since.
        _checkSuccession(oldLogId, newLogId, size, root);

        delete _proposals[oldLogId][proposer];
        delete _proposals[oldLogId][msg.sender];
        _logs[oldLogId].size |= _CLOSED;
        _closings[oldLogId] = Closing(newLogId, root, size, uint64(block.timestamp));
        emit LogSucceeded(oldLogId, newLogId, size, root, proposer, msg.sender);
    }

    /// @inheritdoc ILogAnchor
    function verifyInclusion(
        bytes32 logId,
        uint64 size,
        uint64 index,
        bytes32 leafHash,
        bytes32[] calldata proof
    ) external view returns (uint64 anchoredAt) {
        Log storage log = _logs[logId];
        uint64 storedSize = log.size & ~_CLOSED;
        if (storedSize == 0) revert LogAnchorUnknownLog(logId);
        if (storedSize != size) revert LogAnchorSizeMismatch(logId, storedSize, size);
        Rfc9162.verifyInclusion(index, size, leafHash, log.root, proof);
        return log.anchoredAt;
    }

    /// @inheritdoc ILogAnchor
    function head(bytes32 logId) external view returns (uint64 size, bytes32 root, uint64 anchoredAt) {
        Log storage log = _logs[logId];
        return (log.size & ~_CLOSED, log.root, log.anchoredAt);
    }

    /// @inheritdoc ILogAnchor
    function successionOf(bytes32 logId)
        external
        view
        returns (bytes32 successor, uint64 size, bytes32 root, uint64 closedAt)
    {
        Closing storage closing = _closings[logId];
        return (closing.successor, closing.size, closing.root, closing.closedAt);
    }

    /// @inheritdoc ILogAnchor
    function guardiansOf(bytes32 logId) external view returns (address first, address second) {
        Guardians storage guardians = _guardians[logId];
        return (guardians.first, guardians.second);
    }

    /// @inheritdoc ILogAnchor
    function proposalOf(bytes32 logId, address guardian)
        external
        view
        returns (bytes32 termsHash, uint64 notBefore)
    {
        Proposal storage proposal = _proposals[logId][guardian];
        return (proposal.termsHash, proposal.notBefore);
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

    /// @dev Reverts unless one log may go on in the other one, whoever says so.
    function _checkSuccession(bytes32 oldLogId, bytes32 newLogId, uint64 size, bytes32 root) private view {
        Log storage log = _logs[oldLogId];
        uint64 storedSize = log.size;
        if (storedSize & _CLOSED != 0) revert LogAnchorClosed(oldLogId);
        if (size == 0 || size > storedSize || (size == storedSize && root != log.root)) {
            revert LogAnchorInvalidLastHead(oldLogId, size, root);
        }
        uint64 newSize = _logs[newLogId].size;
        if (newSize == 0) revert LogAnchorUnknownLog(newLogId);
        // A successor is open when it is named and a closed log is closed for good, so no log ever succeeds itself.
        if (newLogId == oldLogId || newSize & _CLOSED != 0) revert LogAnchorClosed(newLogId);
    }

    /// @dev The other guardian of a log, for one who is a guardian; anybody else is refused.
    function _otherGuardian(bytes32 logId) private view returns (address) {
        Guardians storage guardians = _guardians[logId];
        (address first, address second) = (guardians.first, guardians.second);
        // Without guardians the seats are zero, which a call that is only simulated may come from.
        if (msg.sender == address(0) || (msg.sender != first && msg.sender != second)) {
            revert LogAnchorNotGuardian(logId, msg.sender);
        }
        return msg.sender == first ? second : first;
    }

    /// @dev Who has the head key, or steals it, must not be one of the two persons who close its log.
    function _checkGuardian(bytes32 logId, address key, address guardian) private pure {
        if (guardian == address(0) || guardian == key) revert LogAnchorInvalidGuardian(logId, guardian);
    }

    function _termsHash(bytes32 newLogId, uint64 size, bytes32 root) private pure returns (bytes32) {
        return keccak256(abi.encode(newLogId, size, root));
    }

    function _checkSignature(bytes32 logId, address key, bytes32 words, bytes calldata signature)
        private
        view
    {
        bytes32 digest = keccak256(abi.encodePacked(hex"1901", domainSeparator(), words));
        if (_recover(digest, signature) != key) revert LogAnchorInvalidHeadSignature(logId, key);
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
