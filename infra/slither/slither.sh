#!/usr/bin/env bash
# Runs slither over the contracts and compares its findings with the answers in docs/contracts-analysis.md.
#
# The environment is its own (.venv-slither): slither is under the AGPL and nobody's dependency. It works on a copy under
# .build, because it cleans what Forge has compiled. Exit 0: every finding has an answer and every answer a finding;
# 1: not so; 2: it could not run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
bash infra/develop/setup.sh
venv=$PWD/.venv-slither
stamp=$( (pwd; cat infra/slither/requirements.lock) | cksum)
if [ "$(cat "$venv/.made-from" 2>/dev/null)" != "$stamp" ]; then
  rm -rf "$venv"
  .venv/bin/python -m venv --without-pip "$venv"
  VIRTUAL_ENV=$venv .venv/bin/uv pip sync --quiet --require-hashes infra/slither/requirements.lock
  printf '%s\n' "$stamp" >"$venv/.made-from"
fi
work=$PWD/.build/slither
rm -rf "$work"
mkdir -p "$work/lib"
cp -r contracts/src contracts/foundry.toml contracts/solc-json.cjs "$work"
ln -s ../../../node_modules/@openzeppelin "$work/lib/@openzeppelin"
. contracts/forge.sh
echo "slither: compiling and analysing (about half a minute)"
# Slither exits with the number of kinds of findings; whether it ran, the file tells.
(cd "$work" && PATH="$(dirname "$forge"):$PATH" "$venv/bin/slither" . --compile-force-framework foundry \
  --filter-paths 'lib/|node_modules' --json findings.json >log.txt 2>&1) || true
[ -s "$work/findings.json" ] || { tail -20 "$work/log.txt" >&2; echo "slither: it did not run, see $work/log.txt" >&2; exit 2; }
.venv/bin/python infra/slither/compare.py "$work/findings.json" docs/contracts-analysis.md
