#!/bin/sh
# Compiles the contracts and runs their unit and fuzz tests. `./test.sh long` runs the long fuzz profile.
# Arguments after the profile go to `forge test`. Needs node_modules in the project's root; fetches nothing.
set -eu
cd "$(dirname "$0")"
. ./forge.sh
if [ "${1:-}" = long ]; then
    shift
    export FOUNDRY_PROFILE=long
fi
# The snapshots are compared, never rewritten here: `check.sh --write` does that on purpose.
FORGE_SNAPSHOT_CHECK=true "$forge" test "$@"
