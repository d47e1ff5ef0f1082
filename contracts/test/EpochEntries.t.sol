// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {EpochEntries} from "../src/libraries/EpochEntries.sol";
import {Rfc9162} from "../src/libraries/Rfc9162.sol";
import {EpochEntriesReference} from "./EpochEntriesReference.sol";
import {EpochVector} from "./EpochVector.sol";
import {ForgeTest} from "./ForgeTest.sol";

contract EpochEntriesTest is ForgeTest {
    /// @dev The bytes that `docs/spec/epochs-and-anchor.md` opens with.
    function test_WritesTheBytesOfTheSpecification() public pure {
        bytes memory entry = EpochEntries.epochEntry(
            1, 0xfe82a326fdc8ac5e0429443ca5436ed80e6b00e23853b4e8e878741c78225306, 5, 1_767_229_200_000
        );
        bytes memory expected =
            hex"84015820fe82a326fdc8ac5e0429443ca5436ed80e6b00e23853b4e8e878741c78225306051b0000019b77119680";
        assertEq(keccak256(entry), keccak256(expected), "epoch entry");

        entry = EpochEntries.mapEntry(
            "log.example.org/e-aa/data", 1, 0xca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb
        );
        expected = hex"8378196c6f672e6578616d706c652e6f72672f652d61612f64617461015820ca978112ca1bbdcafac231b39a23dc4da7"
            hex"86eff8147c4e72b9807785afee48bb";
        assertEq(keccak256(entry), keccak256(expected), "map entry");
    }

    function test_HashesToTheLeavesOfThePythonSide() public view {
        bytes memory entry =
            EpochEntries.mapEntry(EpochVector.ORIGIN, EpochVector.DATA_SIZE, EpochVector.DATA_ROOT);
        assertEq(Rfc9162.leafHash(entry), EpochVector.MAP_ENTRY_LEAF, "map entry");
        entry = EpochEntries.epochEntry(
            EpochVector.EPOCH, EpochVector.MAP_ROOT, EpochVector.ORIGINS, EpochVector.CLOSED_AT
        );
        assertEq(Rfc9162.leafHash(entry), EpochVector.EPOCH_ENTRY_LEAF, "epoch entry");
    }

    /// @dev Every number stands where its form changes, or one off.
    function test_AgreesWithReferenceAtEveryBorder() public pure {
        uint64[11] memory borders =
            [uint64(0), 1, 23, 24, 255, 256, 65_535, 65_536, type(uint32).max, 2 ** 32, type(uint64).max];
        for (uint256 i = 0; i < borders.length; i++) {
            _compare(borders[i], borders[(i + 1) % 11], borders[(i + 5) % 11], "e-aa/data");
        }
    }

    function testFuzz_AgreesWithReference(
        uint64 epoch,
        uint64 origins,
        uint64 closedAt,
        uint8 shift,
        uint16 length
    ) public pure {
        _compare(epoch >> (shift % 64), origins >> (shift / 4), closedAt, string(new bytes(length % 300)));
    }

    function _compare(uint64 a, uint64 b, uint64 c, string memory origin) private pure {
        bytes32 root = keccak256(abi.encode(a, b, c));
        assertEq(
            keccak256(EpochEntries.epochEntry(a, root, b, c)),
            keccak256(EpochEntriesReference.epochEntry(a, root, b, c)),
            "epoch entry"
        );
        assertEq(
            keccak256(EpochEntries.mapEntry(origin, a, root)),
            keccak256(EpochEntriesReference.mapEntry(origin, a, root)),
            "map entry"
        );
    }
}
