// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {CarbonAssets} from "../src/CarbonAssets.sol";
import {IMembership} from "../src/interfaces/IMembership.sol";
import {ITwoPersons} from "../src/interfaces/ITwoPersons.sol";
import {LogAnchor} from "../src/LogAnchor.sol";
import {ICarbonAssets} from "../src/interfaces/ICarbonAssets.sol";
import {EpochEntriesReference} from "./EpochEntriesReference.sol";
import {ForgeTest} from "./ForgeTest.sol";
import {Rfc9162Reference} from "./Rfc9162Reference.sol";

/// @title A small world in which acts can be proposed and confirmed
/// @dev One report in a data log of five entries, in a map of three logs, in a log of logs of four entries, anchored.
abstract contract CarbonAssetsFixture is ForgeTest {
    uint256 internal constant START = 1_767_225_600; // 2026-01-01T00:00:00Z, in seconds
    uint256 internal constant HEAD_PRIVATE_KEY = 0xa11ce;
    string internal constant ORIGIN = "log.carbonseal.example/e-aa/data";

    address internal constant ADMIN = address(0xad);
    address internal constant REGISTRAR = address(0x1001);
    address internal constant SECOND_REGISTRAR = address(0x1002);
    address internal constant ALICE = address(0x2001);
    address internal constant ANNE = address(0x2002);
    address internal constant BOB = address(0x3001);
    address internal constant STRANGER = address(0x4001);

    bytes32 internal constant REGISTRAR_PARTY = keccak256("r-registrar");
    bytes32 internal constant ALICES = keccak256("e-alices");
    bytes32 internal constant BOBS = keccak256("e-bobs");
    bytes32 internal constant REGISTRY = keccak256("official registry");
    bytes32 internal constant BATCH = keccak256("batch");
    bytes32 internal constant REFERENCE = keccak256("official act");
    bytes32 internal constant CAUSE = keccak256("a statement that withdraws the opinion");
    bytes32 internal constant CURE = keccak256("a statement that cures it");

    LogAnchor internal _anchor;
    CarbonAssets internal _assets;
    IMembership internal _membership;
    bytes32 internal _logId;
    bytes32[] internal _dataLeaves;
    bytes32[] internal _mapLeaves;
    bytes32[] internal _logLeaves;

    function _buildWorld() internal {
        VM.warp(START);
        for (uint256 i = 0; i < 5; i++) {
            _dataLeaves.push(keccak256(abi.encode("statement", i)));
        }
        _mapLeaves.push(keccak256("a head before"));
        _mapLeaves.push(EpochEntriesReference.mapLeaf(ORIGIN, 5, _dataRoot()));
        _mapLeaves.push(keccak256("a head after"));
        _logLeaves.push(keccak256("genesis"));
        _logLeaves.push(keccak256("epoch 1"));
        _logLeaves.push(EpochEntriesReference.epochLeaf(2, _mapRoot(), 3, uint64(START * 1000)));
        _logLeaves.push(keccak256("epoch 3"));

        _anchor = LogAnchor(VM.deployCode("LogAnchor.sol:LogAnchor", ""));
        _logId = _anchor.open(_logLeaves[0], VM.addr(HEAD_PRIVATE_KEY));
        _advance(_anchor, _logId, 4, _logRoot(), Rfc9162Reference.proof(1, _logLeaves));
        _membership = _founded();
        _assets = _deployAssets(_anchor, _logId, ADMIN, _membership);
        _admit(REGISTRAR, REGISTRAR_PARTY, _assets.REGISTRAR_ROLE());
        _admit(SECOND_REGISTRAR, REGISTRAR_PARTY, _assets.REGISTRAR_ROLE());
        _admit(ALICE, ALICES, _assets.HOLDER_ROLE());
        _admit(ANNE, ALICES, _assets.HOLDER_ROLE());
        _admit(BOB, BOBS, _assets.HOLDER_ROLE());
    }

    /// @dev From the artefact, as the others: with all code inside, the compiler would take minutes over the tests.
    function _deployAssets(LogAnchor anchor, bytes32 logId, address admin, IMembership members)
        internal
        returns (CarbonAssets)
    {
        bytes memory arguments = abi.encode(anchor, logId, admin, members, _chains());
        return CarbonAssets(VM.deployCode("CarbonAssets.sol:CarbonAssets", arguments));
    }

    /// @dev Who takes part, as two registrars said.
    function _founded() internal returns (IMembership made) {
        bytes memory founders = abi.encode(REGISTRAR, SECOND_REGISTRAR, new bytes32[2][](0));
        made = IMembership(VM.deployCode("Membership.sol:Membership", founders));
        bytes32[3] memory parties = [REGISTRAR_PARTY, ALICES, BOBS];
        for (uint256 i = 0; i < parties.length; i++) {
            IMembership.Admission memory it =
                IMembership.Admission(parties[i], new bytes32[](1), new bytes32[](0), parties[i], 0, 0);
            it.kinds[0] = "kind";
            VM.prank(REGISTRAR);
            ITwoPersons(address(made)).propose(abi.encode(IMembership.admit.selector, it));
            VM.prank(SECOND_REGISTRAR);
            made.admit(it, REGISTRAR);
        }
    }

    function _chains() internal view returns (uint256[] memory chainIds) {
        chainIds = new uint256[](2);
        (chainIds[0], chainIds[1]) = (7, block.chainid);
    }

    function _suspend(bytes32 party) internal {
        VM.prank(REGISTRAR);
        _membership.suspend(party, CAUSE);
    }

    function _admit(address member, bytes32 party, bytes32 role) internal {
        VM.prank(ADMIN);
        _assets.admit(member, party);
        VM.prank(ADMIN);
        _assets.grantRole(role, member);
    }

    function _advance(
        LogAnchor anchor,
        bytes32 logId,
        uint64 newSize,
        bytes32 newRoot,
        bytes32[] memory proof
    ) internal {
        bytes32 step = keccak256(
            abi.encode(
                keccak256("Advance(bytes32 logId,uint64 oldSize,uint64 newSize,bytes32 newRoot)"),
                logId,
                uint64(1),
                newSize,
                newRoot
            )
        );
        bytes32 digest = keccak256(abi.encodePacked(hex"1901", anchor.domainSeparator(), step));
        (uint8 v, bytes32 r, bytes32 s) = VM.sign(HEAD_PRIVATE_KEY, digest);
        anchor.advance(logId, 1, newSize, newRoot, proof, abi.encodePacked(r, s, v));
    }

    function _claim(uint64 first, uint64 last) internal view returns (ICarbonAssets.Claim memory) {
        return ICarbonAssets.Claim(REGISTRY, BATCH, first, last, ALICES, ORIGIN, _dataLeaves[3]);
    }

    function _evidence() internal view returns (ICarbonAssets.Evidence memory) {
        return ICarbonAssets.Evidence({
            headSize: 4,
            epoch: 2,
            closedAt: uint64(START * 1000),
            mapRoot: _mapRoot(),
            origins: 3,
            mapIndex: 1,
            dataSize: 5,
            dataRoot: _dataRoot(),
            reportIndex: 3,
            epochProof: Rfc9162Reference.inclusionPath(2, _logLeaves, 0, 4),
            mapProof: Rfc9162Reference.inclusionPath(1, _mapLeaves, 0, 3),
            reportProof: Rfc9162Reference.inclusionPath(3, _dataLeaves, 0, 5)
        });
    }

    function _propose(address proposer, bytes memory act) internal returns (bytes32 actHash) {
        VM.prank(proposer);
        return _assets.propose(act);
    }

    function _proposeRecord(ICarbonAssets.Claim memory claim) internal {
        _propose(ALICE, abi.encode(ICarbonAssets.Kind.Record, claim));
    }

    /// @dev Both persons, for units of Alice's party.
    function _record(uint64 first, uint64 last) internal returns (bytes32) {
        ICarbonAssets.Claim memory claim = _claim(first, last);
        ICarbonAssets.Evidence memory evidence = _evidence();
        uint64 predecessor = _assets.predecessorOf(REGISTRY, BATCH, first);
        _proposeRecord(claim);
        VM.prank(REGISTRAR);
        return _assets.record(claim, ALICE, predecessor, evidence);
    }

    function _split(bytes32 recordId, uint64 lastOfLeft, address proposer)
        internal
        returns (bytes32 left, bytes32 right)
    {
        _propose(proposer, abi.encode(ICarbonAssets.Kind.Split, recordId, lastOfLeft));
        VM.prank(REGISTRAR);
        return _assets.split(recordId, lastOfLeft, proposer);
    }

    function _move(bytes32 recordId, bytes32 to, bytes32 transfer, address proposer) internal {
        _propose(proposer, abi.encode(ICarbonAssets.Kind.Move, recordId, to, transfer));
        VM.prank(REGISTRAR);
        _assets.move(recordId, to, transfer, proposer);
    }

    /// @dev Both persons, for one of the three acts that end a record.
    function _end(ICarbonAssets.Kind kind, bytes32 recordId, address proposer) internal {
        _propose(proposer, abi.encode(kind, recordId, REFERENCE));
        VM.prank(REGISTRAR);
        _callEnd(kind, recordId, REFERENCE, proposer);
    }

    /// @dev Both persons, to Bob's party.
    function _pledge(bytes32 recordId, bytes32 pledge) internal {
        _propose(ALICE, abi.encode(ICarbonAssets.Kind.Pledge, recordId, BOBS, pledge));
        VM.prank(REGISTRAR);
        _assets.pledge(recordId, BOBS, pledge, ALICE);
    }

    function _unpledge(bytes32 recordId, bytes32 pledge, address proposer) internal {
        _propose(proposer, abi.encode(ICarbonAssets.Kind.Unpledge, recordId, pledge, CURE));
        VM.prank(REGISTRAR);
        _assets.unpledge(recordId, pledge, CURE, proposer);
    }

    function _freeze(bytes32 recordId, bytes32 cause) internal {
        VM.prank(REGISTRAR);
        _assets.freeze(recordId, cause);
    }

    /// @dev Both persons.
    function _release(bytes32 recordId, bytes32 cause, address proposer) internal {
        _propose(proposer, _releasing(recordId, cause));
        VM.prank(REGISTRAR);
        _assets.release(recordId, cause, CURE, proposer);
    }

    function _releasing(bytes32 recordId, bytes32 cause) internal pure returns (bytes memory) {
        return abi.encode(ICarbonAssets.Kind.Release, recordId, cause, CURE);
    }

    function _callEnd(ICarbonAssets.Kind kind, bytes32 recordId, bytes32 officialReference, address proposer)
        internal
    {
        if (kind == ICarbonAssets.Kind.Retire) {
            _assets.retire(recordId, officialReference, proposer);
        } else if (kind == ICarbonAssets.Kind.Surrender) {
            _assets.surrender(recordId, officialReference, proposer);
        } else {
            _assets.cancel(recordId, officialReference, proposer);
        }
    }

    function _state(bytes32 recordId) internal view returns (ICarbonAssets.State) {
        return _assets.recordOf(recordId).state;
    }

    function _dataRoot() internal view returns (bytes32) {
        return Rfc9162Reference.root(_dataLeaves, 0, _dataLeaves.length);
    }

    function _mapRoot() internal view returns (bytes32) {
        return Rfc9162Reference.root(_mapLeaves, 0, _mapLeaves.length);
    }

    function _logRoot() internal view returns (bytes32) {
        return Rfc9162Reference.root(_logLeaves, 0, _logLeaves.length);
    }
}
