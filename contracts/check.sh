#!/bin/sh
# Fails when the contracts drift unseen: formatting, compiler warnings and lints, the snapshots of gas and runtime
# size, and the copies of ABI and bytecode from which the ledger deploys. `./check.sh --write` renews what may be.
set -eu
cd "$(dirname "$0")"
. ./forge.sh
snapshots='test_GasAndSizeSnapshots|test_GasSnapshotsOfABareTransfer|test_GasSnapshotsOfASuccession|test_AcceptsNewSizeAtLimit|test_RecordsAgainstWhatThePythonSideProves'
contracts='LogAnchor Membership MethodRegistry CarbonAssets'
copies=../ledger/carbonseal_ledger/abi
# A fresh compile: a stale cache must not hide a drift.
"$forge" build --force --quiet
if [ "${1:-}" = --write ]; then
    "$forge" fmt
    "$forge" test --quiet --match-test "$snapshots"
    for contract in $contracts; do
        node abi-copy.cjs "$contract" >"$copies/$contract.json"
    done
    exit 0
fi
"$forge" fmt --check
FORGE_SNAPSHOT_CHECK=true "$forge" test --quiet --match-test "$snapshots"
for contract in $contracts; do
    if ! node abi-copy.cjs "$contract" | cmp -s - "$copies/$contract.json"; then
        echo "contracts: $copies/$contract.json differs from a fresh compile; run contracts/check.sh --write" >&2
        exit 1
    fi
done
echo "contracts: formatting, lints, gas, size and the ledger's copies are as recorded"
