#!/bin/sh
# Compiles the contracts and runs their unit, fuzz and invariant tests; with CARBONSEAL_LONG=1 the long profile.
# Takes no arguments: Forge takes a stray word for a path filter, runs nothing and calls that success. For the same
# reason a run without a single passed test fails here. Needs node_modules in the project's root; fetches nothing.
# Exit 0: all tests passed; 1: one failed or none ran; 2: bad usage or no Forge.
set -eu
cd "$(dirname "$0")"
if [ $# -gt 0 ]; then
    echo "contracts/test.sh: takes no arguments, got '$*'; CARBONSEAL_LONG=1 chooses the long profile" >&2
    exit 2
fi
. ./forge.sh
if [ "${CARBONSEAL_LONG:-}" = 1 ]; then
    export FOUNDRY_PROFILE=long
fi
printed=$(mktemp)
trap 'rm -f "$printed"' EXIT
# The snapshots are compared, never rewritten here: `check.sh --write` does that on purpose. The pipe ends in tee,
# whose exit says nothing about the tests, so Forge's own goes through the file.
{ FORGE_SNAPSHOT_CHECK=true "$forge" test && echo 0 >"$printed.exit" || echo 1 >"$printed.exit"; } | tee "$printed"
status=$(cat "$printed.exit")
rm -f "$printed.exit"
if [ "$status" -eq 0 ] && ! grep -q '[1-9][0-9]* tests passed' "$printed"; then
    echo "contracts/test.sh: Forge ran no test" >&2
    exit 1
fi
exit "$status"
