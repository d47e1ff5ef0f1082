// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {TwoPersons} from "../src/TwoPersons.sol";
import {ForgeTest} from "./ForgeTest.sol";

/// @title Three registrars, a stranger, and what each of two does
abstract contract TwoPersonsFixture is ForgeTest {
    uint256 internal constant START = 1_767_225_600; // 2026-01-01T00:00:00Z, in seconds
    uint256 internal constant LIFETIME = 7 days;
    address internal constant ANN = address(0x1001);
    address internal constant BEN = address(0x1002);
    address internal constant CAS = address(0x1003);
    address internal constant STRANGER = address(0x4001);

    TwoPersons internal _two;

    /// @dev The first person's part.
    function _propose(address proposer, bytes memory act) internal returns (bytes32) {
        VM.prank(proposer);
        return _two.propose(act);
    }
}
