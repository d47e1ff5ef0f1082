// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @dev The few cheat codes of Forge that these tests use, declared here so that no library has to be fetched.
interface Vm {
    function addr(uint256 privateKey) external pure returns (address);
    function sign(uint256 privateKey, bytes32 digest) external pure returns (uint8 v, bytes32 r, bytes32 s);
    function warp(uint256 timestamp) external;
    function chainId(uint256 id) external;
    function prank(address sender) external;
    function assume(bool condition) external pure;
    function deployCode(string calldata artefact, bytes calldata arguments) external returns (address);
    function etch(address target, bytes calldata code) external;
    function load(address target, bytes32 slot) external view returns (bytes32);
    function expectRevert(bytes calldata data) external;
    function expectRevert() external;
    function expectEmit(address emitter) external;
    function snapshotGasLastCall(string calldata group, string calldata name) external returns (uint256);
    function snapshotValue(string calldata group, string calldata name, uint256 value) external;
}

/// @title What each test contract starts from
abstract contract ForgeTest {
    error AssertionFailed(string what);

    // The address at which Forge puts its cheat codes.
    Vm internal constant VM = Vm(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);

    function assertEq(bytes32 given, bytes32 expected, string memory what) internal pure {
        if (given != expected) revert AssertionFailed(what);
    }

    function assertEq(uint256 given, uint256 expected, string memory what) internal pure {
        if (given != expected) revert AssertionFailed(what);
    }

    function assertEq(address given, address expected, string memory what) internal pure {
        if (given != expected) revert AssertionFailed(what);
    }

    function assertTrue(bool condition, string memory what) internal pure {
        if (!condition) revert AssertionFailed(what);
    }

    function bound(uint256 value, uint256 low, uint256 high) internal pure returns (uint256) {
        return low + value % (high - low + 1);
    }
}
