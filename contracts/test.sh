#!/bin/sh
# Compiles the contracts and runs their unit and fuzz tests; with CARBONSEAL_LONG=1 the long fuzz
# profile.
# Arguments go to `forge test`. Needs node_modules in the project's root; fetches nothing.
set -eu
cd "$(dirname "$0")"
. ./forge.sh
if [ "${CARBONSEAL_LONG:-}" = 1 ]; then
    export FOUNDRY_PROFILE=long
fi
# The snapshots are compared, never rewritten here: `check.sh --write` does that on purpose.
FORGE_SNAPSHOT_CHECK=true "$forge" test "$@"
