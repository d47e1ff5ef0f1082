// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {Membership} from "../src/Membership.sol";
import {IMembership} from "../src/interfaces/IMembership.sol";
import {ITwoPersons} from "../src/interfaces/ITwoPersons.sol";
import {TwoPersonsFixture} from "./TwoPersonsFixture.sol";

contract MembershipTest is TwoPersonsFixture {
    bytes32 private constant _ENTERPRISE = keccak256("enterprise");
    bytes32 private constant _BODY = keccak256("verification_body");
    bytes32 private constant _BANK = keccak256("bank");
    bytes32 private constant _READER = keccak256("reader");
    bytes32 private constant _PARTY = keccak256("e-alices");
    bytes32 private constant _OTHER = keccak256("e-bobs");
    bytes32 private constant _KEY = keccak256("thumbprint of a key");
    bytes32 private constant _CAUSE = keccak256("a statement that says why");
    bytes32 private constant _CURE = keccak256("a statement that cures it");

    Membership private _book;

    function setUp() public {
        VM.warp(START);
        bytes32[2][] memory exclusions = new bytes32[2][](1);
        exclusions[0] = [_ENTERPRISE, _BODY];
        _book = new Membership(ANN, BEN, exclusions);
        _two = _book;
        _propose(ANN, abi.encode(ITwoPersons.appointRegistrar.selector, CAS));
        VM.prank(BEN);
        _book.appointRegistrar(CAS, ANN);
    }

    // Two persons.

    function test_FoundedWithTwoRegistrarsAndNoAdmin() public {
        assertEq(_book.registrarCount(), 3, "registrars");
        bytes32 role = _book.REGISTRAR_ROLE();
        VM.prank(ANN);
        VM.expectRevert(
            abi.encodeWithSelector(IAccessControl.AccessControlUnauthorizedAccount.selector, ANN, bytes32(0))
        );
        _book.grantRole(role, STRANGER);
    }

    function test_RevertIf_FoundedByOnePerson() public {
        bytes32[2][] memory none = new bytes32[2][](0);
        VM.expectRevert(abi.encodeWithSelector(ITwoPersons.TwoPersonsSamePerson.selector, ANN));
        new Membership(ANN, ANN, none);
        VM.expectRevert(abi.encodeWithSelector(ITwoPersons.TwoPersonsInvalidAccount.selector, address(0)));
        new Membership(ANN, address(0), none);
    }

    function test_RevertIf_AStrangerProposesOrConfirms() public {
        bytes memory act = _admitting(_admission(_PARTY, _KEY));
        IMembership.Admission memory admission = _admission(_PARTY, _KEY);
        bytes memory refusal = abi.encodeWithSelector(
            IAccessControl.AccessControlUnauthorizedAccount.selector, STRANGER, _book.REGISTRAR_ROLE()
        );
        VM.expectRevert(refusal);
        _propose(STRANGER, act);
        _propose(ANN, act);
        VM.prank(STRANGER);
        VM.expectRevert(refusal);
        _book.admit(admission, ANN);
    }

    function test_RevertIf_OnePersonDoesBothParts() public {
        IMembership.Admission memory admission = _admission(_PARTY, _KEY);
        _propose(ANN, _admitting(admission));
        VM.prank(ANN);
        VM.expectRevert(abi.encodeWithSelector(ITwoPersons.TwoPersonsSamePerson.selector, ANN));
        _book.admit(admission, ANN);
    }

    function test_RevertIf_SomethingElseWasProposed() public {
        IMembership.Admission memory admission = _admission(_PARTY, _KEY);
        _propose(ANN, _admitting(_admission(_OTHER, _KEY)));
        bytes32 actHash = keccak256(_admitting(admission));
        VM.prank(BEN);
        VM.expectRevert(abi.encodeWithSelector(ITwoPersons.TwoPersonsNotProposed.selector, actHash, ANN));
        _book.admit(admission, ANN);
    }

    function test_RevertIf_TheProposerIsARegistrarNoLonger() public {
        IMembership.Admission memory admission = _admission(_PARTY, _KEY);
        _propose(CAS, _admitting(admission));
        _dismiss(CAS);
        VM.prank(ANN);
        VM.expectRevert(abi.encodeWithSelector(ITwoPersons.TwoPersonsNotRegistrar.selector, CAS));
        _book.admit(admission, CAS);
    }

    function testFuzz_RevertIf_ItIsConfirmedTooLate(uint32 late) public {
        IMembership.Admission memory admission = _admission(_PARTY, _KEY);
        bytes32 actHash = _propose(ANN, _admitting(admission));
        VM.warp(START + LIFETIME + late);
        VM.prank(BEN);
        VM.expectRevert(
            abi.encodeWithSelector(
                ITwoPersons.TwoPersonsProposalExpired.selector, actHash, ANN, START + LIFETIME
            )
        );
        _book.admit(admission, ANN);
    }

    function test_RevertIf_AProposalWasWithdrawnOrUsed() public {
        IMembership.Admission memory admission = _admission(_PARTY, _KEY);
        bytes32 actHash = _propose(ANN, _admitting(admission));
        VM.prank(ANN);
        _book.withdrawProposal(actHash);
        bytes memory refusal =
            abi.encodeWithSelector(ITwoPersons.TwoPersonsNotProposed.selector, actHash, ANN);
        VM.prank(BEN);
        VM.expectRevert(refusal);
        _book.admit(admission, ANN);
        VM.prank(ANN);
        VM.expectRevert(refusal);
        _book.withdrawProposal(actHash);
        _admit(_PARTY, _KEY);
        VM.prank(BEN);
        VM.expectRevert(refusal);
        _book.admit(admission, ANN);
    }

    function test_RevertIf_TheSameIsProposedTwice() public {
        bytes memory act = _admitting(_admission(_PARTY, _KEY));
        bytes32 actHash = _propose(ANN, act);
        VM.expectRevert(
            abi.encodeWithSelector(
                ITwoPersons.TwoPersonsAlreadyProposed.selector, actHash, ANN, START + LIFETIME
            )
        );
        _propose(ANN, act);
        VM.warp(START + LIFETIME);
        _propose(ANN, act);
        assertEq(_book.expiryOf(actHash, ANN), START + 2 * LIFETIME, "anew");
    }

    function test_RevertIf_AnActIsEmptyOrTooLong() public {
        VM.expectRevert(abi.encodeWithSelector(ITwoPersons.TwoPersonsInvalidActLength.selector, 0));
        _propose(ANN, "");
        VM.expectRevert(abi.encodeWithSelector(ITwoPersons.TwoPersonsInvalidActLength.selector, 2049));
        _propose(ANN, new bytes(2049));
    }

    function test_RevertIf_FewerThanTwoRegistrarsWouldRemain() public {
        bytes32 role = _book.REGISTRAR_ROLE();
        _dismiss(CAS);
        _propose(ANN, abi.encode(ITwoPersons.dismissRegistrar.selector, BEN));
        VM.prank(BEN);
        VM.expectRevert(abi.encodeWithSelector(ITwoPersons.TwoPersonsTooFewRegistrars.selector, 2));
        _book.dismissRegistrar(BEN, ANN);
        VM.prank(BEN);
        VM.expectRevert(abi.encodeWithSelector(ITwoPersons.TwoPersonsTooFewRegistrars.selector, 2));
        _book.renounceRole(role, BEN);
        assertEq(_book.registrarCount(), 2, "registrars");
    }

    function test_RevertIf_RegistrarsAreAppointedOrDismissedTwice() public {
        _propose(ANN, abi.encode(ITwoPersons.appointRegistrar.selector, BEN));
        VM.prank(CAS);
        VM.expectRevert(abi.encodeWithSelector(ITwoPersons.TwoPersonsAlreadyRegistrar.selector, BEN));
        _book.appointRegistrar(BEN, ANN);
        _propose(ANN, abi.encode(ITwoPersons.dismissRegistrar.selector, STRANGER));
        VM.prank(CAS);
        VM.expectRevert(abi.encodeWithSelector(ITwoPersons.TwoPersonsNotRegistrar.selector, STRANGER));
        _book.dismissRegistrar(STRANGER, ANN);
    }

    // Admission.

    function test_AdmitsAPartyWithKindsRolesAndKey() public {
        IMembership.Admission memory admission = _admission(_PARTY, _KEY);
        _propose(ANN, _admitting(admission));
        VM.expectEmit(address(_book));
        emit ITwoPersons.ActConfirmed(keccak256(_admitting(admission)), ANN, BEN);
        VM.expectEmit(address(_book));
        emit IMembership.PartyAdmitted(
            _PARTY, admission.kinds, admission.roles, admission.validFrom, admission.validUntil
        );
        VM.expectEmit(address(_book));
        emit IMembership.KeyAdded(_PARTY, _KEY, admission.validFrom, admission.validUntil);
        VM.prank(BEN);
        _book.admit(admission, ANN);

        IMembership.Party memory it = _book.partyOf(_PARTY);
        assertTrue(it.status == IMembership.Status.Admitted, "status");
        assertEq(it.kinds.length, 2, "kinds");
        assertTrue(_book.isActive(_PARTY) && _book.isActiveKey(_KEY), "active");
        assertTrue(_book.isActiveAs(_PARTY, _BANK) && _book.isActiveAs(_PARTY, _READER), "both");
        assertTrue(!_book.isActiveAs(_PARTY, _BODY), "not what it is not");
        assertEq(_book.keyOf(_KEY).party, _PARTY, "whose key");
    }

    function test_NobodyIsActiveBeforeAdmission() public view {
        assertTrue(!_book.isActive(_PARTY) && !_book.isActive(0), "party");
        assertTrue(!_book.isActiveKey(_KEY) && !_book.isActiveKey(0), "key");
        assertTrue(!_book.isActiveAs(_PARTY, _ENTERPRISE), "kind");
    }

    function test_RevertIf_APartyIsAdmittedTwiceOrAfterItsRemoval() public {
        _admit(_PARTY, _KEY);
        IMembership.Admission memory again = _admission(_PARTY, keccak256("another key"));
        _expectOnAdmit(
            again,
            abi.encodeWithSelector(
                IMembership.MembershipPartyKnown.selector, _PARTY, IMembership.Status.Admitted
            )
        );
        _remove(_PARTY);
        VM.warp(block.timestamp + LIFETIME);
        _expectOnAdmit(
            again,
            abi.encodeWithSelector(
                IMembership.MembershipPartyKnown.selector, _PARTY, IMembership.Status.Removed
            )
        );
    }

    function test_RevertIf_KindsExcludeEachOther() public {
        IMembership.Admission memory admission = _admission(_PARTY, _KEY);
        admission.kinds[1] = _BODY;
        _expectOnAdmit(
            admission,
            abi.encodeWithSelector(IMembership.MembershipExcluded.selector, _PARTY, _ENTERPRISE, _BODY)
        );
    }

    function test_RevertIf_AKindExcludesARole() public {
        IMembership.Admission memory admission = _admission(_PARTY, _KEY);
        admission.roles[0] = _BODY;
        _expectOnAdmit(
            admission,
            abi.encodeWithSelector(IMembership.MembershipExcluded.selector, _PARTY, _ENTERPRISE, _BODY)
        );
    }

    function test_RevertIf_DesignationsAreNoneTooManyOrTwice() public {
        bytes memory refusal =
            abi.encodeWithSelector(IMembership.MembershipInvalidDesignations.selector, _PARTY);
        IMembership.Admission memory admission = _admission(_PARTY, _KEY);
        admission.kinds = new bytes32[](0);
        _expectOnAdmit(admission, refusal);
        admission.kinds = _numbered(9);
        _expectOnAdmit(admission, refusal);
        admission.kinds = _numbered(8);
        admission.roles = _numbered(9);
        _expectOnAdmit(admission, refusal);
        admission.roles = new bytes32[](2);
        admission.roles[0] = _READER;
        admission.roles[1] = _READER;
        _expectOnAdmit(admission, refusal);
    }

    function test_RevertIf_AnIdIsZero() public {
        bytes memory refusal = abi.encodeWithSelector(IMembership.MembershipInvalidId.selector);
        _expectOnAdmit(_admission(0, _KEY), refusal);
        _expectOnAdmit(_admission(_PARTY, 0), refusal);
        IMembership.Admission memory admission = _admission(_PARTY, _KEY);
        admission.kinds[0] = 0;
        _expectOnAdmit(admission, refusal);
        _admit(_PARTY, _KEY);
        VM.prank(ANN);
        VM.expectRevert(refusal);
        _book.suspend(_PARTY, 0);
    }

    function test_RevertIf_AKeyServesTwoParties() public {
        _admit(_PARTY, _KEY);
        _expectOnAdmit(
            _admission(_OTHER, _KEY),
            abi.encodeWithSelector(IMembership.MembershipKeyUsed.selector, _KEY, _PARTY)
        );
    }

    function test_RevertIf_APeriodEndsBeforeItBegins() public {
        IMembership.Admission memory admission = _admission(_PARTY, _KEY);
        admission.validUntil = admission.validFrom;
        _expectOnAdmit(
            admission,
            abi.encodeWithSelector(
                IMembership.MembershipInvalidPeriod.selector, admission.validFrom, admission.validFrom
            )
        );
    }

    // What changes.

    function test_PartyIsActiveInItsPeriodAlone() public {
        IMembership.Admission memory admission = _admission(_PARTY, _KEY);
        (admission.validFrom, admission.validUntil) = (uint64(START + 100), uint64(START + 200));
        _admitAs(admission);
        assertTrue(!_book.isActive(_PARTY), "before");
        VM.warp(START + 100);
        assertTrue(_book.isActive(_PARTY), "from the first second");
        VM.warp(START + 199);
        assertTrue(_book.isActive(_PARTY), "to the last");
        VM.warp(START + 200);
        assertTrue(!_book.isActive(_PARTY), "after");
        _propose(ANN, abi.encode(IMembership.renew.selector, _PARTY, uint64(0)));
        VM.prank(BEN);
        _book.renew(_PARTY, 0, ANN);
        assertTrue(_book.isActive(_PARTY), "renewed without end");
        assertTrue(!_book.isActiveKey(_KEY), "its key is another matter");
    }

    function test_KeysAreAddedAndEnded() public {
        _admit(_PARTY, _KEY);
        bytes32 key = keccak256("a second key");
        _propose(ANN, abi.encode(IMembership.addKey.selector, _PARTY, key, uint64(START), uint64(0)));
        VM.prank(BEN);
        _book.addKey(_PARTY, key, uint64(START), 0, ANN);
        assertTrue(_book.isActiveKey(key) && _book.isActiveKey(_KEY), "both");
        _endKey(_KEY, uint64(START));
        assertTrue(_book.isActiveKey(key) && !_book.isActiveKey(_KEY), "one is left");
    }

    function test_RevertIf_AnEndedKeyIsProlongedOrAddedAgain() public {
        _admit(_PARTY, _KEY);
        _endKey(_KEY, uint64(START + 10));
        _propose(ANN, abi.encode(IMembership.endKey.selector, _KEY, uint64(START + 20)));
        VM.prank(BEN);
        VM.expectRevert(
            abi.encodeWithSelector(IMembership.MembershipInvalidPeriod.selector, START, START + 20)
        );
        _book.endKey(_KEY, uint64(START + 20), ANN);
        _propose(ANN, abi.encode(IMembership.addKey.selector, _PARTY, _KEY, uint64(START), uint64(0)));
        VM.prank(BEN);
        VM.expectRevert(abi.encodeWithSelector(IMembership.MembershipKeyUsed.selector, _KEY, _PARTY));
        _book.addKey(_PARTY, _KEY, uint64(START), 0, ANN);
    }

    function test_RevertIf_AKeyThatNobodyHasEnds() public {
        _propose(ANN, abi.encode(IMembership.endKey.selector, _KEY, uint64(START)));
        VM.prank(BEN);
        VM.expectRevert(abi.encodeWithSelector(IMembership.MembershipUnknownKey.selector, _KEY));
        _book.endKey(_KEY, uint64(START), ANN);
    }

    function test_DesignationsAreReplacedWhole() public {
        _admit(_PARTY, _KEY);
        (bytes32[] memory kinds, bytes32[] memory roles) = (new bytes32[](1), new bytes32[](0));
        kinds[0] = _BODY;
        _propose(ANN, abi.encode(IMembership.designate.selector, _PARTY, kinds, roles));
        VM.prank(BEN);
        _book.designate(_PARTY, kinds, roles, ANN);
        assertTrue(_book.isActiveAs(_PARTY, _BODY), "what it is now");
        assertTrue(
            !_book.isActiveAs(_PARTY, _ENTERPRISE) && !_book.isActiveAs(_PARTY, _READER), "not what it was"
        );
    }

    function test_OneRegistrarSuspendsAndTwoLift() public {
        _admit(_PARTY, _KEY);
        VM.expectEmit(address(_book));
        emit IMembership.PartySuspended(_PARTY, _CAUSE, CAS);
        VM.prank(CAS);
        _book.suspend(_PARTY, _CAUSE);
        assertTrue(!_book.isActive(_PARTY) && !_book.isActiveKey(_KEY), "suspended, with its keys");
        _lift(_CAUSE);
        assertTrue(_book.isActive(_PARTY) && _book.isActiveKey(_KEY), "active again");
    }

    function test_LiftingOneCauseLeavesTheOtherStanding() public {
        _admit(_PARTY, _KEY);
        bytes32 second = keccak256("a second cause");
        VM.prank(CAS);
        _book.suspend(_PARTY, _CAUSE);
        _propose(ANN, abi.encode(IMembership.lift.selector, _PARTY, _CAUSE, _CURE));
        VM.prank(CAS);
        _book.suspend(_PARTY, second);
        VM.prank(BEN);
        _book.lift(_PARTY, _CAUSE, _CURE, ANN);
        assertTrue(!_book.isActive(_PARTY), "the second one stands");
        assertTrue(
            _book.suspensionOf(_PARTY, second) == IMembership.Suspension.Standing
                && _book.suspensionOf(_PARTY, _CAUSE) == IMembership.Suspension.Lifted,
            "causes"
        );
    }

    function test_RevertIf_ACauseServesTwice() public {
        _admit(_PARTY, _KEY);
        bytes memory refusal =
            abi.encodeWithSelector(IMembership.MembershipCauseUsed.selector, _PARTY, _CAUSE);
        VM.prank(CAS);
        _book.suspend(_PARTY, _CAUSE);
        VM.prank(ANN);
        VM.expectRevert(refusal);
        _book.suspend(_PARTY, _CAUSE);
        _lift(_CAUSE);
        VM.prank(ANN);
        VM.expectRevert(refusal);
        _book.suspend(_PARTY, _CAUSE);
        _propose(ANN, abi.encode(IMembership.lift.selector, _PARTY, _CAUSE, _CURE));
        VM.prank(BEN);
        VM.expectRevert(
            abi.encodeWithSelector(IMembership.MembershipNotSuspendedFor.selector, _PARTY, _CAUSE)
        );
        _book.lift(_PARTY, _CAUSE, _CURE, ANN);
    }

    function test_RevertIf_AStrangerSuspends() public {
        _admit(_PARTY, _KEY);
        bytes32 role = _book.REGISTRAR_ROLE();
        VM.prank(STRANGER);
        VM.expectRevert(
            abi.encodeWithSelector(IAccessControl.AccessControlUnauthorizedAccount.selector, STRANGER, role)
        );
        _book.suspend(_PARTY, _CAUSE);
    }

    function test_RemovalIsForGood() public {
        _admit(_PARTY, _KEY);
        _remove(_PARTY);
        assertTrue(!_book.isActive(_PARTY) && !_book.isActiveKey(_KEY), "not active");
        bytes memory refusal = abi.encodeWithSelector(
            IMembership.MembershipUnknownParty.selector, _PARTY, IMembership.Status.Removed
        );
        VM.prank(ANN);
        VM.expectRevert(refusal);
        _book.suspend(_PARTY, _CAUSE);
        _propose(ANN, abi.encode(IMembership.renew.selector, _PARTY, uint64(0)));
        VM.prank(BEN);
        VM.expectRevert(refusal);
        _book.renew(_PARTY, 0, ANN);
    }

    // Exclusions.

    function test_ExclusionsAreSetAndLiftedByTwoAndShowWhomTheyFind() public {
        _admit(_PARTY, _KEY);
        assertTrue(_book.isExcluded(_BODY, _ENTERPRISE), "in either order");
        _propose(ANN, abi.encode(IMembership.exclude.selector, _BANK, _ENTERPRISE));
        VM.prank(BEN);
        _book.exclude(_BANK, _ENTERPRISE, ANN);
        (bytes32 one, bytes32 other) = _book.excludedPair(_PARTY);
        assertTrue(one == _ENTERPRISE && other == _BANK, "the party that has both");
        _expectOnAdmit(
            _admission(_OTHER, keccak256("another key")),
            abi.encodeWithSelector(IMembership.MembershipExcluded.selector, _OTHER, _ENTERPRISE, _BANK)
        );
        _propose(ANN, abi.encode(IMembership.permit.selector, _ENTERPRISE, _BANK));
        VM.prank(BEN);
        _book.permit(_ENTERPRISE, _BANK, ANN);
        (one, other) = _book.excludedPair(_PARTY);
        assertTrue(one == 0 && other == 0, "nobody");
    }

    function test_RevertIf_AnExclusionChangesNothing() public {
        _propose(ANN, abi.encode(IMembership.exclude.selector, _BODY, _ENTERPRISE));
        VM.prank(BEN);
        VM.expectRevert(
            abi.encodeWithSelector(IMembership.MembershipExclusionUnchanged.selector, _BODY, _ENTERPRISE)
        );
        _book.exclude(_BODY, _ENTERPRISE, ANN);
        _propose(ANN, abi.encode(IMembership.exclude.selector, _BODY, _BODY));
        VM.prank(BEN);
        VM.expectRevert(abi.encodeWithSelector(IMembership.MembershipInvalidId.selector));
        _book.exclude(_BODY, _BODY, ANN);
    }

    /// @dev Any kinds and roles among eight, of which each excludes one or two of the others.
    function testFuzz_NoPartyHasAnExcludedPair(uint8 kinds, uint8 roles, uint8 step) public {
        bytes32[2][] memory exclusions = new bytes32[2][](4);
        for (uint256 i = 0; i < exclusions.length; i++) {
            exclusions[i] = [bytes32(1 + i), bytes32(1 + i + bound(step, 1, 4))];
        }
        _book = new Membership(ANN, BEN, exclusions);
        _two = _book;
        IMembership.Admission memory admission = _admission(_PARTY, _KEY);
        admission.kinds = _chosen(kinds);
        admission.roles = _chosen(roles);
        _propose(ANN, _admitting(admission));
        VM.prank(BEN);
        try _book.admit(admission, ANN) {
            (bytes32 one,) = _book.excludedPair(_PARTY);
            assertEq(one, 0, "admitted, and excludes itself");
        } catch {
            assertTrue(!_book.isActive(_PARTY), "refused, and is there");
        }
    }

    // Figures that must not drift unseen.

    function test_GasAndSizeSnapshots() public {
        VM.snapshotValue("Membership", "runtime bytes", address(_book).code.length);
        IMembership.Admission memory admission = _admission(_PARTY, _KEY);
        _propose(ANN, _admitting(admission));
        VM.snapshotGasLastCall("Membership", "propose an admission");
        VM.prank(BEN);
        _book.admit(admission, ANN);
        VM.snapshotGasLastCall("Membership", "admit, two kinds, one role");
        VM.prank(CAS);
        _book.suspend(_PARTY, _CAUSE);
        VM.snapshotGasLastCall("Membership", "suspend");
        _lift(_CAUSE);
        VM.snapshotGasLastCall("Membership", "lift");
        _remove(_PARTY);
        VM.snapshotGasLastCall("Membership", "remove");
    }

    function _admission(bytes32 party, bytes32 key) private pure returns (IMembership.Admission memory it) {
        it = IMembership.Admission(party, new bytes32[](2), new bytes32[](1), key, uint64(START), 0);
        (it.kinds[0], it.kinds[1], it.roles[0]) = (_ENTERPRISE, _BANK, _READER);
    }

    function _admitting(IMembership.Admission memory admission) private pure returns (bytes memory) {
        return abi.encode(IMembership.admit.selector, admission);
    }

    function _admit(bytes32 party, bytes32 key) private {
        _admitAs(_admission(party, key));
    }

    function _admitAs(IMembership.Admission memory admission) private {
        _propose(ANN, _admitting(admission));
        VM.prank(BEN);
        _book.admit(admission, ANN);
    }

    function _expectOnAdmit(IMembership.Admission memory admission, bytes memory refusal) private {
        _propose(ANN, _admitting(admission));
        VM.prank(BEN);
        VM.expectRevert(refusal);
        _book.admit(admission, ANN);
    }

    function _lift(bytes32 cause) private {
        _propose(ANN, abi.encode(IMembership.lift.selector, _PARTY, cause, _CURE));
        VM.prank(BEN);
        _book.lift(_PARTY, cause, _CURE, ANN);
    }

    function _remove(bytes32 party) private {
        _propose(ANN, abi.encode(IMembership.remove.selector, party, _CAUSE));
        VM.prank(BEN);
        _book.remove(party, _CAUSE, ANN);
    }

    function _endKey(bytes32 key, uint64 until) private {
        _propose(ANN, abi.encode(IMembership.endKey.selector, key, until));
        VM.prank(BEN);
        _book.endKey(key, until, ANN);
    }

    function _dismiss(address account) private {
        _propose(ANN, abi.encode(ITwoPersons.dismissRegistrar.selector, account));
        VM.prank(BEN);
        _book.dismissRegistrar(account, ANN);
    }

    /// @dev The ids 1 to 8 whose bit is set.
    function _chosen(uint8 bits) private pure returns (bytes32[] memory ids) {
        uint256 count;
        for (uint256 i = 0; i < 8; i++) {
            count += (bits >> i) & 1;
        }
        ids = new bytes32[](count);
        for (uint256 i = 8; i > 0; i--) {
            if ((bits >> (i - 1)) & 1 == 1) ids[--count] = bytes32(i);
        }
    }

    function _numbered(uint256 count) private pure returns (bytes32[] memory ids) {
        ids = new bytes32[](count);
        for (uint256 i = 0; i < count; i++) {
            ids[i] = bytes32(i + 1);
        }
    }
}
