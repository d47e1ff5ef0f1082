#!/usr/bin/env bash
# Re-makes every list of pins from the pyproject.toml files.
#
# Pins that already stand are kept unless they no longer fit; UPGRADE=1 takes the newest of
# everything. The work happens on a copy under .build, because uv's own lock file records
# registry addresses and is not ours to keep (docs/decisions/0005).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
bash infra/develop/setup.sh
root=$PWD
work=$root/.build/lock

rm -rf "$work"
mkdir -p "$work"
for file in pyproject.toml */pyproject.toml; do
  mkdir -p "$work/$(dirname "$file")"
  cp "$file" "$work/$file"
done
if [ -z "${UPGRADE:-}" ]; then
  .venv/bin/python - requirements.lock "$work/pyproject.toml" <<'PY'
"""Keeps the standing pins by naming them as constraints of the copied workspace."""
import pathlib
import re
import sys

pins = re.findall(r"^([\w.\-]+==[\w.+!]+)", pathlib.Path(sys.argv[1]).read_text(), re.M)
workspace = pathlib.Path(sys.argv[2])
listed = "constraint-dependencies = [" + ", ".join(f'"{pin}"' for pin in pins) + "]\n"
workspace.write_text(workspace.read_text().replace("[tool.uv]\n", "[tool.uv]\n" + listed, 1))
PY
fi

export_pins() { # export_pins TARGET OPTION...
  local target=$1
  shift
  "$root/.venv/bin/uv" export --quiet --frozen --no-emit-workspace --no-header "$@" -o "$root/$target" >/dev/null
}

cd "$work"
if ! "$root/.venv/bin/uv" lock --quiet; then
  echo "lock: a standing pin no longer fits (see above); run 'make lock UPGRADE=1'" >&2
  exit 1
fi
export_pins requirements.lock --all-packages --all-extras --all-groups
export_pins requirements-verifier.lock --package carbonseal-verifier --no-default-groups
export_pins requirements-collectors.lock --package carbonseal-collectors --all-extras --no-default-groups
export_pins infra/develop/room-test.lock --only-group room-test
cd "$root"
echo "lock: wrote requirements.lock, requirements-verifier.lock, requirements-collectors.lock, infra/develop/room-test.lock"
