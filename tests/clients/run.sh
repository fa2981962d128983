#!/usr/bin/env bash
# Runs WebSocket clients that are not our code (PyPI websockets, npm ws) against a real gateway on the memory
# backend. What it installs goes under the target directory; versions are pinned beside this script.
#
# Usage: tests/clients/run.sh [path to the binary]      last line: "N passed, N failed"; exit 1 when one failed
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
binary=$(realpath "${1:-$target/debug/watchparty}")
place=$target/clients
gateway=

if [ ! -x "$binary" ]; then
  echo "clients: no $binary; run 'cargo build' first" >&2
  exit 1
fi
mkdir -p "$place/node"
work=$(mktemp -d)

stop() {
  if [ -n "$gateway" ] && kill -0 "$gateway" 2>/dev/null; then
    kill -TERM "$gateway" 2>/dev/null || true
    wait "$gateway" || true
  fi
  rm -rf "$work"
}
trap stop EXIT

install_python() {
  # A venv that already holds these versions is kept: installing asks a registry.
  if ! cmp -s "$here/requirements.txt" "$place/python/installed.txt"; then
    rm -rf "$place/python"
    python3 -m venv "$place/python"
    "$place/python/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt"
    cp "$here/requirements.txt" "$place/python/installed.txt"
  fi
}

install_node() {
  cp "$here/package.json" "$here/node_client.mjs" "$place/node/"
  if ! cmp -s "$here/package-lock.json" "$place/node/installed.json"; then
    cp "$here/package-lock.json" "$place/node/"
    (cd "$place/node" && npm ci --silent --no-audit --no-fund)
    cp "$here/package-lock.json" "$place/node/installed.json"
  fi
}

# An empty environment and directory: neither a developer's variables nor a .env decide the outcome.
start_gateway() {
  mkdir "$work/cwd"
  (
    cd "$work/cwd"
    exec env -i HOST=127.0.0.1 PORT=0 ENVIRONMENT=development BCRYPT_COST=4 DRAIN_DELAY=0 LOG_FORMAT=json \
      "$binary" serve >"$work/gateway.log" 2>&1
  ) &
  gateway=$!
  # Asks for the line under a deadline of 30 s; the pause only spares the processor.
  for _ in $(seq 300); do
    base=$(address) && return 0
    kill -0 "$gateway" 2>/dev/null || break
    sleep 0.1
  done
  echo "clients: the gateway never said that it listens; its log:" >&2
  cat "$work/gateway.log" >&2
  return 1
}

# The address in the log line whose message is "listening"; fails while there is none.
address() {
  local addr
  addr=$(grep '"message":"listening"' "$work/gateway.log" | sed -n 's/.*"addr":"\([^"]*\)".*/\1/p' | head -n 1)
  [ -n "$addr" ] && echo "http://$addr"
}

passed=0
failed=0
check() {
  if "$@"; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
  fi
}

install_python
install_node
start_gateway
check "$place/python/bin/python" "$here/python_client.py" "$base"
check node "$place/node/node_client.mjs" "$base"
if [ "$failed" -gt 0 ]; then
  echo "clients: the gateway's log:" >&2
  cat "$work/gateway.log" >&2
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
