// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {BareErc1155} from "./BareErc1155.sol";
import {ForgeTest} from "./ForgeTest.sol";

/// @dev Whole transactions between accounts without code, all storage cold, as in the snapshots of CarbonAssets.
contract BareErc1155Test is ForgeTest {
    uint256 private constant _ID = 1;
    address private constant _ALICE = address(0x2001);
    address private constant _BOB = address(0x3001);

    /// forge-config: default.evm_version = "cancun"
    function test_GasSnapshotsOfABareTransfer() public {
        BareErc1155 token = new BareErc1155();
        token.mint(_ALICE, _ID, 1_000);
        VM.snapshotGasLastCall("BareErc1155", "mint to a new holder");
        _transfer(token, 100);
        VM.snapshotGasLastCall("BareErc1155", "transfer to a new holder, balance 0 to 100");
        _transfer(token, 100);
        VM.snapshotGasLastCall("BareErc1155", "transfer to who holds some, balance 100 to 200");
        _transfer(token, 800);
        VM.snapshotGasLastCall("BareErc1155", "transfer of all, sender left with 0");
        assertEq(token.balanceOf(_BOB, _ID), 1_000, "balance");
    }

    function _transfer(BareErc1155 token, uint256 amount) private {
        VM.prank(_ALICE);
        token.safeTransferFrom(_ALICE, _BOB, _ID, amount, "");
    }
}
