// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {LogAnchor} from "../src/LogAnchor.sol";
import {ILogAnchor} from "../src/interfaces/ILogAnchor.sol";
import {Rfc9162} from "../src/libraries/Rfc9162.sol";
import {ForgeTest} from "./ForgeTest.sol";
import {Rfc9162Reference} from "./Rfc9162Reference.sol";

contract LogAnchorTest is ForgeTest {
    /// @dev The order of secp256k1, to make the high-s twin of a signature.
    uint256 private constant _ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;
    uint256 private constant _HEAD_PRIVATE_KEY = 0xa11ce;
    uint256 private constant _GAS_PRIVATE_KEY = 0x6a5;
    uint256 private constant _START = 1_767_225_600; // 2026-01-01T00:00:00Z, in seconds

    LogAnchor private _anchor;
    address private _headKey;
    bytes32 private _logId;
    bytes32[] private _leaves;

    function setUp() public {
        VM.warp(_START);
        _anchor = new LogAnchor();
        _headKey = VM.addr(_HEAD_PRIVATE_KEY);
        for (uint256 i = 0; i < 12; i++) {
            _leaves.push(keccak256(abi.encode("leaf", i)));
        }
        _logId = _anchor.open(_leaves[0], _headKey);
    }

    // Opening.

    function test_OpensWithGenesisLeafAsHead() public view {
        (uint64 size, bytes32 root, uint64 anchoredAt) = _anchor.head(_logId);
        assertEq(_logId, keccak256(abi.encode(_leaves[0], _headKey)), "log id");
        assertEq(size, 1, "size");
        assertEq(root, _leaves[0], "root");
        assertEq(anchoredAt, _START, "time");
        assertEq(_anchor.headKey(_logId), _headKey, "head key");
        bytes32 link = keccak256(abi.encode(bytes32(0), uint256(1), _leaves[0], _START));
        assertEq(_anchor.history(_logId), link, "history");
    }

    function test_OpenEmitsLogOpened() public {
        bytes32 logId = keccak256(abi.encode(_leaves[3], _headKey));
        VM.expectEmit(address(_anchor));
        emit ILogAnchor.LogOpened(logId, _headKey, _leaves[3]);
        _anchor.open(_leaves[3], _headKey);
    }

    function testFuzz_OpeningAgainChangesNothing(address sender, uint32 later) public {
        VM.assume(sender != address(0));
        _advance(1, 4);
        bytes32 before = _stateDigest();
        VM.warp(_START + later);
        VM.prank(sender);
        assertEq(_anchor.open(_leaves[0], _headKey), _logId, "same log");
        assertEq(_stateDigest(), before, "state");
    }

    function test_AnotherHeadKeyOpensAnotherLog() public {
        bytes32 other = _anchor.open(_leaves[0], VM.addr(_GAS_PRIVATE_KEY));
        assertTrue(other != _logId, "ids differ");
        assertEq(_anchor.headKey(_logId), _headKey, "head key stays");
    }

    function test_RevertIf_HeadKeyIsZero() public {
        VM.expectRevert(abi.encodeWithSelector(ILogAnchor.LogAnchorInvalidHeadKey.selector, address(0)));
        _anchor.open(_leaves[0], address(0));
    }

    function test_UnknownLogReadsAsZero() public view {
        (uint64 size, bytes32 root, uint64 anchoredAt) = _anchor.head("nothing");
        assertEq(size, 0, "size");
        assertEq(root, 0, "root");
        assertEq(anchoredAt, 0, "time");
        assertEq(_anchor.history("nothing"), 0, "history");
        assertEq(_anchor.headKey("nothing"), address(0), "head key");
    }

    // Advancing.

    function test_AdvancesHeadAndChainsHistory() public {
        bytes32 link = _anchor.history(_logId);
        VM.warp(_START + 86_400);
        _advance(1, 5);
        link = keccak256(abi.encode(link, uint256(5), _root(5), _START + 86_400));
        assertEq(_anchor.history(_logId), link, "history after one");
        VM.warp(_START + 172_800);
        _advance(5, 11);
        link = keccak256(abi.encode(link, uint256(11), _root(11), _START + 172_800));
        assertEq(_anchor.history(_logId), link, "history after two");

        (uint64 size, bytes32 root, uint64 anchoredAt) = _anchor.head(_logId);
        assertEq(size, 11, "size");
        assertEq(root, _root(11), "root");
        assertEq(anchoredAt, _START + 172_800, "time");
        assertEq(_anchor.headKey(_logId), _headKey, "head key");
    }

    function test_AdvanceEmitsHeadAdvanced() public {
        bytes memory signature = _sign(1, 5, _root(5));
        bytes32[] memory proof = _proof(1, 5);
        VM.expectEmit(address(_anchor));
        emit ILogAnchor.HeadAdvanced(_logId, 5, _root(5));
        _anchor.advance(_logId, 1, 5, _root(5), proof, signature);
    }

    function testFuzz_AdvancesInAnySteps(uint256 steps) public {
        uint256 size = 1;
        while (size < _leaves.length) {
            uint256 next = bound(steps, size + 1, _leaves.length);
            _advance(uint64(size), uint64(next));
            size = next;
            steps >>= 16;
        }
        (, bytes32 root,) = _anchor.head(_logId);
        assertEq(root, _root(_leaves.length), "root");
    }

    function test_AnybodyMaySendASignedStep() public {
        VM.prank(address(0xbeef));
        _anchor.advance(_logId, 1, 5, _root(5), _proof(1, 5), _sign(1, 5, _root(5)));
        (uint64 size,,) = _anchor.head(_logId);
        assertEq(size, 5, "size");
    }

    function test_StorageLayoutIsWhatOfflineEvidenceProves() public {
        VM.warp(_START + 60);
        _advance(1, 7);
        uint256 base = uint256(keccak256(abi.encode(_logId, uint256(0))));
        uint256 packed = uint256(VM.load(address(_anchor), bytes32(base)));
        assertEq(address(uint160(packed)), _headKey, "head key in the low 160 bits");
        assertEq(uint56(packed >> 160), 7, "size in the next 56 bits");
        assertEq(packed >> 216, _START + 60, "time in the high 40 bits");
        assertEq(VM.load(address(_anchor), bytes32(base + 1)), _root(7), "root");
        assertEq(VM.load(address(_anchor), bytes32(base + 2)), _anchor.history(_logId), "history");
    }

    function test_CodeIsTheSameForEveryDeployment() public {
        VM.chainId(77);
        LogAnchor other = new LogAnchor();
        assertEq(address(other).codehash, address(_anchor).codehash, "code hash");
    }

    // What must never advance a head.

    function test_RevertIf_LogIsUnknown() public {
        bytes memory signature = _sign(1, 5, _root(5));
        bytes32[] memory proof = _proof(1, 5);
        _expectRevertOnAdvance(
            abi.encodeWithSelector(ILogAnchor.LogAnchorUnknownLog.selector, bytes32("nothing")),
            "nothing",
            1,
            5,
            _root(5),
            proof,
            signature
        );
    }

    function test_RevertIf_OldSizeIsZero() public {
        _expectInvalidSizes(0, 5);
    }

    function test_RevertIf_NewSizeEqualsOldSize() public {
        _expectInvalidSizes(1, 1);
    }

    function test_RevertIf_NewSizeIsSmaller() public {
        _advance(1, 5);
        _expectInvalidSizes(5, 4);
    }

    function test_RevertIf_NewSizeExceedsLimit() public {
        _expectInvalidSizes(1, uint64(2 ** 48 + 1));
    }

    function test_AcceptsNewSizeAtLimit() public {
        uint64 limit = 2 ** 48;
        bytes32[] memory proof = new bytes32[](48);
        (, bytes32 oldRoot, bytes32 newRoot) = Rfc9162Reference.fold(1, limit, _leaves[0], proof);
        assertEq(oldRoot, _leaves[0], "old root");
        _anchor.advance(_logId, 1, limit, newRoot, proof, _sign(1, limit, newRoot));
        VM.snapshotGasLastCall("LogAnchor", "advance to 2**48, 48 proof nodes");
        (uint64 size,,) = _anchor.head(_logId);
        assertEq(size, limit, "size");
    }

    function test_RevertIf_StepIsReplayed() public {
        bytes memory signature = _sign(1, 5, _root(5));
        bytes32[] memory proof = _proof(1, 5);
        _anchor.advance(_logId, 1, 5, _root(5), proof, signature);
        _expectRevertOnAdvance(
            abi.encodeWithSelector(ILogAnchor.LogAnchorSizeMismatch.selector, _logId, 5, 1),
            _logId,
            1,
            5,
            _root(5),
            proof,
            signature
        );
    }

    function test_RevertIf_OldSizeIsAheadOfHead() public {
        bytes memory signature = _sign(3, 5, _root(5));
        bytes32[] memory proof = _proof(3, 5);
        _expectRevertOnAdvance(
            abi.encodeWithSelector(ILogAnchor.LogAnchorSizeMismatch.selector, _logId, 1, 3),
            _logId,
            3,
            5,
            _root(5),
            proof,
            signature
        );
    }

    function test_RevertIf_LogForked() public {
        _advance(1, 5);
        _leaves[3] = keccak256("another history");
        bytes memory signature = _sign(5, 9, _root(9));
        bytes32[] memory proof = _proof(5, 9);
        _expectRevertOnAdvance("", _logId, 5, 9, _root(9), proof, signature);
    }

    function test_RevertIf_ProofIsTooShort() public {
        bytes memory signature = _sign(1, 5, _root(5));
        _expectRevertOnAdvance(
            abi.encodeWithSelector(Rfc9162.Rfc9162ProofLengthMismatch.selector, 3, 0),
            _logId,
            1,
            5,
            _root(5),
            new bytes32[](0),
            signature
        );
    }

    function test_RevertIf_ProofHasATrailingNode() public {
        bytes memory signature = _sign(1, 5, _root(5));
        bytes32[] memory proof = Rfc9162Reference.append(_proof(1, 5), keccak256("more"));
        _expectRevertOnAdvance(
            abi.encodeWithSelector(Rfc9162.Rfc9162ProofLengthMismatch.selector, 3, 4),
            _logId,
            1,
            5,
            _root(5),
            proof,
            signature
        );
    }

    function test_RevertIf_GasKeySignedTheStep() public {
        _expectBadSignature(_signWith(_GAS_PRIVATE_KEY, _anchor, _logId, 1, 5, _root(5)));
    }

    function test_RevertIf_SignatureIsOverAnotherRoot() public {
        _expectBadSignature(_sign(1, 5, _root(6)));
    }

    function test_RevertIf_SignatureIsOverAnotherNewSize() public {
        _expectBadSignature(_sign(1, 6, _root(5)));
    }

    function test_RevertIf_SignatureIsOverAnotherOldSize() public {
        _expectBadSignature(_sign(2, 5, _root(5)));
    }

    function test_RevertIf_SignatureIsOverAnotherLog() public {
        _expectBadSignature(_signWith(_HEAD_PRIVATE_KEY, _anchor, "another log", 1, 5, _root(5)));
    }

    function test_RevertIf_SignatureIsForAnotherContract() public {
        _expectBadSignature(_signWith(_HEAD_PRIVATE_KEY, new LogAnchor(), _logId, 1, 5, _root(5)));
    }

    function test_RevertIf_SignatureIsForAnotherChain() public {
        VM.chainId(77);
        bytes memory signature = _sign(1, 5, _root(5));
        VM.chainId(31_337);
        _expectBadSignature(signature);
    }

    function test_RevertIf_SignatureHasHighS() public {
        (uint8 v, bytes32 r, bytes32 s) = VM.sign(_HEAD_PRIVATE_KEY, _digest(_anchor, _logId, 1, 5, _root(5)));
        _expectBadSignature(
            abi.encodePacked(r, bytes32(_ORDER - uint256(s)), v == 27 ? uint8(28) : uint8(27))
        );
    }

    function test_RevertIf_SignatureHasLeadingZeroV() public {
        bytes memory signature = _sign(1, 5, _root(5));
        signature[64] = bytes1(uint8(signature[64]) - 27);
        _expectBadSignature(signature);
    }

    function test_RevertIf_SignatureIsCompact() public {
        (uint8 v, bytes32 r, bytes32 s) = VM.sign(_HEAD_PRIVATE_KEY, _digest(_anchor, _logId, 1, 5, _root(5)));
        _expectBadSignature(abi.encodePacked(r, bytes32(uint256(s) | (uint256(v - 27) << 255))));
    }

    function test_RevertIf_SignatureHasATrailingByte() public {
        _expectBadSignature(abi.encodePacked(_sign(1, 5, _root(5)), bytes1(0)));
    }

    function test_RevertIf_SignatureIsEmpty() public {
        _expectBadSignature("");
    }

    function testFuzz_RevertIf_AnyBitOfTheSignatureIsFlipped(uint256 bit) public {
        bit = bound(bit, 0, 65 * 8 - 1);
        bytes memory signature = _sign(1, 5, _root(5));
        signature[bit / 8] ^= bytes1(uint8(1 << (bit % 8)));
        _expectBadSignature(signature);
    }

    // Figures that must not drift unseen.

    /// @dev A tree whose leaves are all alike, so that its root and proofs are known at any size.
    function test_GasAndSizeSnapshots() public {
        VM.snapshotValue("LogAnchor", "runtime bytes", address(_anchor).code.length);
        bytes32 leaf = _leaves[9];
        bytes32 logId = _anchor.open(leaf, _headKey);
        VM.snapshotGasLastCall("LogAnchor", "open");

        _advanceAlike(logId, leaf, 1, 1_000_000);
        VM.snapshotGasLastCall("LogAnchor", "advance 1 to 1,000,000, 20 proof nodes");
        _advanceAlike(logId, leaf, 1_000_000, 1_000_257);
        VM.snapshotGasLastCall("LogAnchor", "advance 1,000,000 to 1,000,257, ten proof nodes");
        _advanceAlike(logId, leaf, 1_000_257, 1_000_258);
        VM.snapshotGasLastCall("LogAnchor", "advance 1,000,257 to 1,000,258, ten proof nodes");
    }

    function _advanceAlike(bytes32 logId, bytes32 leaf, uint64 oldSize, uint64 newSize) private {
        bytes32 newRoot = Rfc9162Reference.rootAlike(leaf, newSize);
        bytes32[] memory proof = Rfc9162Reference.proofAlike(leaf, oldSize, newSize, true);
        bytes memory signature = _signWith(_HEAD_PRIVATE_KEY, _anchor, logId, oldSize, newSize, newRoot);
        _anchor.advance(logId, oldSize, newSize, newRoot, proof, signature);
    }

    function _advance(uint64 oldSize, uint64 newSize) private {
        _anchor.advance(
            _logId,
            oldSize,
            newSize,
            _root(newSize),
            _proof(oldSize, newSize),
            _sign(oldSize, newSize, _root(newSize))
        );
    }

    /// @dev Takes everything ready made: computing a root calls the SHA-256 precompile, which would be the next call.
    function _expectRevertOnAdvance(
        bytes memory reason,
        bytes32 logId,
        uint64 oldSize,
        uint64 newSize,
        bytes32 newRoot,
        bytes32[] memory proof,
        bytes memory signature
    ) private {
        if (reason.length == 0) VM.expectRevert();
        else VM.expectRevert(reason);
        _anchor.advance(logId, oldSize, newSize, newRoot, proof, signature);
    }

    function _expectInvalidSizes(uint64 oldSize, uint64 newSize) private {
        bytes memory signature = _sign(oldSize, newSize, _root(5));
        _expectRevertOnAdvance(
            abi.encodeWithSelector(ILogAnchor.LogAnchorInvalidSizes.selector, oldSize, newSize),
            _logId,
            oldSize,
            newSize,
            _root(5),
            new bytes32[](0),
            signature
        );
    }

    function _expectBadSignature(bytes memory signature) private {
        bytes32[] memory proof = _proof(1, 5);
        _expectRevertOnAdvance(
            abi.encodeWithSelector(ILogAnchor.LogAnchorInvalidHeadSignature.selector, _logId, _headKey),
            _logId,
            1,
            5,
            _root(5),
            proof,
            signature
        );
    }

    function _stateDigest() private view returns (bytes32) {
        (uint64 size, bytes32 root, uint64 anchoredAt) = _anchor.head(_logId);
        return keccak256(abi.encode(size, root, anchoredAt, _anchor.history(_logId), _anchor.headKey(_logId)));
    }

    function _root(uint256 size) private view returns (bytes32) {
        return Rfc9162Reference.root(_leaves, 0, size);
    }

    function _proof(uint256 oldSize, uint256 newSize) private view returns (bytes32[] memory) {
        bytes32[] memory leaves = new bytes32[](newSize);
        for (uint256 i = 0; i < newSize; i++) {
            leaves[i] = _leaves[i];
        }
        return Rfc9162Reference.proof(oldSize, leaves);
    }

    function _sign(uint64 oldSize, uint64 newSize, bytes32 newRoot) private view returns (bytes memory) {
        return _signWith(_HEAD_PRIVATE_KEY, _anchor, _logId, oldSize, newSize, newRoot);
    }

    function _signWith(
        uint256 privateKey,
        LogAnchor anchor,
        bytes32 logId,
        uint64 oldSize,
        uint64 newSize,
        bytes32 newRoot
    ) private view returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) =
            VM.sign(privateKey, _digest(anchor, logId, oldSize, newSize, newRoot));
        return abi.encodePacked(r, s, v);
    }

    /// @dev EIP-712 written out from the standard, not read from the contract.
    function _digest(LogAnchor anchor, bytes32 logId, uint64 oldSize, uint64 newSize, bytes32 newRoot)
        private
        view
        returns (bytes32)
    {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256(
                    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
                ),
                keccak256("Carbonseal LogAnchor"),
                keccak256("1"),
                block.chainid,
                address(anchor)
            )
        );
        bytes32 step = keccak256(
            abi.encode(
                keccak256("Advance(bytes32 logId,uint64 oldSize,uint64 newSize,bytes32 newRoot)"),
                logId,
                oldSize,
                newSize,
                newRoot
            )
        );
        return keccak256(abi.encodePacked(hex"1901", domain, step));
    }
}
