#!/usr/bin/env bash
# Installs the verifier alone and the collectors alone, each in an environment of its own, and
# runs that room's tests there: a room that quietly leans on the server
# fails here although it passes beside the server.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
bash infra/develop/setup.sh
uv="$PWD/.venv/bin/uv"
server_parts="fastapi sqlalchemy web3 celery"

check_room() { # check_room NAME ROOM...   the room's own tests come last
  local name=$1
  shift
  local venv=$PWD/.venv-$name stamp room editable=()
  for room in "$@"; do editable+=(-e "./$room"); done
  stamp=$( (pwd; cat infra/develop/check_rooms.sh infra/develop/room-test.lock "requirements-$name.lock"
            cat "${@/%//pyproject.toml}") | cksum)
  if [ "$(cat "$venv/.made-from" 2>/dev/null)" != "$stamp" ]; then
    rm -rf "$venv"
    "$PWD/.venv/bin/python" -m venv --without-pip "$venv"
    VIRTUAL_ENV=$venv "$uv" pip sync --quiet --require-hashes "requirements-$name.lock" infra/develop/room-test.lock
    VIRTUAL_ENV=$venv "$uv" pip install --quiet --no-deps "${editable[@]}"
    printf '%s\n' "$stamp" >"$venv/.made-from"
  fi
  echo "== $name alone: $("$venv/bin/python" -c 'import importlib.metadata as m; print(len(list(m.distributions())))') distributions"
  "$venv/bin/python" - $server_parts <<'PY'
"""Refuses an environment that holds a part of the server."""
import importlib.util
import sys

found = [name for name in sys.argv[1:] if importlib.util.find_spec(name)]
sys.exit(f"check-rooms: {', '.join(found)} must not be needed here" if found else 0)
PY
  "$venv/bin/python" -m pytest -q -p no:cacheprovider "tests/attest" "tests/$name"
}

status=0
check_room verifier attest accounting verifier || status=1
check_room collectors attest collectors || status=1
exit $status
