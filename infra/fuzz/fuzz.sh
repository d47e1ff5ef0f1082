#!/usr/bin/env bash
# Fuzzes every parser with atheris, eight groups, SECONDS each (default 60), JOBS at once (default 2).
#
# The environment is its own (.venv-fuzz), so that the fuzzer is nobody's dependency. What is found stays in
# .build/fuzz/GROUP between runs; a bug's input lies there as bug-*. GROUPS_ONLY="cbor note" runs only those.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
bash infra/develop/setup.sh
seconds=${SECONDS_EACH:-60}
jobs=${JOBS:-2}
venv=$PWD/.venv-fuzz
stamp=$( (pwd; cat infra/fuzz/fuzz.sh infra/fuzz/requirements.lock requirements-verifier.lock
          cat attest/pyproject.toml accounting/pyproject.toml verifier/pyproject.toml) | cksum)
if [ "$(cat "$venv/.made-from" 2>/dev/null)" != "$stamp" ]; then
  rm -rf "$venv"
  .venv/bin/python -m venv --without-pip "$venv"
  VIRTUAL_ENV=$venv .venv/bin/uv pip sync --quiet --require-hashes requirements-verifier.lock infra/fuzz/requirements.lock
  VIRTUAL_ENV=$venv .venv/bin/uv pip install --quiet --no-deps -e ./attest -e ./accounting -e ./verifier
  printf '%s\n' "$stamp" >"$venv/.made-from"
fi

fuzz_group() { # fuzz_group NAME: one line for the reader, everything else into a log
  local folder=.build/fuzz/$1 status=0
  mkdir -p "$folder"
  rm -f "$folder"/bug-*
  "$venv/bin/python" tests/fuzz/run.py "$1" "$seconds" "$folder" >"$folder/log.txt" 2>&1 || status=$?
  local runs
  runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$folder/log.txt")
  if [ "$status" = 0 ]; then
    printf '%-10s %10s inputs in %s s, nothing found\n' "$1" "${runs:-0}" "$seconds"
  else
    printf '%-10s %10s inputs, BUG: see %s\n' "$1" "${runs:-?}" "$folder/log.txt"
    return 1
  fi
}
export -f fuzz_group
export seconds venv

groups=${GROUPS_ONLY:-$("$venv/bin/python" -c 'import sys; sys.path.insert(0, "tests/fuzz"); import fuzz_targets; print(*fuzz_targets.PARSERS)')}
printf '%s\n' $groups | xargs -P "$jobs" -I{} bash -c 'fuzz_group {}'
