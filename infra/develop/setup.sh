#!/usr/bin/env bash
# Makes .venv and node_modules inside the project's folder from the pinned lists.
#
# A second run is instant: a stamp in each of the two folders holds a checksum of
# everything it was made from. Needs Python >= 3.11 with venv, Node >= 20 with npm.
# PYTHON=/path/to/python chooses another interpreter.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

rooms=(attest accounting verifier collectors ledger api)

say() { printf 'setup: %s\n' "$*" >&2; }
refuse() { say "$*"; exit 2; }

# Two makes at once would otherwise build the same folder twice.
if command -v flock >/dev/null; then
  mkdir -p .build
  exec 9>.build/setup.lock
  flock 9
fi

find_python() {
  local candidate
  for candidate in "${PYTHON:-}" python3.11 python3.12 python3.13 python3.14 python3; do
    [ -n "$candidate" ] || continue
    command -v "$candidate" >/dev/null || continue
    "$candidate" -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue
    command -v "$candidate"
    return
  done
  return 1
}

parts_stamp=$( (pwd; cat infra/develop/setup.sh infra/develop/setup.lock requirements.lock) | cksum)
rooms_stamp=$( (printf '%s' "$parts_stamp"; cat "${rooms[@]/%//pyproject.toml}") | cksum)
export VIRTUAL_ENV="$PWD/.venv"
if [ "$(cat .venv/.made-from 2>/dev/null)" != "$parts_stamp" ]; then
  if ! .venv/bin/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    python=$(find_python) || refuse "no Python >= 3.11 with venv found; install one or set PYTHON=/path/to/python"
    say "making .venv with $("$python" --version)"
    rm -rf .venv
    "$python" -m venv .venv
  fi
  if ! .venv/bin/uv --version 2>/dev/null | grep -q "^uv $(sed -n 's/^uv==\([0-9.]*\).*/\1/p' infra/develop/setup.lock)\b"; then
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r infra/develop/setup.lock
  fi
  say "installing the pinned Python parts"
  .venv/bin/uv pip sync --quiet --require-hashes requirements.lock
  printf '%s\n' "$parts_stamp" >.venv/.made-from
fi
if [ "$(cat .venv/.rooms-from 2>/dev/null)" != "$rooms_stamp" ]; then
  editable=()
  for room in "${rooms[@]}"; do editable+=(-e "./$room"); done
  .venv/bin/uv pip install --quiet --no-deps "${editable[@]}"
  printf '%s\n' "$rooms_stamp" >.venv/.rooms-from
fi

node_stamp=$( (pwd; cat package.json package-lock.json) | cksum)
if [ "$(cat node_modules/.made-from 2>/dev/null)" != "$node_stamp" ]; then
  command -v npm >/dev/null || refuse "no npm found; install Node >= 20 with npm"
  node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' || refuse "Node >= 20 is needed, found $(node --version)"
  say "installing the pinned Node parts"
  npm ci --silent --no-audit --no-fund </dev/null
  printf '%s\n' "$node_stamp" >node_modules/.made-from
fi
