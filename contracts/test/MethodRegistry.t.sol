// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {MethodRegistry} from "../src/MethodRegistry.sol";
import {IMethodRegistry} from "../src/interfaces/IMethodRegistry.sol";
import {ITwoPersons} from "../src/interfaces/ITwoPersons.sol";
import {TwoPersonsFixture} from "./TwoPersonsFixture.sol";

contract MethodRegistryTest is TwoPersonsFixture {
    string private constant _METHOD = "GBT32150-2015";
    bytes32 private constant _DIGEST = keccak256("a package");
    bytes32 private constant _NEW_DIGEST = keccak256("the next package");
    bytes32 private constant _CAUSE = keccak256("a statement that says why");
    uint64 private constant _FROM = uint64(START);
    uint64 private constant _LATER = uint64(START + 365 days);

    MethodRegistry private _registry;

    function setUp() public {
        VM.warp(START);
        _registry = new MethodRegistry(ANN, BEN);
        _two = _registry;
    }

    function test_PublishesAVersionOnce() public {
        bytes32 key = keccak256(abi.encode(_METHOD, "1.0.0"));
        _propose(ANN, _publishing("1.0.0", _DIGEST, _FROM, 0));
        VM.expectEmit(address(_registry));
        emit ITwoPersons.ActConfirmed(keccak256(_publishing("1.0.0", _DIGEST, _FROM, 0)), ANN, BEN);
        VM.expectEmit(address(_registry));
        emit IMethodRegistry.MethodPublished(key, _DIGEST, _METHOD, "1.0.0", _FROM, 0);
        VM.prank(BEN);
        assertEq(_registry.publish(_METHOD, "1.0.0", _DIGEST, _FROM, 0, ANN), key, "key");

        IMethodRegistry.Version memory it = _registry.versionOf(key);
        assertEq(it.digest, _DIGEST, "digest");
        assertEq(it.publishedAt, START, "time");
        assertTrue(it.status == IMethodRegistry.Status.Published, "status");
        assertEq(_registry.keyOfDigest(_DIGEST), key, "by digest");
        _registry.checkInForce(_METHOD, "1.0.0", _DIGEST, _FROM);
    }

    function test_RevertIf_OnePersonPublishes() public {
        _propose(ANN, _publishing("1.0.0", _DIGEST, _FROM, 0));
        VM.prank(ANN);
        VM.expectRevert(abi.encodeWithSelector(ITwoPersons.TwoPersonsSamePerson.selector, ANN));
        _registry.publish(_METHOD, "1.0.0", _DIGEST, _FROM, 0, ANN);
    }

    function test_RevertIf_TheSecondPersonPublishesAnotherPackage() public {
        _propose(ANN, _publishing("1.0.0", _DIGEST, _FROM, 0));
        bytes32 other = keccak256(_publishing("1.0.0", _NEW_DIGEST, _FROM, 0));
        VM.prank(BEN);
        VM.expectRevert(abi.encodeWithSelector(ITwoPersons.TwoPersonsNotProposed.selector, other, ANN));
        _registry.publish(_METHOD, "1.0.0", _NEW_DIGEST, _FROM, 0, ANN);
    }

    function test_RevertIf_AVersionGetsAnotherDigest() public {
        bytes32 key = _publish("1.0.0", _DIGEST);
        _expectOnPublish(
            _METHOD,
            "1.0.0",
            _NEW_DIGEST,
            _FROM,
            0,
            abi.encodeWithSelector(IMethodRegistry.MethodRegistryKnownVersion.selector, key, _DIGEST)
        );
    }

    function test_RevertIf_APackageGetsAnotherName() public {
        bytes32 key = _publish("1.0.0", _DIGEST);
        _expectOnPublish(
            _METHOD,
            "1.0.1",
            _DIGEST,
            _FROM,
            0,
            abi.encodeWithSelector(IMethodRegistry.MethodRegistryKnownPackage.selector, _DIGEST, key)
        );
    }

    function test_RevertIf_NamesAreEmptyOrTooLong() public {
        string memory long = "12345678901234567890123456789012345678901234567890123456789012345";
        string[2] memory wrong = ["", long];
        for (uint256 i = 0; i < wrong.length; i++) {
            bytes4 selector = IMethodRegistry.MethodRegistryInvalidName.selector;
            _expectOnPublish(
                wrong[i], "1.0.0", _DIGEST, _FROM, 0, abi.encodeWithSelector(selector, wrong[i], "1.0.0")
            );
            _expectOnPublish(
                _METHOD, wrong[i], _DIGEST, _FROM, 0, abi.encodeWithSelector(selector, _METHOD, wrong[i])
            );
        }
    }

    function test_RevertIf_DigestIsZero() public {
        bytes memory refusal =
            abi.encodeWithSelector(IMethodRegistry.MethodRegistryInvalidDigest.selector, bytes32(0));
        _expectOnPublish(_METHOD, "1.0.0", 0, _FROM, 0, refusal);
        bytes32 key = _publish("1.0.0", _DIGEST);
        _propose(ANN, abi.encode(IMethodRegistry.withdraw.selector, key, bytes32(0)));
        VM.prank(BEN);
        VM.expectRevert(refusal);
        _registry.withdraw(key, 0, ANN);
    }

    function testFuzz_RevertIf_PeriodEndsBeforeItBegins(uint64 from, uint64 until) public {
        until = uint64(bound(until, 1, type(uint64).max));
        if (until > from) (from, until) = (until, from);
        if (until == 0) until = 1;
        if (from < until) from = until;
        _expectOnPublish(
            _METHOD,
            "1.0.0",
            _DIGEST,
            from,
            until,
            abi.encodeWithSelector(IMethodRegistry.MethodRegistryInvalidPeriod.selector, from, until)
        );
    }

    function test_AnotherPackageUnderTheNameIsRefusedByWhoeverAsks() public {
        bytes32 key = _publish("1.0.0", _DIGEST);
        VM.expectRevert(
            abi.encodeWithSelector(
                IMethodRegistry.MethodRegistryDigestMismatch.selector, key, _DIGEST, _NEW_DIGEST
            )
        );
        _registry.checkInForce(_METHOD, "1.0.0", _NEW_DIGEST, _FROM);
        bytes32 unknown = keccak256(abi.encode(_METHOD, "2.0.0"));
        VM.expectRevert(
            abi.encodeWithSelector(
                IMethodRegistry.MethodRegistryNotPublished.selector, unknown, IMethodRegistry.Status.None
            )
        );
        _registry.checkInForce(_METHOD, "2.0.0", _DIGEST, _FROM);
    }

    function testFuzz_VersionIsInForceInItsPeriodAlone(uint64 instant) public {
        _publishFor("1.0.0", _DIGEST, _FROM, _LATER);
        bytes32 key = _registry.keyOf(_METHOD, "1.0.0");
        if (instant < _FROM || instant >= _LATER) {
            VM.expectRevert(
                abi.encodeWithSelector(IMethodRegistry.MethodRegistryNotInForce.selector, key, instant)
            );
        }
        _registry.checkInForce(_METHOD, "1.0.0", _DIGEST, instant);
    }

    function test_VersionEndsEarlierOnly() public {
        bytes32 key = _publish("1.0.0", _DIGEST);
        _end(key, _LATER);
        VM.expectRevert(
            abi.encodeWithSelector(IMethodRegistry.MethodRegistryNotInForce.selector, key, _LATER)
        );
        _registry.checkInForce(_METHOD, "1.0.0", _DIGEST, _LATER);
        uint64[3] memory wrong = [_LATER, _LATER + 1, 0];
        for (uint256 i = 0; i < wrong.length; i++) {
            _propose(ANN, abi.encode(IMethodRegistry.end.selector, key, wrong[i]));
            VM.prank(BEN);
            VM.expectRevert(
                abi.encodeWithSelector(IMethodRegistry.MethodRegistryInvalidPeriod.selector, _FROM, wrong[i])
            );
            _registry.end(key, wrong[i], ANN);
        }
        _end(key, _LATER - 1);
    }

    function test_VersionIsSupersededAndStaysReadable() public {
        bytes32 key = _publish("1.0.0", _DIGEST);
        bytes32 next = _publish("1.1.0", _NEW_DIGEST);
        VM.warp(START + 100);
        _supersede(key, next, _LATER);
        IMethodRegistry.Version memory it = _registry.versionOf(key);
        assertTrue(it.status == IMethodRegistry.Status.Superseded, "status");
        assertEq(it.successor, next, "successor");
        assertEq(it.effectiveUntil, _LATER, "end");
        assertEq(it.changedAt, START + 100, "when");
        // A result for its own period stands.
        _registry.checkInForce(_METHOD, "1.0.0", _DIGEST, _LATER - 1);
    }

    function test_VersionThatHasAnEndIsSupersededThen() public {
        bytes32 next = _publish("1.1.0", _NEW_DIGEST);
        _publishFor("1.0.0", _DIGEST, _FROM, _LATER);
        bytes32 key = _registry.keyOf(_METHOD, "1.0.0");
        _supersede(key, next, _LATER);
        assertEq(_registry.versionOf(key).effectiveUntil, _LATER, "end");
    }

    function test_RevertIf_SuccessorIsOfAnotherMethodOrTheSameVersion() public {
        bytes32 key = _publish("1.0.0", _DIGEST);
        _propose(
            ANN, abi.encode(IMethodRegistry.publish.selector, "OTHER", "1.0.0", _NEW_DIGEST, _FROM, uint64(0))
        );
        VM.prank(BEN);
        bytes32 other = _registry.publish("OTHER", "1.0.0", _NEW_DIGEST, _FROM, 0, ANN);
        bytes32[2] memory wrong = [other, key];
        for (uint256 i = 0; i < wrong.length; i++) {
            _propose(ANN, abi.encode(IMethodRegistry.supersede.selector, key, wrong[i], _LATER));
            VM.prank(BEN);
            VM.expectRevert(
                abi.encodeWithSelector(IMethodRegistry.MethodRegistryInvalidSuccessor.selector, key, wrong[i])
            );
            _registry.supersede(key, wrong[i], _LATER, ANN);
        }
    }

    function test_RevertIf_VersionsWouldSupersedeEachOther() public {
        bytes32 key = _publish("1.0.0", _DIGEST);
        bytes32 next = _publish("1.1.0", _NEW_DIGEST);
        _supersede(key, next, _LATER);
        _propose(ANN, abi.encode(IMethodRegistry.supersede.selector, next, key, _LATER));
        VM.prank(BEN);
        VM.expectRevert(
            abi.encodeWithSelector(
                IMethodRegistry.MethodRegistryNotPublished.selector, key, IMethodRegistry.Status.Superseded
            )
        );
        _registry.supersede(next, key, _LATER, ANN);
    }

    function test_WithdrawnVersionIsNeverInForceAgain() public {
        bytes32 key = _publish("1.0.0", _DIGEST);
        _withdraw(key);
        bytes memory refusal = abi.encodeWithSelector(
            IMethodRegistry.MethodRegistryNotPublished.selector, key, IMethodRegistry.Status.Withdrawn
        );
        VM.expectRevert(refusal);
        _registry.checkInForce(_METHOD, "1.0.0", _DIGEST, _FROM);
        _propose(ANN, abi.encode(IMethodRegistry.withdraw.selector, key, _CAUSE));
        VM.prank(BEN);
        VM.expectRevert(refusal);
        _registry.withdraw(key, _CAUSE, ANN);
        _propose(ANN, abi.encode(IMethodRegistry.end.selector, key, _LATER));
        VM.prank(BEN);
        VM.expectRevert(refusal);
        _registry.end(key, _LATER, ANN);
    }

    // Figures that must not drift unseen.

    function test_GasAndSizeSnapshots() public {
        VM.snapshotValue("MethodRegistry", "runtime bytes", address(_registry).code.length);
        bytes32 next = _publish("1.1.0", _NEW_DIGEST);
        bytes32 key = _publish("1.0.0", _DIGEST);
        VM.snapshotGasLastCall("MethodRegistry", "publish");
        _supersede(key, next, _LATER);
        VM.snapshotGasLastCall("MethodRegistry", "supersede");
        _withdraw(key);
        VM.snapshotGasLastCall("MethodRegistry", "withdraw");
    }

    function _publishing(string memory version, bytes32 digest, uint64 from, uint64 until)
        private
        pure
        returns (bytes memory)
    {
        return abi.encode(IMethodRegistry.publish.selector, _METHOD, version, digest, from, until);
    }

    function _publish(string memory version, bytes32 digest) private returns (bytes32) {
        return _publishFor(version, digest, _FROM, 0);
    }

    function _publishFor(string memory version, bytes32 digest, uint64 from, uint64 until)
        private
        returns (bytes32)
    {
        _propose(ANN, _publishing(version, digest, from, until));
        VM.prank(BEN);
        return _registry.publish(_METHOD, version, digest, from, until, ANN);
    }

    function _expectOnPublish(
        string memory method,
        string memory version,
        bytes32 digest,
        uint64 from,
        uint64 until,
        bytes memory refusal
    ) private {
        _propose(ANN, abi.encode(IMethodRegistry.publish.selector, method, version, digest, from, until));
        VM.prank(BEN);
        VM.expectRevert(refusal);
        _registry.publish(method, version, digest, from, until, ANN);
    }

    function _end(bytes32 key, uint64 until) private {
        _propose(ANN, abi.encode(IMethodRegistry.end.selector, key, until));
        VM.prank(BEN);
        _registry.end(key, until, ANN);
    }

    function _supersede(bytes32 key, bytes32 next, uint64 until) private {
        _propose(ANN, abi.encode(IMethodRegistry.supersede.selector, key, next, until));
        VM.prank(BEN);
        _registry.supersede(key, next, until, ANN);
    }

    function _withdraw(bytes32 key) private {
        _propose(ANN, abi.encode(IMethodRegistry.withdraw.selector, key, _CAUSE));
        VM.prank(BEN);
        _registry.withdraw(key, _CAUSE, ANN);
    }
}
