// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title What the Python side proves, printed by `epoch_vector.py`
library EpochVector {
    string internal constant ORIGIN = "log.carbonseal.example/e-k3v9qmzt2xw8ph4c/data";
    uint64 internal constant LOG_SIZE = 301;
    uint64 internal constant EPOCH = 300;
    uint64 internal constant CLOSED_AT = 1767229200000;
    uint64 internal constant ORIGINS = 13;
    uint64 internal constant MAP_INDEX = 12;
    uint64 internal constant DATA_SIZE = 70000;
    uint64 internal constant REPORT_INDEX = 66001;
    bytes32 internal constant GENESIS_LEAF =
        0x7b5eabeb1bbd49abd8e501115a1867dd6e979b244839adf2b727a017e4454507;
    bytes32 internal constant LOG_ROOT = 0x319b9bdbfeb596a5f5842722166693799601f1cc8ed4ebd6254a1ff432289a45;
    bytes32 internal constant MAP_ROOT = 0xb777e3d9dfbd651626f03d83297231322698477bf463fafc66a98fbf53cf0b0c;
    bytes32 internal constant MAP_ENTRY_LEAF =
        0x51c0a6e49c9f060b88697645ec4f0dc8c96b2098cd2ba4bb127060376eac0e5c;
    bytes32 internal constant EPOCH_ENTRY_LEAF =
        0x0ef938903f730a0db95f33f3008a0bf0d837c1d5022b3c2602d53f84d754aadd;
    bytes32 internal constant DATA_ROOT = 0xf5162594cdd860c073190a3e6dffc2046eaf363b4bae870fe707ebeb1a706085;
    bytes32 internal constant REPORT_LEAF =
        0x1ff115f7d1f9a80f8fb5263e58634840ba901a6bb94f9a4d07107d215ebc9ef2;

    function consistencyProof() internal pure returns (bytes32[] memory path) {
        path = new bytes32[](9);
        path[0] = 0x535dfaccb1ee45cfc85eb042e50e25b8bad65c848f0538064aa2f50359d1ed05;
        path[1] = 0x588df5fb90a1537ec200ef848608ff8beb5dbf7936e74b339b7e87cf81f3e584;
        path[2] = 0x8ffaca5af977c40961cb9a2d93b166756b417b47193769dc2294f3bc8ec08fde;
        path[3] = 0x485d713229532bfc67530ef49bb64481bd8203061ae99d44c56cc51159fbe9e6;
        path[4] = 0xfbe3129002ad3cf9a461a45203fa0f9b400ba775f0061c6f6eebce0d8fdbf420;
        path[5] = 0xf378514d99396c970a03d53445871dbf86de76807304f258a667107c21d431de;
        path[6] = 0x8624967e0c79b8daf27ef37f3fde316ba2621085e34deb775ee365c9781d9de6;
        path[7] = 0x8f2e86e991e3a13eed61adab117403ba8b5bbc458d650abdc97c714c1ad24a19;
        path[8] = 0x7dd7d3a67af8d3cf59c9e687f60d36d3f9d597ef1f2fee053c0d3c542faf8fbe;
    }

    function epochProof() internal pure returns (bytes32[] memory path) {
        path = new bytes32[](4);
        path[0] = 0xe12cb431b1dcbc0075501e3323c8c72f0be2ca7c6eda9dbee2bcf378fce61a30;
        path[1] = 0xfe5f5a0b30a32ce25f5b58f4b0f2860f601828e5637fdf0cef8f26bc81485f9c;
        path[2] = 0xbe1a2d8d44e1402b356b71709c97b63032a3084aca116a9c1ecf7eeb8b474d2f;
        path[3] = 0x9f13d0a42ca17bac54547f44f0d990ed5f9e2ac3c0caa6b5540b132d1a0f219f;
    }

    function mapProof() internal pure returns (bytes32[] memory path) {
        path = new bytes32[](2);
        path[0] = 0x5797de1b87db24de7ddd8669d4575482a28ab093c0a9a0e306a135a5e1216f8e;
        path[1] = 0x2cbb39556f3e7c4e0180befb46184704f50a616b06e8011794864dcfafdec0bf;
    }

    function reportProof() internal pure returns (bytes32[] memory path) {
        path = new bytes32[](14);
        path[0] = 0x79b86bde2174c03d32b0129dbcfd42013aa286a04c765cdd3cfc3a1d43edc987;
        path[1] = 0x0292aa09114b4690489c75c26fe6c820bbaaca76ee7545746e3feb11dd186c24;
        path[2] = 0xe1a63164563192acf3eb3e2655f83661885d8ccaf8dc3bdbff82d37f5bb3bc83;
        path[3] = 0x106096c98f9aa1e9adc1c60dcf7057e1714eecc463f3802473febea582043c51;
        path[4] = 0xa61fcba59ccb273dc26d93fa5bd795095bfadee65af8c7339ceb79cbe1de0c03;
        path[5] = 0xc0a0c1b73b4d88b07f0dc148ff45db26ce6199e6ebef7d7dfb658d2e1f1d7762;
        path[6] = 0x46be58711fa58eec3f92c5335bf60f00eb53c66ac60fe5a76cca6fe25ce33320;
        path[7] = 0x04266fba291c66989a03adcd8056a6cca61ac8e37d532e3ef340f6e43d433e0f;
        path[8] = 0xdc0e23c2642b41fbc7b58de8f5d49007cb7580d3d8bfd686fe2f4d23b6e5a957;
        path[9] = 0xc5a14030ecc777e2740efec2b653ed4b222f2936c927a347816e805c7ea123cc;
        path[10] = 0x6f55cc5ec3c7b0342e9e2a922f9286cc9d77f5c21bb6777249e0e3c9f3d0ce97;
        path[11] = 0x9e2bdcade14c2b309552ece3b8917620a24c704bebe6900f1e8068ab211b3513;
        path[12] = 0x87ecdf57b9ceab2f4a9412dbdc68a4e004e225f39820bf7ec88b21da24c6685e;
        path[13] = 0x27c0e21995dc0e73e03d91239ae8c39eeccca12c6e9ed6113cb894bfc74df808;
    }
}
