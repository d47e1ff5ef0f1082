#!/bin/sh
# Fails when the contracts drift unseen: formatting, compiler warnings and lints, the snapshots of gas and runtime
# size, and the copy of ABI and bytecode from which the ledger deploys. `./check.sh --write` renews what may be.
set -eu
cd "$(dirname "$0")"
. ./forge.sh
snapshots='test_GasAndSizeSnapshots|test_AcceptsNewSizeAtLimit|test_RecordsAgainstWhatThePythonSideProves'
artefact=../ledger/carbonseal_ledger/abi/LogAnchor.json
# A fresh compile: a stale cache must not hide a drift.
"$forge" build --force --quiet
if [ "${1:-}" = --write ]; then
    "$forge" fmt
    "$forge" test --quiet --match-test "$snapshots"
    node abi-copy.cjs >"$artefact"
    exit 0
fi
"$forge" fmt --check
FORGE_SNAPSHOT_CHECK=true "$forge" test --quiet --match-test "$snapshots"
if ! node abi-copy.cjs | cmp -s - "$artefact"; then
    echo "contracts: $artefact differs from a fresh compile; run contracts/check.sh --write" >&2
    exit 1
fi
echo "contracts: formatting, lints, gas, size and the ledger's copy are as recorded"
