#!/usr/bin/env bash
# Installs what the checks of the API's documents need, under the target directory and nowhere else: Python packages (schemathesis,
# jsonschema, OpenAPI's rules) and AsyncAPI's own schema from npm. Versions are pinned in tests/api/. What is there already is kept.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
wanted=$root/tests/api
place=${CARGO_TARGET_DIR:-$root/target}/api
mkdir -p "$place/node"

"$root/scripts/install-test-deps.sh"

get_python_packages() {
  if cmp -s "$wanted/requirements.txt" "$place/python/installed.txt"; then return; fi
  rm -rf "$place/python"
  python3 -m venv "$place/python" &&
    "$place/python/bin/pip" install --quiet --disable-pip-version-check -r "$wanted/requirements.txt" &&
    cp "$wanted/requirements.txt" "$place/python/installed.txt"
}

get_node_packages() {
  if cmp -s "$wanted/package-lock.json" "$place/node/installed.json"; then return; fi
  cp "$wanted/package.json" "$wanted/package-lock.json" "$place/node/" &&
    (cd "$place/node" && npm ci --silent --no-audit --no-fund --ignore-scripts) &&
    cp "$wanted/package-lock.json" "$place/node/installed.json"
}

for part in python_packages node_packages; do
  if ! "get_$part"; then
    echo "api tools: MISSING ${part//_/ }: the checks that need it will be skipped" >&2
  fi
done
