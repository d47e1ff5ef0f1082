// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Membership} from "../src/Membership.sol";
import {IMembership} from "../src/interfaces/IMembership.sol";
import {ITwoPersons} from "../src/interfaces/ITwoPersons.sol";
import {TwoPersonsFixture} from "./TwoPersonsFixture.sol";

/// @dev Does whatever registrars and strangers may do, alone and by two, and keeps its own account of what should have
/// come of it: nothing that one person does alone may change anything but a suspension.
contract MembershipHandler is TwoPersonsFixture {
    bytes32 private constant _CURE = keccak256("cure");

    Membership public immutable BOOK;
    mapping(bytes32 party => IMembership.Status) public status;
    mapping(bytes32 party => uint256) public standing;
    mapping(bytes32 party => mapping(bytes32 cause => IMembership.Suspension)) private _causes;
    mapping(bytes32 key => bytes32) public owner;
    uint256 private _keys;

    constructor() {
        VM.warp(START);
        bytes32[2][] memory exclusions = new bytes32[2][](3);
        exclusions[0] = [bytes32(uint256(1)), bytes32(uint256(2))];
        exclusions[1] = [bytes32(uint256(2)), bytes32(uint256(3))];
        exclusions[2] = [bytes32(uint256(1)), bytes32(uint256(5))];
        BOOK = new Membership(ANN, BEN, exclusions);
        _two = BOOK;
    }

    function partyAt(uint256 which) public pure returns (bytes32) {
        return bytes32(1 + which % 6);
    }

    /// @dev By two, with any two designations, and now and then a key that somebody has.
    function admit(uint256 which, uint256 kind, uint256 role, bool isNewKey) external {
        bytes32 party = partyAt(which);
        if (isNewKey) _keys++;
        bytes32 key = bytes32(1 + _keys);
        IMembership.Admission memory it =
            IMembership.Admission(party, new bytes32[](1), new bytes32[](1), key, 0, 0);
        (it.kinds[0], it.roles[0]) = (bytes32(1 + kind % 5), bytes32(1 + role % 5));
        _proposeAnew(abi.encode(IMembership.admit.selector, it));
        VM.prank(BEN);
        try BOOK.admit(it, ANN) {
            assertTrue(status[party] == IMembership.Status.None, "admitted twice");
            assertEq(owner[key], 0, "a key of two");
            status[party] = IMembership.Status.Admitted;
            owner[key] = party;
        } catch {}
    }

    function admitAlone(uint256 which, bool isStranger) external {
        IMembership.Admission memory it = IMembership.Admission(
            partyAt(which), new bytes32[](1), new bytes32[](0), keccak256(abi.encode(which)), 0, 0
        );
        it.kinds[0] = bytes32(uint256(4));
        _proposeAnew(abi.encode(IMembership.admit.selector, it));
        VM.prank(isStranger ? STRANGER : ANN);
        try BOOK.admit(it, ANN) {
            revert AssertionFailed("admitted by one person");
        } catch {}
    }

    function suspend(uint256 which, uint256 cause) external {
        (bytes32 party, bytes32 why) = (partyAt(which), bytes32(1 + cause % 4));
        VM.prank(BEN);
        try BOOK.suspend(party, why) {
            assertTrue(_causes[party][why] == IMembership.Suspension.None, "a cause that served before");
            _causes[party][why] = IMembership.Suspension.Standing;
            standing[party]++;
        } catch {}
    }

    function lift(uint256 which, uint256 cause, bool isAlone) external {
        (bytes32 party, bytes32 why) = (partyAt(which), bytes32(1 + cause % 4));
        _proposeAnew(abi.encode(IMembership.lift.selector, party, why, _CURE));
        VM.prank(isAlone ? ANN : BEN);
        try BOOK.lift(party, why, _CURE, ANN) {
            assertTrue(!isAlone, "lifted by one person");
            assertTrue(_causes[party][why] == IMembership.Suspension.Standing, "a cause that did not stand");
            _causes[party][why] = IMembership.Suspension.Lifted;
            standing[party]--;
        } catch {}
    }

    function remove(uint256 which, bool isAlone) external {
        if (which % 5 != 0) return; // or soon nobody is left
        bytes32 party = partyAt(which / 5);
        _proposeAnew(abi.encode(IMembership.remove.selector, party, _CURE));
        VM.prank(isAlone ? ANN : BEN);
        try BOOK.remove(party, _CURE, ANN) {
            assertTrue(!isAlone, "removed by one person");
            status[party] = IMembership.Status.Removed;
        } catch {}
    }

    function resign(bool isFirst) external {
        bytes32 role = BOOK.REGISTRAR_ROLE();
        address who = isFirst ? ANN : BEN;
        VM.prank(who);
        try BOOK.renounceRole(role, who) {
            revert AssertionFailed("one registrar is left");
        } catch {}
    }

    function _proposeAnew(bytes memory act) private {
        if (BOOK.expiryOf(keccak256(act), ANN) == 0) _propose(ANN, act);
    }
}

contract MembershipInvariantTest is TwoPersonsFixture {
    MembershipHandler private _handler;

    function setUp() public {
        _handler = new MembershipHandler();
    }

    /// @dev Tells Forge to call the handler alone.
    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_handler);
    }

    function invariant_OnlyWhatTwoPersonsSaidHolds() public view {
        Membership book = _handler.BOOK();
        for (uint256 i = 0; i < 6; i++) {
            bytes32 party = _handler.partyAt(i);
            IMembership.Party memory it = book.partyOf(party);
            assertTrue(it.status == _handler.status(party), "status");
            assertEq(it.suspensions, _handler.standing(party), "causes that stand");
            bool isActive = it.status == IMembership.Status.Admitted && it.suspensions == 0;
            assertTrue(book.isActive(party) == isActive, "active");
            (bytes32 one,) = book.excludedPair(party);
            assertEq(one, 0, "excludes itself");
        }
        assertEq(book.registrarCount(), 2, "registrars");
        assertEq(address(book).balance, 0, "balance");
    }
}
